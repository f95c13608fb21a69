"""Withdrawal: an agreement that is given up is taken back at the provider, as far as the provider lets us."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import Grant, Tokens
from connector_master.model.problem import Problem, ProviderUnavailable
from connector_master.services.grants import grant_of, refresh_token_of, stored_grant
from connector_master.services.hub import Hub
from connector_master.services.sources import settings_of
from connector_master.services.subscriptions import unsubscribe
from connector_master.storage.connectors import ConnectorRow

_PATIENCE_SECONDS = 20.0
"""Whoever gives up a connection does not wait longer for a provider that is away."""

log = structlog.get_logger()


class Agreement:
    """What there is to take back: a grant and its refresh token, or why there is none."""

    def __init__(self, grant: Grant | None, refresh_token: str | None, why: Problem | None = None) -> None:
        self.grant, self.refresh_token, self.why = grant, refresh_token, why


async def agreement_of(hub: Hub, row: ConnectorRow, connector: Connector, *, renews: bool) -> Agreement:
    """Return what is there to take back, its access token renewed where it has to be and `renews` allows to ask for it."""
    try:
        grant = await (grant_of if renews else stored_grant)(hub, row, connector)
        return Agreement(grant, await refresh_token_of(hub, row, connector))
    except Problem as problem:
        return Agreement(None, None, problem)


async def take_back(hub: Hub, row: ConnectorRow, connector: Connector, agreement: Agreement) -> Problem | None:
    """End the subscriptions and the agreement at the provider; return the first thing that it did not confirm."""
    hub.memory(row.id).forget()
    grant = agreement.grant
    if grant is None:
        return agreement.why
    steps: list[Callable[[], Awaitable[None]]] = [
        partial(unsubscribe, hub, row, connector, grant, one) for one in grant.accounts
    ]
    if connector.oauth is not None and connector.oauth.revoke is not None:
        tokens = Tokens(grant.access_token, agreement.refresh_token, scopes=grant.scopes)
        settings = settings_of(connector, row.settings)
        steps.append(partial(connector.oauth.revoke, hub.token_server(connector), grant.app, settings, tokens))
    refused: Problem | None = None
    for step in steps:
        # One that is refused keeps no other from being tried: what counts most comes last.
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await step()
        except Problem as problem:
            refused = refused or problem
        except TimeoutError:
            refused = refused or ProviderUnavailable("The provider did not answer in time.")
    if refused is not None:
        log.warning("not_taken_back", connector_id=str(row.id), code=refused.code)
    return refused
