"""Tables: files of leads (CSV, Excel) as records, each row an object under the names of the first.

Numbers and dates come out as a person sees them, since a phone number in a spreadsheet is often a number. Whatever the file
is, what comes out is a table or InvalidRequest, within limits on size, columns and rows.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from connector_master.model.json import Json
from connector_master.model.problem import InvalidRequest

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 100_000
_MOST_COLUMNS = 200
_MOST_CELL_CHARACTERS = 32_767
_MOST_UNPACKED_BYTES = 300 * 1024 * 1024
_SNIFFED_CHARACTERS = 20_000
_DELIMITERS = ",;\t|"
_EXCEL_SIGNS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True)
class Table:
    """A file's names of columns, and its rows below them, blank ones left out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def records(self) -> Iterator[Json]:
        """Yield each row as an object without its empty cells."""
        for row in self.rows:
            yield {name: cell for name, cell in zip(self.columns, row, strict=False) if cell}


def read_table(content: bytes) -> Table:
    """Return the table in a CSV or an Excel file (its first sheet). Raises InvalidRequest for `file`."""
    if len(content) > MOST_BYTES:
        raise _unfit("The file is larger than 10 MB. Split it, and bring the parts one after the other.")
    try:
        lines = _excel(content) if content.startswith(_EXCEL_SIGNS) else _csv(content)
        return _table(lines)
    except csv.Error as error:
        raise _unfit(f"The file can't be read as CSV: {error}.") from error


def _table(lines: Iterable[Sequence[str]]) -> Table:
    columns: list[str] = []
    rows: list[Sequence[str]] = []
    for line in lines:
        cells = [cell.strip()[:_MOST_CELL_CHARACTERS] for cell in line]
        if not any(cells):
            continue
        if not columns:
            columns = _names(cells)
            continue
        if len(rows) == MOST_ROWS:
            raise _unfit(f"The file has more than {MOST_ROWS} rows. Split it, and bring the parts one after the other.")
        rows.append(cells)
    if not columns:
        raise _unfit("The file is empty.")
    if not rows:
        raise _unfit("There is only one row: the first names the columns, the leads follow below.")
    return Table(columns, rows)


def _names(cells: Sequence[str]) -> list[str]:
    """Return names that differ: an empty one is called by its place, a second of a name gets a number."""
    if len(cells) > _MOST_COLUMNS:
        raise _unfit(f"The file has more than {_MOST_COLUMNS} columns.")
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        wanted = cell or f"column {place}"
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted} {count}"
        names.append(name)
    return names


def _csv(content: bytes) -> Iterator[Sequence[str]]:
    text = _decoded(content)
    if "\0" in text:
        raise _unfit("This is neither a CSV nor an Excel file.")
    try:
        dialect: Any = csv.Sniffer().sniff(text[:_SNIFFED_CHARACTERS], _DELIMITERS)
        delimiter = dialect.delimiter
    except csv.Error:
        delimiter = ","
    yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What Excel on Windows saves as "CSV".
        return content.decode("cp1252", "replace")


def _excel(content: bytes) -> Iterator[Sequence[str]]:
    if content.startswith(b"PK"):
        _refuse_bombs(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        if not workbook.sheet_names:
            raise _unfit("The workbook has no sheet.")
        sheet = workbook.get_sheet_by_index(0)
        yield from ([_text(cell) for cell in row] for row in sheet.iter_rows())
    except CalamineError as error:
        raise _unfit("The file can't be read as an Excel workbook.") from error


def _refuse_bombs(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(one.file_size for one in packed.infolist())
    except zipfile.BadZipFile as error:
        raise _unfit("The file can't be read as an Excel workbook.") from error
    if unpacked > _MOST_UNPACKED_BYTES:
        raise _unfit("The workbook is too large once unpacked.")


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)


def _unfit(detail: str) -> InvalidRequest:
    return InvalidRequest(
        detail, field="file", remedy="Bring a CSV or an Excel file whose first row names the columns."
    )
