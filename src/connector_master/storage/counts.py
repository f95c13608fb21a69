"""Counts of events by quarters of an hour, and running totals of each day in UTC: kept for what is over, counted at once for
what is not. A day anywhere is the difference of two totals, so a page reads a few rows for each connector and day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at

QUARTER = timedelta(minutes=15)
"""Every zone's days begin on a quarter of an hour."""
_QUARTERS = 96


@dataclass(frozen=True, slots=True)
class DayCount:
    """What came to one connector on a day, and what became of it; `leads_by_then` counts only up to a time of day."""

    connector_id: UUID
    day: date
    received: int = 0
    created: int = 0
    duplicates: int = 0
    ignored: int = 0
    failed: int = 0
    leads_by_then: int = 0

    @property
    def leads(self) -> int:
        """Enquiries that became a lead or met one."""
        return self.created + self.duplicates

    def __add__(self, other: "DayCount") -> "DayCount":
        """Return what came to both, as a count of this connector and day."""
        return DayCount(
            self.connector_id,
            self.day,
            self.received + other.received,
            self.created + other.created,
            self.duplicates + other.duplicates,
            self.ignored + other.ignored,
            self.failed + other.failed,
            self.leads_by_then + other.leads_by_then,
        )


_TALLY = """
    count(*)::int AS received,
    (count(*) FILTER (WHERE e.status = 'created'))::int AS created,
    (count(*) FILTER (WHERE e.status = 'duplicate'))::int AS duplicates,
    (count(*) FILTER (WHERE e.status = 'ignored'))::int AS ignored,
    (count(*) FILTER (WHERE e.status IN ('failed', 'dead')))::int AS failed
"""

_UNTIL = text("SELECT until FROM counted FOR UPDATE SKIP LOCKED")
_BEGIN = text("""
    INSERT INTO counted (until)
    SELECT quarter_of(coalesce((SELECT received_at FROM events ORDER BY id LIMIT 1), now()))
     WHERE NOT EXISTS (SELECT 1 FROM counted)
""")
# Joined with the workspaces, since every index begins with them.
_COUNT = text(f"""
    INSERT INTO event_counts AS known (workspace_id, connector_id, starts_at, received, created, duplicates, ignored, failed)
    SELECT w.id, e.connector_id, quarter_of(e.received_at) AS starts_at, {_TALLY}
      FROM workspaces w
      JOIN LATERAL (
        SELECT connector_id, received_at, status FROM events
         WHERE workspace_id = w.id AND id >= :first AND id < :end AND received_at >= :start AND received_at < :stop
      ) AS e ON true
     GROUP BY 1, 2, 3
    ON CONFLICT (workspace_id, connector_id, starts_at) DO UPDATE
       SET received = excluded.received, created = excluded.created, duplicates = excluded.duplicates,
           ignored = excluded.ignored, failed = excluded.failed
    RETURNING workspace_id, connector_id, starts_at
""")
_MOVE = text("UPDATE counted SET until = greatest(until, :until)")

_RECOUNT = text(f"""
    WITH taken AS (DELETE FROM recounts RETURNING workspace_id, connector_id, starts_at),
    wanted AS (SELECT DISTINCT t.* FROM taken t WHERE t.starts_at < (SELECT until FROM counted))
    INSERT INTO event_counts AS known (workspace_id, connector_id, starts_at, received, created, duplicates, ignored, failed)
    SELECT w.workspace_id, w.connector_id, w.starts_at, tally.*
      FROM wanted w
     CROSS JOIN LATERAL (
        SELECT {_TALLY} FROM events e
         WHERE e.workspace_id = w.workspace_id AND e.connector_id = w.connector_id
           AND e.id >= first_id_at(w.starts_at) AND e.id < first_id_at(w.starts_at + interval '15 minutes')
     ) AS tally
     WHERE tally.received > 0
     ORDER BY 1, 2, 3
    ON CONFLICT (workspace_id, connector_id, starts_at) DO UPDATE
       SET received = excluded.received, created = excluded.created, duplicates = excluded.duplicates,
           ignored = excluded.ignored, failed = excluded.failed
    RETURNING workspace_id, connector_id, starts_at
""")

