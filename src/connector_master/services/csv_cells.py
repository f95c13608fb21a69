"""CSV: texts as cells that no spreadsheet takes for a formula (OWASP, "CSV Injection").

A cell that begins like a formula gets an apostrophe in front and so stays text: names, messages, and phone numbers, whose
E.164 begins with a plus. `'+919876543210` keeps all its digits in Excel and LibreOffice, where `+919876543210` would become
a number and be shown as 9.19877E+11. Programs that read the file take one apostrophe off (`unguard`); nothing is lost, for a
text that itself begins with apostrophes before such a sign gets one more.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from re import compile as pattern

_LIKE_A_FORMULA = pattern(r"[\s'\ufeff]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def guard(text: str) -> str:
    """Return `text` so that a spreadsheet shows it and computes nothing.

    >>> guard("=1+1"), guard("+919876543210"), guard("Asha")
    ("'=1+1", "'+919876543210", 'Asha')
    """
    return f"'{text}" if _LIKE_A_FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """Return the text that `guard` made `cell` of."""
    return cell[1:] if cell.startswith("'") and _LIKE_A_FORMULA.match(cell, 1) else cell


def lines(rows: Iterable[Sequence[str | None]]) -> str:
    """Return `rows` as CSV (RFC 4180): every cell quoted and guarded, None as an empty one.

    >>> lines([["id", None, "=1"]])
    '"id","","\\'=1"\\r\\n'
    """
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([["" if cell is None else guard(cell) for cell in row] for row in rows])
    return written.getvalue()
