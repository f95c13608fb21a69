"""Reading a connector for the door: its row, secrets and mapping, opened and made ready."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connector_master.connections.sealing import KeyRing, Place
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import LeadSettings
from connector_master.ingest.source import LiveSecret, Source
from connector_master.pipeline.mapping import CompiledMapping, compile_mapping
from connector_master.pipeline.process import Profile
from connector_master.storage import connectors
from connector_master.storage.connectors import ConnectorRow, CredentialRow, SecretRow

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 (the name of a kind, not a secret)
VERIFY_TOKEN = "verify_token"  # noqa: S105


def loader(engine: AsyncEngine, keys: KeyRing) -> Callable[[str], Awaitable[Source | None]]:
    """Return what reads the source that has a webhook id, None when there is none."""

    async def load(webhook_id: str) -> Source | None:
        async with engine.connect() as connection:
            row = await connectors.at_door(connection, webhook_id)
            return None if row is None else await source_of(connection, keys, row)

    return load


def owners_loader(engine: AsyncEngine, keys: KeyRing) -> Callable[[UUID, str], Awaitable[Mapping[str, str]]]:
    """Return what reads, for a workspace and type, the webhook id of the connector that owns each account."""

    async def load(workspace: UUID, type_: str) -> Mapping[str, str]:
        name = registry()[type_].account
        if name is None:
            return {}
        async with engine.connect() as connection:
            found = await connectors.with_credential(connection, workspace, type_, name)
        owners: dict[str, str] = {}
        for connector_id, webhook_id, sealed in found:
            account = keys.open(sealed, credential_place(workspace, connector_id, name)).decode()
            owners.setdefault(account, webhook_id)
        return owners

    return load


async def source_of(connection: AsyncConnection, keys: KeyRing, row: ConnectorRow) -> Source | None:
    """Return the source that `row` describes, None when this release does not know its type."""
    connector = registry().get(row.type)
    if connector is None:
        return None
    secrets = await connectors.secrets(connection, row.workspace_id, row.id)
    credentials = await connectors.credentials(connection, row.workspace_id, row.id)
    live = [
        LiveSecret(opened(keys, row, credential), None, None)
        for credential in credentials
        if credential.name == connector.signs_with
    ]
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
        account=next((opened(keys, row, one) for one in credentials if one.name == connector.account), None),
    )


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
