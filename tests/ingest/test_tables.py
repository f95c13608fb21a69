"""Tables: files of leads become records, whatever program saved them, and anything else is refused."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.ingest.tables import read_table
from connector_master.model.problem import InvalidRequest
from tests.support.workbooks import workbook

ASHA = {"Name": "Asha Rao", "Phone": "9876543210", "City": "Pune"}


@pytest.mark.parametrize(
    "content",
    [
        b"Name,Phone,City\r\nAsha Rao,9876543210,Pune\r\n",
        b"Name;Phone;City\nAsha Rao;9876543210;Pune\n",
        b"Name\tPhone\tCity\nAsha Rao\t9876543210\tPune",
        b"\xef\xbb\xbfName,Phone,City\nAsha Rao,9876543210,Pune",
        "Name,Phone,City\nAsha Rao,9876543210,Pune\n".encode("utf-16"),
        b'\n\n"Name","Phone","City"\n\n"Asha Rao"," 9876543210 ","Pune"\n,,\n',
        workbook([["Name", "Phone", "City"], ["Asha Rao", 9876543210, "Pune"]]),
        workbook([["Name", "Phone", "City"], ["Asha Rao", 9876543210.0, "Pune"]]),
    ],
)
def test_a_file_is_read_whatever_saved_it(content: bytes) -> None:
    assert list(read_table(content).records()) == [ASHA]


def test_words_of_windows_and_other_scripts_survive() -> None:
    assert list(read_table("Name,Note\nJosé,5 €".encode("cp1252")).records()) == [{"Name": "José", "Note": "5 €"}]
    assert list(read_table("नाम,फ़ोन\nआशा,98".encode()).records()) == [{"नाम": "आशा", "फ़ोन": "98"}]


def test_a_cell_may_hold_commas_lines_and_quotes() -> None:
    content = b'Name,Note\n"Rao, Asha","first ""line""\nsecond"\n'

    assert list(read_table(content).records()) == [{"Name": "Rao, Asha", "Note": 'first "line"\nsecond'}]


def test_names_of_columns_differ() -> None:
    assert read_table(b"Phone,Phone,,Phone\n1,2,3,4").columns == ["Phone", "Phone 2", "column 3", "Phone 3"]


def test_empty_cells_are_left_out_and_short_rows_are_taken() -> None:
    assert list(read_table(b"a,b,c\n1,,\n2,3").records()) == [{"a": "1"}, {"a": "2", "b": "3"}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n",
        b"Name,Phone",
        b"PK\x03\x04 not a workbook",
        b"\xd0\xcf\x11\xe0 nor this",
        b"a,b\n\0\0,\0",
        b",".join([b"x"] * 300) + b"\n1",
        b"a\n" * 100_010,
        b"x" * (10 * 1024 * 1024 + 1),
    ],
)
def test_what_is_no_table_of_leads_is_refused_with_words(content: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_table(content)

    assert refused.value.field == "file"


def test_a_workbook_that_unpacks_without_end_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        for name in range(4):
            files.writestr(f"xl/worksheets/sheet{name}.xml", b" " * (80 * 1024 * 1024))

    with pytest.raises(InvalidRequest, match="too large"):
        read_table(packed.getvalue())


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_a_table_or_a_refusal(content: bytes) -> None:
    try:
        table = read_table(content)
    except InvalidRequest:
        return
    assert len(set(table.columns)) == len(table.columns)
    assert list(table.records())


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), min_size=2, max_size=5)))
def test_what_was_written_as_csv_is_read_back(rows: list[list[str]]) -> None:
    import csv

    written = io.StringIO()
    names = [f"c{place}" for place in range(5)]
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    kept = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not kept:
        return

    read = list(read_table(written.getvalue().encode()).records())

    assert read == [{name: cell for name, cell in zip(names, row, strict=False) if cell} for row in kept]
