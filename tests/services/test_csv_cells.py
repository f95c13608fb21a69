"""Cells of the export: text stays text in a spreadsheet, and comes back as it was."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.services.csv_cells import guard, lines, unguard

SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
TRICKY = st.text(alphabet=st.sampled_from(SIGNS + "' \"a1,;|\ufeff")) | st.text()


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", "\uff1d1+1", "=cmd|' /C calc'!A0"],
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guard(text) == f"'{text}"


def test_a_phone_number_stays_readable_text() -> None:
    assert guard("+919876543210") == "'+919876543210"


@pytest.mark.parametrize("text", ["Asha Rao", "asha@example.com", "O'Brien", "12-14 Main Road", "", "'quoted'"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guard(text) == text


@given(TRICKY)
def test_no_guarded_cell_begins_like_a_formula(text: str) -> None:
    assert guard(text).lstrip(" \ufeff")[:1] not in set(SIGNS)


@given(TRICKY)
def test_guarding_loses_nothing(text: str) -> None:
    assert unguard(guard(text)) == text


@given(st.lists(st.lists(TRICKY.filter(lambda text: "\x00" not in text), min_size=1), min_size=1))
def test_any_csv_reader_gets_the_cells_back(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(lines(rows), newline="")))

    assert [[unguard(cell) for cell in row] for row in read] == rows
