"""Grants: what a source behind OAuth is called with, renewed in time and by one process only.

Who renews a connection writes so into its row for a minute; everybody else waits for what comes of it. No transaction is
open while the provider is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connections.authorization import renew
from connector_master.connections.sealing import Place
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import Account, App, Grant, Tokens
from connector_master.model.problem import (
    AuthorizationNeeded,
    CredentialsRefused,
    Problem,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.services.hub import Hub
from connector_master.services.sources import installed_app, opened, settings_of
from connector_master.storage import accounts, activity, connections, connectors
from connector_master.storage.accounts import AccountRow
from connector_master.storage.connections import ConnectionRow
from connector_master.storage.connectors import ConnectorRow

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_DUE_AT_ONCE = 50

Result = TypeVar("Result")

log = structlog.get_logger()


async def using(hub: Hub, row: ConnectorRow, connector: Connector, use: Callable[[Grant], Awaitable[Result]]) -> Result:
    """Return what `use` makes of the connector's grant; a token that is refused is renewed once, and `use` called again.

    Raises AuthorizationNeeded or TokenRefused once only a person can help: the connector then says so. Raises what `use`
    raises.
    """
    grant = await grant_of(hub, row, connector)
    try:
        return await use(grant)
    except TokenRefused as refused:
        if await _is_settling(hub, row, connector):
            raise ProviderUnavailable(f"The provider does not take the new token yet: {refused.detail}") from refused
        try:
            grant = await renewed(hub, row, connector, stale=grant.access_token)
        except (AuthorizationNeeded, TokenRefused):
            await _lose(hub, row, refused)
            raise refused from None
    try:
        return await use(grant)
    except TokenRefused as refused:
        await _lose(hub, row, refused)
        raise


async def grant_of(hub: Hub, row: ConnectorRow, connector: Connector) -> Grant:
    """Return what the connector's provider is called with, its token good for some minutes.

    A token that was made elsewhere and entered as a credential counts where nobody has agreed. Raises AuthorizationNeeded,
    and what renewing raises.
    """
    found = await _read(hub, row, connector)
    if found.tokens is None:
        return await _renewed(hub, row, connector, stale=None)
    ends = found.tokens.expires_at
    assert connector.oauth is not None
    if found.row is not None and ends is not None and ends - datetime.now(UTC) < connector.oauth.renews_before:
        try:
            return await _renewed(hub, row, connector, stale=found.tokens.access_token)
        except Problem:
            if ends <= datetime.now(UTC):
                raise
            # It still counts, and the schedule tries again before it ends.
    return _grant(hub, row, found, found.tokens)


async def renewed(hub: Hub, row: ConnectorRow, connector: Connector, *, stale: str) -> Grant:
    """Return a grant with another token than `stale`, which the provider refused. Raises as `grant_of` does."""
    return await _renewed(hub, row, connector, stale=stale)


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
        connector = registry()[row.type]
        try:
            found = await _read(hub, row, connector)
            if found.tokens is not None:
                await _renewed(hub, row, connector, stale=found.tokens.access_token)
                count += 1
        except Problem as problem:
            log.warning("connection_not_renewed", connector_id=str(connector_id), code=problem.code)
    return count


async def refresh_token_of(hub: Hub, row: ConnectorRow, connector: Connector) -> str | None:
    """Return the refresh token that is stored, or was entered. Raises AuthorizationNeeded where there is no grant."""
    return (await _read(hub, row, connector)).refresh_token


def tokens_place(workspace: UUID, connector_id: UUID) -> Place:
    """Return where a connection's tokens are sealed."""
    return Place(workspace, "connections", connector_id, "sealed")


def account_place(workspace: UUID, connector_id: UUID, account_id: str) -> Place:
    """Return where an account's own token is sealed."""
    return Place(workspace, "connector_accounts", f"{connector_id}/{account_id}", "sealed")


def connection_row(
    hub: Hub, row: ConnectorRow, connector: Connector, tokens: Tokens, *, kind: str, by: str | None, at: datetime
) -> ConnectionRow:
    """Return how fresh tokens are stored, to be renewed before they end."""
    assert connector.oauth is not None
    now = datetime.now(UTC)
    content = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}
    can_renew = tokens.refresh_token is not None or not connector.oauth.has_refresh_tokens
    refresh_at = None
    if tokens.expires_at is not None and can_renew:
        # At once for what lives shorter than it is to be renewed before its end would never end.
        refresh_at = max(tokens.expires_at - connector.oauth.renews_before, now + timedelta(minutes=1))
    return ConnectionRow(
        kind=kind,
        sealed=hub.keys.seal(orjson.dumps(content), tokens_place(row.workspace_id, row.id)),
        scopes=sorted(tokens.scopes or ()),
        authorized_at=at,
        authorized_by=by,
        issued_at=now,
        expires_at=tokens.expires_at,
        ends_at=tokens.ends_at or (None if can_renew else tokens.expires_at),
        refresh_at=refresh_at,
    )


def account_row(hub: Hub, row: ConnectorRow, account: Account) -> AccountRow:
    """Return how a chosen account is stored."""
    sealed = None
    if account.token is not None:
        sealed = hub.keys.seal(account.token.encode(), account_place(row.workspace_id, row.id, account.id))
    return AccountRow(account.id, account.kind, account.name, sealed, dict(account.details))


