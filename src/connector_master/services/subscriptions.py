"""Subscriptions: having a provider push the leads of chosen accounts, and push them no longer."""

from datetime import UTC, datetime

import structlog

from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import Account, Callback, Grant
from connector_master.ingest.pacing import MustWait
from connector_master.model.problem import Problem, Transient
from connector_master.services.credentials import paced
from connector_master.services.grants import grant_of
from connector_master.services.hub import Hub
from connector_master.services.sources import settings_of, source_of
from connector_master.storage import accounts, subscriptions
from connector_master.storage.connectors import ConnectorRow

log = structlog.get_logger()


async def subscribe(hub: Hub, row: ConnectorRow, connector: Connector) -> bool:
    """Have the provider push the chosen accounts; what it refuses is noted at the account.

    Returns whether all were asked for, and none is to be tried again because of something that passes by itself.
    """
    if connector.subscribe is None:
        return True
    try:
        grant = await grant_of(hub, row, connector)
    except Problem as problem:
        log.warning("not_subscribed", connector_id=str(row.id), code=problem.code)
        return not isinstance(problem, Transient)
    callback = await _callback(hub, row, connector)
    client = paced(hub, connector, grant.credentials)
    is_settled = True
    for account in grant.accounts:
        refused: Problem | None = None
        try:
            await connector.subscribe(client, grant, settings_of(connector, row.settings), account, callback)
        except MustWait as waits:
            refused = waits.why
        except Problem as problem:
            refused = problem
        is_passing = isinstance(refused, Transient)
        is_settled &= not is_passing
        async with hub.engine.begin() as connection:
            await accounts.note_subscription(
                connection,
                row.workspace_id,
                row.id,
                account.id,
                code=refused.code if refused else None,
                detail=f"{refused.detail} {refused.remedy}" if refused else None,
                is_passing=is_passing,
            )
    return is_settled


async def unsubscribe(hub: Hub, row: ConnectorRow, connector: Connector, grant: Grant, account: Account) -> None:
    """Have the provider push an account no longer, unless another connector lives on it. Raises what its refusal means."""
    if connector.unsubscribe is None:
        return
    async with hub.engine.connect() as connection:
        is_shared = not connector.subscribes_by_address
        if is_shared and await accounts.is_chosen_elsewhere(connection, row.type, account.id, row.id):
            return
    client = paced(hub, connector, grant.credentials)
    callback = await _callback(hub, row, connector)
    try:
        await connector.unsubscribe(client, grant, settings_of(connector, row.settings), account, callback)
    except MustWait as waits:
        raise waits.why from waits


async def _callback(hub: Hub, row: ConnectorRow, connector: Connector) -> Callback:
    async with hub.engine.connect() as connection:
        source = await source_of(connection, hub.keys, hub.apps, row)
        webhook_ids = await subscriptions.webhook_ids(connection, row.type)
    tokens = source.secrets_at(datetime.now(UTC)).verify_tokens if source is not None else ()
    url = f"{hub.address}/api/connectors/{connector.door}/{row.webhook_id}"
    return Callback(url, tokens[0] if tokens else None, webhook_ids)