# Each total holds what came up to the end of its quarter, the first one at place 1.
_SUM_UP = text("""
    WITH quarters AS (
        SELECT w.workspace_id, w.day, w.connector_id, place, c.received, c.created, c.duplicates, c.ignored, c.failed
          FROM unnest(CAST(:workspaces AS uuid[]), CAST(:days AS date[]), CAST(:connectors AS uuid[]))
               AS w (workspace_id, day, connector_id)
         CROSS JOIN generate_series(1, 96) AS place
          LEFT JOIN event_counts c
            ON c.workspace_id = w.workspace_id AND c.connector_id = w.connector_id
           AND c.starts_at = (w.day + (place - 1) * interval '15 minutes') AT TIME ZONE 'UTC'
    ), totals AS (
        SELECT workspace_id, day, connector_id, place,
               coalesce(sum(received) OVER day_so_far, 0)::int AS received,
               coalesce(sum(created) OVER day_so_far, 0)::int AS created,
               coalesce(sum(duplicates) OVER day_so_far, 0)::int AS duplicates,
               coalesce(sum(ignored) OVER day_so_far, 0)::int AS ignored,
               coalesce(sum(failed) OVER day_so_far, 0)::int AS failed
          FROM quarters WINDOW day_so_far AS (PARTITION BY workspace_id, day, connector_id ORDER BY place)
    )
    INSERT INTO event_days (workspace_id, day, connector_id, received, created, duplicates, ignored, failed)
    SELECT workspace_id, day, connector_id, array_agg(received ORDER BY place), array_agg(created ORDER BY place),
           array_agg(duplicates ORDER BY place), array_agg(ignored ORDER BY place), array_agg(failed ORDER BY place)
      FROM totals GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (workspace_id, day, connector_id) DO UPDATE
       SET received = excluded.received, created = excluded.created, duplicates = excluded.duplicates,
           ignored = excluded.ignored, failed = excluded.failed
""")


async def count_on(connection: AsyncConnection, *, now: datetime, settled: timedelta, most: timedelta) -> bool:
    """Count, for every workspace, at most `most` of what is older than `settled`; return whether more is left.

    One process counts at a time. The last hour is counted again: its events may have been committed late.
    """
    await connection.execute(_BEGIN)
    until: datetime | None = (await connection.execute(_UNTIL)).scalar_one_or_none()
    if until is None:
        return False
    target = _quarter(now - settled)
    end = min(target, until + most)
    start = min(until, end) - 4 * QUARTER
    values = {"first": first_id_at(start), "end": first_id_at(end), "start": start, "stop": end}
    counted = (await connection.execute(_COUNT, values)).all()
    await connection.execute(_MOVE, {"until": end})
    counted = [*counted, *await connection.execute(_RECOUNT)]
    touched = sorted({(workspace, at.astimezone(UTC).date(), connector) for workspace, connector, at in counted})
    if touched:
        workspaces, days, connectors = map(list, zip(*touched, strict=True))
        await connection.execute(_SUM_UP, {"workspaces": workspaces, "days": days, "connectors": connectors})
    return end < target


@dataclass(slots=True)
class _Parts:
    """Parts of days in UTC that make up days elsewhere, as columns: quarters `since` up to `until`, of them up to `by_then`."""

    places: list[int] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    by_then: list[int] = field(default_factory=list)
    until: list[int] = field(default_factory=list)


