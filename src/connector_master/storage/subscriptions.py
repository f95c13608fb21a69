"""Subscriptions: which of our addresses providers may push to, and when they are asked again whether they still do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Taken and put a day ahead in one statement, so that of many processes one asks.
_DUE = text("""
    UPDATE connectors SET subscribe_at = now() + interval '1 day'
      FROM (SELECT workspace_id, id FROM connectors
             WHERE subscribe_at <= now() AND deleted_at IS NULL
             ORDER BY subscribe_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS due
     WHERE connectors.workspace_id = due.workspace_id AND connectors.id = due.id
    RETURNING connectors.workspace_id, connectors.id, connectors.type, connectors.status
""")
# An app at a provider may be every workspace's, and has one address for all of them.
_HASTEN = text("UPDATE connectors SET subscribe_at = now() WHERE type = :type AND deleted_at IS NULL")
_PLAN = text("UPDATE connectors SET subscribe_at = :at WHERE workspace_id = :workspace AND id = :id")
_WEBHOOK_IDS = text("SELECT webhook_id FROM connectors WHERE type = :type AND deleted_at IS NULL")
_CHALLENGED = """
    UPDATE connectors SET challenged_at = now()
      FROM unnest(%(workspaces)s::uuid[], %(ids)s::uuid[]) AS wanted (workspace_id, id)
     WHERE connectors.workspace_id = wanted.workspace_id AND connectors.id = wanted.id
"""
_CHALLENGED_AT = text("SELECT challenged_at FROM connectors WHERE workspace_id = :workspace AND id = :id")


async def due(connection: AsyncConnection, limit: int) -> list[Any]:
    """Take at most `limit` connectors whose provider is to be asked now: workspace_id, id, type and status of each."""
    return list(await connection.execute(_DUE, {"limit": limit}))


async def hasten(connection: AsyncConnection, type_: str) -> None:
    """Have the provider asked soon for every connector of a type, whichever workspace it belongs to."""
    await connection.execute(_HASTEN, {"type": type_})


async def plan(connection: AsyncConnection, workspace: UUID, connector_id: UUID, at: datetime) -> None:
    """Set when the provider is asked again for a connector."""
    await connection.execute(_PLAN, {"workspace": workspace, "id": connector_id, "at": at})


async def webhook_ids(connection: AsyncConnection, type_: str) -> frozenset[str]:
    """Return what ends the addresses at which connectors of a type are reached, whichever workspace they belong to."""
    return frozenset(row.webhook_id for row in await connection.execute(_WEBHOOK_IDS, {"type": type_}))


async def note_challenges(
    connection: "psycopg.AsyncConnection[Any]", connectors: Sequence[tuple[UUID, UUID]]
) -> list[None]:
    """Note that these connectors (workspace, id) have just proven their address to their provider."""
    workspaces, ids = zip(*connectors, strict=True)
    await connection.execute(_CHALLENGED, {"workspaces": list(workspaces), "ids": list(ids)})
    return []


async def challenged_at(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> datetime | None:
    """Return when a connector last proved its address to its provider, None where nobody has asked."""
    values = {"workspace": workspace, "id": connector_id}
    found: datetime | None = (await connection.execute(_CHALLENGED_AT, values)).scalar_one()
    return found
