"""What an overview says of each connector, beside its counts: its last lead, what waits, and how its last pull ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One connector's signs of life. `waiting` counts what is not settled yet, up to 1,000."""

    id: UUID
    type: str
    name: str
    status: str
    created_at: datetime
    last_event_at: datetime | None
    last_lead_at: datetime | None
    waiting: int
    waits_since: datetime | None
    sync_status: str | None
    sync_problem: str | None
    lost_detail: str | None
    ends_at: datetime | None


# BETWEEN, for with an equality PostgreSQL may go along the primary key, through all rows to find none of an idle source.
_PULSES = text("""
    SELECT c.id, c.type, c.name, c.status, c.created_at,
           (SELECT e.received_at FROM events e
             WHERE e.workspace_id = c.workspace_id AND e.connector_id BETWEEN c.id AND c.id
             ORDER BY e.connector_id DESC, e.id DESC LIMIT 1) AS last_event_at,
           (SELECT l.created_at FROM leads l
             WHERE l.workspace_id = c.workspace_id AND l.connector_id BETWEEN c.id AND c.id
             ORDER BY l.connector_id DESC, l.id DESC LIMIT 1) AS last_lead_at,
           waiting.count::int AS waiting, waiting.since AS waits_since, sync.status AS sync_status,
           sync.error_message AS sync_problem, CASE WHEN n.lost_at IS NOT NULL THEN n.problem_detail END AS lost_detail, n.ends_at
      FROM connectors c
      LEFT JOIN connections n ON n.workspace_id = c.workspace_id AND n.connector_id = c.id
     CROSS JOIN LATERAL (
        SELECT count(*) AS count, min(received_at) AS since
          FROM (SELECT e.received_at FROM events e
                 WHERE e.workspace_id = c.workspace_id AND e.connector_id = c.id AND e.status = 'received'
                 ORDER BY e.id LIMIT 1000) AS held
     ) AS waiting
      LEFT JOIN LATERAL (
        SELECT s.status, s.error_message FROM syncs s
         WHERE s.workspace_id = c.workspace_id AND s.connector_id = c.id AND s.status IN ('succeeded', 'failed')
         ORDER BY s.id DESC LIMIT 1
     ) AS sync ON true
     WHERE c.workspace_id = :workspace AND c.deleted_at IS NULL
       AND (CAST(:connector AS uuid) IS NULL OR c.id = :connector)
     ORDER BY c.id DESC
     LIMIT :limit
""")


async def pulses(
    connection: AsyncConnection, workspace: UUID, *, limit: int, connector_id: UUID | None = None
) -> Sequence[Pulse]:
    """Return the newest `limit` connectors, or one, with their signs of life, the oldest of them first."""
    values = {"workspace": workspace, "connector": connector_id, "limit": limit}
    rows = await connection.execute(_PULSES, values)
    return [Pulse(**row._mapping) for row in reversed(rows.all())]
