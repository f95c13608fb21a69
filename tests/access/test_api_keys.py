"""API keys: form, checksum and what is kept of them."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from connector_master.access.api_keys import hash_key, looks_valid, mint


def test_a_key_has_our_prefix_forty_random_characters_and_a_checksum() -> None:
    assert re.fullmatch(r"cmk_[0-9A-Za-z]{46}", mint().key)


def test_a_key_is_recognized_and_no_two_are_equal() -> None:
    keys = {mint().key for _ in range(500)}

    assert len(keys) == 500
    assert all(looks_valid(key) for key in keys)


def test_what_is_stored_tells_only_the_last_four_characters() -> None:
    minted = mint()

    assert minted.hint == f"…{minted.key[-4:]}"
    assert minted.key_hash == hash_key(minted.key)
    assert len(minted.key_hash) == 32
    assert minted.key not in repr(minted)


@given(position=st.integers(4, 49), character=st.sampled_from("09AZaz5mM"))
def test_one_wrong_character_is_noticed_without_a_look_up(position: int, character: str) -> None:
    key = mint().key
    assume(key[position] != character)

    assert not looks_valid(key[:position] + character + key[position + 1 :])


@given(st.text() | st.from_regex(r"cmk_[0-9A-Za-z]{46}", fullmatch=True) | st.just("cmk_" + "٣" * 46))
def test_no_text_makes_the_check_fail_or_pass_by_accident(text: str) -> None:
    assert looks_valid(text) is False
    assert len(hash_key(text)) == 32


def test_a_line_break_behind_a_key_is_no_key() -> None:
    assert not looks_valid(mint().key + "\n")
