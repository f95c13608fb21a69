"""The checklist: what stands between a connector and its next lead, told from what is known here; nobody is asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import has_tokens
from connector_master.model.problem import DailyLimitReached, NotFound
from connector_master.services.credentials import CredentialsMissing, limits_of, open_credentials, pace_key
from connector_master.services.hub import Hub
from connector_master.services.quotas import Quota, quota_of
from connector_master.services.sources import installed_app, settings_of
from connector_master.storage import accounts, connections, connectors, subscriptions, syncs
from connector_master.storage.accounts import AccountRow
from connector_master.storage.connections import ConnectionRow
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.ids import first_id_at

_ENDS_SOON = timedelta(days=14)
_LOOKED_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that has to be in order: `state` is ok, wrong or unknown; the remedy is empty where it is ok."""

    code: str
    title: str
    state: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    row: ConnectorRow
    connector: Connector
    credentials: frozenset[str]
    connection: ConnectionRow | None
    accounts: Sequence[AccountRow]
    last_push: datetime | None
    challenged_at: datetime | None
    quota: Quota | None


async def checklist(hub: Hub, caller: Caller, id_: UUID) -> list[Item]:
    """Return what has to be in order for a connector, in the order in which a person mends it. Raises NotFound."""
    now = datetime.now(UTC)
    async with hub.engine.connect() as connection:
        row = await connectors.get(connection, caller.workspace_id, id_)
        if row is None or row.type not in registry():
            raise NotFound("No connector here has this id.")
        connector = registry()[row.type]
        stored = {one.name for one in await connectors.credentials(connection, row.workspace_id, row.id)}
        known = _Known(
            row,
            connector,
            frozenset({*stored, *installed_app(connector, stored, hub.apps)}),
            await connections.get(connection, row.workspace_id, row.id),
            await accounts.of_connector(connection, row.workspace_id, row.id),
            await syncs.last_push(connection, row.workspace_id, row.id, first_id_at(now - _LOOKED_BACK)),
            await subscriptions.challenged_at(connection, row.workspace_id, row.id),
            await _quota(connection, hub, row, connector, now),
        )
    return list(_items(known, hub.address, now))


def _items(known: _Known, address: str, now: datetime) -> Iterator[Item]:
    yield from _credentials(known)
    if known.connector.oauth is not None:
        yield from _grant(known, now)
    if known.connector.accounts is not None:
        yield from _accounts(known)
    if known.connector.pushes:
        yield _reachable(address)
        if known.connector.challenge is not None:
            yield _challenged(known)
        yield _last_push(known)
    if known.connector.pulls:
        yield _last_pull(known)
    if known.quota is not None:
        yield _calls(known, known.quota, now)
    if known.row.status == "paused":
        yield Item("paused", "Not paused", "wrong", "Resume the connector: what arrives is kept and not processed.")


def _credentials(known: _Known) -> Iterator[Item]:
    connector = known.connector
    if connector.oauth is not None:
        missing = [name for name in connector.oauth.app if name not in known.credentials]
        given = known.credentials.intersection(has_tokens(connector.credentials))
        if not missing:
            yield Item("app_credentials", "App credentials entered", "ok")
        else:
            state = "unknown" if given else "wrong"
            yield Item("app_credentials", "App credentials entered", state, f"Enter {' and '.join(missing)}.")
    needed = [*connector.pull_needs]
    if connector.signs_with is not None and not connector.makes_secret and connector.signs_with not in needed:
        needed.append(connector.signs_with)
    missing = [name for name in needed if name not in known.credentials]
    if needed:
        state = "wrong" if missing else "ok"
        yield Item("credentials", "Credentials entered", state, f"Enter {' and '.join(missing)}." if missing else "")


