"""Targets: destinations opened, with their credentials and secrets, and the means to deliver."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from connector_master.connections.sealing import KeyRing, Place
from connector_master.delivery import registry
from connector_master.delivery.attempts import Target
from connector_master.delivery.destination import Destination, DestinationSettings, Means
from connector_master.model.problem import DestinationRefused
from connector_master.services.hub import Hub
from connector_master.storage.destinations import DestinationRow


def target_of(hub: Hub, row: DestinationRow) -> Target:
    """Return what `row` describes, ready to be delivered at. Raises DestinationRefused, UnknownSealingKey or SealBroken."""
    destination = registry().get(row.type)
    if destination is None:
        raise DestinationRefused(f"This release knows no destination of type {row.type}.")
    try:
        settings = settings_of(destination, row.settings)
        credentials = destination.credentials.model_validate(opened_credentials(hub.keys, row))
    except ValidationError as error:
        raise DestinationRefused("What is stored of this destination is not what this release expects.") from error
    return Target(
        workspace_id=row.workspace_id,
        id=row.id,
        name=row.name,
        destination=destination,
        settings=settings,
        credentials=credentials,
        means=Means(
            client=hub.receiver,
            address_of=hub.address_of,
            folder=hub.files / str(row.id),
            secrets=live_secrets(hub.keys, row, datetime.now(UTC)),
            memory=hub.memory(row.id),
        ),
        changed_at=row.updated_at,
    )


def settings_of(destination: Destination, stored: Mapping[str, Any]) -> DestinationSettings:
    """Return stored settings as the type's form; what an older release stored and this one lacks is left out."""
    known = destination.settings.names()
    return destination.settings.model_validate({name: value for name, value in stored.items() if name in known})


def opened_credentials(keys: KeyRing, row: DestinationRow) -> dict[str, Any]:
    """Return a destination's credentials as they were entered, by name."""
    if row.sealed.credentials is None:
        return {}
    opened: dict[str, Any] = orjson.loads(
        keys.open(row.sealed.credentials, credentials_place(row.workspace_id, row.id))
    )
    return opened


def live_secrets(keys: KeyRing, row: DestinationRow, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign now, the newest first."""
    sealed, place = row.sealed, secret_place(row.workspace_id, row.id)
    live = [] if sealed.secret is None else [sealed.secret]
    if sealed.previous_secret is not None and sealed.previous_secret_until and sealed.previous_secret_until > now:
        live.append(sealed.previous_secret)
    return tuple(keys.open(one, place).decode() for one in live)


def credentials_place(workspace: UUID, id_: UUID) -> Place:
    """Return where a destination's credentials are sealed."""
    return Place(workspace, "destinations", id_, "credentials")


def secret_place(workspace: UUID, id_: UUID) -> Place:
    """Return where a destination's signing secrets are sealed, the present and the previous one."""
    return Place(workspace, "destinations", id_, "secret")
