"""Events: what arrived and what became of it. Stored by the hot statement (batch.py); read and settled again here.

Ids carry the time of arrival, so a span of time is a span of the primary key, and of partitions. A list goes along the
primary key, or the index on connectors; failed, dead and held events have an index of their own, which only a status
written into the statement can use. Text (`q`), in raw payloads too, codes and other statuses are looked for row by row, in
so many events for each page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.model.event import ERASED, EventStatus
from connector_master.storage import following, jobs
from connector_master.storage.batch import OPEN as OPEN
from connector_master.storage.batch import EventRow, Stored
from connector_master.storage.ids import first_id_at
from connector_master.storage.paging import MOST_LOOKED_AT, Found


@dataclass(frozen=True, slots=True)
class Event:
    """One event without what was sent. `code` is a problem's for failed ones, the reason for ignored ones."""

    id: UUID
    connector_id: UUID
    status: EventStatus
    code: str | None
    detail: str | None
    lead_id: UUID | None
    origin: str
    external_id: str | None
    received_at: datetime
    processed_at: datetime | None
    enquired_at: datetime | None
    attempts: int
    request_id: UUID | None
    position: int | None
    content_type: str | None
    ip: str | None
    warnings: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event with what was sent: its own payload, and the whole request's body where it came first in a list."""

    event: Event
    payload: bytes
    body: bytes | None
    headers: dict[str, str] | None
    idempotency_key: str | None
    resolved: bytes | None = None
    """The lead that was fetched, where the payload only named it."""
    is_announced: bool = False
    twin: str | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """An event as a lead's timeline shows it: nothing of what was sent, nor from where. `reason` is what else is to be said."""

    id: UUID
    status: EventStatus
    reason: str | None
    connector_id: UUID
    connector_name: str | None
    connector_type: str | None
    origin: str
    external_id: str | None
    received_at: datetime
    enquired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events. `start` ≤ received_at < `end`; several `statuses` are alternatives."""

    statuses: Sequence[EventStatus] = ()
    connector_id: UUID | None = None
    code: str | None = None
    q: str | None = None
    id_: UUID | None = None
    """The event's own id or its lead's."""
    start: datetime | None = None
    end: datetime | None = None


_COLUMNS = """e.id, e.connector_id, e.status, e.code, e.detail, e.lead_id, e.origin, e.external_id, e.received_at,
              e.processed_at, e.enquired_at, e.attempts, e.request_id, e.position, e.content_type, e.ip,
              coalesce(e.warnings, '[]') AS warnings"""
RAW_COLUMNS = f"{_COLUMNS}, e.payload, e.body, e.headers, e.idempotency_key, e.resolved, e.is_announced, e.twin"

_TEXT = """(strpos(lower(concat_ws(' ', e.external_id, e.code, e.detail, e.ip)), lower(:q)) > 0
        OR position(CAST(:q_bytes AS bytea) IN e.payload) > 0)"""


async def page(
    connection: AsyncConnection, workspace: UUID, filter_: EventFilter, *, limit: int, after: UUID | None = None
) -> Found[Event]:
    """Return at most `limit` events, newest first, beginning after the id `after`."""
    known, values = _indexed(filter_)
    if after is not None:
        known.append("e.id < :after")
        values["after"] = after
    rest, rest_values = _unindexed(filter_)
    values |= {"workspace": workspace}
    edge: UUID | None = None
    if rest:
        statement = text(f"""
            SELECT e.id FROM events e WHERE {" AND ".join(known)} ORDER BY e.id DESC OFFSET {MOST_LOOKED_AT - 1} LIMIT 1
        """)
        edge = (await connection.execute(statement, values)).scalar_one_or_none()
        rest += ["e.id >= :edge"] if edge is not None else []
    statement = text(f"""
        SELECT {_COLUMNS} FROM events e WHERE {" AND ".join(known + rest)} ORDER BY e.id DESC LIMIT :limit
    """)
    rows = await connection.execute(statement, values | rest_values | {"edge": edge, "limit": limit})
    return Found([_event(row._mapping) for row in rows], edge)


_GET = text(f"SELECT {_COLUMNS} FROM events e WHERE e.workspace_id = :workspace AND e.id = :id")
_GET_RAW = text(f"SELECT {RAW_COLUMNS} FROM events e WHERE e.workspace_id = :workspace AND e.id = :id")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Event | None:
    """Return an event, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return _event(row._mapping) if row else None


