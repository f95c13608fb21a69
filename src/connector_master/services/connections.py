"""Connections: agreeing at a provider and taking it back, and choosing what of the agreement's reach is used."""

import hashlib
import secrets as random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connections.authorization import authorization_url, exchange
from connector_master.connections.sealing import Place
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import Account, App, Grant, Tokens
from connector_master.ingest.pacing import MustWait
from connector_master.model.problem import (
    Conflict,
    FieldError,
    InvalidRequest,
    NotFound,
    Permanent,
    Problem,
)
from connector_master.model.words import Words
from connector_master.services.credentials import open_credentials, paced
from connector_master.services.grants import grant_of, refresh_token_of, using
from connector_master.services.hub import Hub
from connector_master.services.rechecks import forget_all
from connector_master.services.sources import installed_app, opened, settings_of
from connector_master.services.stored_grants import account_row, connection_row
from connector_master.services.subscriptions import subscribe, unsubscribe
from connector_master.services.withdrawal import agreement_of, take_back
from connector_master.storage import accounts, activity, connections, connectors, resolves, syncs
from connector_master.storage.connections import StateRow
from connector_master.storage.connectors import ConnectorRow

CALLBACK = "/api/connectors/oauth/callback"
_LONGEST_TEXT = 300

log = structlog.get_logger()


class InvalidState(Permanent):
    """The state of a browser's return is none that is under way, or somebody else began it."""

    code = "invalid_state"
    title = "Authorization not under way"
    status = 400
    remedy = "Choose Connect again, and finish within ten minutes in the same browser or with the same API key."


class AuthorizationDenied(Permanent):
    """The provider sent the browser back without a code."""

    code = "authorization_denied"
    title = "Not authorized at the provider"
    status = 400
    remedy = "Choose Connect again, and agree to everything that is asked."


class ScopeMissing(Permanent):
    """The person agreed to less than the connector needs."""

    code = "scope_missing"
    title = "Permission not granted"
    status = 400
    remedy = "Choose Connect again, and leave every permission ticked."


class NoAccounts(Permanent):
    """The agreement reaches nothing that leads could come from."""

    code = "no_accounts"
    title = "Nothing to connect"
    status = 400
    remedy = "Choose Connect again as a person who has access to it."


class NoRefreshToken(Permanent):
    """The provider gave nothing with which the connection could be renewed, and an access token that ends soon."""

    code = "no_refresh_token"
    title = "Connection would not last"
    status = 400
    remedy = (
        "Take the app's access away on the provider's page of connected apps, then choose Connect again and agree anew."
    )


class NoOAuth(Conflict):
    """Connectors of this type are not connected by agreeing at the provider."""

    code = "not_connectable"
    title = "Nothing to connect"
    remedy = "Enter the credentials of this connector instead."


class AppMissing(Conflict):
    """The app to which people would agree is not known."""

    code = "app_missing"
    title = "App credentials missing"
    remedy = "Enter the app's id and secret on the connector, or let an administrator set the installation's own."


@dataclass(frozen=True, slots=True)
class Reached:
    """An account that the grant reaches, and whether it is chosen."""

    account: Account
    is_selected: bool


async def authorize(hub: Hub, caller: Caller, type_: str, id_: UUID) -> str:
    """Return the address at which a person agrees. Raises NotFound, NoOAuth, AppMissing."""
    async with hub.engine.begin() as connection:
        row, connector = await _found(connection, caller, id_)
        if row.type != type_:
            raise NotFound("No connector of this type has this id.")
        if connector.oauth is None:
            raise NoOAuth("This provider asks nobody to agree.")
        app = await _app(connection, hub, row, connector)
        state = random.token_urlsafe(32)
        verifier = random.token_urlsafe(48) if connector.oauth.uses_pkce else None
        redirect_uri = hub.address + CALLBACK
        digest = _digest(state)
        sealed = None if verifier is None else hub.keys.seal(verifier.encode(), _verifier_place(row, digest))
        under_way = StateRow(row.workspace_id, row.id, row.type, sealed, redirect_uri)
        await connections.add_state(connection, digest, _who(caller), under_way)
    return authorization_url(
        connector.oauth,
        hub.browser_base(connector),
        app,
        settings_of(connector, row.settings),
        redirect_uri=redirect_uri,
        state=state,
        verifier=verifier,
    )


