"""Failures: failed events grouped by connector and cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST = 20_000
"""So many failed events of each connector are grouped, the newest; older ones wait until these are mended."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Failed events of one connector and one cause. `detail` is what was said of the newest."""

    connector_id: UUID
    code: str
    count: int
    first_at: datetime
    last_at: datetime
    detail: str | None
    example_id: UUID


# Connector by connector, and from the index events_failures alone but for the newest event of each cause. Deleted ones too:
# what they received can still become leads.
_GROUPED = text("""
    SELECT c.id, cause.code, cause.count, cause.first_at, cause.last_at, newest.detail, cause.example_id
      FROM connectors c
     CROSS JOIN LATERAL (
        SELECT coalesce(failed.code, 'unknown') AS code, count(*)::int AS count, min(failed.received_at) AS first_at,
               max(failed.received_at) AS last_at, max(failed.id::text)::uuid AS example_id
          FROM (SELECT e.id, e.code, e.received_at FROM events e
                 WHERE e.workspace_id = c.workspace_id AND e.connector_id = c.id AND e.status IN ('failed', 'dead')
                 ORDER BY e.id DESC LIMIT :most) AS failed
         GROUP BY 1
     ) AS cause
     CROSS JOIN LATERAL (
        SELECT e.detail FROM events e WHERE e.workspace_id = c.workspace_id AND e.id = cause.example_id LIMIT 1
     ) AS newest
     WHERE c.workspace_id = :workspace AND (CAST(:connector AS uuid) IS NULL OR c.id = :connector)
     ORDER BY cause.last_at DESC
""")


async def grouped(connection: AsyncConnection, workspace: UUID, connector_id: UUID | None = None) -> Sequence[Failure]:
    """Return the failed events by connector and cause, the cause seen last first."""
    values = {"workspace": workspace, "connector": connector_id, "most": MOST}
    return [Failure(*row) for row in await connection.execute(_GROUPED, values)]
