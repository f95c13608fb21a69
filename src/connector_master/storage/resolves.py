"""Announced leads that have yet to be fetched: which are due, and when they are tried again."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage import jobs
from connector_master.storage.events import RAW_COLUMNS, RawEvent, raw_event

_DUE = text(f"""
    SELECT {RAW_COLUMNS} FROM events e
     WHERE e.workspace_id = :workspace AND e.connector_id = :connector AND e.resolve_at <= now()
     ORDER BY e.resolve_at LIMIT :limit
""")
_CONNECTORS = text("""
    SELECT c.workspace_id, c.id FROM connectors c
     WHERE c.status NOT IN ('paused', 'needs_authorization')
       AND EXISTS (SELECT 1 FROM events e
                    WHERE e.workspace_id = c.workspace_id AND e.connector_id = c.id AND e.resolve_at <= now())
""")
_POSTPONE = text("""
    UPDATE events SET resolve_at = :at, code = :code, detail = :detail, attempts = attempts + 1
     WHERE workspace_id = :workspace AND id = ANY(CAST(:ids AS uuid[])) AND resolve_at IS NOT NULL
""")
_GIVE_UP = text("""
    UPDATE events SET resolve_at = NULL, status = 'dead', code = :code, detail = :detail, attempts = attempts + 1,
                      processed_at = clock_timestamp()
     WHERE workspace_id = :workspace AND id = ANY(CAST(:ids AS uuid[])) AND resolve_at IS NOT NULL
""")


_HASTEN = text("""
    UPDATE events SET resolve_at = now()
     WHERE workspace_id = :workspace AND connector_id = :connector AND resolve_at > now()
""")


async def hasten(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Let everything that waits to be fetched for a connector be fetched as soon as this transaction commits."""
    await connection.execute(_HASTEN, {"workspace": workspace, "connector": connector_id})
    args = {"workspace_id": str(workspace), "connector_id": str(connector_id)}
    await jobs.defer(connection, jobs.RESOLVE_LEADS, **args)


async def due(connection: AsyncConnection, workspace: UUID, connector_id: UUID, limit: int) -> list[RawEvent]:
    """Return at most `limit` announcements of a connector that are to be fetched now."""
    values = {"workspace": workspace, "connector": connector_id, "limit": limit}
    return [raw_event(row._mapping) for row in await connection.execute(_DUE, values)]


async def connectors_due(connection: AsyncConnection) -> list[tuple[UUID, UUID]]:
    """Return workspace and id of every connector, in all workspaces, that has something to fetch and may."""
    return [(row.workspace_id, row.id) for row in await connection.execute(_CONNECTORS)]


async def postpone(
    connection: AsyncConnection, workspace: UUID, ids: Sequence[UUID], at: datetime, *, code: str, detail: str
) -> None:
    """Let these be fetched again at `at`, and say why they wait."""
    values = {"workspace": workspace, "ids": list(ids), "at": at, "code": code, "detail": detail}
    await connection.execute(_POSTPONE, values)


async def give_up(connection: AsyncConnection, workspace: UUID, ids: Sequence[UUID], *, code: str, detail: str) -> None:
    """Let these wait for a person, and say why."""
    values = {"workspace": workspace, "ids": list(ids), "code": code, "detail": detail}
    await connection.execute(_GIVE_UP, values)
