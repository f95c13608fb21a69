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
from connector_master.connectors.oauth import Account, App, Grant, Tokens, has_tokens
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    CredentialsRefused,
    Permanent,
    PermissionMissing,
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

_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_DUE_AT_ONCE = 50
_SHORTEST_REST = timedelta(minutes=1)
_LONGEST_REST = timedelta(hours=1)
_NO_TOKEN = ""
"""Stands for the access token where a refresh token was entered, and not used yet."""

Result = TypeVar("Result")

log = structlog.get_logger()


async def using(hub: Hub, row: ConnectorRow, connector: Connector, use: Callable[[Grant], Awaitable[Result]]) -> Result:
    """Return what `use` makes of the connector's grant; a token that is refused is renewed once, and `use` called again.

    Raises AuthorizationNeeded or TokenRefused once only a person can help: the connector then says so; PermissionMissing
    where the provider refuses a token that lives, by its own account. Raises what `use` raises.
    """
    grant = await grant_of(hub, row, connector)
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
            await _lose(hub, row, refused, stale=grant.access_token)
            raise refused from None
    try:
        return await use(grant)
    except TokenRefused as refused:
        await _believe(hub, row, connector, refused)
        await _lose(hub, row, refused, stale=grant.access_token)
        raise


async def grant_of(hub: Hub, row: ConnectorRow, connector: Connector) -> Grant:
    """Return what the connector's provider is called with, its token good for some minutes.

    A token that was made elsewhere and entered as a credential counts where nobody has agreed. Raises AuthorizationNeeded,
    and what renewing raises.
    """
    found = await _read(hub, row, connector)
    if found.tokens is None:
        return await _renewed(hub, row, connector, stale=_NO_TOKEN)
    if found.row is not None and _is_due(found.row):
        try:
            return await _renewed(hub, row, connector, stale=found.tokens.access_token)
        except Problem:
            if _has_ended(found.row):
                raise
            # It still counts, and the schedule tries again before it ends.
    return _grant(hub, row, found, found.tokens)


async def stored_grant(hub: Hub, row: ConnectorRow, connector: Connector) -> Grant:
    """Return the grant as it is stored, nobody asked; its token may have ended. Raises AuthorizationNeeded."""
    found = await _read(hub, row, connector)
    return _grant(hub, row, found, found.tokens or Tokens(_NO_TOKEN))


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
        try:
            found = await _read(hub, row, registry()[row.type])
            if found.tokens is not None:
                await _renewed(hub, row, registry()[row.type], stale=found.tokens.access_token)
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
        check_at=now,
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

    @property
    def access_token(self) -> str:
        """The access token, empty where there is none yet."""
        return self.tokens.access_token if self.tokens is not None else _NO_TOKEN


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
        content = _opened(hub, row, known)
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


async def _renewed(hub: Hub, row: ConnectorRow, connector: Connector, *, stale: str) -> Grant:
    found = await _claimed(hub, row, connector, stale)
    if found.row is None or found.access_token != stale:
        return _grant(hub, row, found, found.tokens or Tokens(_NO_TOKEN))
    try:
        tokens = await _ask(hub, row, connector, found)
    except BaseException as error:
        async with hub.engine.begin() as connection:
            not_before = datetime.now(UTC) + _rest_after(error, found.row, connector)
            await connections.release_renewal(connection, row.workspace_id, row.id, not_before)
        if isinstance(error, AuthorizationNeeded | TokenRefused):
            await _lose(hub, row, error, stale=stale)
        elif isinstance(error, CredentialsRefused):
            await _tell(hub, row, error)
        raise
    made = connection_row(
        hub, row, connector, tokens, kind=found.row.kind, by=found.row.authorized_by, at=found.row.authorized_at
    )
    async with hub.engine.begin() as connection:
        if await connections.renew(connection, row.workspace_id, row.id, made, before=found.row.sealed):
            return _grant(hub, row, found, tokens)
    # Somebody connected again, or disconnected, while the provider was asked: that counts.
    found = await _read(hub, row, connector)
    return _grant(hub, row, found, found.tokens or Tokens(_NO_TOKEN))


async def _claimed(hub: Hub, row: ConnectorRow, connector: Connector, stale: str) -> _Found:
    """Return what is stored once it is ours to renew, or once it holds another token than `stale`.

    Raises AuthorizationNeeded, AppRefused where there is nothing to renew with, and ProviderUnavailable where another
    process does not come to an end.
    """
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                found = await _read(hub, row, connector)
                if found.access_token != stale:
                    return found
                async with hub.engine.begin() as connection:
                    if found.row is None:
                        _means(connector, found)
                        await connections.begin(connection, row.workspace_id, row.id, _begun(hub, row, found))
                    if await connections.claim_renewal(connection, row.workspace_id, row.id):
                        # Somebody may have renewed it between the look and the claim.
                        found = await _found(connection, hub, row, connector)
                        if found.access_token != stale:
                            await connections.release_renewal(connection, row.workspace_id, row.id)
                        return found
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise ProviderUnavailable("Another process is renewing the connection and has not come to an end.") from error


