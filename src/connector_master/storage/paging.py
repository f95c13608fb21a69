"""Paging by cursor: a list goes on after the last id it showed, so rows that come meanwhile shift nothing."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from connector_master.model.problem import InvalidCursor

_MARK = b"c1"


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