async def complete(
    hub: Hub,
    caller: Caller,
    *,
    state: str,
    code: str | None,
    error: str | None,
    error_description: str | None,
    issuer: str | None,
) -> UUID:
    """Take the browser's return up: store the tokens and return the connector's id.

    Raises InvalidState before anybody is asked, AuthorizationDenied, ScopeMissing, NoAccounts, and what the provider's
    refusals mean; then nothing is stored.
    """
    digest = _digest(state)
    async with hub.engine.begin() as connection:
        under_way = await connections.take_state(connection, caller.workspace_id, digest, _who(caller))
    if under_way is None:
        # Used, too old, somebody else's, or never made: which of them is nobody's business.
        raise InvalidState("No authorization with this state is under way for this caller.")
    async with hub.engine.connect() as connection:
        row, connector = await _found(connection, caller, under_way.connector_id)
        oauth = connector.oauth
        if oauth is None:
            raise NoOAuth("This provider asks nobody to agree.")
        app = await _app(connection, hub, row, connector)
        before = await connections.get(connection, row.workspace_id, row.id)
        credentials = await open_credentials(connection, hub.keys, row, connector)
    if issuer is not None and issuer not in (*oauth.issuers, hub.browser_base(connector)):
        raise InvalidState("The return names another issuer than the one that was asked.")
    if error is not None or not code:
        _refuse(connector, error, error_description)
    assert code is not None
    verifier = None
    if under_way.sealed_verifier is not None:
        verifier = hub.keys.open(under_way.sealed_verifier, _verifier_place(row, digest)).decode()
    settings = settings_of(connector, row.settings)
    client = hub.token_server(connector)
    tokens = await exchange(
        client, oauth, app, settings, code=code, redirect_uri=under_way.redirect_uri, verifier=verifier
    )
    if oauth.granted is not None:
        tokens = replace(tokens, scopes=await oauth.granted(client, app, settings, tokens))
    missing = [] if tokens.scopes is None else [one for one in oauth.scopes if one not in tokens.scopes]
    if missing:
        raise ScopeMissing(f"Not granted: {', '.join(missing)}.")
    tokens = replace(tokens, scopes=tokens.scopes if tokens.scopes is not None else frozenset(oauth.scopes))
    if before is not None and tokens.refresh_token is None and before.lost_at is None:
        kept = await refresh_token_of(hub, row, connector)
        tokens = replace(tokens, refresh_token=kept)
    if oauth.needs_refresh_token and tokens.refresh_token is None:
        raise NoRefreshToken("The provider gave no refresh token, so the connection would end within the hour.")
    grant = Grant(
        credentials=credentials,
        access_token=tokens.access_token,
        app=app,
        scopes=tokens.scopes or frozenset(),
        memory=hub.memory(row.id),
    )
    grant.memory.forget()
    reached = await _reach(hub, row, connector, grant)
    if reached is not None and not reached:
        raise NoAccounts(Words("The agreement reaches no %(account)s.", account=Words(connector.account_kinds[0])))
    await _store(hub, caller, row, connector, tokens, reached)
    await subscribe(hub, row, connector)
    return row.id


