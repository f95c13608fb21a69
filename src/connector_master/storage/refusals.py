"""Refused accesses in the activity log: at most one line a minute for each kind, address and caller."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage import activity

_CLAIM = text("""
    SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:name AS text), 0))
""")

_RECENT = text("""
    SELECT EXISTS (SELECT 1 FROM activity
                    WHERE workspace_id = :workspace AND id >= :first AND kind = :kind
                      AND ip IS NOT DISTINCT FROM CAST(:ip AS text)
                      AND actor_id IS NOT DISTINCT FROM CAST(:actor AS uuid))
""")


async def write_if_first(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    kind: str,
    message: str,
    actor: activity.Actor,
    since: UUID,
    data: Any = None,
) -> bool:
    """Add a line unless an equal one was written after the id `since`, by whichever process; return whether it was."""
    name = f"{workspace}:{kind}:{actor.ip}:{actor.id}"
    # Whoever does not get the lock is at the same line at the same moment: it is being written.
    if not (await connection.execute(_CLAIM, {"name": name})).scalar_one():
        return False
    values = {"workspace": workspace, "first": since, "kind": kind, "ip": actor.ip, "actor": actor.id}
    if (await connection.execute(_RECENT, values)).scalar_one():
        return False
    await activity.write(connection, workspace, kind=kind, message=message, actor=actor, level="warning", data=data)
    return True
