"""Twins: records of one enquiry that came by two ways (push and pull) under different ids.

Who stores one of them looks for the other under a lock of their connector, held until the commit: so of two processes that
store both at once, the later one sees the earlier. A pair is told apart from a third by losing its mark.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
import psycopg

from connector_master.model.event import EventStatus
from connector_master.storage.batch import EventRow, run

CODE = "twin"
"""The reason of an event whose twin counts instead of it."""


@dataclass(frozen=True, slots=True)
class Twin:
    """The event that came first, and its lead."""

    event_id: UUID
    lead_id: UUID


_WANTED = """json_to_recordset(%(rows)s::json)
             AS wanted (n int4, workspace_id uuid, connector_id uuid, id uuid, key text, twin text, origin text,
                        at timestamptz)"""
_IS_NEW = """NOT EXISTS (SELECT 1 FROM event_keys k
                          WHERE k.workspace_id = wanted.workspace_id AND k.connector_id = wanted.connector_id
                            AND k.key = wanted.key AND k.event_id <> wanted.id)"""
_NEW = f"SELECT wanted.n FROM {_WANTED} WHERE {_IS_NEW}"
_LOCK = """
    SELECT pg_advisory_xact_lock(hashtextextended('twins of ' || connector, 0))
      FROM unnest(%(connectors)s::text[]) AS connectors (connector)
"""
_FIND = f"""
    SELECT wanted.n, e.id, e.lead_id
      FROM {_WANTED}
      JOIN events e ON e.workspace_id = wanted.workspace_id AND e.connector_id = wanted.connector_id
                   AND e.twin = wanted.twin AND e.id <> wanted.id
     WHERE e.lead_id IS NOT NULL AND e.origin <> wanted.origin AND {_IS_NEW}
       AND coalesce(e.enquired_at, e.received_at)
           BETWEEN wanted.at - interval '5 minutes' AND wanted.at + interval '5 minutes'
     ORDER BY wanted.n, abs(extract(epoch FROM coalesce(e.enquired_at, e.received_at) - wanted.at)), e.id
"""
_PAIR = """
    UPDATE events SET twin = NULL
      FROM unnest(%(workspaces)s::uuid[], %(ids)s::uuid[]) AS paired (workspace_id, id)
     WHERE events.workspace_id = paired.workspace_id AND events.id = paired.id
"""


async def find(connection: "psycopg.AsyncConnection[Any]", rows: Sequence[EventRow]) -> dict[int, Twin]:
    """Return, by their place in `rows`, the twins of those that would be leads and whose twin is one already.

    The lock is held until the caller's transaction ends, which has to store them. Each event is the twin of one row.
    """
    values = _values([n for n, row in enumerate(rows) if _is_candidate(row)], rows)
    if values is None:
        return {}
    new = {n for (n,) in await run(connection, _NEW, values)}
    values = _values(sorted(new), rows)
    if values is None:
        return {}
    connectors = sorted({f"{rows[n].columns['workspace_id']} {rows[n].columns['connector_id']}" for n in new})
    await run(connection, _LOCK, {"connectors": connectors})
    found: dict[int, Twin] = {}
    taken: set[UUID] = set()
    # A statement of its own: only a new snapshot shows what was stored by whoever held the lock.
    for n, event_id, lead_id in await run(connection, _FIND, values):
        if n not in found and event_id not in taken:
            found[n] = Twin(event_id, lead_id)
            taken.add(event_id)
    return found


def recognized(rows: Sequence[EventRow], found: Mapping[int, Twin]) -> list[EventRow]:
    """Return `rows` with those that were found as duplicates of their twin's lead, which they don't count for."""
    return [_duplicate(row, found[n]) if n in found else row for n, row in enumerate(rows)]


async def pair(connection: "psycopg.AsyncConnection[Any]", events: Sequence[tuple[UUID, UUID]]) -> None:
    """Note that these events (workspace, id) have found their twins: a third one is none of theirs."""
    if events:
        workspaces, ids = zip(*events, strict=True)
        await connection.execute(_PAIR, {"workspaces": list(workspaces), "ids": list(ids)})


def apart(rows: Sequence[EventRow]) -> Iterator[list[int]]:
    """Yield the places of `rows` in groups to be stored one after the other, so that twins among them see each other."""
    left = list(range(len(rows)))
    while left:
        marks: set[str] = set()
        group: list[int] = []
        later: list[int] = []
        for n in left:
            mark = rows[n].columns.get("twin")
            (later if mark in marks else group).append(n)
            if mark is not None:
                marks.add(mark)
        yield group
        left = later


def _is_candidate(row: EventRow) -> bool:
    return row.columns.get("twin") is not None and "deduplication_key" in row.columns


def _values(places: Sequence[int], rows: Sequence[EventRow]) -> dict[str, str] | None:
    wanted = []
    for n in places:
        columns = rows[n].columns
        wanted.append(
            {
                "n": n,
                "workspace_id": columns["workspace_id"],
                "connector_id": columns["connector_id"],
                "id": columns["id"],
                "key": columns.get("idempotency_key"),
                "twin": columns["twin"],
                "origin": columns["origin"],
                "at": columns.get("enquired_at") or rows[n].arrived_at or columns["received_at"],
            }
        )
    return {"rows": orjson.dumps(wanted).decode()} if wanted else None


def _duplicate(row: EventRow, twin: Twin) -> EventRow:
    columns = {name: value for name, value in row.columns.items() if name not in ("deduplication_key", "twin")}
    columns |= {"status": EventStatus.DUPLICATE.value, "code": CODE, "lead_id": twin.lead_id}
    return replace(row, columns=columns)
