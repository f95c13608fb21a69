"""Passwords: which are refused, and that the others are hashed and found again."""

import asyncio
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_master.access import passwords
from connector_master.access.predictable import is_predictable
from connector_master.model.problem import InvalidRequest

GOOD = "mossy teapot verdict lunar"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "q7Kd-92mx-Lw0v-zzRt",
        "नमस्ते दुनिया मेरा घर",
        "🦜🧵🪐🍩🚲🎷🧭🪵🦔🪁🧊🥁🪺🎏🪤",
        "x7" + "k9fwj2vq" * 7 + "end-of-64",
        "we paint the fence on tuesday evening",
    ],
)
def test_a_long_password_of_ones_own_is_accepted(password: str) -> None:
    assert passwords.check(password) == password


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "Password12345678!",
        "P@ssw0rd!P@ssw0rd!2026",
        "correct horse battery staple",
        "CorrectHorseBatteryStaple",
        "qwertyuiopasdfghjkl",
        "1q2w3e4r5t6y7u8i",
        "1qaz2wsx3edc4rfv",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnop",
        "aaaaaaaaaaaaaaaaaaaa",
        "abc1abc1abc1abc1abc1",
        "hellohellohellohello",
        "kestrelkestrelkestrel",
        "w7Qz!mw7Qz!mw7Qz!m",
        "ConnectorMaster2026!",
        "connector-master-admin",
        "admin1234admin1234",
        "welcome to india 2026",
        "iloveyouforever1234",
        "thequickbrownfoxjumpsoverthelazydog",
    ],
)
def test_a_password_that_guessers_try_first_is_refused(password: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        passwords.check(password)

    assert refused.value.errors[0].field == "password"
    assert password not in str(refused.value)


def test_a_password_built_around_the_users_own_address_is_refused() -> None:
    password = "sulochana.venkatraman77"

    assert passwords.check(password) == password
    with pytest.raises(InvalidRequest, match="easily guessed"):
        passwords.check(password, ("sulochana@venkatraman.example",))


@pytest.mark.parametrize("password", ["mossy teapot v", "", "x" * 1025, GOOD + "\n", GOOD + "\x00", GOOD + "\ud800"])
def test_too_short_too_long_and_control_characters_are_refused(password: str) -> None:
    with pytest.raises(InvalidRequest):
        passwords.check(password)


def test_fifteen_characters_are_enough_and_all_kinds_are_optional() -> None:
    assert passwords.check("mossyteapotlune") == "mossyteapotlune"


def test_a_thousand_characters_are_checked_in_no_time() -> None:
    started = time.perf_counter()
    is_predictable("passwor" * 146, ("a" * 254,))
    is_predictable("1q2w3e" * 170 + "x")

    assert time.perf_counter() - started < 1


def test_a_one_time_password_passes_the_check_and_never_repeats() -> None:
    made = {passwords.one_time() for _ in range(200)}

    assert len(made) == 200
    assert all(passwords.check(password) == password for password in made)


async def test_a_hash_is_argon2id_with_at_least_19_mib_and_verifies() -> None:
    password_hash = await passwords.hash_password(GOOD)

    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(GOOD, password_hash)
    assert not await passwords.verify(GOOD + " ", password_hash)
    assert not passwords.needs_rehash(password_hash)
    assert not await passwords.verify(GOOD, "no hash at all")


async def test_the_same_password_typed_on_another_system_is_the_same() -> None:
    composed = unicodedata.normalize("NFC", "crème brûlée à la façon")
    decomposed = unicodedata.normalize("NFD", composed).replace(" ", "\u00a0")

    assert await passwords.verify(decomposed, await passwords.hash_password(composed))


async def test_characters_that_only_look_alike_stay_different() -> None:
    assert not await passwords.verify(
        "ﬁne old teapot verdict", await passwords.hash_password("fine old teapot verdict")
    )


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40))
def test_no_text_makes_verifying_fail_but_with_false(text: str) -> None:
    assert asyncio.run(passwords.verify(text, None)) is False


async def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    password_hash = await passwords.hash_password(GOOD)

    async def fastest(known: str | None) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            await passwords.verify("wrong teapot verdict lunar", known)
            times.append(time.perf_counter() - started)
        return min(times)

    unknown, wrong = await fastest(None), await fastest(password_hash)

    assert 0.5 < unknown / wrong < 2
