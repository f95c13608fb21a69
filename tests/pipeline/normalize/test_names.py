"""Names: as written, but for what no person wrote."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import join_names, normalize_name

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
ENTITY_PARTS = ["&", "amp;", "#38;", "#108;", "t;", "lt;", "first", "=", "\n", "x"]
ENTITY_PILES = st.lists(st.sampled_from(ENTITY_PARTS)).map("".join)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("KIRAN   DEMO", "KIRAN DEMO"),
        ("  ravi\tsample\n", "ravi sample"),
        ("Mr Vikas &amp; Co", "Mr Vikas & Co"),
        ("Mr Vikas &amp;amp; Co", "Mr Vikas & Co"),
        ("O&#39;Brien", "O'Brien"),
        ("Demo & Sons", "Demo & Sons"),
        ("first = John\nlast = Sample", "John Sample"),
        ("first = John\r\nmiddle = \r\nlast = Sample\r\n", "John Sample"),
        ("a = b", "a = b"),
        ("सुनीता शर्मा", "सुनीता शर्मा"),
        ("Asha\x00\u202e Example", "Asha Example"),
        ("Null Sharma", "Null Sharma"),
        ("Mr. Unknown Demo", "Mr. Unknown Demo"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
    ],
)
def test_a_name_stays_as_it_was_written(written: str, name: str) -> None:
    assert normalize_name(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        "  ",
        "\x00",
        "-",
        "--",
        ".",
        "?",
        "IndiaMART Buyer",
        "indiamart  BUYER",
        "null",
        "None",
        "N/A",
        "undefined",
        "Unknown",
    ],
)
def test_a_placeholder_is_no_name(written: str) -> None:
    assert normalize_name(written) is None


def test_a_long_name_is_cut() -> None:
    assert normalize_name("a" * 199 + " b" * 1000) == "a" * 199


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("Asha", "Example", "Asha Example"),
        (" Asha ", None, "Asha"),
        (None, "Example", "Example"),
        ("", "", None),
        (None, None, None),
        ("null", "null", None),
        ("Asha", "-", "Asha"),
    ],
)
def test_a_name_in_two_parts_is_joined(first: str | None, last: str | None, name: str | None) -> None:
    assert join_names(first, last) == name


@given(ANY_TEXT | ENTITY_PILES)
@example("a" * 198 + " &amp; b")
@example("&&#108;t; null")
@example("first=FIRST=")
@example("FIRST=\r0")
@example("fi&#8203;rst = Asha")
def test_normalizing_twice_changes_nothing_more(text: str) -> None:
    name = normalize_name(text)

    assert name is None or (normalize_name(name) == name and 0 < len(name) <= 200)


@given(ANY_TEXT, ANY_TEXT)
def test_joined_names_are_normalized(first: str, last: str) -> None:
    name = join_names(first, last)

    assert name is None or normalize_name(name) == name


@pytest.mark.parametrize("piece", ["&amp;", "&&#108;t;", "first=\n", "null ", "&"])
def test_a_megabyte_is_read(piece: str) -> None:
    normalize_name(piece * 200_000)
