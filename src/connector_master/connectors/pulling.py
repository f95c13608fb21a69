"""Pulling: what a source that must be asked says of its limits, and what it gives for a span of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from connector_master.model.event import Record
from connector_master.model.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider allows and how its clock behaves.

    `between_calls` is the least time between two calls with the same key, whoever makes them. `window` is the longest span
    of one call, `history` how far back it reaches, `first` how far back the first pull goes. `overlap` is how far a pull
    reads again what was read: leads show up late. `rests_after` is how long the key rests after the provider said "too many"
    without saying for how long. `calls_per_day` are the units that a key has from midnight to midnight in `day_zone`; of
    them `day_share` is used, and every call takes one.
    """

    between_calls: timedelta = timedelta(0)
    window: timedelta = timedelta(days=30)
    history: timedelta = timedelta(days=365)
    first: timedelta = timedelta(days=30)
    overlap: timedelta = timedelta(minutes=5)
    page_size: int = 50
    rests_after: timedelta = timedelta(minutes=5)
    calls_per_day: int | None = None
    day_zone: tzinfo = UTC
    day_share: float = 0.8

    @property
    def units_per_day(self) -> int | None:
        """How many calls a key may make in a day, None where nobody counts.

        >>> Limits(calls_per_day=10_000).units_per_day
        8000
        """
        return None if self.calls_per_day is None else max(1, int(self.calls_per_day * self.day_share))

    def day_at(self, moment: datetime) -> date:
        """Return the day in which the provider counts a call at `moment`."""
        return moment.astimezone(self.day_zone).date()

    def day_begins(self, moment: datetime) -> datetime:
        """Return when the provider began to count what it counts at `moment`, in UTC."""
        return start_of_day(self.day_at(moment), self.day_zone)

    def day_ends(self, moment: datetime) -> datetime:
        """Return the next midnight at the provider, in UTC.

        >>> from zoneinfo import ZoneInfo
        >>> Limits(day_zone=ZoneInfo("America/Los_Angeles")).day_ends(datetime(2026, 3, 8, 9, tzinfo=UTC))
        datetime.datetime(2026, 3, 9, 7, 0, tzinfo=datetime.timezone.utc)
        """
        return start_of_day(self.day_at(moment) + timedelta(days=1), self.day_zone)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time to be pulled: aware times in UTC, `start` in it and `end` its end.

    `state` is what the connector's last page left (Page.state); backfills, which read beside the present, have none.
    `is_deep` asks for what an ordinary run leaves out because it costs many calls: about one scheduled run a day is so.
    """

    start: datetime
    end: datetime
    state: Json = None
    is_deep: bool = False

    def pieces(self, longest: timedelta) -> Iterator["Window"]:
        """Yield the span in pieces of at most `longest`, the oldest first.

        >>> span = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 10, tzinfo=UTC))
        >>> [(piece.start.day, piece.end.day) for piece in span.pieces(timedelta(days=7))]
        [(1, 8), (8, 10)]
        """
        start = self.start
        while start < self.end:
            end = min(start + longest, self.end)
            yield replace(self, start=start, end=end)
            start = end

    def days(self, zone: tzinfo) -> Iterator[date]:
        """Yield every day of `zone` that the span touches, the oldest first."""
        day = self.start.astimezone(zone).date()
        last = self.end.astimezone(zone).date()
        while day <= last:
            yield day
            day += timedelta(days=1)


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Return the moment, in UTC, at which `day` begins in `zone`."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and the moment up to which everything is read once they are stored (aware, in UTC).

    `state` is for the connector's next pull, small and JSON, stored in one commit with the page; None leaves it as it is.
    What a backfill's page gives is not kept.
    """

    records: Sequence[Record]
    read_until: datetime
    state: Json = None
