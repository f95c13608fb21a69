"""Destinations: creating, changing, pausing and ending them. One function, one transaction, one line in the activity log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connections.sealing import fingerprint
from connector_master.connectors.forms import Form
from connector_master.delivery import registry
from connector_master.delivery.destination import Destination, DestinationSettings
from connector_master.delivery.signing import new_secret
from connector_master.model.problem import Conflict, FieldError, InvalidRequest, NotFound
from connector_master.services.forms import checked_form, merged
from connector_master.services.hub import Hub
from connector_master.services.targets import credentials_place, opened_credentials, secret_place
from connector_master.storage import activity, destinations, gates, jobs, outbox
from connector_master.storage.destinations import DestinationRow, Sealed
from connector_master.storage.gates import Health
from connector_master.storage.ids import new_id
from connector_master.storage.paging import decode_cursor, encode_cursor

GRACE_HOURS = 24
MAX_GRACE_HOURS = 168


class NoSigningSecret(Conflict):
    """Calls to destinations of this type are not signed, so there is no secret."""

    code = "no_signing_secret"
    title = "No signing secret"
    remedy = "Only destinations of type http are signed."


@dataclass(frozen=True, slots=True)
class Shown:
    """A destination with how it goes there. `new_secret` is there only in the answer that made it."""

    row: DestinationRow
    destination: Destination
    health: Health
    new_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A signing secret just made, and until when the one before it signs as well."""

    secret: str = field(repr=False)
    previous_valid_until: datetime


async def list_page(hub: Hub, caller: Caller, *, limit: int, cursor: str | None) -> tuple[list[Shown], str | None]:
    """Return one page of destinations, newest first, and the cursor of the next. Raises InvalidCursor."""
    after = decode_cursor(cursor) if cursor is not None else None
    async with hub.engine.connect() as connection:
        rows = await destinations.page(connection, caller.workspace_id, limit=limit + 1, after=after)
        known = [row for row in rows[:limit] if row.type in registry()]
        health = await gates.health(connection, caller.workspace_id, [row.id for row in known])
    shown = [Shown(row, registry()[row.type], health[row.id]) for row in known]
    return shown, encode_cursor(rows[limit - 1].id) if len(rows) > limit else None


async def get(hub: Hub, caller: Caller, id_: UUID) -> Shown:
    """Return one destination. Raises NotFound."""
    async with hub.engine.connect() as connection:
        row = await destinations.get(connection, caller.workspace_id, id_)
        if row is None or row.type not in registry():
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
) -> Shown:
    """Create a destination, to which leads are due from now on. Raises InvalidRequest naming every fault."""
    destination = registry().get(type_)
    if destination is None:
        raise InvalidRequest(f"Unknown type. Known are {', '.join(registry())}.", field="type")
    form = _settings(destination, settings)
    given = {key: value for key, value in credentials.items() if value is not None or not _knows(destination, key)}
    checked = _credentials(destination, form, given)
    secret = new_secret() if destination.signs else None
    id_, now = new_id(), datetime.now(UTC)
    row = DestinationRow(
        workspace_id=caller.workspace_id,
        id=id_,
        type=type_,
        name=name,
        description=description,
        status="active",
        settings=_stored(form),
        credential_hints=_hints(checked),
        secret_fingerprint=None if secret is None else fingerprint(secret),
        created_at=now,
        updated_at=now,
        sealed=Sealed(
            credentials=_sealed(hub, caller.workspace_id, id_, checked),
            secret=None if secret is None else hub.keys.seal(secret.encode(), secret_place(caller.workspace_id, id_)),
        ),
    )
    async with hub.engine.begin() as connection:
        row = await destinations.add(connection, row)
        await _note(connection, caller, row, "created", {"after": _audited(row)})
        return replace(await _shown(connection, row), new_secret=secret)


async def update(hub: Hub, caller: Caller, id_: UUID, changes: Mapping[str, Any]) -> Shown:
    """Change the fields given: name, description, settings, credentials.

    Of settings and credentials those named are replaced, and one given as null goes back to its default. What waits because
    the destination failed is due again at once. Raises NotFound and InvalidRequest.
    """
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        destination = registry()[row.type]
        form = _settings(destination, merged(destination.settings, row.settings, changes.get("settings", {})))
        together = merged(destination.credentials, opened_credentials(hub.keys, row), changes.get("credentials", {}))
        checked = _credentials(destination, form, together)
        stored = await destinations.update(
            connection,
            replace(
                row,
                name=changes.get("name", row.name),
                description=changes.get("description", row.description),
                settings=_stored(form),
                credential_hints=_hints(checked),
                sealed=replace(row.sealed, credentials=_sealed(hub, row.workspace_id, row.id, checked)),
            ),
        )
        if changes.keys() & {"settings", "credentials"}:
            await try_again(connection, stored)
        await _note(connection, caller, stored, "changed", _difference(row, stored, changes.get("credentials", {})))
        return await _shown(connection, stored)


async def delete(hub: Hub, caller: Caller, id_: UUID) -> None:
    """End a destination: nothing is sent there any more, and what waits is dead. Raises NotFound."""
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        await destinations.delete(connection, row)
        await jobs.defer(
            connection, jobs.END_DELIVERIES, workspace_id=str(row.workspace_id), destination_id=str(row.id)
        )
        await _note(connection, caller, row, "deleted", {"before": _audited(row)})


