"""Metrics of one connector over a span of time, in buckets without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from connector_master.access.caller import Caller
from connector_master.model.problem import InvalidRequest, NotFound
from connector_master.services.hub import Hub
from connector_master.storage import connectors, metrics
from connector_master.storage.metrics import Figures

MOST_BUCKETS = 1_000
_DEFAULT_SPAN = timedelta(days=7)


class Bucket(StrEnum):
    """How long a bucket is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of a span: of the whole, and of each bucket in order, empty ones too."""

    start: datetime
    end: datetime
    bucket: Bucket
    total: Figures
    buckets: Sequence[Figures]


async def of_connector(
    hub: Hub,
    caller: Caller,
    connector_id: UUID,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    bucket: Bucket = Bucket.DAY,
) -> Measured:
    """Return a connector's figures for `start` ≤ received < `end`; by default of the last seven days.

    Raises NotFound, and InvalidRequest for a span that is none or has more than 1,000 buckets.
    """
    end = now if end is None else end
    start = _before(end) if start is None else start
    if start >= end:
        raise InvalidRequest("The span must end after it begins.", field="to")
    starts = _starts(start, end, bucket)
    async with hub.engine.connect() as connection:
        if await connectors.get(connection, caller.workspace_id, connector_id) is None:
            raise NotFound("No connector has this id.")
        found = await metrics.figures(
            connection, caller.workspace_id, connector_id, start=start, end=end, bucket=bucket.value
        )
    by_start = {figures.start: figures for figures in found}
    total = by_start.pop(None, _nothing(None))
    return Measured(start, end, bucket, total, [by_start.get(moment, _nothing(moment)) for moment in starts])


def _before(end: datetime) -> datetime:
    earliest = datetime.min.replace(tzinfo=UTC)
    return end - _DEFAULT_SPAN if end - earliest > _DEFAULT_SPAN else earliest


def _starts(start: datetime, end: datetime, bucket: Bucket) -> list[datetime]:
    """Return the beginning of every bucket that the span touches."""
    moment = _floor(start, bucket)
    starts: list[datetime] = []
    while moment < end:
        if len(starts) == MOST_BUCKETS:
            raise InvalidRequest(
                f"The span has more than {MOST_BUCKETS:,} buckets: shorten it or take a longer bucket.", field="bucket"
            )
        starts.append(moment)
        try:
            moment = _next(moment, bucket)
        except (OverflowError, ValueError):
            break
    return starts


def _floor(moment: datetime, bucket: Bucket) -> datetime:
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    match bucket:
        case Bucket.HOUR:
            return hour
        case Bucket.DAY:
            return day
        case Bucket.WEEK:
            # The year 1 begins with a Monday, so this can't fall out of the calendar.
            return day - timedelta(days=day.weekday())
        case Bucket.MONTH:
            return day.replace(day=1)


def _next(moment: datetime, bucket: Bucket) -> datetime:
    match bucket:
        case Bucket.HOUR:
            return moment + timedelta(hours=1)
        case Bucket.DAY:
            return moment + timedelta(days=1)
        case Bucket.WEEK:
            return moment + timedelta(days=7)
        case Bucket.MONTH:
            return moment.replace(year=moment.year + moment.month // 12, month=moment.month % 12 + 1)


def _nothing(start: datetime | None) -> Figures:
    return Figures(start, 0, 0, 0, 0, 0, 0, None, None)
