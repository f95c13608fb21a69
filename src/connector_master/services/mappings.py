"""Field mappings through time: each save is a version, nobody overwrites what they have not seen, and one can go back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.model.json import Json
from connector_master.model.problem import Conflict, InvalidCursor, NotFound
from connector_master.pipeline.mapping import compile_mapping
from connector_master.services.hub import Hub
from connector_master.storage import connectors, field_mappings
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.field_mappings import MappingVersion
from connector_master.storage.paging import decode_cursor, encode_cursor

MOST_VERSIONS = 2**31 - 1

OwnMapping = Mapping[str, Any] | None
"""A connector's own field mapping; None is its type's."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is known of an edit beside the mapping: the version that it began with, if it is to meet no other edit."""

    began_with: int | None = None
    note: str | None = None
    restored_from: int | None = None


class MappingChanged(Conflict):
    """Somebody else saved another mapping since this edit began. `saved` is theirs, `edited` the one that was refused."""

    code = "mapping_changed"
    title = "Field mapping changed meanwhile"
    remedy = "Look at both, then save again with the version that is saved now."

    def __init__(self, saved: MappingVersion, edited: OwnMapping) -> None:
        super().__init__(f"Version {saved.version} was saved since this edit began.", field="version")
        self.saved = saved
        self.edited = edited

    def as_details(self) -> dict[str, Json]:
        """Return the problem with both mappings beside it."""
        saved: dict[str, Json] = {
            "version": self.saved.version,
            "fieldMapping": self.saved.field_mapping,
            "note": self.saved.note,
            "restoredFrom": self.saved.restored_from,
            "madeAt": self.saved.made_at.isoformat().replace("+00:00", "Z"),
            "madeBy": self.saved.made_by_name,
        }
        edited = None if self.edited is None else dict(self.edited)
        return super().as_details() | {"saved": saved, "edited": edited}


async def changed(
    connection: AsyncConnection, caller: Caller, connector: ConnectorRow, mapping: OwnMapping, edit: Edit
) -> ConnectorRow:
    """Return `connector`, which the caller holds, with `mapping` as its next version; the same mapping makes none.

    Raises InvalidRequest naming every fault, and MappingChanged.
    """
    if mapping is not None:
        compile_mapping(mapping)
    if is_same(mapping, connector.field_mapping):
        return connector
    await field_mappings.add_missed(connection, connector)
    if edit.began_with not in (None, connector.mapping_version):
        saved = await field_mappings.get(connection, connector.workspace_id, connector.id, connector.mapping_version)
        assert saved is not None
        raise MappingChanged(saved, mapping)
    own = None if mapping is None else dict(mapping)
    following = replace(connector, field_mapping=own, mapping_version=connector.mapping_version + 1)
    await field_mappings.add(connection, following, caller, note=edit.note, restored_from=edit.restored_from)
    return following


async def list_page(
    hub: Hub, caller: Caller, connector_id: UUID, *, limit: int, cursor: str | None
) -> tuple[list[MappingVersion], str | None]:
    """Return at most `limit` versions, the latest first, and the cursor of the rest. Raises NotFound, InvalidCursor."""
    before = _decode(cursor) if cursor is not None else None
    async with hub.engine.connect() as connection:
        if await connectors.get(connection, caller.workspace_id, connector_id) is None:
            raise NotFound("No connector here has this id.")
        found = await field_mappings.page(connection, caller.workspace_id, connector_id, limit=limit + 1, before=before)
    return found[:limit], encode_cursor(UUID(int=found[limit - 1].version)) if len(found) > limit else None


async def get(hub: Hub, caller: Caller, connector_id: UUID, version: int) -> MappingVersion:
    """Return one version. Raises NotFound."""
    async with hub.engine.connect() as connection:
        found = await field_mappings.get(connection, caller.workspace_id, connector_id, version)
    if found is None:
        raise NotFound("This connector's mapping has no version of this number.")
    return found


def is_same(one: OwnMapping, other: OwnMapping) -> bool:
    """Return whether two mappings say the same: which sources fill each field, in which order and how.

    >>> is_same({"a": "name", "b": "city"}, {"b": {"field": "city"}, "a": "name"})
    True
    """
    return (None if one is None else _by_field(one)) == (None if other is None else _by_field(other))


def _by_field(mapping: Mapping[str, Any]) -> tuple[dict[str, list[tuple[str, Any]]], dict[str, Any]]:
    sources: dict[str, list[tuple[str, Any]]] = {}
    combine: dict[str, Any] = {}
    for path, target in mapping.items():
        spec = {"field": target} if isinstance(target, str) else target
        sources.setdefault(spec["field"], []).append((path, spec.get("transform")))
        # Any one of a field's sources says it for all.
        if spec.get("combine"):
            combine[spec["field"]] = spec["combine"]
    return sources, combine


def _decode(cursor: str) -> int:
    version = decode_cursor(cursor).int
    if version > MOST_VERSIONS:
        raise InvalidCursor("This cursor was not given out by this list.", field="cursor")
    return version
