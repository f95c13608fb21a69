"""Rechecks: which stored records are to be read again at their source, and what is left of those that no longer may be kept."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at

EXPIRED = "expired"
"""The reason of an event that never became a lead and whose payload may not be kept any longer."""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A connector that there is or was, as far as it decides what may be kept of what it sent.

    `is_gone` once it is deleted, disconnected, or its connection was lost so long ago that nobody mends it.
    """

    workspace_id: UUID
    id: UUID
    type: str
    is_gone: bool


# Claimed for an hour: what nobody ends by then is begun again.
_DUE = text("""
    UPDATE connectors SET recheck_at = now() + interval '1 hour'
      FROM (SELECT workspace_id, id FROM connectors
             WHERE recheck_at <= now() AND deleted_at IS NULL AND status NOT IN ('paused', 'needs_authorization')
             ORDER BY recheck_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS due
     WHERE connectors.workspace_id = due.workspace_id AND connectors.id = due.id
    RETURNING connectors.workspace_id, connectors.id
""")
_PLAN = text(
    "UPDATE connectors SET recheck_at = :at WHERE workspace_id = :workspace AND id = :id AND deleted_at IS NULL"
)
_BATCH = text("""
    SELECT id, external_id FROM events
     WHERE workspace_id = :workspace AND connector_id = :connector AND id >= :since AND id > :after
       AND external_id IS NOT NULL AND payload <> '' AND coalesce(confirmed_at, received_at) < :unseen_since
     ORDER BY id LIMIT :limit
""")
# What is read again every few minutes is not written every few minutes.
_CONFIRM = """
    UPDATE events SET confirmed_at = now()
     WHERE workspace_id = %(workspace)s AND id = ANY(%(ids)s::uuid[])
       AND coalesce(confirmed_at, received_at) < now() - interval '1 hour'
"""


async def due(connection: AsyncConnection, limit: int) -> list[tuple[UUID, UUID]]:
    """Claim connectors whose records are to be read again now; return workspace and id of each."""
    return [(row.workspace_id, row.id) for row in await connection.execute(_DUE, {"limit": limit})]


async def plan(connection: AsyncConnection, workspace: UUID, connector_id: UUID, at: datetime) -> None:
    """Set when a connector's records are read again."""
    await connection.execute(_PLAN, {"workspace": workspace, "id": connector_id, "at": at})


async def batch(
    connection: AsyncConnection,
    workspace: UUID,
    connector_id: UUID,
    *,
    since: datetime,
    unseen_since: datetime,
    after: UUID,
    limit: int,
) -> list[tuple[UUID, str]]:
    """Return id and external id of events after the id `after`, the oldest first, that came at or after `since`.

    Only those whose payload is there, and that nobody has seen at their source since `unseen_since`.
    """
    values = {
        "workspace": workspace,
        "connector": connector_id,
        "since": first_id_at(since),
        "unseen_since": unseen_since,
        "after": after,
        "limit": limit,
    }
    return [(row.id, row.external_id) for row in await connection.execute(_BATCH, values)]


async def confirm(connection: "psycopg.AsyncConnection[Any]", ids: Sequence[UUID], *, workspace: UUID) -> list[None]:
    """Note that the source has these events' records still. Runs in the caller's transaction, if there is one."""
    if ids:
        await connection.execute(_CONFIRM, {"workspace": workspace, "ids": list(ids)})
    return []


# ---- what may not be kept ---------------------------------------------------------------------------

# Policies count for every workspace, and so does the sweep that keeps them.
_KEPT = text("""
    SELECT c.workspace_id, c.id, c.type,
           c.deleted_at IS NOT NULL OR coalesce(o.lost_at < now() - interval '7 days', false) AS is_gone
      FROM connectors c LEFT JOIN connections o ON o.workspace_id = c.workspace_id AND o.connector_id = c.id
     WHERE c.type = ANY(CAST(:types AS text[]))
""")
_FORGET = text(f"""
    UPDATE events
       SET payload = '', body = NULL, resolved = NULL, headers = NULL, detail = NULL, warnings = NULL, resolve_at = NULL,
           code = CASE WHEN events.status IN ('received', 'failed', 'dead') THEN '{EXPIRED}' ELSE events.code END,
           status = CASE WHEN events.status IN ('received', 'failed', 'dead') THEN 'ignored' ELSE events.status END
      FROM (SELECT workspace_id, id FROM events
             WHERE workspace_id = :workspace AND connector_id = :connector
               AND coalesce(confirmed_at, received_at) < :before AND (payload <> '' OR resolved IS NOT NULL)
             ORDER BY id LIMIT :limit FOR UPDATE) AS old
     WHERE events.workspace_id = old.workspace_id AND events.id = old.id
    RETURNING events.id
""")


async def kept(connection: AsyncConnection, types: Collection[str]) -> list[KeptRow]:
    """Return every connector of these types, in all workspaces, that there is or was."""
    return [KeptRow(**row._mapping) for row in await connection.execute(_KEPT, {"types": sorted(types)})]


async def forget_raw(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, before: datetime, limit: int
) -> int:
    """Remove what was sent of at most `limit` events that were last seen at their source before a moment.

    The events stay, and their leads; return how many there were.
    """
    values = {"workspace": workspace, "connector": connector_id, "before": before, "limit": limit}
    return len((await connection.execute(_FORGET, values)).all())
