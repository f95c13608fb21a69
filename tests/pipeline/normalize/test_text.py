"""Cleaning: what is taken out of a text, and what must stay in."""

import unicodedata
from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import clean_lines, clean_text

# Hypothesis leaves surrogates out unless asked; senders don't.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("", ""),
        (" \t\r\n\u00a0\u2003", ""),
        ("Ravi\x00 Sample", "Ravi Sample"),
        ("Ravi\tSample\nSurat", "Ravi Sample Surat"),
        ("\ufeffRavi\u200b \u202eSample\u202c", "Ravi Sample"),
        ("\x1b[31mRavi\x9f", "[31mRavi"),
        ("Jose\u0301", "Jos\u00e9"),
        ("Ravi\ud800 Sample\udfff", "Ravi Sample"),
        ("Ravi \ud83d\ude00", "Ravi \U0001f600"),
    ],
)
def test_a_text_is_one_line_that_the_database_and_the_eye_can_read(written: str, cleaned: str) -> None:
    assert clean_text(written) == cleaned


def test_joiners_stay_because_hindi_is_spelt_with_them() -> None:
    assert clean_text("क्\u200dष र्\u200cक") == "क्\u200dष र्\u200cक"


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
        ("one\r\rtwo", "one\ntwo"),
        ("one \n\n\n\n two", "one\n\ntwo"),
        ("\n\n one  two \t\n", "one two"),
        ("one\u2028two\x85three", "one\ntwo\nthree"),
        ("one\r\x00\ntwo", "one\ntwo"),
    ],
)
def test_notes_keep_their_lines(written: str, cleaned: str) -> None:
    assert clean_lines(written) == cleaned


@given(ANY_TEXT)
@example("\u0344" * 40 + "e\u0301")
@example("\U0001d15e\u200b\u0301" * 40)
@example("\ud83d\x00\ude00")
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    for clean in (clean_text, clean_lines):
        once = clean(text)
        assert clean(once) == once
        assert unicodedata.is_normalized("NFC", once)
        once.encode("utf-8")
        assert not any(unicodedata.category(character) == "Cc" for character in once.replace("\n", ""))


@given(ANY_TEXT)
def test_one_line_is_the_lines_joined(text: str) -> None:
    assert clean_text(clean_lines(text)) == clean_text(text)


@pytest.mark.parametrize(
    "hostile",
    [
        "e" + "\u0300\u0327" * 300_000,
        "\u202e\u200b" * 300_000,
        "\r\n\r" * 300_000,
        "\ud800" * 500_000,
        " \x00" * 500_000,
    ],
    ids=["marks", "invisible", "line ends", "surrogates", "blanks"],
)
def test_a_megabyte_of_anything_takes_no_time_to_speak_of(hostile: str) -> None:
    begin = perf_counter()
    clean_text(hostile)
    clean_lines(hostile)
    # Quadratic handling takes minutes.
    assert perf_counter() - begin < 10
