"""Losses: what is said, once, where a connection has ended or can't be renewed and only a person can help."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connectors import registry
from connector_master.connectors.oauth import has_tokens
from connector_master.model.problem import Problem
from connector_master.services.hub import Hub
from connector_master.services.stored_grants import tokens_in
from connector_master.storage import activity, connections, connectors
from connector_master.storage.connectors import ConnectorRow


async def lose(hub: Hub, row: ConnectorRow, problem: Problem, *, stale: str) -> None:
    """Say that only a person can help: on the connection, on the connector and in the activity log, once.

    `stale` is the token that was refused; nothing is said of a connection that holds another one by now.
    """
    async with hub.engine.begin() as connection:
        present = await connectors.get_locked(connection, row.workspace_id, row.id)
        if present is None:
            return
        known = await connections.get(connection, row.workspace_id, row.id)
        if known is not None:
            if tokens_in(hub, row, known)["access_token"] != stale:
                return
            if not await connections.lose(
                connection, row.workspace_id, row.id, code=problem.code, detail=problem.detail
            ):
                return
        elif present.status in ("needs_authorization", "paused") or not await _is_entered(connection, row):
            # A token that was entered is refused again and again; one that somebody took away needs no words.
            return
        await _note_refusal(connection, present, problem, kind="authorization_lost", words="is no longer connected")


async def tell(hub: Hub, row: ConnectorRow, problem: Problem) -> None:
    """Say that the connection can't be renewed as things are, although it is not lost."""
    async with hub.engine.begin() as connection:
        present = await connectors.get_locked(connection, row.workspace_id, row.id)
        if present is not None and present.status not in ("needs_authorization", "paused"):
            await _note_refusal(connection, present, problem, kind="connector_status", words="can't be renewed")


async def _note_refusal(
    connection: AsyncConnection, present: ConnectorRow, problem: Problem, *, kind: str, words: str
) -> None:
    if present.status != "paused":
        await connectors.update(connection, replace(present, status="needs_authorization"))
    await activity.write(
        connection,
        present.workspace_id,
        kind=kind,
        level="error",
        message=f"{present.name} {words}: {problem.detail} {problem.remedy}",
        connector_id=present.id,
        data={"before": present.status, "code": problem.code},
    )


async def _is_entered(connection: AsyncConnection, row: ConnectorRow) -> bool:
    stored = {one.name for one in await connectors.credentials(connection, row.workspace_id, row.id)}
    return bool(stored.intersection(has_tokens(registry()[row.type].credentials)))
