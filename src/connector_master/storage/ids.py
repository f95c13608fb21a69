"""Ids: UUIDs of version 7, whose first 48 bits are the millisecond they were made in."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new id; later ones sort after earlier ones of the same process."""
    return uuid7()


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest id that could have been made at `moment`: the bound for ids in a span of time."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80)


def time_of(id_: UUID) -> datetime:
    """Return the time an id was made, to the millisecond."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