_BY_DAY = text(f"""
    WITH mark AS (SELECT greatest(coalesce((SELECT until FROM counted), :start), :start) AS until)
    SELECT d.connector_id, part.place, CAST(NULL AS timestamptz) AS starts_at,
           sum(d.received[part.until] - coalesce(d.received[part.since], 0))::int AS received,
           sum(d.created[part.until] - coalesce(d.created[part.since], 0))::int AS created,
           sum(d.duplicates[part.until] - coalesce(d.duplicates[part.since], 0))::int AS duplicates,
           sum(d.ignored[part.until] - coalesce(d.ignored[part.since], 0))::int AS ignored,
           sum(d.failed[part.until] - coalesce(d.failed[part.since], 0))::int AS failed,
           sum(coalesce(d.created[part.by_then] + d.duplicates[part.by_then], 0)
               - coalesce(d.created[part.since] + d.duplicates[part.since], 0))::int AS leads_by_then
      FROM unnest(CAST(:places AS int[]), CAST(:days AS date[]), CAST(:since AS int[]), CAST(:by_then AS int[]),
                  CAST(:until AS int[])) AS part (place, day, since, by_then, until)
      JOIN event_days d ON d.workspace_id = :workspace AND d.day = part.day
     WHERE CAST(:connector AS uuid) IS NULL OR d.connector_id = :connector
     GROUP BY 1, 2
    UNION ALL
    SELECT e.connector_id, NULL, quarter_of(e.received_at), {_TALLY}, NULL
      FROM events e
     WHERE e.workspace_id = :workspace AND e.id >= first_id_at((SELECT until FROM mark)) AND e.id < :last
       AND (CAST(:connector AS uuid) IS NULL OR e.connector_id = :connector)
     GROUP BY 1, 3
""")


async def by_day(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    first: date,
    now: datetime,
    zone: ZoneInfo,
    connector_id: UUID | None = None,
) -> Sequence[DayCount]:
    """Return the counts of every connector and day of `zone` on which something came, in no order.

    From the day `first` up to today; `leads_by_then` counts up to the present time of day.
    """
    clock = now.astimezone(zone).time()
    days = [first + timedelta(days=ahead) for ahead in range((now.astimezone(zone).date() - first).days + 1)]
    parts = _parts(days, zone, clock)
    values = {
        "workspace": workspace,
        "connector": connector_id,
        "start": _beginning(first, zone),
        "last": first_id_at(now + QUARTER),
        "places": parts.places,
        "days": parts.days,
        "since": parts.since,
        "by_then": parts.by_then,
        "until": parts.until,
    }
    found = []
    for row in await connection.execute(_BY_DAY, values):
        at = None if row.starts_at is None else row.starts_at.astimezone(zone)
        counted = DayCount(
            row.connector_id,
            days[row.place] if at is None else at.date(),
            row.received,
            row.created,
            row.duplicates,
            row.ignored,
            row.failed,
            row.leads_by_then or 0,
        )
        is_by_then = at is not None and at.time() < clock
        found.append(replace(counted, leads_by_then=counted.leads) if is_by_then else counted)
    return _added_up(found)


def _added_up(counted: Iterable[DayCount]) -> Sequence[DayCount]:
    totals: dict[tuple[UUID, date], DayCount] = {}
    for one in counted:
        known = totals.get((one.connector_id, one.day))
        totals[one.connector_id, one.day] = one if known is None else known + one
    return list(totals.values())


def _parts(days: Sequence[date], zone: ZoneInfo, clock: time) -> _Parts:
    parts = _Parts()
    for place, day in enumerate(days):
        start, end = _beginning(day, zone), _beginning(day + timedelta(days=1), zone)
        then = datetime.combine(day, clock, zone).astimezone(UTC)
        of = start.date()
        while (midnight := datetime.combine(of, time(), UTC)) < end:
            since, until = _quarters(start - midnight), _quarters(end - midnight)
            parts.places.append(place)
            parts.days.append(of)
            parts.since.append(since)
            parts.by_then.append(min(until, max(since, _quarters(then - midnight))))
            parts.until.append(until)
            of += timedelta(days=1)
    return parts


def _quarters(span: timedelta) -> int:
    """Return how many quarters of a day begin within `span`."""
    return min(_QUARTERS, max(0, -(-span // QUARTER)))


def _beginning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _quarter(moment: datetime) -> datetime:
    return moment - timedelta(minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond)
