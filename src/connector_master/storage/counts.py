"""Counts of events by quarters of an hour: kept for what is over, counted at once for what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at

QUARTER = timedelta(minutes=15)
"""Every zone's days begin on a quarter of an hour."""


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
_COUNT = text(f"""
    INSERT INTO event_counts AS known (workspace_id, connector_id, starts_at, received, created, duplicates, ignored, failed)
    SELECT e.workspace_id, e.connector_id, quarter_of(e.received_at) AS starts_at, {_TALLY}
      FROM events e
     WHERE e.id >= :first AND e.id < :end AND e.received_at >= :start AND e.received_at < :stop
     GROUP BY 1, 2, 3
    ON CONFLICT (workspace_id, connector_id, starts_at) DO UPDATE
       SET received = excluded.received, created = excluded.created, duplicates = excluded.duplicates,
           ignored = excluded.ignored, failed = excluded.failed
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
    await connection.execute(_COUNT, values)
    await connection.execute(_MOVE, {"until": end})
    await connection.execute(_RECOUNT)
    return end < target


_COUNTS = f"""
    WITH mark AS (SELECT greatest(coalesce((SELECT until FROM counted), :start), :start) AS until)
    SELECT connector_id, starts_at, received, created, duplicates, ignored, failed
      FROM event_counts
     WHERE workspace_id = :workspace AND starts_at >= :start AND starts_at < least(:end, (SELECT until FROM mark))
       AND (CAST(:connector AS uuid) IS NULL OR connector_id = :connector)
    UNION ALL
    SELECT e.connector_id, quarter_of(e.received_at), {_TALLY}
      FROM events e
     WHERE e.workspace_id = :workspace AND e.id >= first_id_at((SELECT until FROM mark)) AND e.id < :last
       AND (CAST(:connector AS uuid) IS NULL OR e.connector_id = :connector)
     GROUP BY 1, 2
"""

_BY_DAY = text(f"""
    SELECT connector_id, (starts_at AT TIME ZONE :zone)::date AS day,
           sum(received)::int, sum(created)::int, sum(duplicates)::int, sum(ignored)::int, sum(failed)::int,
           coalesce(sum(created + duplicates) FILTER (WHERE (starts_at AT TIME ZONE :zone)::time < :clock), 0)::int
      FROM ({_COUNTS}) AS counts
     GROUP BY 1, 2
""")


async def by_day(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    start: datetime,
    end: datetime,
    zone: str,
    clock: time,
    connector_id: UUID | None = None,
) -> Sequence[DayCount]:
    """Return the counts of every connector and day of `zone` on which something came, in no order.

    `start` and `end` are aware, `clock` is a time of day in `zone`.
    """
    values = {
        "workspace": workspace,
        "start": start,
        "end": end,
        "last": first_id_at(end),
        "zone": zone,
        "clock": clock,
        "connector": connector_id,
    }
    return [DayCount(*row) for row in await connection.execute(_BY_DAY, values)]


def _quarter(moment: datetime) -> datetime:
    return moment - timedelta(minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond)
