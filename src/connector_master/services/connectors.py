"""Connectors: creating, changing, pausing and ending them. One function, one transaction, one line in the activity log."""

import secrets as random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connections.sealing import fingerprint
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import has_tokens
from connector_master.model.problem import (
    Conflict,
    InvalidRequest,
    NotFound,
)
from connector_master.pipeline.mapping import compile_mapping
from connector_master.services import mappings
from connector_master.services.forms import checked_form, merged
from connector_master.services.hub import Hub
from connector_master.services.mappings import Edit, OwnMapping
from connector_master.services.rechecks import forget_all
from connector_master.services.secrets import add_secret, add_verify_token, fit_secret, has_secret
from connector_master.services.sources import (
    VERIFY_TOKEN,
    WEBHOOK_SECRET,
    credential_place,
    installed_app,
    settings_of,
)
from connector_master.services.upkeep import note_gone
from connector_master.services.withdrawal import agreement_of, take_back
from connector_master.storage import accounts, activity, connections, connectors, field_mappings, jobs, resolves, syncs
from connector_master.storage.connections import ConnectionRow
from connector_master.storage.connectors import ConnectorRow, CredentialRow, SecretRow
from connector_master.storage.ids import new_id
from connector_master.storage.paging import decode_cursor, encode_cursor

GRACE_HOURS = 24
MAX_GRACE_HOURS = 168
_MOST_NAMES = 500
_NO_EDIT = Edit()
_CONNECTION = "connection"
"""Stands among the names of credentials for an agreement at the provider."""


class NoSecret(Conflict):
    """This type of source can't verify anything, so it has no secret."""

    code = "no_secret"
    title = "No webhook secret"
    remedy = "This provider can't sign: its address is the secret. Delete the connector and make another to change it."


@dataclass(frozen=True, slots=True)
class Shown:
    """A connector with what goes beside its row: whose secret it is, and which credentials are set."""

    row: ConnectorRow
    connector: Connector
    credentials: Mapping[str, CredentialRow]
    fingerprint: str | None
    previous_valid_until: datetime | None
    connection: ConnectionRow | None = None
    new_secret: str | None = field(default=None, repr=False)
    new_verify_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """What was just made, shown once, and until when the one before it counts: a secret, a verify token or both."""

    secret: str | None = field(repr=False)
    verify_token: str | None = field(repr=False)
    previous_valid_until: datetime | None = None


async def list_page(
    hub: Hub, caller: Caller, *, limit: int, cursor: str | None, type_: str | None, status: str | None
) -> tuple[list[Shown], str | None]:
    """Return one page of connectors, newest first, and the cursor of the next."""
    after = decode_cursor(cursor) if cursor else None
    async with hub.engine.connect() as connection:
        rows = await connectors.page(
            connection, caller.workspace_id, limit=limit + 1, after=after, type_=type_, status=status
        )
        shown = await _all_shown(connection, [row for row in rows[:limit] if row.type in registry()])
    return shown, encode_cursor(rows[limit - 1].id) if len(rows) > limit else None


async def names(hub: Hub, caller: Caller) -> dict[UUID, str]:
    """Return what every connector is called, by id, in the order of the names: to choose from, and to name others' events."""
    async with hub.engine.connect() as connection:
        return await connectors.names(connection, caller.workspace_id, _MOST_NAMES)


async def get(hub: Hub, caller: Caller, id_: UUID) -> Shown:
    """Return one connector. Raises NotFound."""
    async with hub.engine.connect() as connection:
        row = await connectors.get(connection, caller.workspace_id, id_)
        if row is None:
            raise _not_found()
        return await _shown(connection, row)