async def get_raw(connection: AsyncConnection, workspace: UUID, id_: UUID) -> RawEvent | None:
    """Return an event with what was sent, None when there is none with this id here."""
    row = (await connection.execute(_GET_RAW, {"workspace": workspace, "id": id_})).one_or_none()
    return raw_event(row._mapping) if row else None


_OF_LEAD = text("""
    SELECT e.id, e.status, e.code AS reason, e.connector_id, c.name AS connector_name, c.type AS connector_type, e.origin,
           e.external_id, e.received_at, e.enquired_at
      FROM events e LEFT JOIN connectors c ON c.workspace_id = e.workspace_id AND c.id = e.connector_id
     WHERE e.workspace_id = :workspace AND e.lead_id = :lead ORDER BY e.id DESC LIMIT :limit
""")


async def of_lead(connection: AsyncConnection, workspace: UUID, lead_id: UUID, limit: int) -> list[Touch]:
    """Return at most `limit` events that touched a lead, newest first; connectors that are deleted keep their names."""
    rows = await connection.execute(_OF_LEAD, {"workspace": workspace, "lead": lead_id, "limit": limit})
    return [Touch(**{**row._mapping, "status": EventStatus(row.status)}) for row in rows]


_LATE = 1_000
_LATEST = f"""
     WHERE e.workspace_id = :workspace
       AND e.id IN (SELECT late.id
                      FROM (SELECT id, status, code, is_announced, resolved IS NOT NULL AS is_resolved FROM events
                             WHERE workspace_id = :workspace AND connector_id = :connector
                             ORDER BY id DESC LIMIT {_LATE}) AS late
                     WHERE late.status <> 'ignored' AND late.code IS DISTINCT FROM '{ERASED}'
                       AND (late.is_resolved OR NOT late.is_announced)
                     ORDER BY late.id DESC LIMIT :limit)
     ORDER BY e.id DESC
"""
_SAMPLES = text(f"SELECT {_COLUMNS} FROM events e {_LATEST}")
_RAW_SAMPLES = text(f"SELECT {RAW_COLUMNS} FROM events e {_LATEST}")


async def samples(connection: AsyncConnection, workspace: UUID, connector_id: UUID, limit: int) -> list[Event]:
    """Return the latest events of a connector, at most `limit`, that hold what could be a lead, newest first.

    What is ignored, taken back by its author, or only announced holds none. Looks no further back than 1,000 events.
    """
    values = {"workspace": workspace, "connector": connector_id, "limit": limit}
    return [_event(row._mapping) for row in await connection.execute(_SAMPLES, values)]


async def raw_samples(connection: AsyncConnection, workspace: UUID, connector_id: UUID, limit: int) -> list[RawEvent]:
    """Return what `samples` does, with what was sent."""
    values = {"workspace": workspace, "connector": connector_id, "limit": limit}
    return [raw_event(row._mapping) for row in await connection.execute(_RAW_SAMPLES, values)]


async def open_batch(
    connection: AsyncConnection,
    workspace: UUID,
    filter_: EventFilter,
    *,
    limit: int,
    after: UUID | None = None,
    untouched_since: datetime | None = None,
) -> list[RawEvent]:
    """Return at most `limit` open events, oldest first, beginning after `after`.

    `untouched_since` leaves out what was settled at or after that moment: a run that starts again begins where it was.
    """
    conditions, values = _open_conditions(filter_, untouched_since)
    if after is not None:
        conditions.append("e.id > :after")
        values["after"] = after
    statement = text(f"""
        SELECT {RAW_COLUMNS} FROM events e WHERE {" AND ".join(conditions)} ORDER BY e.id LIMIT :limit
    """)
    rows = await connection.execute(statement, {"workspace": workspace, "limit": limit, **values})
    return [raw_event(row._mapping) for row in rows]