async def disconnect(hub: Hub, caller: Caller, id_: UUID) -> None:
    """Take the agreement back at the provider as far as it lets us, and forget the tokens. Raises NotFound, NoOAuth."""
    async with hub.engine.connect() as connection:
        row, connector = await _found(connection, caller, id_)
    if connector.oauth is None:
        raise NoOAuth("This provider asks nobody to agree.")
    agreement = await agreement_of(hub, row, connector, renews=True)
    refused = await take_back(hub, row, connector, agreement)
    told = "and taken back at the provider"
    if refused is not None:
        # What the provider does not take back is forgotten here all the same.
        told = f"but the provider did not confirm it: {refused.detail}"
    async with hub.engine.begin() as connection:
        held = await connectors.get_locked(connection, row.workspace_id, row.id)
        await connections.forget(connection, row.workspace_id, row.id)
        await accounts.forget(connection, row.workspace_id, row.id)
        await connectors.remove_credentials(connection, row.workspace_id, row.id, ["accessToken", "refreshToken"])
        await syncs.schedule(connection, row.workspace_id, row.id, None)
        await syncs.forget_state(connection, row.workspace_id, row.id)
        if connector.raw_days is not None:
            await forget_all(connection, row.workspace_id, row.id)
        if held is not None and held.status != "paused":
            status = "needs_authorization" if connector.needs_grant else "active"
            await connectors.update(connection, replace(held, status=status))
        await activity.write(
            connection,
            row.workspace_id,
            kind="connector_disconnected",
            message=f"{row.name} disconnected, {told}",
            actor=caller,
            connector_id=row.id,
        )
    hub.sources.forget(row.webhook_id)


async def list_accounts(hub: Hub, caller: Caller, id_: UUID) -> list[Reached]:
    """Return what the connector's grant reaches, and what of it is chosen. Raises NotFound, NoOAuth, provider's refusals."""
    async with hub.engine.connect() as connection:
        row, connector = await _found(connection, caller, id_)
        chosen = {one.account_id for one in await accounts.of_connector(connection, row.workspace_id, row.id)}
    return [Reached(one, one.id in chosen) for one in await _ask_accounts(hub, row, connector)]


async def choose_accounts(hub: Hub, caller: Caller, id_: UUID, ids: Sequence[str]) -> list[Reached]:
    """Let exactly these be the connector's accounts, and have the provider push them. Raises as `list_accounts` does,
    and InvalidRequest naming each id that can't be chosen.
    """
    async with hub.engine.connect() as connection:
        row, connector = await _found(connection, caller, id_)
        before = {one.account_id for one in await accounts.of_connector(connection, row.workspace_id, row.id)}
    reached = await _ask_accounts(hub, row, connector)
    known = {one.id: one for one in reached}
    faults = []
    for position, one in enumerate(ids):
        if one not in known:
            faults.append(
                FieldError(f"ids.{position}", f"The grant reaches no {connector.account_kinds[0]} {one[:100]}.")
            )
        elif not known[one].is_selectable:
            faults.append(FieldError(f"ids.{position}", known[one].reason or "It can't be chosen."))
    if faults:
        raise InvalidRequest("Some ids can't be chosen.", errors=faults)
    grant = await grant_of(hub, row, connector)
    for account in grant.accounts:
        if account.id not in ids:
            try:
                await unsubscribe(hub, row, connector, grant, account)
            except Problem as problem:
                log.warning("not_unsubscribed", connector_id=str(row.id), code=problem.code)
    async with hub.engine.begin() as connection:
        rows = [account_row(hub, row, known[one]) for one in dict.fromkeys(ids)]
        await accounts.choose(connection, row.workspace_id, row.id, rows)
        await syncs.schedule(connection, row.workspace_id, row.id, datetime.now(UTC))
        await connectors.tell(connection, row.webhook_id)
        await activity.write(
            connection,
            row.workspace_id,
            kind="accounts_chosen",
            message=f"{len(rows)} {connector.account_kinds[min(len(rows), 2) != 1]} of {row.name} chosen",
            actor=caller,
            connector_id=row.id,
            data={"before": sorted(before), "after": sorted(ids)},
        )
    hub.sources.forget(row.webhook_id)
    await subscribe(hub, row, connector)
    return [Reached(one, one.id in ids) for one in reached]


async def _found(connection: AsyncConnection, caller: Caller, id_: UUID) -> tuple[ConnectorRow, Connector]:
    row = await connectors.get(connection, caller.workspace_id, id_)
    if row is None or row.type not in registry():
        raise NotFound("No connector here has this id.")
    return row, registry()[row.type]


async def _app(connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector) -> App:
    assert connector.oauth is not None
    stored = await connectors.credentials(connection, row.workspace_id, row.id)
    given = {one.name: opened(hub.keys, row, one) for one in stored if one.name in connector.oauth.app}
    values = {**installed_app(connector, given, hub.apps), **given}
    missing = [name for name in connector.oauth.app if not values.get(name)]
    if missing:
        raise AppMissing(f"Not entered yet: {', '.join(missing)}.")
    return App(*(values[name] for name in connector.oauth.app))


