"""Renewals: tokens are changed for fresh ones in time, and by one process only.

Who renews a connection writes so into its row for a minute; everybody else waits for what comes of it. No transaction is
open while the provider is asked.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from connector_master.connections.authorization import renew
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import App, Grant, Tokens
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    CredentialsRefused,
    Permanent,
    Problem,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.services.hub import Hub
from connector_master.services.losses import lose, tell
from connector_master.services.sources import settings_of
from connector_master.services.stored_grants import (
    NO_TOKEN,
    StoredGrant,
    begun_row,
    connection_row,
    grant_from,
    read,
    read_within,
)
from connector_master.storage import connections, connectors
from connector_master.storage.connections import ConnectionRow
from connector_master.storage.connectors import ConnectorRow

_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_DUE_AT_ONCE = 50
_SHORTEST_REST = timedelta(minutes=1)
_LONGEST_REST = timedelta(hours=1)

log = structlog.get_logger()


async def renewed(hub: Hub, row: ConnectorRow, connector: Connector, *, stale: str) -> Grant:
    """Return a grant with another token than `stale`, which has ended or was refused.

    Raises AuthorizationNeeded or TokenRefused once only a person can help: connection and connector then say so. Raises
    AppRefused, ProviderLimited, ProviderUnavailable, BadProviderRequest as the provider means them.
    """
    found = await _claimed(hub, row, connector, stale)
    if found.row is None or found.access_token != stale:
        return grant_from(hub, row, found)
    try:
        tokens = await _ask(hub, row, connector, found)
    except BaseException as error:
        async with hub.engine.begin() as connection:
            not_before = datetime.now(UTC) + _rest_after(error, found.row, connector)
            await connections.release_renewal(connection, row.workspace_id, row.id, not_before)
        if isinstance(error, AuthorizationNeeded | TokenRefused):
            await lose(hub, row, error, stale=stale)
        elif isinstance(error, CredentialsRefused):
            await tell(hub, row, error)
        raise
    made = connection_row(
        hub, row, connector, tokens, kind=found.row.kind, by=found.row.authorized_by, at=found.row.authorized_at
    )
    async with hub.engine.begin() as connection:
        if await connections.renew(connection, row.workspace_id, row.id, made, before=found.row.sealed):
            return grant_from(hub, row, found, tokens)
    # Somebody connected again, or disconnected, while the provider was asked: that counts.
    found = await read(hub, row, connector)
    return grant_from(hub, row, found)


async def renew_due(hub: Hub) -> int:
    """Renew every connection whose token ends soon; return how many. Any number of processes may do so at once."""
    async with hub.engine.connect() as connection:
        due = await connections.due(connection, _DUE_AT_ONCE)
    count = 0
    for workspace, connector_id in due:
        async with hub.engine.connect() as connection:
            row = await connectors.get(connection, workspace, connector_id)
        if row is None or row.type not in registry():
            continue
        try:
            found = await read(hub, row, registry()[row.type])
            if found.tokens is not None:
                await renewed(hub, row, registry()[row.type], stale=found.tokens.access_token)
                count += 1
            continue
        except Problem as problem:
            log.warning("connection_not_renewed", connector_id=str(connector_id), code=problem.code)
        except Exception:
            log.exception("connection_not_renewed", connector_id=str(connector_id))
        # What can't be renewed, or even read, must not keep the others from it.
        async with hub.engine.begin() as connection:
            later = datetime.now(UTC) + _SHORTEST_REST
            await connections.release_renewal(connection, workspace, connector_id, later)
    return count


def is_due(known: ConnectionRow) -> bool:
    """Return whether a connection is to be renewed now."""
    return has_ended(known) or (known.refresh_at is not None and known.refresh_at <= datetime.now(UTC))


def has_ended(known: ConnectionRow) -> bool:
    """Return whether a connection's access token counts no more."""
    return known.expires_at is not None and known.expires_at <= datetime.now(UTC)


async def _claimed(hub: Hub, row: ConnectorRow, connector: Connector, stale: str) -> StoredGrant:
    """Return what is stored once it is ours to renew, or once it holds another token than `stale`.

    Raises AuthorizationNeeded, AppRefused where there is nothing to renew with, and ProviderUnavailable where another
    process does not come to an end.
    """
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                found = await read(hub, row, connector)
                if found.access_token != stale:
                    return found
                async with hub.engine.begin() as connection:
                    if found.row is None:
                        _means(connector, found)
                        await connections.begin(connection, row.workspace_id, row.id, begun_row(hub, row, found))
                    if await connections.claim_renewal(connection, row.workspace_id, row.id):
                        # Somebody may have renewed it between the look and the claim.
                        found = await read_within(connection, hub, row, connector)
                        if found.access_token != stale:
                            await connections.release_renewal(connection, row.workspace_id, row.id)
                        return found
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise ProviderUnavailable("Another process is renewing the connection and has not come to an end.") from error


def _rest_after(error: BaseException, known: ConnectionRow, connector: Connector) -> timedelta:
    """Return how long the schedule waits after a renewal that failed: as long again as it is overdue already."""
    assert connector.oauth is not None
    if isinstance(error, Permanent) or known.expires_at is None:
        return _LONGEST_REST
    overdue = datetime.now(UTC) - (known.expires_at - connector.oauth.renews_before)
    asked = timedelta(seconds=getattr(error, "retry_after_seconds", None) or 0)
    return max(asked, min(max(overdue, _SHORTEST_REST), _LONGEST_REST))


def _means(connector: Connector, found: StoredGrant) -> App:
    """Return the app with which a connection can be renewed. Raises AppRefused and AuthorizationNeeded where it can't."""
    assert connector.oauth is not None
    if found.refresh_token is None and connector.oauth.has_refresh_tokens:
        raise AuthorizationNeeded("The provider gave nothing with which the connection could be renewed.")
    if found.app is None:
        # Not lost: once the app is known again, the connection goes on.
        raise AppRefused(
            "The app's id and secret are not known, so the connection can't be renewed.",
            remedy="Enter the app's id and secret on the connector, or let an administrator set the installation's own.",
        )
    return found.app


async def _ask(hub: Hub, row: ConnectorRow, connector: Connector, found: StoredGrant) -> Tokens:
    assert connector.oauth is not None
    app = _means(connector, found)
    known = replace(found.tokens or Tokens(NO_TOKEN), refresh_token=found.refresh_token)
    return await renew(hub.token_server(connector), connector.oauth, app, settings_of(connector, row.settings), known)