async def count_open(
    connection: AsyncConnection, workspace: UUID, filter_: EventFilter, untouched_since: datetime
) -> int:
    """Return how many events `open_batch` would go through."""
    conditions, values = _open_conditions(filter_, untouched_since)
    statement = text(f"SELECT count(*) FROM events e WHERE {' AND '.join(conditions)}")
    found: int = (await connection.execute(statement, {"workspace": workspace, **values})).scalar_one()
    return found


_HELD = text("""
    SELECT c.workspace_id, c.id FROM connectors c
     WHERE c.status <> 'paused'
       AND EXISTS (SELECT 1 FROM events e
                    WHERE e.workspace_id = c.workspace_id AND e.connector_id = c.id AND e.status = 'received'
                      AND e.resolve_at IS NULL)
""")


async def connectors_with_held(connection: AsyncConnection) -> list[tuple[UUID, UUID]]:
    """Return workspace and id of every connector, in all workspaces, that could go on with events it holds."""
    return [(row.workspace_id, row.id) for row in await connection.execute(_HELD)]


def _conditions(filter_: EventFilter) -> tuple[list[str], dict[str, Any]]:
    known, values = _indexed(filter_)
    rest, rest_values = _unindexed(filter_)
    return known + rest, values | rest_values


def _indexed(filter_: EventFilter) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions that an index answers."""
    conditions = ["e.workspace_id = :workspace"]
    values: dict[str, Any] = {}
    if filter_.statuses and _is_unsettled(filter_):
        conditions.append(_has_status(filter_))
    if filter_.connector_id is not None:
        conditions.append("e.connector_id = :connector")
        values["connector"] = filter_.connector_id
    if filter_.start is not None:
        conditions.append("e.id >= :start")
        values["start"] = first_id_at(filter_.start)
    if filter_.end is not None:
        conditions.append("e.id < :end")
        values["end"] = first_id_at(filter_.end)
    if filter_.id_ is not None:
        conditions.append("(e.id = :either_id OR e.lead_id = :either_id)")
        values["either_id"] = filter_.id_
    return conditions, values


def _unindexed(filter_: EventFilter) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions for which events are looked through."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    if filter_.statuses and not _is_unsettled(filter_):
        conditions.append(_has_status(filter_))
    if filter_.code is not None:
        conditions.append("e.code = :code")
        values["code"] = filter_.code
    if filter_.q is not None:
        conditions.append(_TEXT)
        values |= {"q": filter_.q, "q_bytes": filter_.q.encode()}
    return conditions, values


def _is_unsettled(filter_: EventFilter) -> bool:
    return set(filter_.statuses) <= set(OPEN)


def _has_status(filter_: EventFilter) -> str:
    # Written out, not bound: a partial index serves only what its condition can be proven from.
    names = ", ".join(f"'{EventStatus(status).value}'" for status in filter_.statuses)
    return f"e.status IN ({names})"


def _open_conditions(filter_: EventFilter, untouched_since: datetime | None) -> tuple[list[str], dict[str, Any]]:
    conditions, values = _conditions(filter_)
    # What is to be fetched is under way already.
    conditions.append("e.resolve_at IS NULL")
    if not filter_.statuses:
        conditions.append(f"e.status IN ({', '.join(repr(status.value) for status in OPEN)})")
    if untouched_since is not None:
        conditions.append("(e.processed_at IS NULL OR e.processed_at < :untouched_since)")
        values["untouched_since"] = untouched_since
    return conditions, values


def _event(row: Any) -> Event:
    return Event(**{**row, "status": EventStatus(row["status"])})


def raw_event(row: Any) -> RawEvent:
    """Return the event of a row of RAW_COLUMNS."""
    rest = dict(row)
    payload, body, headers = rest.pop("payload"), rest.pop("body"), rest.pop("headers")
    key, resolved, is_announced = rest.pop("idempotency_key"), rest.pop("resolved"), rest.pop("is_announced")
    twin = rest.pop("twin")
    return RawEvent(
        _event(rest),
        bytes(payload),
        None if body is None else bytes(body),
        headers,
        key,
        None if resolved is None else bytes(resolved),
        is_announced,
        twin,
    )


# ---- settling again ---------------------------------------------------------------------------------

_CLAIM = """
    INSERT INTO event_keys (workspace_id, connector_id, key, event_id)
    SELECT wanted.workspace_id, wanted.connector_id, wanted.key, wanted.event_id
      FROM json_to_recordset(%(rows)s::json)
           AS wanted (n int4, workspace_id uuid, connector_id uuid, key text, event_id uuid)
     ORDER BY wanted.workspace_id, wanted.connector_id, wanted.key, wanted.n
    ON CONFLICT DO NOTHING