def _refuse(connector: Connector, error: str | None, description: str | None) -> None:
    assert connector.oauth is not None
    kind = " ".join((error or "no code").split())[:100]
    said = " ".join((description or "").split())[:_LONGEST_TEXT]
    known = connector.oauth.explain(kind, said) if connector.oauth.explain is not None else None
    if known is not None:
        raise AuthorizationDenied(known.detail, remedy=known.remedy)
    raise AuthorizationDenied(
        f"The provider sent the browser back without a code: {kind}{f': {said}' if said else ''}."
    )


async def _reach(hub: Hub, row: ConnectorRow, connector: Connector, grant: Grant) -> Sequence[Account] | None:
    """Return what a fresh grant reaches; None where that can't be told now, which is no reason to forget the grant."""
    if connector.accounts is None:
        return None
    try:
        client = paced(hub, connector, grant.credentials)
        with _at_once():
            return await connector.accounts(client, grant, settings_of(connector, row.settings))
    except Problem as problem:
        log.warning("accounts_not_listed", connector_id=str(row.id), code=problem.code)
        return None


async def _ask_accounts(hub: Hub, row: ConnectorRow, connector: Connector) -> Sequence[Account]:
    listing = connector.accounts
    if listing is None:
        raise NoOAuth("Connectors of this type have no accounts to choose from.")
    async with hub.engine.connect() as connection:
        credentials = await open_credentials(connection, hub.keys, row, connector)
    client = paced(hub, connector, credentials)
    settings = settings_of(connector, row.settings)

    async def use(grant: Grant) -> Sequence[Account]:
        grant.memory.forget()
        with _at_once():
            return await listing(client, grant, settings)

    return await using(hub, row, connector, use)


async def _store(
    hub: Hub,
    caller: Caller,
    row: ConnectorRow,
    connector: Connector,
    tokens: Tokens,
    reached: Sequence[Account] | None,
) -> None:
    now = datetime.now(UTC)
    async with hub.engine.begin() as connection:
        held = await connectors.get_locked(connection, row.workspace_id, row.id)
        if held is None:
            raise NotFound("No connector here has this id.")
        made = connection_row(hub, row, connector, tokens, kind="oauth", by=caller.name, at=now)
        await connections.put(connection, row.workspace_id, row.id, made)
        if reached is not None:
            selectable = {one.id: one for one in reached if one.is_selectable}
            chosen = [
                one.account_id
                for one in await accounts.of_connector(connection, row.workspace_id, row.id)
                if one.account_id in selectable
            ]
            if not chosen and len(selectable) == 1:
                chosen = list(selectable)
            rows = [account_row(hub, row, selectable[one]) for one in chosen]
            await accounts.choose(connection, row.workspace_id, row.id, rows)
        if held.status != "paused":
            await connectors.update(connection, replace(held, status="active"))
        await connectors.tell(connection, row.webhook_id)
        await syncs.schedule(connection, row.workspace_id, row.id, now)
        await resolves.hasten(connection, row.workspace_id, row.id)
        await activity.write(
            connection,
            row.workspace_id,
            kind="connector_connected",
            message=f"{row.name} connected to {connector.title}",
            actor=caller,
            connector_id=row.id,
            data={"scopes": sorted(tokens.scopes or ()), "expiresAt": made.expires_at, "endsAt": made.ends_at},
        )
    hub.sources.forget(row.webhook_id)


@contextmanager
def _at_once() -> Iterator[None]:
    """Raise ProviderLimited where a person would have to wait for the provider's pace."""
    try:
        yield
    except MustWait as waits:
        raise waits.why from waits


def _who(caller: Caller) -> str:
    return f"session:{caller.session_id}" if caller.session_id else f"{caller.kind}:{caller.id}"


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()


def _verifier_place(row: ConnectorRow, digest: bytes) -> Place:
    return Place(row.workspace_id, "oauth_states", digest.hex(), "sealed_verifier")