async def create(
    hub: Hub,
    caller: Caller,
    *,
    type_: str,
    name: str,
    description: str | None,
    settings: Mapping[str, Any],
    credentials: Mapping[str, Any],
    field_mapping: Mapping[str, Any] | None,
) -> Shown:
    """Create a connector with an address and a secret of its own. Raises InvalidRequest naming every fault."""
    connector = registry().get(type_)
    if connector is None:
        raise InvalidRequest(f"Unknown type. Known are {', '.join(registry())}.", field="type")
    form = checked_form(connector.settings, settings, "settings")
    known = connector.credentials.names()
    # One given as null is not given; a name that nobody knows is refused all the same.
    credentials = {name: value for name, value in credentials.items() if value is not None or name not in known}
    given = checked_form(connector.credentials, credentials, "credentials", partly=True)
    if field_mapping is not None:
        compile_mapping(field_mapping)
    async with hub.engine.begin() as connection:
        row = await connectors.add(
            connection,
            caller.workspace_id,
            id_=new_id(),
            type_=type_,
            name=name,
            description=description,
            status="needs_authorization" if _lacks(connector, _with_app(hub, connector, credentials)) else "active",
            webhook_id=random.token_urlsafe(24) if connector.pushes else None,
            settings=form.model_dump(mode="json", by_alias=True, exclude_unset=True),
            field_mapping=field_mapping,
        )
        await field_mappings.add(connection, row, caller)
        secret = await add_secret(connection, hub, row, connector, form) if has_secret(connector) else None
        token = await add_verify_token(connection, hub, row) if connector.needs_verify_token else None
        await _put_credentials(connection, hub, row, given)
        if connector.pulls:
            await syncs.schedule(connection, row.workspace_id, row.id, datetime.now(UTC))
        await activity.write(
            connection,
            caller.workspace_id,
            kind="connector_created",
            message=f"Connector {name} created",
            actor=caller,
            connector_id=row.id,
            data={"after": _audited(row)},
        )
        shown = replace(await _shown(connection, row), new_secret=secret, new_verify_token=token)
    hub.sources.forget(row.webhook_id)
    return shown


async def update(hub: Hub, caller: Caller, id_: UUID, changes: Mapping[str, Any], edit: Edit = _NO_EDIT) -> Shown:
    """Change the fields given: name, description, settings, credentials, fieldMapping; `edit` is the mapping's.

    Of settings and credentials those named are replaced, and one given as null goes back to its default. When a signature
    scheme is chosen that needs a secret of which only the hash was kept, a new secret is made and shown once.
    Raises NotFound, InvalidRequest, MappingChanged.
    """
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        connector = registry()[row.type]
        before = settings_of(connector, row.settings)
        together = merged(connector.settings, row.settings, changes.get("settings", {}))
        form = checked_form(connector.settings, together, "settings")
        changed = replace(
            row,
            name=changes.get("name", row.name),
            description=changes.get("description", row.description),
            settings=form.model_dump(mode="json", by_alias=True, exclude_unset=True),
        )
        if "field_mapping" in changes:
            changed = await mappings.changed(connection, caller, changed, changes["field_mapping"], edit)
        credentials = changes.get("credentials", {})
        await _change_credentials(connection, hub, row, connector, credentials)
        if credentials and connector.resolve is not None:
            await resolves.hasten(connection, row.workspace_id, row.id)
        if credentials:
            changed = replace(changed, status=await _status_with(connection, hub, row, connector))
        if connector.pulls and changes.keys() & {"credentials", "settings"}:
            await syncs.schedule(connection, row.workspace_id, row.id, datetime.now(UTC))
        secret = await fit_secret(connection, hub, row, connector, before, form)
        stored = await connectors.update(connection, changed)
        await activity.write(
            connection,
            caller.workspace_id,
            kind="connector_changed",
            message=f"Connector {stored.name} changed",
            actor=caller,
            connector_id=row.id,
            data=_difference(row, stored, credentials),
        )
        shown = replace(await _shown(connection, stored), new_secret=secret)
    hub.sources.forget(row.webhook_id)
    return shown


async def change_mapping(hub: Hub, caller: Caller, id_: UUID, mapping: OwnMapping, edit: Edit = _NO_EDIT) -> Shown:
    """Save a field mapping, or with None go back to the type's default. Raises NotFound, InvalidRequest, MappingChanged."""
    return await update(hub, caller, id_, {"field_mapping": mapping}, edit)


async def restore_mapping(hub: Hub, caller: Caller, id_: UUID, version: int) -> Shown:
    """Save the mapping of an earlier version again, as the next one. Raises NotFound, InvalidRequest."""
    earlier = await mappings.get(hub, caller, id_, version)
    return await change_mapping(hub, caller, id_, earlier.field_mapping, Edit(restored_from=version))


