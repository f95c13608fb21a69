"""Stored grants: how a connection's tokens lie in the database, and what is made of them for a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connections.sealing import Place
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import Account, App, Grant, Tokens
from connector_master.model.problem import AuthorizationNeeded
from connector_master.services.hub import Hub
from connector_master.services.sources import installed_app, opened
from connector_master.storage import accounts, connections, connectors
from connector_master.storage.accounts import AccountRow
from connector_master.storage.connections import ConnectionRow
from connector_master.storage.connectors import ConnectorRow

NO_TOKEN = ""
"""Stands for the access token where a refresh token was entered, and not used yet."""


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """What is stored of a connector's grant: its form and app, the connection if there is one, tokens, chosen accounts."""

    form: Form
    app: App | None
    row: ConnectionRow | None
    tokens: Tokens | None
    refresh_token: str | None = field(repr=False)
    chosen: tuple[Account, ...]

    @property
    def access_token(self) -> str:
        """The access token, empty where there is none yet."""
        return self.tokens.access_token if self.tokens is not None else NO_TOKEN


async def read(hub: Hub, row: ConnectorRow, connector: Connector) -> StoredGrant:
    """Return what is stored. A token that was made elsewhere and entered as a credential counts where nobody has agreed.

    Raises AuthorizationNeeded where there is nothing, or what there was is lost.
    """
    async with hub.engine.connect() as connection:
        return await read_within(connection, hub, row, connector)


async def read_within(connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector) -> StoredGrant:
    """Return what is stored, as `read` does, within a transaction."""
    given = await _entered(connection, hub, row)
    form = connector.credentials.model_validate(given)
    known = await connections.get(connection, row.workspace_id, row.id)
    if known is not None and known.lost_at is not None:
        raise AuthorizationNeeded(f"The connection was lost. {known.problem_detail or ''}".strip())
    chosen = tuple(
        Account(
            id=one.account_id,
            name=one.name,
            kind=one.kind,
            token=None
            if one.sealed is None
            else hub.keys.open(one.sealed, account_place(row.workspace_id, row.id, one.account_id)).decode(),
            details=one.details,
        )
        for one in await accounts.of_connector(connection, row.workspace_id, row.id)
    )
    tokens, refresh_token = None, given.get("refreshToken")
    if known is not None:
        content = tokens_in(hub, row, known)
        refresh_token = content["refresh_token"]
        scopes = frozenset(known.scopes)
        tokens = Tokens(
            content["access_token"], refresh_token, known.expires_at, known.ends_at, scopes, person=known.person
        )
    elif "accessToken" in given:
        tokens = Tokens(given["accessToken"], refresh_token)
    elif refresh_token is None:
        raise AuthorizationNeeded("Nobody has agreed at the provider yet.")
    return StoredGrant(form, _app(hub, connector, given), known, tokens, refresh_token, chosen)


async def app_of(connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector) -> App | None:
    """Return the app at the provider to which people agree, None where it is not known."""
    return _app(hub, connector, await _entered(connection, hub, row))


def grant_from(hub: Hub, row: ConnectorRow, stored: StoredGrant, fresh: Tokens | None = None) -> Grant:
    """Return what the provider is called with: `fresh` tokens, or those that are stored."""
    tokens = fresh or stored.tokens or Tokens(NO_TOKEN)
    return Grant(
        credentials=stored.form,
        access_token=tokens.access_token,
        app=stored.app,
        scopes=tokens.scopes or frozenset(),
        accounts=stored.chosen,
        memory=hub.memory(row.id),
    )


def connection_row(
    hub: Hub, row: ConnectorRow, connector: Connector, tokens: Tokens, *, kind: str, by: str | None, at: datetime
) -> ConnectionRow:
    """Return how fresh tokens are stored, to be renewed before they end."""
    assert connector.oauth is not None
    now = datetime.now(UTC)
    content = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}
    can_renew = tokens.refresh_token is not None or not connector.oauth.has_refresh_tokens
    return ConnectionRow(
        kind=kind,
        sealed=hub.keys.seal(orjson.dumps(content), tokens_place(row.workspace_id, row.id)),
        scopes=sorted(tokens.scopes or ()),
        authorized_at=at,
        authorized_by=by,
        issued_at=now,
        expires_at=tokens.expires_at,
        ends_at=tokens.ends_at or (None if can_renew else tokens.expires_at),
        refresh_at=renewal_of(connector, tokens.expires_at) if can_renew else None,
        check_at=now,
        person=tokens.person,
    )


def renewal_of(connector: Connector, expires_at: datetime | None) -> datetime | None:
    """Return when a token that ends then is to be renewed, None for one that does not end."""
    assert connector.oauth is not None
    if expires_at is None:
        return None
    # At once for what lives shorter than it is to be renewed before its end would never end.
    return max(expires_at - connector.oauth.renews_before, datetime.now(UTC) + timedelta(minutes=1))


def begun_row(hub: Hub, row: ConnectorRow, found: StoredGrant) -> ConnectionRow:
    """Return how a token that was entered is stored, so that one process can claim its renewal."""
    now = datetime.now(UTC)
    content = {"access_token": found.access_token, "refresh_token": found.refresh_token}
    sealed = hub.keys.seal(orjson.dumps(content), tokens_place(row.workspace_id, row.id))
    ended = None if found.access_token else now
    return ConnectionRow(kind="given", sealed=sealed, authorized_at=now, issued_at=now, expires_at=ended)


def account_row(hub: Hub, row: ConnectorRow, account: Account) -> AccountRow:
    """Return how a chosen account is stored."""
    sealed = None
    if account.token is not None:
        sealed = hub.keys.seal(account.token.encode(), account_place(row.workspace_id, row.id, account.id))
    return AccountRow(account.id, account.kind, account.name, sealed, dict(account.details))


def tokens_place(workspace: UUID, connector_id: UUID) -> Place:
    """Return where a connection's tokens are sealed."""
    return Place(workspace, "connections", connector_id, "sealed")


def account_place(workspace: UUID, connector_id: UUID, account_id: str) -> Place:
    """Return where an account's own token is sealed."""
    return Place(workspace, "connector_accounts", f"{connector_id}/{account_id}", "sealed")


def tokens_in(hub: Hub, row: ConnectorRow, known: ConnectionRow) -> dict[str, str]:
    """Return a connection's tokens, by `access_token` and `refresh_token`."""
    content: dict[str, str] = orjson.loads(hub.keys.open(known.sealed, tokens_place(row.workspace_id, row.id)))
    return content


async def _entered(connection: AsyncConnection, hub: Hub, row: ConnectorRow) -> dict[str, str]:
    stored = await connectors.credentials(connection, row.workspace_id, row.id)
    return {one.name: opened(hub.keys, row, one) for one in stored}


def _app(hub: Hub, connector: Connector, given: Mapping[str, str]) -> App | None:
    if connector.oauth is None:
        return None
    values = {**installed_app(connector, given, hub.apps), **given}
    id_, secret = (values.get(name) for name in connector.oauth.app)
    return App(id_, secret) if id_ and secret else None