async def pause(hub: Hub, caller: Caller, id_: UUID) -> Shown:
    """Send nothing until resumed; leads go on becoming due. Raises NotFound."""
    return await _set_status(hub, caller, id_, "paused", "paused")


async def resume(hub: Hub, caller: Caller, id_: UUID) -> Shown:
    """Send again, first of all what waited, also where the receiver was gone. Raises NotFound."""
    return await _set_status(hub, caller, id_, "active", "resumed")


async def regenerate_secret(hub: Hub, caller: Caller, id_: UUID, grace_hours: int) -> NewSecret:
    """Make a new signing secret; the present one signs as well for `grace_hours` more. Raises NotFound, NoSigningSecret."""
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        if not registry()[row.type].signs:
            raise NoSigningSecret("Calls to destinations of this type are not signed.")
        secret = new_secret()
        until = datetime.now(UTC) + timedelta(hours=grace_hours)
        sealed = replace(
            row.sealed,
            secret=hub.keys.seal(secret.encode(), secret_place(row.workspace_id, row.id)),
            previous_secret=row.sealed.secret,
            previous_secret_until=until,
        )
        stored = await destinations.update(
            connection, replace(row, sealed=sealed, secret_fingerprint=fingerprint(secret))
        )
        data = {
            "after": {"fingerprint": stored.secret_fingerprint},
            "previousValidUntil": until.isoformat(),
        }
        await _note(connection, caller, stored, "secret_regenerated", data)
    return NewSecret(secret, until)


async def try_again(connection: AsyncConnection, row: DestinationRow) -> None:
    """Take it that the destination works now: what failed is due, in the order in which it came."""
    await gates.reset(connection, row.workspace_id, row.id)
    await outbox.hasten(connection, row.workspace_id, row.id, None)
    await jobs.defer_deliveries(connection)


async def _set_status(hub: Hub, caller: Caller, id_: UUID, status: str, word: str) -> Shown:
    async with hub.engine.begin() as connection:
        row = await _held(connection, caller, id_)
        stored = row
        if row.status != status:
            stored = await destinations.update(connection, replace(row, status=status))
            data = {"before": {"status": row.status}, "after": {"status": status}}
            await _note(connection, caller, stored, word, data)
        if status == "active":
            await try_again(connection, stored)
        return await _shown(connection, stored)


async def _held(connection: AsyncConnection, caller: Caller, id_: UUID) -> DestinationRow:
    row = await destinations.get_locked(connection, caller.workspace_id, id_)
    if row is None or row.type not in registry():
        raise _not_found()
    return row


async def _shown(connection: AsyncConnection, row: DestinationRow) -> Shown:
    health = await gates.health(connection, row.workspace_id, [row.id])
    return Shown(row, registry()[row.type], health[row.id])


def _not_found() -> NotFound:
    return NotFound("No destination here has this id.")


# ---- settings and credentials -----------------------------------------------------------------------


def _settings(destination: Destination, values: Mapping[str, Any]) -> DestinationSettings:
    form = checked_form(destination.settings, values, "settings")
    assert isinstance(form, DestinationSettings)
    return form


def _credentials(destination: Destination, settings: DestinationSettings, values: Mapping[str, Any]) -> Form:
    form = checked_form(destination.credentials, values, "credentials")
    missing = [name for name in destination.needs(settings) if not values.get(name)]
    if missing:
        errors = [FieldError(f"credentials.{name}", "These settings need it.") for name in missing]
        raise InvalidRequest("Some credentials are missing.", errors=errors)
    return form


def _stored(form: DestinationSettings) -> dict[str, Any]:
    # With `on` also where it is the default: the hot statement asks for it.
    return {"on": list(form.on)} | form.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _sealed(hub: Hub, workspace: UUID, id_: UUID, credentials: Form) -> bytes | None:
    given = credentials.model_dump(mode="json", by_alias=True, exclude_none=True)
    return hub.keys.seal(orjson.dumps(given), credentials_place(workspace, id_)) if given else None


def _hints(credentials: Form) -> dict[str, str]:
    given = credentials.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: f"…{str(value)[-4:]}" if len(str(value)) >= 12 else "…" for name, value in given.items()}


def _knows(destination: Destination, name: str) -> bool:
    return name in destination.credentials.names()


# ---- the activity log -------------------------------------------------------------------------------


async def _note(
    connection: AsyncConnection, caller: Caller, row: DestinationRow, word: str, data: Mapping[str, Any]
) -> None:
    await activity.write(
        connection,
        row.workspace_id,
        kind=f"destination_{word}",
        message=f"Destination {row.name}: {word.replace('_', ' ')}",
        actor=caller,
        data={"destinationId": row.id, **data},
    )


def _audited(row: DestinationRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "type": row.type,
        "description": row.description,
        "status": row.status,
        "settings": row.settings,
    }


def _difference(before: DestinationRow, after: DestinationRow, credentials: Mapping[str, Any]) -> dict[str, Any]:
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