async def delete(hub: Hub, caller: Caller, id_: UUID) -> None:
    """End a connector: its address answers 404 from now on, its leads and events stay. Raises NotFound.

    What was agreed to at the provider is taken back there, as far as it lets us.
    """
    async with hub.engine.connect() as connection:
        found = await connectors.get(connection, caller.workspace_id, id_)
    connector = registry().get(found.type) if found is not None else None
    agreement = None
    if found is not None and connector is not None and connector.oauth is not None:
        agreement = await agreement_of(hub, found, connector, renews=False)
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        await connectors.delete(connection, row)
        await connections.forget(connection, row.workspace_id, row.id)
        await accounts.forget(connection, row.workspace_id, row.id)
        await syncs.cancel_of(connection, row.workspace_id, row.id)
        if registry()[row.type].raw_days is not None:
            await forget_all(connection, row.workspace_id, row.id)
        await note_gone(connection, row, registry()[row.type])
        # What it held while it was paused was acknowledged, so it still becomes leads.
        await jobs.defer(connection, jobs.PROCESS_HELD, connector_id=str(row.id), workspace_id=str(row.workspace_id))
        await activity.write(
            connection,
            caller.workspace_id,
            kind="connector_deleted",
            message=f"Connector {row.name} deleted",
            actor=caller,
            connector_id=row.id,
            data={"before": _audited(row)},
        )
    hub.sources.forget(row.webhook_id)
    if agreement is not None and connector is not None:
        await take_back(hub, row, connector, agreement)


async def pause(hub: Hub, caller: Caller, id_: UUID) -> Shown:
    """Keep what arrives without processing it, until resumed. Raises NotFound."""
    return await _set_status(hub, caller, id_, "paused", "connector_paused", "paused")


async def resume(hub: Hub, caller: Caller, id_: UUID) -> Shown:
    """Process again, first of all what was kept meanwhile. Raises NotFound."""
    return await _set_status(hub, caller, id_, "active", "connector_resumed", "resumed")


async def regenerate_secret(hub: Hub, caller: Caller, id_: UUID, grace_hours: int) -> NewSecret:
    """Make a new webhook secret or verify token, whichever the type has; the present one counts for `grace_hours` more.

    Raises NotFound, NoSecret.
    """
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        connector = registry()[row.type]
        if not (has_secret(connector) or connector.needs_verify_token):
            raise NoSecret("Connectors of this type have no webhook secret.")
        until = datetime.now(UTC) + timedelta(hours=grace_hours)
        secret, token = None, None
        if has_secret(connector):
            await connectors.end_secrets(connection, row.workspace_id, row.id, WEBHOOK_SECRET, until)
            secret = await add_secret(connection, hub, row, connector, settings_of(connector, row.settings))
        if connector.needs_verify_token:
            await connectors.end_secrets(connection, row.workspace_id, row.id, VERIFY_TOKEN, until)
            token = await add_verify_token(connection, hub, row)
        await connectors.tell(connection, row.webhook_id)
        made = fingerprint(secret or token or "")
        await activity.write(
            connection,
            caller.workspace_id,
            kind="secret_regenerated",
            message=f"{'Webhook secret' if secret else 'Verify token'} of {row.name} regenerated",
            actor=caller,
            connector_id=row.id,
            data={"after": {"fingerprint": made}, "previousValidUntil": until.isoformat()},
        )
    hub.sources.forget(row.webhook_id)
    return NewSecret(secret, token, until)


async def _set_status(hub: Hub, caller: Caller, id_: UUID, status: str, kind: str, word: str) -> Shown:
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        stored = row
        if status == "active":
            # What it lacked before the pause it still lacks.
            status = await _status_with(connection, hub, replace(row, status="active"), registry()[row.type])
        if row.status != status and (status == "paused" or row.status == "paused"):
            stored = await connectors.update(connection, replace(row, status=status))
            await activity.write(
                connection,
                caller.workspace_id,
                kind=kind,
                message=f"Connector {row.name} {word}",
                actor=caller,
                connector_id=row.id,
                data={"before": {"status": row.status}, "after": {"status": status}},
            )
        if status != "paused":
            await jobs.defer(connection, "process_held", connector_id=str(row.id), workspace_id=str(row.workspace_id))
            if registry()[row.type].pulls:
                await syncs.schedule(connection, row.workspace_id, row.id, datetime.now(UTC))
            if registry()[row.type].resolve is not None:
                await resolves.hasten(connection, row.workspace_id, row.id)
        shown = await _shown(connection, stored)
    hub.sources.forget(row.webhook_id)
    return shown


async def _held(connection: AsyncConnection, caller: Caller, id_: UUID) -> ConnectorRow:
    row = await connectors.get_locked(connection, caller.workspace_id, id_)
    if row is None or row.type not in registry():
        raise _not_found()
    return row


def _not_found() -> NotFound:
    return NotFound("No connector here has this id.")


async def _shown(connection: AsyncConnection, row: ConnectorRow) -> Shown:
    return (await _all_shown(connection, [row]))[0]


