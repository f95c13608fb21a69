"""Paging by cursor: a list goes on after the last id it showed, so rows that come meanwhile shift nothing.

What no index knows, such as text in payloads, is looked for in so many rows at a time: the page is then short, or empty, and
its cursor goes on where looking stopped.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from connector_master.model.problem import InvalidCursor

MOST_LOOKED_AT = 10_000
"""Rows that are looked through for one page."""

_MARK = b"c1"


class _Row(Protocol):
    @property
    def id(self) -> UUID: ...


Row = TypeVar("Row", bound=_Row)


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """Rows, newest first, and the id down to which was looked; None where nothing older is left."""

    rows: Sequence[Row]
    looked_until: UUID | None = None


def cut(found: Found[Row], limit: int) -> tuple[list[Row], str | None]:
    """Return `limit` of the rows, of which one more was asked for, and the cursor of the rest."""
    rows = list(found.rows[:limit])
    if len(found.rows) > limit:
        return rows, encode_cursor(rows[-1].id, getattr(rows[-1], "part", 0))
    return rows, encode_cursor(found.looked_until) if found.looked_until else None


def encode_cursor(id_: UUID, part: int = 0) -> str:
    """Return the cursor of the row with `id_`; `part` tells rows of one id apart where a list has several."""
    return urlsafe_b64encode(_MARK + bytes([part]) + id_.bytes).decode().rstrip("=")


def decode_cursor(text: str) -> UUID:
    """Return the id in a cursor. Raises InvalidCursor for anything that `encode_cursor` did not make."""
    return decode_cursor_part(text)[0]


def decode_cursor_part(text: str) -> tuple[UUID, int]:
    """Return the id and the part in a cursor. Raises InvalidCursor."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InvalidCursor("This cursor was not given out by this list.", field="cursor") from error
    if len(raw) != 19 or not raw.startswith(_MARK) or encode_cursor(UUID(bytes=raw[3:]), raw[2]) != text:
        raise InvalidCursor("This cursor was not given out by this list.", field="cursor")
    return UUID(bytes=raw[3:]), raw[2]
