"""Sealing: what opens where, and which keys are refused at start-up."""

import os
import stat
from base64 import b64encode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector_master.connections.sealing import (
    InvalidSecretKeys,
    KeyRing,
    Place,
    SealBroken,
    UnknownSealingKey,
    fingerprint,
    generate_key,
    key_id_of,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
HERE = Place(UUID(int=1), "connector_credentials", UUID(int=2), "sealed")
RING = KeyRing({"old": OLD})

words = st.text(max_size=8)
places = st.builds(Place, st.uuids(), words, st.uuids() | words, words)


@given(plain=st.binary(max_size=200), place=places)
def test_what_is_sealed_opens_in_its_place(plain: bytes, place: Place) -> None:
    assert RING.open(RING.seal(plain, place), place) == plain


@given(place=places, other=places)
def test_a_value_moved_to_another_place_does_not_open(place: Place, other: Place) -> None:
    assume(place.encoded() != other.encoded())

    with pytest.raises(SealBroken):
        RING.open(RING.seal(b"secret", place), other)


def test_places_that_read_alike_when_joined_are_different() -> None:
    workspace = UUID(int=1)
    assert Place(workspace, "ab", "c", "d").encoded() != Place(workspace, "a", "bc", "d").encoded()


@given(data=st.data())
def test_a_changed_bit_is_noticed(data: st.DataObject) -> None:
    sealed = RING.seal(b"secret", HERE)
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    changed = bytearray(sealed)
    changed[position // 8] ^= 1 << position % 8

    with pytest.raises((SealBroken, UnknownSealingKey)):
        RING.open(bytes(changed), HERE)


@given(st.binary(max_size=64))
def test_any_other_bytes_are_refused_with_a_problem(junk: bytes) -> None:
    with pytest.raises((SealBroken, UnknownSealingKey)):
        RING.open(junk, HERE)


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert RING.seal(b"secret", HERE) != RING.seal(b"secret", HERE)


def test_the_first_key_seals_and_all_of_them_open() -> None:
    rotated = KeyRing({"new": NEW, "old": OLD})

    assert rotated.open(RING.seal(b"secret", HERE), HERE) == b"secret"
    assert key_id_of(rotated.seal(b"secret", HERE)) == rotated.seals_with == "new"


def test_a_dropped_key_is_named() -> None:
    with pytest.raises(UnknownSealingKey, match="key old"):
        KeyRing({"new": NEW}).open(RING.seal(b"secret", HERE), HERE)


@pytest.mark.parametrize(
    "written", [b64encode(OLD).decode(), urlsafe_b64encode(OLD).decode().rstrip("="), OLD.hex(), OLD.hex().upper()]
)
def test_base64_and_hex_are_the_same_key(written: str) -> None:
    ring = KeyRing.parse(f"{generate_key()}, old:{written}")

    assert ring.ids[1] == "old"
    assert ring.open(RING.seal(b"secret", HERE), HERE) == b"secret"


def test_a_key_without_an_id_is_named_by_its_fingerprint() -> None:
    assert KeyRing.parse(OLD.hex()).ids == (fingerprint(OLD)[:8],)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b64encode(b"short").decode(), "Key number 1 has 5 bytes; it needs 32"),
        (f"a:{OLD.hex()},b:{'00' * 16}", "Key b has"),
        (f"{OLD.hex()},!!!", "Key number 2 is neither"),
        (f"{OLD.hex()},", "Key number 2 is empty"),
        (f"a:{OLD.hex()},a:{NEW.hex()}", "Two secret keys are named a"),
        (f"a b:{OLD.hex()}", "id has 1 to 32"),
    ],
)
def test_a_misshapen_key_is_refused_saying_which(text: str, said: str) -> None:
    with pytest.raises(InvalidSecretKeys, match=said) as refused:
        KeyRing.parse(text)
    assert OLD.hex() not in str(refused.value)


@given(st.text(max_size=80))
def test_no_setting_does_worse_than_be_refused(text: str) -> None:
    with pytest.raises(InvalidSecretKeys):
        KeyRing.parse(text)


def test_the_first_start_makes_a_key_that_only_its_owner_reads_and_later_ones_use_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    first = KeyRing.load(None, folder, known=())
    second = KeyRing.load(" ", folder, known=first.ids)

    assert second.open(first.seal(b"secret", HERE), HERE) == b"secret"
    assert stat.S_IMODE((folder / "secret.keys").stat().st_mode) == 0o600
    assert os.listdir(folder) == ["secret.keys"]


def test_of_many_first_starts_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as starts:
        rings = list(starts.map(lambda _: KeyRing.load(None, tmp_path, known=()), range(8)))

    assert len({ring.ids for ring in rings}) == 1


def test_no_key_is_made_when_sealed_data_exists(tmp_path: Path) -> None:
    with pytest.raises(InvalidSecretKeys, match="sealed with key k1"):
        KeyRing.load(None, tmp_path, known=["k1"])
    assert os.listdir(tmp_path) == []


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    KeyRing.load(None, tmp_path, known=())
    (tmp_path / "secret.keys").chmod(0o640)

    with pytest.raises(InvalidSecretKeys, match="can read") as refused:
        KeyRing.load(None, tmp_path, known=())
    assert "chmod 600" in refused.value.remedy


def test_an_empty_key_file_is_refused_and_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "secret.keys"
    path.touch(mode=0o600)

    with pytest.raises(InvalidSecretKeys, match="holds no key"):
        KeyRing.load(None, tmp_path, known=())
    assert path.read_bytes() == b""


def test_the_setting_wins_over_the_file(tmp_path: Path) -> None:
    KeyRing.load(None, tmp_path, known=())

    assert KeyRing.load(f"mine:{OLD.hex()}", tmp_path, known=()).ids == ("mine",)


def test_a_check_proves_the_right_key_and_names_a_wrong_or_missing_one() -> None:
    checks = KeyRing({"a": OLD, "b": NEW}).make_checks()

    KeyRing({"b": NEW, "a": OLD, "c": bytes(32)}).verify_checks(checks)
    with pytest.raises(InvalidSecretKeys, match="Key b differs"):
        KeyRing({"a": OLD, "b": OLD}).verify_checks(checks)
    with pytest.raises(InvalidSecretKeys, match="sealed with key b, but the keys given are a"):
        KeyRing({"a": OLD}).verify_checks(checks)


def test_neither_the_ring_nor_its_errors_show_a_key() -> None:
    assert repr(RING) == "KeyRing(old)"


def test_a_fingerprint_is_short_and_tells_secrets_apart() -> None:
    assert len(fingerprint("secret")) == 16
    assert fingerprint("secret") == fingerprint(b"secret") != fingerprint("secret ")
