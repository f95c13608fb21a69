"""Reading a connector for the door: its row, secrets and mapping, opened and made ready."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connector_master.connections.sealing import KeyRing, Place
from connector_master.connectors import app_setting, registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import LeadSettings
from connector_master.ingest.source import LiveSecret, Source
from connector_master.pipeline.mapping import CompiledMapping, compile_mapping
from connector_master.pipeline.process import Profile
from connector_master.storage import accounts, connectors
from connector_master.storage.connectors import ConnectorRow, CredentialRow, SecretRow

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 (the name of a kind, not a secret)
VERIFY_TOKEN = "verify_token"  # noqa: S105


def loader(engine: AsyncEngine, keys: KeyRing, apps: Mapping[str, str]) -> Callable[[str], Awaitable[Source | None]]:
    """Return what reads the source that has a webhook id, None when there is none; `apps` are the installation's own."""

    async def load(webhook_id: str) -> Source | None:
        async with engine.connect() as connection:
            row = await connectors.at_door(connection, webhook_id)
            return None if row is None else await source_of(connection, keys, apps, row)

    return load


def owners_loader(engine: AsyncEngine, keys: KeyRing) -> Callable[[UUID, str], Awaitable[Mapping[str, str]]]:
    """Return what reads, for a workspace and type, the webhook id of the connector that owns each account."""

    async def load(workspace: UUID, type_: str) -> Mapping[str, str]:
        name = registry()[type_].account
        owners: dict[str, str] = {}
        async with engine.connect() as connection:
            for account, webhook_id in await accounts.owners(connection, workspace, type_):
                owners.setdefault(account, webhook_id)
            found = await connectors.with_credential(connection, workspace, type_, name) if name else []
        for connector_id, webhook_id, sealed in found:
            account = keys.open(sealed, credential_place(workspace, connector_id, name or "")).decode()
            owners.setdefault(account, webhook_id)
        return owners

    return load


async def source_of(
    connection: AsyncConnection, keys: KeyRing, apps: Mapping[str, str], row: ConnectorRow
) -> Source | None:
    """Return the source that `row` describes, None when this release does not know its type."""
    connector = registry().get(row.type)
    if connector is None:
        return None
    secrets = await connectors.secrets(connection, row.workspace_id, row.id)
    credentials = {one.name: one for one in await connectors.credentials(connection, row.workspace_id, row.id)}
    live = []
    if connector.signs_with is not None:
        if connector.signs_with in credentials:
            live.append(LiveSecret(opened(keys, row, credentials[connector.signs_with]), None, None))
        elif (ours := installed_app(connector, credentials, apps)) and connector.signs_with in ours:
            live.append(LiveSecret(ours[connector.signs_with], None, None))
    live += [_live(keys, row, one) for one in secrets if one.kind == WEBHOOK_SECRET]
    settings = settings_of(connector, row.settings)
    return Source(
        workspace_id=row.workspace_id,
        connector_id=row.id,
        webhook_id=row.webhook_id or "",
        connector=connector,
        settings=settings,
        secrets=tuple(live),
        verify_tokens=tuple(_live(keys, row, one) for one in secrets if one.kind == VERIFY_TOKEN),
        mapping=mapping_of(connector, row.field_mapping),
        profile=profile_of(connector, settings),
        is_paused=row.status == "paused",
        accounts=await _accounts(connection, keys, row, connector, credentials),
    )


def installed_app(connector: Connector, own: Collection[str], apps: Mapping[str, str]) -> Mapping[str, str]:
    """Return the installation's own app as credentials, empty where the connector has an app of its own.

    An id of one app is never joined with the secret of another.
    """
    if connector.oauth is None or any(name in own for name in connector.oauth.app):
        return {}
    found = {name: apps.get(app_setting(connector, name)) for name in connector.oauth.app}
    return {name: value for name, value in found.items() if value}


def settings_of(connector: Connector, stored: Mapping[str, Any]) -> LeadSettings:
    """Return stored settings as the connector's form; what an older release stored and this one lacks is left out."""
    known = connector.settings.names()
    form = connector.settings.model_validate({name: value for name, value in stored.items() if name in known})
    assert isinstance(form, LeadSettings)
    return form


def mapping_of(connector: Connector, own: Mapping[str, Any] | None) -> CompiledMapping | None:
    """Return the mapping that counts: the connector's own, else its type's; None where the guesses are used."""
    if own is None:
        return None if connector.guesses else compile_mapping(connector.mapping)
    return compile_mapping(own)


def profile_of(connector: Connector, settings: LeadSettings) -> Profile:
    """Return how this connector's records are read. Guessing senders name no source, so none is assumed for them."""
    return Profile(
        default_region=settings.default_region,
        zone=connector.zone,
        source=None if connector.guesses else connector.title,
        guesses=connector.guesses,
        trusts_phones=connector.trusts_phones,
    )


async def _accounts(
    connection: AsyncConnection,
    keys: KeyRing,
    row: ConnectorRow,
    connector: Connector,
    credentials: Mapping[str, CredentialRow],
) -> frozenset[str] | None:
    """Return the accounts whose records this connector takes; None: of any, for it does not know which are its own."""
    chosen = {one.account_id for one in await accounts.of_connector(connection, row.workspace_id, row.id)}
    if connector.account is not None and connector.account in credentials:
        chosen.add(opened(keys, row, credentials[connector.account]))
    return frozenset(chosen) or None


def opened(keys: KeyRing, row: ConnectorRow, credential: CredentialRow) -> str:
    """Return a credential as it was entered."""
    return keys.open(credential.sealed, credential_place(row.workspace_id, row.id, credential.name)).decode()


def secret_place(workspace: UUID, secret_id: UUID) -> Place:
    """Return where a webhook secret is sealed."""
    return Place(workspace, "webhook_secrets", secret_id, "sealed")


def credential_place(workspace: UUID, connector_id: UUID, name: str) -> Place:
    """Return where a credential is sealed."""
    return Place(workspace, "credentials", f"{connector_id}/{name}", "sealed")


def _live(keys: KeyRing, row: ConnectorRow, secret: SecretRow) -> LiveSecret:
    text = None
    if secret.sealed is not None:
        text = keys.open(secret.sealed, secret_place(row.workspace_id, secret.id)).decode()
    return LiveSecret(text, secret.hash, secret.valid_until)
