"""Moments in queries and bodies: ISO 8601, aware or read as UTC, so `from` and `to` mean the same to everybody."""

from datetime import UTC, datetime
from re import compile as pattern
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_PLUS_READ_AS_BLANK = pattern(r"(?<=\d) (?=\d\d:?\d\d$)")
_LONGEST = 40


def read_moment(value: object) -> datetime:
    """Return an ISO 8601 time in UTC; without an offset it is read as UTC, a date alone as its midnight.

    A plus that a query string lost (`…T10:00:00 05:30`) is put back. Raises ValueError for anything else.

    >>> read_moment("2026-11-24T10:00:00 05:30").isoformat(), read_moment("2026-11-24").isoformat()
    ('2026-11-24T04:30:00+00:00', '2026-11-24T00:00:00+00:00')
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and len(value) <= _LONGEST:
        text = value.strip()
        if "T" in text.upper():
            text = _PLUS_READ_AS_BLANK.sub("+", text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(_WRONG) from error
    else:
        raise ValueError(_WRONG)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(_WRONG) from error


_WRONG = "Give a time in ISO 8601, such as 2026-11-24T10:00:00Z."

Moment = Annotated[
    datetime, BeforeValidator(read_moment), WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation")
]
"""A time that somebody sends."""