async def _all_shown(connection: AsyncConnection, rows: Sequence[ConnectorRow]) -> list[Shown]:
    if not rows:
        return []
    workspace, ids = rows[0].workspace_id, [row.id for row in rows]
    secrets = await connectors.secrets_of(connection, workspace, ids)
    credentials = await connectors.credentials_of(connection, workspace, ids)
    agreed = [row.id for row in rows if registry()[row.type].oauth is not None]
    found = await connections.of_connectors(connection, workspace, agreed) if agreed else {}
    return [_one_shown(row, secrets[row.id], credentials[row.id], found.get(row.id)) for row in rows]


def _one_shown(
    row: ConnectorRow,
    secrets: Sequence[SecretRow],
    credentials: Sequence[CredentialRow],
    connection: ConnectionRow | None,
) -> Shown:
    kind = WEBHOOK_SECRET if has_secret(registry()[row.type]) else VERIFY_TOKEN
    live = [one for one in secrets if one.kind == kind]
    previous = [one.valid_until for one in live if one.valid_until is not None]
    return Shown(
        row,
        registry()[row.type],
        {one.name: one for one in credentials},
        live[0].fingerprint if live and live[0].valid_until is None else None,
        max(previous) if previous else None,
        connection,
    )


async def _put_credentials(connection: AsyncConnection, hub: Hub, row: ConnectorRow, given: Form) -> None:
    for name, value in given.model_dump(mode="json", by_alias=True, exclude_none=True).items():
        sealed = hub.keys.seal(str(value).encode(), credential_place(row.workspace_id, row.id, name))
        await connectors.put_credential(
            connection, row.workspace_id, row.id, CredentialRow(name, sealed, _hint(str(value)))
        )


async def _change_credentials(
    connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector, changes: Mapping[str, Any]
) -> None:
    removed = [name for name, value in changes.items() if value is None]
    kept = {name: value for name, value in changes.items() if value is not None}
    known = connector.credentials.names()
    checked_form(
        connector.credentials, kept | {name: None for name in removed if name not in known}, "credentials", partly=True
    )
    await connectors.remove_credentials(connection, row.workspace_id, row.id, removed)
    if {*kept, *removed}.intersection(has_tokens(connector.credentials)):
        # A token that is entered (or taken away) counts instead of what was renewed from an earlier one.
        await connections.forget(connection, row.workspace_id, row.id)
    if kept:
        form = checked_form(connector.credentials, kept, "credentials", partly=True)
        await _put_credentials(connection, hub, row, form)


def _lacks(connector: Connector, names: Collection[str]) -> bool:
    """Return whether nothing can come before more credentials are given: nothing can be asked for, or nothing proven."""
    if connector.needs_grant and not {_CONNECTION, *has_tokens(connector.credentials)}.intersection(names):
        return True
    if connector.pushes:
        return connector.signs_with is not None and not connector.makes_secret and connector.signs_with not in names
    return any(name not in names for name in connector.pull_needs)


def _with_app(hub: Hub, connector: Connector, names: Collection[str]) -> set[str]:
    return {*names, *installed_app(connector, names, hub.apps)}


async def _status_with(connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector) -> str:
    """Return the status after new credentials: they are believed until a call proves them wrong."""
    if row.status == "paused":
        return row.status
    stored = [one.name for one in await connectors.credentials(connection, row.workspace_id, row.id)]
    names = _with_app(hub, connector, stored)
    known = await connections.get(connection, row.workspace_id, row.id)
    if known is not None and known.lost_at is not None:
        return "needs_authorization"
    if known is not None:
        names.add(_CONNECTION)
    return "needs_authorization" if _lacks(connector, names) else "active"


def _hint(value: str) -> str:
    """Return the end of a credential where it is long enough that the end gives nothing away."""
    return f"…{value[-4:]}" if len(value) >= 12 else "…"


def _audited(row: ConnectorRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "type": row.type,
        "description": row.description,
        "status": row.status,
        "settings": row.settings,
        "fieldMapping": row.field_mapping,
        "mappingVersion": row.mapping_version,
    }


def _difference(before: ConnectorRow, after: ConnectorRow, credentials: Mapping[str, Any]) -> dict[str, Any]:
    old, new = _audited(before), _audited(after)
    changed = [name for name in new if old[name] != new[name]]
    data: dict[str, Any] = {
        "before": {name: old[name] for name in changed},
        "after": {name: new[name] for name in changed},
    }
    if credentials:
        # Names only: what a credential was or is stays sealed.
        data["credentialsChanged"] = sorted(credentials)
    return data
