"""Days that people choose, as moments: a day begins and ends where the reader is."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connector_master.web.language import reader


def start_of(day: str) -> datetime | None:
    """Return the moment at which the day `YYYY-MM-DD` begins for the reader; None for what is no day."""
    try:
        chosen = date.fromisoformat(day)
        return datetime.combine(chosen, time(), ZoneInfo(reader.get().zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def end_of(day: str) -> datetime | None:
    """Return the moment at which the day after `day` begins for the reader; None for what is no day."""
    try:
        return start_of((date.fromisoformat(day) + timedelta(days=1)).isoformat())
    except (ValueError, OverflowError):
        return None


def today() -> date:
    """Return the reader's day."""
    return datetime.now(ZoneInfo(reader.get().zone)).date()
