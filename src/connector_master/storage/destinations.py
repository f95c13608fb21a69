"""Destinations: where leads are sent, with their credentials and signing secrets (sealed by whoever calls)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.connectors import as_json


@dataclass(frozen=True, slots=True)
class Sealed:
    """What of a destination is secret: all credentials together, and the secrets that sign."""

    credentials: bytes | None = None
    secret: bytes | None = None
    previous_secret: bytes | None = None
    previous_secret_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination as stored. `credential_hints` has, by name, how each credential ends."""

    workspace_id: UUID
    id: UUID
    type: str
    name: str
    description: str | None
    status: str
    settings: dict[str, Any]
    credential_hints: dict[str, str]
    secret_fingerprint: str | None
    created_at: datetime
    updated_at: datetime
    sealed: Sealed = field(default_factory=Sealed, repr=False)


_COLUMNS = """d.workspace_id, d.id, d.type, d.name, d.description, d.status, d.settings, d.credential_hints,
              d.secret_fingerprint, d.created_at, d.updated_at, d.credentials, d.secret, d.previous_secret,
              d.previous_secret_until"""

_ADD = text(f"""
    INSERT INTO destinations AS d (workspace_id, id, type, name, description, status, settings, occasions, credentials,
                                   credential_hints, secret, secret_fingerprint)
    VALUES (:workspace, :id, :type, :name, :description, :status, CAST(:settings AS jsonb), CAST(:occasions AS text[]),
            :credentials, CAST(:hints AS jsonb), :secret, :fingerprint)
    RETURNING {_COLUMNS}
""")
_ADD_GATE = text("INSERT INTO destination_gates (workspace_id, destination_id) VALUES (:workspace, :id)")


async def add(connection: AsyncConnection, row: DestinationRow) -> DestinationRow:
    """Write a new destination, and the gate that leads to it."""
    added = (await connection.execute(_ADD, _values(row))).one()
    await connection.execute(_ADD_GATE, {"workspace": row.workspace_id, "id": row.id})
    return _row(added._mapping)


_GET = text(f"""
    SELECT {_COLUMNS} FROM destinations d WHERE d.workspace_id = :workspace AND d.id = :id AND d.deleted_at IS NULL
""")
_GET_LOCKED = text(f"{_GET.text} FOR UPDATE")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> DestinationRow | None:
    """Return a destination, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return _row(row._mapping) if row else None


async def get_locked(connection: AsyncConnection, workspace: UUID, id_: UUID) -> DestinationRow | None:
    """Return a destination and hold it until the transaction ends, so that two edits follow each other."""
    row = (await connection.execute(_GET_LOCKED, {"workspace": workspace, "id": id_})).one_or_none()
    return _row(row._mapping) if row else None


_PAGE = text(f"""
    SELECT {_COLUMNS} FROM destinations d
     WHERE d.workspace_id = :workspace AND d.deleted_at IS NULL AND (CAST(:after AS uuid) IS NULL OR d.id < :after)
     ORDER BY d.id DESC LIMIT :limit
""")


async def page(connection: AsyncConnection, workspace: UUID, *, limit: int, after: UUID | None) -> list[DestinationRow]:
    """Return at most `limit` destinations, newest first."""
    rows = await connection.execute(_PAGE, {"workspace": workspace, "limit": limit, "after": after})
    return [_row(row._mapping) for row in rows]


_UPDATE = text(f"""
    UPDATE destinations AS d
       SET name = :name, description = :description, status = :status, settings = CAST(:settings AS jsonb),
           occasions = CAST(:occasions AS text[]), credentials = :credentials, credential_hints = CAST(:hints AS jsonb),
           secret = :secret, secret_fingerprint = :fingerprint, previous_secret = :previous_secret,
           previous_secret_until = :previous_secret_until, updated_at = clock_timestamp()
     WHERE d.workspace_id = :workspace AND d.id = :id
    RETURNING {_COLUMNS}
""")


async def update(connection: AsyncConnection, row: DestinationRow) -> DestinationRow:
    """Write a changed destination."""
    changed = (await connection.execute(_UPDATE, _values(row))).one()
    return _row(changed._mapping)


_SET_STATUS = text("""
    UPDATE destinations SET status = :status, updated_at = clock_timestamp()
     WHERE workspace_id = :workspace AND id = :id AND deleted_at IS NULL
""")


async def set_status(connection: AsyncConnection, workspace: UUID, id_: UUID, status: str) -> None:
    """Write only the status."""
    await connection.execute(_SET_STATUS, {"workspace": workspace, "id": id_, "status": status})


_DELETE = text("""
    UPDATE destinations SET deleted_at = now(), updated_at = clock_timestamp(), credentials = NULL, secret = NULL,
                            previous_secret = NULL
     WHERE workspace_id = :workspace AND id = :id
""")


async def delete(connection: AsyncConnection, row: DestinationRow) -> None:
    """Take a destination away with its secrets; its row stays for the deliveries that name it."""
    await connection.execute(_DELETE, {"workspace": row.workspace_id, "id": row.id})


def _values(row: DestinationRow) -> Mapping[str, Any]:
    return {
        "workspace": row.workspace_id,
        "id": row.id,
        "type": row.type,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "settings": as_json(row.settings),
        "occasions": list(row.settings["on"]),
        "credentials": row.sealed.credentials,
        "hints": orjson.dumps(row.credential_hints).decode(),
        "secret": row.sealed.secret,
        "fingerprint": row.secret_fingerprint,
        "previous_secret": row.sealed.previous_secret,
        "previous_secret_until": row.sealed.previous_secret_until,
    }


def _row(found: Any) -> DestinationRow:
    rest = dict(found)
    sealed = Sealed(
        rest.pop("credentials"), rest.pop("secret"), rest.pop("previous_secret"), rest.pop("previous_secret_until")
    )
    return DestinationRow(**rest, sealed=sealed)
