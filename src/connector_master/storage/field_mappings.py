"""Versions of field mappings: what was saved for a connector, by whom and when. Nothing here is changed afterwards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.activity import Actor
from connector_master.storage.connectors import ConnectorRow, as_json


@dataclass(frozen=True, slots=True)
class MappingVersion:
    """A field mapping as it was saved; None is the type's own. `restored_from` is the version that it brought back."""

    version: int
    field_mapping: dict[str, Any] | None
    note: str | None
    restored_from: int | None
    made_at: datetime
    made_by_name: str | None


_COLUMNS = "version, field_mapping, note, restored_from, made_at, made_by_name"

_ADD = text("""
    INSERT INTO field_mapping_versions (workspace_id, connector_id, version, field_mapping, note, restored_from, made_by,
                                        made_by_name)
    VALUES (:workspace, :connector, :version, CAST(:field_mapping AS json), :note, :restored_from, :actor_id, :actor_name)
""")
_ADD_MISSED = text("""
    INSERT INTO field_mapping_versions (workspace_id, connector_id, version, field_mapping, made_at)
    VALUES (:workspace, :connector, :version, CAST(:field_mapping AS json), :made_at)
    ON CONFLICT DO NOTHING
""")


async def add(
    connection: AsyncConnection,
    connector: ConnectorRow,
    actor: Actor,
    *,
    note: str | None = None,
    restored_from: int | None = None,
) -> None:
    """Write a connector's mapping down as the version that the connector says it is."""
    values = _values(connector) | {
        "note": note,
        "restored_from": restored_from,
        "actor_id": actor.id,
        "actor_name": actor.name,
    }
    await connection.execute(_ADD, values)


async def add_missed(connection: AsyncConnection, connector: ConnectorRow) -> None:
    """Write a connector's mapping down if nobody did: the release before, which may still serve, knows no versions."""
    await connection.execute(_ADD_MISSED, _values(connector) | {"made_at": connector.updated_at})


_GET = text(f"""
    SELECT {_COLUMNS} FROM field_mapping_versions
     WHERE workspace_id = :workspace AND connector_id = :connector AND version = :version
""")


async def get(connection: AsyncConnection, workspace: UUID, connector_id: UUID, version: int) -> MappingVersion | None:
    """Return a version, None when there is none of this number."""
    values = {"workspace": workspace, "connector": connector_id, "version": version}
    row = (await connection.execute(_GET, values)).one_or_none()
    return MappingVersion(**row._mapping) if row else None


_PAGE = text(f"""
    SELECT {_COLUMNS} FROM field_mapping_versions
     WHERE workspace_id = :workspace AND connector_id = :connector
       AND (CAST(:before AS integer) IS NULL OR version < :before)
     ORDER BY version DESC LIMIT :limit
""")


async def page(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, limit: int, before: int | None
) -> list[MappingVersion]:
    """Return at most `limit` versions, the latest first."""
    values = {"workspace": workspace, "connector": connector_id, "limit": limit, "before": before}
    return [MappingVersion(**row._mapping) for row in await connection.execute(_PAGE, values)]


def _values(connector: ConnectorRow) -> dict[str, Any]:
    mapping = connector.field_mapping
    return {
        "workspace": connector.workspace_id,
        "connector": connector.id,
        "version": connector.mapping_version,
        "field_mapping": None if mapping is None else as_json(mapping),
    }
