"""Upkeep: seeing every day that providers still push the chosen accounts to an address that is there, and mending it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.services.hub import Hub
from connector_master.services.subscriptions import subscribe
from connector_master.storage import accounts, activity, connectors, jobs, subscriptions
from connector_master.storage.accounts import AccountRow
from connector_master.storage.connectors import ConnectorRow

_DUE_AT_ONCE = 200
_AFTER_A_FAILURE = timedelta(hours=1)


async def schedule_due(hub: Hub) -> int:
    """Queue what is to be seen to now; return for how many connectors. Any number of processes may do so at once."""
    count = 0
    async with hub.engine.begin() as connection:
        for row in await subscriptions.due(connection, _DUE_AT_ONCE):
            connector = registry().get(row.type)
            if connector is not None and connector.subscribe is not None and row.status != "needs_authorization":
                args = {"workspace_id": str(row.workspace_id), "connector_id": str(row.id)}
                await jobs.defer(connection, jobs.SUBSCRIBE, **args)
                count += 1
    return count


async def run(hub: Hub, workspace: UUID, connector_id: UUID) -> None:
    """Have a connector's accounts pushed, those that are pushed already left alone; say what no longer is, or is again."""
    async with hub.engine.connect() as connection:
        row = await connectors.get(connection, workspace, connector_id)
    if row is None or row.type not in registry():
        return
    before = await _accounts(hub, row)
    is_settled = await subscribe(hub, row, registry()[row.type])
    after = await _accounts(hub, row)
    async with hub.engine.begin() as connection:
        if not is_settled:
            await subscriptions.plan(connection, workspace, connector_id, datetime.now(UTC) + _AFTER_A_FAILURE)
        for id_, account in after.items():
            if id_ in before and account.problem_code != before[id_].problem_code:
                await _tell(connection, row, account)


async def note_gone(connection: AsyncConnection, row: ConnectorRow, connector: Connector) -> None:
    """See to it that nobody misses the address of a connector that was deleted: a provider may have it for others too.

    Where we can't give the provider another one, a person is told.
    """
    await subscriptions.hasten(connection, row.type)
    if connector.challenge is None or connector.oauth is not None:
        return
    left = await connectors.page(connection, row.workspace_id, limit=1, after=None, type_=row.type)
    if left:
        await activity.write(
            connection,
            row.workspace_id,
            kind="address_gone",
            level="warning",
            message=f"The address of {row.name} is gone. If it was the callback of an app at {connector.title} that serves "
            f"other connectors too, enter the webhook URL and verify token of {left[0].name} there.",
            connector_id=left[0].id,
        )


async def _accounts(hub: Hub, row: ConnectorRow) -> Mapping[str, AccountRow]:
    async with hub.engine.connect() as connection:
        found = await accounts.of_connector(connection, row.workspace_id, row.id)
    return {one.account_id: one for one in found}


async def _tell(connection: AsyncConnection, row: ConnectorRow, account: AccountRow) -> None:
    is_pushed = account.problem_code is None
    words = "is pushed again" if is_pushed else f"is not pushed: {account.problem_detail or account.problem_code}"
    await activity.write(
        connection,
        row.workspace_id,
        kind="subscription_restored" if is_pushed else "subscription_lost",
        level="info" if is_pushed else "error",
        message=f"{account.name} of {row.name} {words}",
        connector_id=row.id,
        data={"accountId": account.account_id, "code": account.problem_code},
    )
