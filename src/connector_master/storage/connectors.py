"""Connectors: configured sources, with their webhook secrets and credentials (sealed by whoever calls)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANGED = "connector_changed"
"""The NOTIFY channel that tells every process to forget what it knows of a webhook id."""


@dataclass(frozen=True, slots=True)
class ConnectorRow:
    """One connector as stored; `last_event_at` is read from its events."""

    workspace_id: UUID
    id: UUID
    type: str
    name: str
    description: str | None
    status: str
    webhook_id: str | None
    settings: dict[str, Any]
    field_mapping: dict[str, Any] | None
    last_sync_at: datetime | None
    next_sync_at: datetime | None
    created_at: datetime
    updated_at: datetime
    mapping_version: int
    last_event_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One webhook secret: sealed, or only its hash. It counts until `valid_until` (None: until replaced)."""

    id: UUID
    kind: str
    sealed: bytes | None
    hash: bytes | None
    fingerprint: str
    valid_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One sealed credential, and the hint that tells a person which it is."""

    name: str
    sealed: bytes
    hint: str


_COLUMNS = """c.workspace_id, c.id, c.type, c.name, c.description, c.status, c.webhook_id, c.settings, c.field_mapping,
              c.last_sync_at, c.next_sync_at, c.created_at, c.updated_at, c.mapping_version"""
# BETWEEN, for with an equality PostgreSQL may go along the primary key, through all events to find none of an idle one.
_LAST_EVENT = """(SELECT e.received_at FROM events e
                    WHERE e.workspace_id = c.workspace_id AND e.connector_id BETWEEN c.id AND c.id
                    ORDER BY e.connector_id DESC, e.id DESC LIMIT 1) AS last_event_at"""

_ADD = text(f"""
    INSERT INTO connectors AS c (workspace_id, id, type, name, description, status, webhook_id, settings, field_mapping)
    VALUES (:workspace, :id, :type, :name, :description, :status, :webhook_id, CAST(:settings AS jsonb),
            CAST(:field_mapping AS json))
    RETURNING {_COLUMNS}
""")


async def add(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    id_: UUID,
    type_: str,
    name: str,
    description: str | None,
    status: str,
    webhook_id: str | None,
    settings: Mapping[str, Any],
    field_mapping: Mapping[str, Any] | None,
) -> ConnectorRow:
    """Write a new connector and tell every process of its address."""
    values = {
        "workspace": workspace,
        "id": id_,
        "type": type_,
        "name": name,
        "description": description,
        "status": status,
        "webhook_id": webhook_id,
        "settings": as_json(settings),
        "field_mapping": None if field_mapping is None else as_json(field_mapping),
    }
    row = (await connection.execute(_ADD, values)).one()
    await tell(connection, webhook_id)
    return ConnectorRow(**row._mapping)


_GET = text(f"""
    SELECT {_COLUMNS}, {_LAST_EVENT} FROM connectors c
     WHERE c.workspace_id = :workspace AND c.id = :id AND c.deleted_at IS NULL
""")
_GET_LOCKED = text(f"""
    SELECT {_COLUMNS} FROM connectors c
     WHERE c.workspace_id = :workspace AND c.id = :id AND c.deleted_at IS NULL FOR UPDATE
""")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> ConnectorRow | None:
    """Return a connector, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return ConnectorRow(**row._mapping) if row else None


async def get_locked(connection: AsyncConnection, workspace: UUID, id_: UUID) -> ConnectorRow | None:
    """Return a connector and hold it until the transaction ends, so that two edits follow each other."""
    row = (await connection.execute(_GET_LOCKED, {"workspace": workspace, "id": id_})).one_or_none()
    return ConnectorRow(**row._mapping) if row else None


_GET_EVER = text(f"SELECT {_COLUMNS} FROM connectors c WHERE c.workspace_id = :workspace AND c.id = :id")


async def get_ever(connection: AsyncConnection, workspace: UUID, id_: UUID) -> ConnectorRow | None:
    """Return a connector also when it is deleted: its settings and mapping still read the events it left."""
    row = (await connection.execute(_GET_EVER, {"workspace": workspace, "id": id_})).one_or_none()
    return ConnectorRow(**row._mapping) if row else None


_LIST = text(f"""
    SELECT {_COLUMNS}, {_LAST_EVENT} FROM connectors c
     WHERE c.workspace_id = :workspace AND c.deleted_at IS NULL
       AND (CAST(:after AS uuid) IS NULL OR c.id < :after)
       AND (CAST(:type AS text) IS NULL OR c.type = :type) AND (CAST(:status AS text) IS NULL OR c.status = :status)
     ORDER BY c.id DESC LIMIT :limit
""")


async def page(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    limit: int,
    after: UUID | None,
    type_: str | None = None,
    status: str | None = None,
) -> list[ConnectorRow]:
    """Return at most `limit` connectors, newest first."""
    values = {"workspace": workspace, "limit": limit, "after": after, "type": type_, "status": status}
    return [ConnectorRow(**row._mapping) for row in await connection.execute(_LIST, values)]


