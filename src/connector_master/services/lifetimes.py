"""Lifetimes: every connection is looked at daily, and people are told before one ends that only they can prolong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.model.problem import Problem, TokenRefused, Transient
from connector_master.services.hub import Hub
from connector_master.services.losses import lose
from connector_master.services.sources import settings_of
from connector_master.services.stored_grants import StoredGrant, read, renewal_of
from connector_master.storage import activity, connections, connectors
from connector_master.storage.connections import ConnectionRow
from connector_master.storage.connectors import ConnectorRow

_TAKEN_AT_ONCE = 50
_WARNED_DAYS = (14, 7, 3, 1)
"""People are told once within each of these before a connection ends."""
_OVERDUE = timedelta(days=1)
"""A token that could not be renewed for so long may end."""
_SOON = timedelta(hours=1)
"""When a look that failed for a passing reason is taken again."""

log = structlog.get_logger()


async def look_after(hub: Hub) -> int:
    """Look at every connection that was not looked at for a day; return at how many. Any number of processes may do so."""
    async with hub.engine.begin() as connection:
        taken = await connections.take_unchecked(connection, _TAKEN_AT_ONCE)
    for workspace, connector_id in taken:
        async with hub.engine.connect() as connection:
            row = await connectors.get(connection, workspace, connector_id)
        if row is None or row.type not in registry():
            continue
        try:
            await _look(hub, row, registry()[row.type])
        except Problem as problem:
            log.warning("connection_not_checked", connector_id=str(connector_id), code=problem.code)
            if isinstance(problem, Transient):
                async with hub.engine.begin() as connection:
                    await connections.check_at(connection, workspace, connector_id, datetime.now(UTC) + _SOON)
        except Exception:
            # One that can't be read must not keep the others from being looked at.
            log.exception("connection_not_checked", connector_id=str(connector_id))
    return len(taken)


async def _look(hub: Hub, row: ConnectorRow, connector: Connector) -> None:
    stored = await read(hub, row, connector)
    if stored.row is None:
        return
    known = await _inspected(hub, row, connector, stored, stored.row)
    if known is not None and (ends_at := _end_of(known, connector)) is not None:
        await _warn(hub, row, connector, ends_at)


async def _inspected(
    hub: Hub, row: ConnectorRow, connector: Connector, stored: StoredGrant, known: ConnectionRow
) -> ConnectionRow | None:
    """Return the connection with the dates that its provider tells of the token; None for one that is dead for good.

    Raises what the provider's refusal means.
    """
    assert connector.oauth is not None
    if connector.oauth.inspect is None or stored.app is None or not stored.access_token:
        return known
    settings = settings_of(connector, row.settings)
    found = await connector.oauth.inspect(hub.token_server(connector), stored.app, settings, stored.access_token)
    if not found.is_alive and stored.refresh_token is not None:
        # The next call renews it; whether that works is what tells whether the agreement lives.
        return known
    if not found.is_alive:
        why = TokenRefused(found.reason or "The provider says that the token is not valid.")
        await lose(hub, row, why, stale=stored.access_token)
        return None
    can_renew = stored.refresh_token is not None or not connector.oauth.has_refresh_tokens
    expires_at = found.expires_at or known.expires_at
    told = replace(
        known,
        expires_at=expires_at,
        refresh_at=known.refresh_at or (renewal_of(connector, expires_at) if can_renew else None),
        ends_at=found.ends_at or known.ends_at,
        scopes=sorted(found.scopes) if found.scopes is not None else known.scopes,
        person=found.person,
    )
    async with hub.engine.begin() as connection:
        await connections.note_check(connection, row.workspace_id, row.id, told)
    return told


def _end_of(known: ConnectionRow, connector: Connector) -> datetime | None:
    """Return when a connection ends unless somebody does something: a token counts that should have been renewed long ago."""
    assert connector.oauth is not None
    if known.expires_at is None or connector.oauth.renews_before <= _OVERDUE:
        return known.ends_at
    is_overdue = datetime.now(UTC) > known.expires_at - connector.oauth.renews_before + _OVERDUE
    ends = [known.ends_at] if known.ends_at is not None else []
    return min([*ends, *([known.expires_at] if is_overdue else [])], default=None)


async def _warn(hub: Hub, row: ConnectorRow, connector: Connector, ends_at: datetime) -> None:
    """Say that a connection ends soon, once for each of the days before it."""
    assert connector.oauth is not None
    left = ends_at - datetime.now(UTC)
    days = min((days for days in _WARNED_DAYS if left < timedelta(days=days)), default=None)
    if days is None:
        return
    async with hub.engine.begin() as connection:
        if not await connections.warn(connection, row.workspace_id, row.id, days):
            return
        told = f"{row.name} stops being connected on {ends_at:%Y-%m-%d}: connect again before that."
        await activity.write(
            connection,
            row.workspace_id,
            kind="connection_ends",
            level="warning",
            message=f"{told} {connector.oauth.lasts_if}".strip(),
            connector_id=row.id,
            data={"endsAt": ends_at},
        )
