"""Grants: what a source behind OAuth is called with, and what becomes of a token that its provider refuses."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import Grant
from connector_master.model.problem import (
    AuthorizationNeeded,
    Permanent,
    PermissionMissing,
    Problem,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.services.hub import Hub
from connector_master.services.losses import lose
from connector_master.services.renewals import has_ended, is_due, renewed
from connector_master.services.sources import settings_of
from connector_master.services.stored_grants import NO_TOKEN, grant_from, read
from connector_master.storage import connections
from connector_master.storage.connectors import ConnectorRow

Result = TypeVar("Result")

log = structlog.get_logger()


async def using(hub: Hub, row: ConnectorRow, connector: Connector, use: Callable[[Grant], Awaitable[Result]]) -> Result:
    """Return what `use` makes of the connector's grant; a token that is refused is renewed once, and `use` called again.

    Raises AuthorizationNeeded or TokenRefused once only a person can help: the connector then says so; PermissionMissing
    where the provider refuses a token that lives, by its own account. Raises what `use` raises. A source that is not behind
    OAuth has nothing to renew.
    """
    grant = await grant_of(hub, row, connector)
    if connector.oauth is None:
        return await use(grant)
    try:
        return await use(grant)
    except TokenRefused as refused:
        await _believe(hub, row, connector, refused)
        if await _is_alive(hub, row, connector, grant):
            raise PermissionMissing(
                f"The token is good, but may not be used for this: {refused.detail}",
                remedy="See that the person who connected still has the role that this connector's page names, then connect "
                "again.",
            ) from refused
        try:
            grant = await renewed(hub, row, connector, stale=grant.access_token)
        except (AuthorizationNeeded, TokenRefused):
            await lose(hub, row, refused, stale=grant.access_token)
            raise refused from None
    try:
        return await use(grant)
    except TokenRefused as refused:
        await _believe(hub, row, connector, refused)
        await lose(hub, row, refused, stale=grant.access_token)
        raise


async def grant_of(hub: Hub, row: ConnectorRow, connector: Connector) -> Grant:
    """Return what the connector's provider is called with, its token good for some minutes.

    A token that was made elsewhere and entered as a credential counts where nobody has agreed. Raises AuthorizationNeeded,
    and what renewing raises.
    """
    found = await read(hub, row, connector)
    if found.tokens is None:
        return await renewed(hub, row, connector, stale=NO_TOKEN)
    if found.row is not None and is_due(found.row):
        try:
            return await renewed(hub, row, connector, stale=found.tokens.access_token)
        except Problem:
            if has_ended(found.row):
                raise
            # It still counts, and the schedule tries again before it ends.
    return grant_from(hub, row, found)


async def stored_grant(hub: Hub, row: ConnectorRow, connector: Connector) -> Grant:
    """Return the grant as it is stored, nobody asked; its token may have ended. Raises AuthorizationNeeded."""
    return grant_from(hub, row, await read(hub, row, connector))


async def refresh_token_of(hub: Hub, row: ConnectorRow, connector: Connector) -> str | None:
    """Return the refresh token that is stored, or was entered. Raises AuthorizationNeeded where there is no grant."""
    return (await read(hub, row, connector)).refresh_token


async def _believe(hub: Hub, row: ConnectorRow, connector: Connector, refused: TokenRefused) -> None:
    """Raise ProviderUnavailable where the token is so new that its refusal is not to be believed yet."""
    assert connector.oauth is not None
    async with hub.engine.connect() as connection:
        known = await connections.get(connection, row.workspace_id, row.id)
    if known is not None and datetime.now(UTC) - known.issued_at < connector.oauth.settles_in:
        raise ProviderUnavailable(f"The provider does not take the new token yet: {refused.detail}") from refused


async def _is_alive(hub: Hub, row: ConnectorRow, connector: Connector, grant: Grant) -> bool:
    """Return whether the provider says that a token lives which it refused; one that it won't speak of is dead.

    Raises what passes by itself.
    """
    assert connector.oauth is not None
    if connector.oauth.inspect is None or grant.app is None:
        return False
    client, settings = hub.token_server(connector), settings_of(connector, row.settings)
    try:
        return (await connector.oauth.inspect(client, grant.app, settings, grant.access_token)).is_alive
    except Permanent as problem:
        log.warning("token_not_inspected", connector_id=str(row.id), code=problem.code)
        return False
