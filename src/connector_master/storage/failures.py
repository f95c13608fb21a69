"""Failures: failed events grouped by connector and cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST = 50_000
"""So many failed events are grouped, the newest; older ones wait until these are mended."""


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


_GROUPED = text("""
    SELECT connector_id, code, count(*)::int, min(received_at), max(received_at),
           (array_agg(detail ORDER BY id DESC))[1], (array_agg(id ORDER BY id DESC))[1]
      FROM (SELECT e.id, e.connector_id, coalesce(e.code, 'unknown') AS code, e.received_at, e.detail
              FROM events e
             WHERE e.workspace_id = :workspace AND e.status IN ('failed', 'dead')
               AND (CAST(:connector AS uuid) IS NULL OR e.connector_id = :connector)
             ORDER BY e.id DESC LIMIT :most) AS newest
     GROUP BY connector_id, code
     ORDER BY max(received_at) DESC
""")


async def grouped(connection: AsyncConnection, workspace: UUID, connector_id: UUID | None = None) -> Sequence[Failure]:
    """Return the failed events by connector and cause, the cause seen last first."""
    values = {"workspace": workspace, "connector": connector_id, "most": MOST}
    return [Failure(*row) for row in await connection.execute(_GROUPED, values)]