_NAMES = text("""
    SELECT id, name FROM connectors WHERE workspace_id = :workspace AND deleted_at IS NULL ORDER BY lower(name), id LIMIT :limit
""")


async def names(connection: AsyncConnection, workspace: UUID, limit: int) -> dict[UUID, str]:
    """Return the names of at most `limit` connectors by id, in the order of the names."""
    rows = await connection.execute(_NAMES, {"workspace": workspace, "limit": limit})
    return {row.id: row.name for row in rows}


_UPDATE = text(f"""
    UPDATE connectors AS c
       SET name = :name, description = :description, status = :status, settings = CAST(:settings AS jsonb),
           field_mapping = CAST(:field_mapping AS json), mapping_version = :mapping_version, updated_at = now()
     WHERE c.workspace_id = :workspace AND c.id = :id
    RETURNING {_COLUMNS}, {_LAST_EVENT}
""")


async def update(connection: AsyncConnection, row: ConnectorRow) -> ConnectorRow:
    """Write a changed connector and tell every process."""
    values = {
        "workspace": row.workspace_id,
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "settings": as_json(row.settings),
        "field_mapping": None if row.field_mapping is None else as_json(row.field_mapping),
        "mapping_version": row.mapping_version,
    }
    changed = (await connection.execute(_UPDATE, values)).one()
    await tell(connection, row.webhook_id)
    return ConnectorRow(**changed._mapping)


_DELETE = text("""
    UPDATE connectors SET deleted_at = now(), updated_at = now(), status = 'active', next_sync_at = NULL
     WHERE workspace_id = :workspace AND id = :id
""")
_FORGET_SECRETS = text("DELETE FROM webhook_secrets WHERE workspace_id = :workspace AND connector_id = :id")
_FORGET_CREDENTIALS = text("DELETE FROM credentials WHERE workspace_id = :workspace AND connector_id = :id")


async def delete(connection: AsyncConnection, row: ConnectorRow) -> None:
    """Take a connector's address, secrets and credentials away; its row stays for the leads and events that name it."""
    values = {"workspace": row.workspace_id, "id": row.id}
    await connection.execute(_DELETE, values)
    await connection.execute(_FORGET_SECRETS, values)
    await connection.execute(_FORGET_CREDENTIALS, values)
    await tell(connection, row.webhook_id)


_TELL = text("SELECT pg_notify(:channel, :webhook_id)")


async def tell(connection: AsyncConnection, webhook_id: str | None) -> None:
    """Tell every process, once this transaction commits, that what it knows of this address is old."""
    if webhook_id is not None:
        await connection.execute(_TELL, {"channel": CHANGED, "webhook_id": webhook_id})


_AT_DOOR = text(f"""
    SELECT {_COLUMNS} FROM connectors c WHERE c.webhook_id = :webhook_id AND c.deleted_at IS NULL
""")


async def at_door(connection: AsyncConnection, webhook_id: str) -> ConnectorRow | None:
    """Return the connector that has this address: the one look-up without a workspace, for the address is the key to it."""
    row = (await connection.execute(_AT_DOOR, {"webhook_id": webhook_id})).one_or_none()
    return ConnectorRow(**row._mapping) if row else None


# ---- secrets ----------------------------------------------------------------------------------------

_SECRETS = text("""
    SELECT id, kind, sealed, hash, fingerprint, valid_until, created_at FROM webhook_secrets
     WHERE workspace_id = :workspace AND connector_id = :id AND (valid_until IS NULL OR valid_until > now())
     ORDER BY valid_until DESC NULLS FIRST, id DESC
""")
_ADD_SECRET = text("""
    INSERT INTO webhook_secrets (workspace_id, connector_id, id, kind, sealed, hash, fingerprint)
    VALUES (:workspace, :connector, :id, :kind, :sealed, :hash, :fingerprint)
""")
_END_SECRETS = text("""
    UPDATE webhook_secrets SET valid_until = :until
     WHERE workspace_id = :workspace AND connector_id = :connector AND kind = :kind
       AND (valid_until IS NULL OR valid_until > :until)
""")
_ONLY_HASH = text("""
    UPDATE webhook_secrets SET hash = :hash, sealed = NULL
     WHERE workspace_id = :workspace AND connector_id = :connector AND id = :id
""")