def _begun(hub: Hub, row: ConnectorRow, found: _Found) -> ConnectionRow:
    """Return how a token that was entered is stored, so that one process can claim its renewal."""
    now = datetime.now(UTC)
    content = {"access_token": found.access_token, "refresh_token": found.refresh_token}
    sealed = hub.keys.seal(orjson.dumps(content), tokens_place(row.workspace_id, row.id))
    return ConnectionRow(kind="given", sealed=sealed, authorized_at=now, issued_at=now, expires_at=now)


def _is_due(known: ConnectionRow) -> bool:
    return _has_ended(known) or (known.refresh_at is not None and known.refresh_at <= datetime.now(UTC))


def _has_ended(known: ConnectionRow) -> bool:
    return known.expires_at is not None and known.expires_at <= datetime.now(UTC)


def _rest_after(error: BaseException, known: ConnectionRow, connector: Connector) -> timedelta:
    """Return how long the schedule waits after a renewal that failed: as long again as it is overdue already."""
    assert connector.oauth is not None
    if isinstance(error, Permanent) or known.expires_at is None:
        return _LONGEST_REST
    overdue = datetime.now(UTC) - (known.expires_at - connector.oauth.renews_before)
    asked = timedelta(seconds=getattr(error, "retry_after_seconds", None) or 0)
    return max(asked, min(max(overdue, _SHORTEST_REST), _LONGEST_REST))


def _means(connector: Connector, found: _Found) -> App:
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


async def _ask(hub: Hub, row: ConnectorRow, connector: Connector, found: _Found) -> Tokens:
    assert connector.oauth is not None
    app = _means(connector, found)
    known = replace(found.tokens or Tokens(_NO_TOKEN), refresh_token=found.refresh_token)
    return await renew(hub.token_server(connector), connector.oauth, app, settings_of(connector, row.settings), known)


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


async def _lose(hub: Hub, row: ConnectorRow, problem: Problem, *, stale: str) -> None:
    """Say that only a person can help: on the connection, on the connector and in the activity log, once.

    `stale` is the token that was refused; nothing is said of a connection that holds another one by now.
    """
    async with hub.engine.begin() as connection:
        present = await connectors.get_locked(connection, row.workspace_id, row.id)
        if present is None:
            return
        known = await connections.get(connection, row.workspace_id, row.id)
        if known is not None:
            if _opened(hub, row, known)["access_token"] != stale:
                return
            if not await connections.lose(
                connection, row.workspace_id, row.id, code=problem.code, detail=problem.detail
            ):
                return
        elif present.status in ("needs_authorization", "paused") or not await _is_entered(connection, row):
            # A token that was entered is refused again and again; one that somebody took away needs no words.
            return
        await _note_refusal(connection, present, problem, kind="authorization_lost", words="is no longer connected")


async def _tell(hub: Hub, row: ConnectorRow, problem: Problem) -> None:
    """Say that the connection can't be renewed as things are, although it is not lost."""
    async with hub.engine.begin() as connection:
        present = await connectors.get_locked(connection, row.workspace_id, row.id)
        if present is not None and present.status not in ("needs_authorization", "paused"):
            await _note_refusal(connection, present, problem, kind="connector_status", words="can't be renewed")


async def _note_refusal(
    connection: AsyncConnection, present: ConnectorRow, problem: Problem, *, kind: str, words: str
) -> None:
    if present.status != "paused":
        await connectors.update(connection, replace(present, status="needs_authorization"))
    await activity.write(
        connection,
        present.workspace_id,
        kind=kind,
        level="error",
        message=f"{present.name} {words}: {problem.detail} {problem.remedy}",
        connector_id=present.id,
        data={"before": present.status, "code": problem.code},
    )


async def _is_entered(connection: AsyncConnection, row: ConnectorRow) -> bool:
    stored = {one.name for one in await connectors.credentials(connection, row.workspace_id, row.id)}
    return bool(stored.intersection(has_tokens(registry()[row.type].credentials)))


def _opened(hub: Hub, row: ConnectorRow, known: ConnectionRow) -> dict[str, str]:
    content: dict[str, str] = orjson.loads(hub.keys.open(known.sealed, tokens_place(row.workspace_id, row.id)))
    return content