"""
_OWNERS = """
    SELECT wanted.n, k.event_id
      FROM json_to_recordset(%(rows)s::json) AS wanted (n int4, workspace_id uuid, connector_id uuid, key text)
      JOIN event_keys k ON k.workspace_id = wanted.workspace_id AND k.connector_id = wanted.connector_id
                       AND k.key = wanted.key
"""


@dataclass(frozen=True, slots=True)
class Again:
    """An open event to settle: `row` says what becomes of it. `key` is an idempotency key that it only has now."""

    row: EventRow
    key: str | None = None


async def settle_again(
    connection: "psycopg.AsyncConnection[Any]", items: Sequence[Again], *, job_id: UUID | None = None
) -> list[Stored | None]:
    """Settle open events of one workspace in one commit; None for one that had been settled meanwhile.

    One whose key belongs to another event is ignored as `repeated`: what it says has come in already. With `job_id` the
    job's progress is counted in the same commit. `connection` is in autocommit mode; raises psycopg's errors with nothing
    written.
    """
    rows = [item.row for item in items]
    async with connection.transaction():
        for n, owner in await _claim(connection, items):
            if owner != rows[n].columns["id"]:
                rows[n] = _repeated(rows[n], owner)
        results = await following.store_again(connection, rows)
        if job_id is not None:
            failed = sum(one is not None and one.status == EventStatus.FAILED for one in results)
            workspace = rows[0].columns["workspace_id"]
            await jobs.advance(connection, workspace, job_id, done=len(rows), failed=failed)
    return results


async def _claim(connection: "psycopg.AsyncConnection[Any]", items: Sequence[Again]) -> list[tuple[int, UUID]]:
    """Claim the items' keys where they are free; return for each item with a key whose it is."""
    wanted = [
        {
            "n": n,
            "workspace_id": item.row.columns["workspace_id"],
            "connector_id": item.row.columns["connector_id"],
            "key": item.key,
            "event_id": item.row.columns["id"],
        }
        for n, item in enumerate(items)
        if item.key is not None
    ]
    if not wanted:
        return []
    values = {"rows": orjson.dumps(wanted).decode()}
    await connection.execute(_CLAIM, values)
    # A statement of its own: only a new snapshot shows whose key another process has just taken.
    owners: list[tuple[int, UUID]] = await (await connection.execute(_OWNERS, values)).fetchall()
    return owners


def _repeated(row: EventRow, owner: UUID) -> EventRow:
    columns = {name: row.columns[name] for name in ("workspace_id", "id", "connector_id", "received_at")}
    columns |= {"status": EventStatus.IGNORED.value, "code": "repeated", "detail": f"It came before, as event {owner}."}
    return EventRow(columns, b"")