def _grant(known: _Known, now: datetime) -> Iterator[Item]:
    assert known.connector.oauth is not None
    connection = known.connection
    title = f"Connected to {known.connector.title}"
    if connection is None:
        if known.credentials.intersection(has_tokens(known.connector.credentials)):
            yield Item(
                "connection", title, "unknown", "A token was entered; test the connection to see whether it works."
            )
        else:
            yield Item("connection", title, "wrong", "Choose Connect and agree at the provider.")
        return
    if connection.lost_at is not None:
        yield Item("connection", title, "wrong", f"Connect again. {connection.problem_detail or ''}".strip())
        return
    yield Item("connection", title, "ok")
    missing = [one for one in known.connector.oauth.scopes if one not in connection.scopes]
    if connection.kind == "given" and not connection.scopes:
        yield Item("scopes", "Permissions granted", "unknown", "The token was made elsewhere: test the connection.")
    elif missing:
        yield Item("scopes", "Permissions granted", "wrong", f"Connect again and grant {', '.join(missing)}.")
    else:
        yield Item("scopes", "Permissions granted", "ok")
    title = "Agreement lasts"
    if connection.ends_at is None:
        yield Item("token_life", title, "ok")
    elif connection.ends_at - now < _ENDS_SOON:
        day = connection.ends_at.date().isoformat()
        remedy = f"Connect again before {day}: then the agreement ends. {known.connector.oauth.lasts_if}".strip()
        yield Item("token_life", title, "wrong", remedy)
    else:
        yield Item("token_life", title, "ok")


def _accounts(known: _Known) -> Iterator[Item]:
    one, several = known.connector.account_kinds
    if not known.accounts and known.connector.account in known.credentials:
        return
    if not known.accounts:
        wanted = known.connector.needs_grant
        remedy = f"Choose the {several} whose leads are to come here."
        yield Item("accounts", f"{one.capitalize()} chosen", "wrong" if wanted else "unknown", remedy)
        return
    yield Item("accounts", f"{one.capitalize()} chosen", "ok")
    if known.connector.subscribe is None:
        return
    for account in known.accounts:
        title = f"{account.name} pushes its leads"
        if account.subscribed_at is not None:
            yield Item("subscription", title, "ok")
        elif account.problem_code is not None:
            yield Item("subscription", title, "wrong", account.problem_detail or "Choose it again.")
        else:
            yield Item("subscription", title, "unknown", f"Choose the {several} again, so that it is subscribed.")


def _reachable(address: str) -> Item:
    title = "Address reachable from outside"
    if not address.startswith("https://"):
        return Item(
            "public_address", title, "wrong", "Set PUBLIC_URL to the https:// address that providers can reach."
        )
    return Item("public_address", title, "unknown", "Send a test from the provider; its arrival proves it.")


def _challenged(known: _Known) -> Item:
    title = f"Address proven to {known.connector.title}"
    if known.challenged_at is not None:
        return Item("challenge", f"{title}, last {_shown(known.challenged_at)}", "ok")
    what = "webhook URL and verify token" if known.connector.needs_verify_token else "webhook URL"
    remedy = (
        f"It asks when it is given the {what}. An address of this hub that it knows already may do for all connectors."
    )
    return Item("challenge", title, "unknown", remedy)


def _last_push(known: _Known) -> Item:
    if known.last_push is None:
        return Item("last_push", "Something was pushed in 30 days", "unknown", "Send a test from the provider.")
    return Item("last_push", f"Last push {_shown(known.last_push)}", "ok")


def _last_pull(known: _Known) -> Item:
    row = known.row
    if row.status == "failing":
        return Item("last_pull", "Pulls succeed", "wrong", "See the last sync for what the provider said.")
    if row.last_sync_at is None:
        remedy = (
            "Nothing to do: the next scheduled run shows."
            if row.next_sync_at
            else "Connect first, or enter credentials."
        )
        return Item("last_pull", "Pulled once", "unknown", remedy)
    return Item("last_pull", f"Last pull {_shown(row.last_sync_at)}", "ok")


async def _quota(
    connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector, now: datetime
) -> Quota | None:
    try:
        credentials = await open_credentials(connection, hub.keys, row, connector)
    except CredentialsMissing:
        return None
    return await quota_of(connection, pace_key(hub, connector, credentials), limits_of(connector, credentials), now)


def _calls(known: _Known, quota: Quota, now: datetime) -> Item:
    title = f"{quota.used} of {quota.most} calls of the day used"
    if quota.rests_until is not None:
        remedy = f"The provider asked not to be called before {_shown(quota.rests_until)}; it goes on by itself then."
        return Item("daily_calls", title, "wrong", remedy)
    if quota.used >= quota.most:
        remedy = f"It goes on by itself at {_shown(quota.ends_at)}. {DailyLimitReached.remedy.partition('. ')[2]}"
        return Item("daily_calls", title, "wrong", remedy)
    minutes = getattr(settings_of(known.connector, known.row.settings), "sync_interval_minutes", 0)
    if quota.spread > timedelta(minutes=minutes):
        title += f", so there is a sync every {round(quota.spread / timedelta(minutes=1))} minutes only"
    return Item("daily_calls", title, "ok")


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
