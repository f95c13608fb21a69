"""Metrics of a connector, counted from its events: in all, and for each bucket of time."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in a span. `start` is that of the bucket, None for the whole; times to process are in milliseconds."""

    start: datetime | None
    received: int
    created: int
    duplicates: int
    ignored: int
    failed: int
    held: int
    processing_ms: tuple[float, float, float] | None
    to_lead_seconds: tuple[float, float] | None


# An event that was retried or held while its connector was paused waited for a person, not for us: its attempts are
# more than one, and it says nothing about the time to process.
_FIGURES = text("""
    SELECT date_trunc(:bucket, e.received_at, 'UTC') AS start,
           count(*) AS received,
           count(*) FILTER (WHERE e.status = 'created') AS created,
           count(*) FILTER (WHERE e.status = 'duplicate') AS duplicates,
           count(*) FILTER (WHERE e.status = 'ignored') AS ignored,
           count(*) FILTER (WHERE e.status IN ('failed', 'dead')) AS failed,
           count(*) FILTER (WHERE e.status = 'received') AS held,
           percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
               ORDER BY greatest(0, extract(epoch FROM e.processed_at - e.received_at)::float8 * 1000)
           ) FILTER (WHERE e.attempts = 1 AND e.processed_at IS NOT NULL) AS processing_ms,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
               ORDER BY greatest(0, extract(epoch FROM e.received_at - e.enquired_at)::float8)
           ) FILTER (WHERE e.status IN ('created', 'duplicate') AND e.enquired_at IS NOT NULL) AS to_lead_seconds
      FROM events e
     WHERE e.workspace_id = :workspace AND e.connector_id = :connector AND e.id >= :first AND e.id < :end
     GROUP BY GROUPING SETS ((), (date_trunc(:bucket, e.received_at, 'UTC')))
""")


async def figures(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, start: datetime, end: datetime, bucket: str
) -> list[Figures]:
    """Return the figures of `start` ≤ received_at < `end`: one of the whole, and one for each bucket that has events.

    `bucket` is hour, day, week or month, each beginning in UTC, weeks on Monday.
    """
    values = {
        "workspace": workspace,
        "connector": connector_id,
        "first": first_id_at(start),
        "end": first_id_at(end),
        "bucket": bucket,
    }
    return [
        Figures(
            **{
                **row._mapping,
                "processing_ms": _numbers(row.processing_ms),
                "to_lead_seconds": _numbers(row.to_lead_seconds),
            }
        )
        for row in await connection.execute(_FIGURES, values)
    ]


def _numbers(found: list[float | None] | None) -> tuple[float, ...] | None:
    return None if found is None or found[0] is None else tuple(number or 0.0 for number in found)