async def secrets(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> list[SecretRow]:
    """Return the secrets that still count, the present one first."""
    rows = await connection.execute(_SECRETS, {"workspace": workspace, "id": connector_id})
    return [SecretRow(**row._mapping) for row in rows]


_SECRETS_OF = text("""
    SELECT connector_id, id, kind, sealed, hash, fingerprint, valid_until, created_at FROM webhook_secrets
     WHERE workspace_id = :workspace AND connector_id = ANY(CAST(:ids AS uuid[])) AND (valid_until IS NULL OR valid_until > now())
     ORDER BY valid_until DESC NULLS FIRST, id DESC
""")


async def secrets_of(
    connection: AsyncConnection, workspace: UUID, connector_ids: Sequence[UUID]
) -> dict[UUID, list[SecretRow]]:
    """Return what `secrets` does, by connector, for several."""
    found: dict[UUID, list[SecretRow]] = {id_: [] for id_ in connector_ids}
    for connector_id, *row in await connection.execute(
        _SECRETS_OF, {"workspace": workspace, "ids": list(connector_ids)}
    ):
        found[connector_id].append(SecretRow(*row))
    return found


async def add_secret(
    connection: AsyncConnection,
    workspace: UUID,
    connector_id: UUID,
    *,
    id_: UUID,
    kind: str,
    sealed: bytes | None,
    hash_: bytes | None,
    fingerprint: str,
) -> None:
    """Write a new secret."""
    await connection.execute(
        _ADD_SECRET,
        {
            "workspace": workspace,
            "connector": connector_id,
            "id": id_,
            "kind": kind,
            "sealed": sealed,
            "hash": hash_,
            "fingerprint": fingerprint,
        },
    )


async def end_secrets(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, kind: str, until: datetime
) -> None:
    """Let every secret of `kind` that counts now count until `until` at the latest."""
    values = {"workspace": workspace, "connector": connector_id, "kind": kind, "until": until}
    await connection.execute(_END_SECRETS, values)


async def keep_only_hash(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, id_: UUID, hash_: bytes
) -> None:
    """Forget a secret itself and keep its hash: what a token scheme needs."""
    values = {"workspace": workspace, "connector": connector_id, "id": id_, "hash": hash_}
    await connection.execute(_ONLY_HASH, values)


# ---- credentials ------------------------------------------------------------------------------------

_CREDENTIALS = text("""
    SELECT name, sealed, hint FROM credentials WHERE workspace_id = :workspace AND connector_id = :id ORDER BY name
""")
_PUT_CREDENTIAL = text("""
    INSERT INTO credentials (workspace_id, connector_id, name, sealed, hint)
    VALUES (:workspace, :connector, :name, :sealed, :hint)
    ON CONFLICT (workspace_id, connector_id, name)
       DO UPDATE SET sealed = excluded.sealed, hint = excluded.hint, updated_at = now()
""")
_REMOVE_CREDENTIALS = text("""
    DELETE FROM credentials
     WHERE workspace_id = :workspace AND connector_id = :connector AND name = ANY(CAST(:names AS text[]))
""")


async def credentials(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> list[CredentialRow]:
    """Return a connector's credentials, sealed."""
    rows = await connection.execute(_CREDENTIALS, {"workspace": workspace, "id": connector_id})
    return [CredentialRow(**row._mapping) for row in rows]


_CREDENTIALS_OF = text("""
    SELECT connector_id, name, sealed, hint FROM credentials
     WHERE workspace_id = :workspace AND connector_id = ANY(CAST(:ids AS uuid[])) ORDER BY name
""")


async def credentials_of(
    connection: AsyncConnection, workspace: UUID, connector_ids: Sequence[UUID]
) -> dict[UUID, list[CredentialRow]]:
    """Return the credentials of several connectors, sealed, by connector."""
    found: dict[UUID, list[CredentialRow]] = {id_: [] for id_ in connector_ids}
    for connector_id, *row in await connection.execute(
        _CREDENTIALS_OF, {"workspace": workspace, "ids": list(connector_ids)}
    ):
        found[connector_id].append(CredentialRow(*row))
    return found


_OWNERS = text("""
    SELECT c.id AS connector_id, c.webhook_id, k.sealed
      FROM connectors c JOIN credentials k ON k.workspace_id = c.workspace_id AND k.connector_id = c.id AND k.name = :name
     WHERE c.workspace_id = :workspace AND c.type = :type AND c.deleted_at IS NULL AND c.webhook_id IS NOT NULL
     ORDER BY c.id
""")


async def with_credential(
    connection: AsyncConnection, workspace: UUID, type_: str, name: str
) -> list[tuple[UUID, str, bytes]]:
    """Return id, webhook id and sealed credential of the connectors of a type that have it, the oldest first."""
    rows = await connection.execute(_OWNERS, {"workspace": workspace, "type": type_, "name": name})
    return [(row.connector_id, row.webhook_id, row.sealed) for row in rows]


async def put_credential(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, credential: CredentialRow
) -> None:
    """Write one credential over what it was."""
    await connection.execute(
        _PUT_CREDENTIAL,
        {
            "workspace": workspace,
            "connector": connector_id,
            "name": credential.name,
            "sealed": credential.sealed,
            "hint": credential.hint,
        },
    )


async def remove_credentials(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, names: Sequence[str]
) -> None:
    """Forget the credentials with these names."""
    values = {"workspace": workspace, "connector": connector_id, "names": list(names)}
    await connection.execute(_REMOVE_CREDENTIALS, values)


def as_json(value: Mapping[str, Any]) -> str:
    """Return an object as JSON text. Raises UnicodeEncodeError for half of a surrogate pair."""
    try:
        return orjson.dumps(dict(value), default=list).decode()
    except TypeError:
        # Raises UnicodeEncodeError, as PostgreSQL's driver does, for what can't be stored: half of a surrogate pair.
        json.dumps(dict(value), default=list, ensure_ascii=False).encode()
        raise
