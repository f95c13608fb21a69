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
from connector_master.model.problem import NotFound
from connector_master.model.words import Words, sentences
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
        remedy = Words("Resume the connector: what arrives is kept and not processed.")
        yield Item("paused", Words("Not paused"), "wrong", remedy)


def _credentials(known: _Known) -> Iterator[Item]:
    connector = known.connector
    if connector.oauth is not None:
        missing = [name for name in connector.oauth.app if name not in known.credentials]
        given = known.credentials.intersection(has_tokens(connector.credentials))
        title = Words("App credentials entered")
        if not missing:
            yield Item("app_credentials", title, "ok")
        else:
            state = "unknown" if given else "wrong"
            yield Item("app_credentials", title, state, Words("Enter %(names)s.", names=missing))
    needed = [*connector.pull_needs]
    if connector.signs_with is not None and not connector.makes_secret and connector.signs_with not in needed:
        needed.append(connector.signs_with)
    missing = [name for name in needed if name not in known.credentials]
    title = Words("Credentials entered")
    if missing:
        yield Item("credentials", title, "wrong", Words("Enter %(names)s.", names=missing))
    elif needed:
        yield Item("credentials", title, "ok")


def _grant(known: _Known, now: datetime) -> Iterator[Item]:
    assert known.connector.oauth is not None
    connection = known.connection
    title = Words("Connected to %(source)s", source=known.connector.title)
    if connection is None:
        if known.credentials.intersection(has_tokens(known.connector.credentials)):
            remedy = Words("A token was entered; test the connection to see whether it works.")
            yield Item("connection", title, "unknown", remedy)
        else:
            yield Item("connection", title, "wrong", Words("Choose Connect and agree at the provider."))
        return
    if connection.lost_at is not None:
        said = [connection.problem_detail] if connection.problem_detail else []
        yield Item("connection", title, "wrong", sentences(Words("Connect again."), *said))
        return
    yield Item("connection", title, "ok")
    title = Words("Permissions granted")
    missing = [one for one in known.connector.oauth.scopes if one not in connection.scopes]
    if connection.kind == "given" and not connection.scopes:
        yield Item("scopes", title, "unknown", Words("The token was made elsewhere: test the connection."))
    elif missing:
        remedy = Words("Connect again and grant %(scopes)s.", scopes=", ".join(missing))
        yield Item("scopes", title, "wrong", remedy)
    else:
        yield Item("scopes", title, "ok")
    yield _lasting(connection.ends_at, known.connector.oauth.lasts_if, now)


def _lasting(ends_at: datetime | None, lasts_if: str, now: datetime) -> Item:
    title = Words("Agreement lasts")
    if ends_at is None or ends_at - now >= _ENDS_SOON:
        return Item("token_life", title, "ok")
    remedy = [Words("Connect again before %(day)s: then the agreement ends.", day=ends_at.date())]
    remedy += [Words(lasts_if)] if lasts_if else []
    return Item("token_life", title, "wrong", sentences(*remedy))


def _accounts(known: _Known) -> Iterator[Item]:
    one, several = known.connector.account_kinds
    if not known.accounts and known.connector.account in known.credentials:
        return
    title = Words("%(account)s chosen", account=Words(one.capitalize()))
    if not known.accounts:
        wanted = known.connector.needs_grant
        remedy = Words("Choose the %(accounts)s whose leads are to come here.", accounts=Words(several))
        yield Item("accounts", title, "wrong" if wanted else "unknown", remedy)
        return
    yield Item("accounts", title, "ok")
    if known.connector.subscribe is None:
        return
    for account in known.accounts:
        title = Words("%(account)s pushes its leads", account=account.name)
        if account.subscribed_at is not None:
            yield Item("subscription", title, "ok")
        elif account.problem_code is not None:
            yield Item("subscription", title, "wrong", account.problem_detail or Words("Choose it again."))
        else:
            remedy = Words("Choose the %(accounts)s again, so that it is subscribed.", accounts=Words(several))
            yield Item("subscription", title, "unknown", remedy)


def _reachable(address: str) -> Item:
    title = Words("Address reachable from outside")
    if not address.startswith("https://"):
        remedy = Words("Set PUBLIC_URL to the https:// address that providers can reach.")
        return Item("public_address", title, "wrong", remedy)
    return Item("public_address", title, "unknown", Words("Send a test from the provider; its arrival proves it."))


def _challenged(known: _Known) -> Item:
    source = known.connector.title
    if known.challenged_at is not None:
        title = Words("Address proven to %(source)s, last %(moment)s", source=source, moment=known.challenged_at)
        return Item("challenge", title, "ok")
    asks = (
        Words("It asks when it is given the webhook URL and verify token.")
        if known.connector.needs_verify_token
        else Words("It asks when it is given the webhook URL.")
    )
    shared = Words("An address of this hub that it knows already may do for all connectors.")
    title = Words("Address proven to %(source)s", source=source)
    return Item("challenge", title, "unknown", sentences(asks, shared))


def _last_push(known: _Known) -> Item:
    if known.last_push is None:
        remedy = Words("Send a test from the provider.")
        return Item("last_push", Words("Something was pushed in 30 days"), "unknown", remedy)
    return Item("last_push", Words("Last push %(moment)s", moment=known.last_push), "ok")


def _last_pull(known: _Known) -> Item:
    row = known.row
    if row.status == "failing":
        remedy = Words("See the last sync for what the provider said.")
        return Item("last_pull", Words("Pulls succeed"), "wrong", remedy)
    if row.last_sync_at is None:
        remedy = (
            Words("Nothing to do: the next scheduled run shows.")
            if row.next_sync_at
            else Words("Connect first, or enter credentials.")
        )
        return Item("last_pull", Words("Pulled once"), "unknown", remedy)
    return Item("last_pull", Words("Last pull %(moment)s", moment=row.last_sync_at), "ok")


async def _quota(
    connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector, now: datetime
) -> Quota | None:
    try:
        credentials = await open_credentials(connection, hub.keys, row, connector)
    except CredentialsMissing:
        return None
    return await quota_of(connection, pace_key(hub, connector, credentials), limits_of(connector, credentials), now)


def _calls(known: _Known, quota: Quota, now: datetime) -> Item:
    used = {"used": quota.used, "most": quota.most}
    title = Words("%(used)s of %(most)s calls of the day used", **used)
    if quota.rests_until is not None:
        remedy = Words(
            "The provider asked not to be called before %(moment)s; it goes on by itself then.",
            moment=quota.rests_until,
        )
        return Item("daily_calls", title, "wrong", remedy)
    if quota.used >= quota.most:
        remedy = Words(
            "It goes on by itself at %(moment)s. For more calls a day, ask the provider for a larger quota, give connectors "
            "apps of their own, or let them sync less often.",
            moment=quota.ends_at,
        )
        return Item("daily_calls", title, "wrong", remedy)
    minutes = getattr(settings_of(known.connector, known.row.settings), "sync_interval_minutes", 0)
    if quota.spread > timedelta(minutes=minutes):
        title = Words(
            "%(used)s of %(most)s calls of the day used, so there is a sync every %(minutes)s minutes only",
            minutes=round(quota.spread / timedelta(minutes=1)),
            **used,
        )
    return Item("daily_calls", title, "ok")