class _Found:
    """What is stored of a connector's grant."""

    def __init__(
        self,
        form: Form,
        app: App | None,
        row: ConnectionRow | None,
        tokens: Tokens | None,
        refresh_token: str | None,
        chosen: tuple[Account, ...],
    ) -> None:
        self.form, self.app, self.row, self.tokens = form, app, row, tokens
        self.refresh_token, self.chosen = refresh_token, chosen


async def _read(hub: Hub, row: ConnectorRow, connector: Connector) -> _Found:
    async with hub.engine.connect() as connection:
        return await _found(connection, hub, row, connector)


async def _found(connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector) -> _Found:
    assert connector.oauth is not None
    stored = await connectors.credentials(connection, row.workspace_id, row.id)
    given = {one.name: opened(hub.keys, row, one) for one in stored}
    form = connector.credentials.model_validate(given)
    app_values = {**installed_app(connector, given, hub.apps), **given}
    id_, secret = (app_values.get(name) for name in connector.oauth.app)
    app = App(id_, secret) if id_ and secret else None
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
        content = orjson.loads(hub.keys.open(known.sealed, tokens_place(row.workspace_id, row.id)))
        refresh_token = content["refresh_token"]
        scopes = frozenset(known.scopes)
        tokens = Tokens(content["access_token"], refresh_token, known.expires_at, known.ends_at, scopes)
    elif "accessToken" in given:
        tokens = Tokens(given["accessToken"], refresh_token)
    elif refresh_token is None:
        raise AuthorizationNeeded("Nobody has agreed at the provider yet.")
    return _Found(form, app, known, tokens, refresh_token, chosen)


def _grant(hub: Hub, row: ConnectorRow, found: _Found, tokens: Tokens) -> Grant:
    return Grant(
        credentials=found.form,
        access_token=tokens.access_token,
        app=found.app,
        scopes=tokens.scopes or frozenset(),
        accounts=found.chosen,
        memory=hub.memory(row.id),
    )


async def _renewed(hub: Hub, row: ConnectorRow, connector: Connector, *, stale: str | None) -> Grant:
    async with asyncio.timeout(_WAIT_SECONDS * 2):
        while True:
            found = await _read(hub, row, connector)
            if found.tokens is not None and found.tokens.access_token != stale:
                return _grant(hub, row, found, found.tokens)
            if found.row is None:
                # Nothing to write a claim into yet: whoever comes second writes the same over it.
                break
            async with hub.engine.begin() as connection:
                if await connections.claim_renewal(connection, row.workspace_id, row.id):
                    break
            await asyncio.sleep(_LOOK_SECONDS)
        try:
            # Somebody may have renewed it between the look and the claim.
            found = await _read(hub, row, connector)
            if found.tokens is not None and found.tokens.access_token != stale:
                return _grant(hub, row, found, found.tokens)
            tokens = await _ask(hub, row, connector, found)
        except CredentialsRefused as problem:
            if found.row is not None and isinstance(problem, AuthorizationNeeded | TokenRefused):
                await _lose(hub, row, problem)
            raise
        finally:
            async with hub.engine.begin() as connection:
                await connections.release_renewal(connection, row.workspace_id, row.id)
    async with hub.engine.begin() as connection:
        kind, by = (found.row.kind, found.row.authorized_by) if found.row else ("given", None)
        at = found.row.authorized_at if found.row else datetime.now(UTC)
        made = connection_row(hub, row, connector, tokens, kind=kind, by=by, at=at)
        await connections.put(connection, row.workspace_id, row.id, made)
    return _grant(hub, row, found, tokens)


async def _ask(hub: Hub, row: ConnectorRow, connector: Connector, found: _Found) -> Tokens:
    assert connector.oauth is not None
    if found.app is None:
        raise AuthorizationNeeded("The app's id and secret are not known, so the token can't be renewed.")
    if found.refresh_token is None and connector.oauth.has_refresh_tokens:
        raise AuthorizationNeeded("The provider gave nothing with which the connection could be renewed.")
    known = found.tokens or Tokens("", found.refresh_token)
    settings = settings_of(connector, row.settings)
    known = replace(known, refresh_token=found.refresh_token)
    return await renew(hub.token_server(connector), connector.oauth, found.app, settings, known)


async def _is_settling(hub: Hub, row: ConnectorRow, connector: Connector) -> bool:
    """Return whether the token is so new that its refusal is not to be believed yet."""
    assert connector.oauth is not None
    async with hub.engine.connect() as connection:
        known = await connections.get(connection, row.workspace_id, row.id)
    return known is not None and datetime.now(UTC) - known.issued_at < connector.oauth.settles_in


async def _lose(hub: Hub, row: ConnectorRow, problem: Problem) -> None:
    """Say that only a person can help: on the connection, on the connector and in the activity log."""
    async with hub.engine.begin() as connection:
        present = await connectors.get_locked(connection, row.workspace_id, row.id)
        if present is None:
            return
        is_lost = await connections.lose(connection, row.workspace_id, row.id, code=problem.code, detail=problem.detail)
        # Without a connection it was a token that had been entered, whose refusal the status alone tells of.
        if not is_lost and present.status in ("needs_authorization", "paused"):
            return
        if not is_lost and await connections.get(connection, row.workspace_id, row.id) is not None:
            return
        if present.status != "paused":
            await connectors.update(connection, replace(present, status="needs_authorization"))
        await activity.write(
            connection,
            row.workspace_id,
            kind="authorization_lost",
            level="error",
            message=f"{row.name} is no longer connected: {problem.detail} {problem.remedy}",
            connector_id=row.id,
            data={"before": present.status, "code": problem.code},
        )
