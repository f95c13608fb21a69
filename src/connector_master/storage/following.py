"""Following: what a record adds to the event or lead that was there before it, instead of making others.

The hot statement (batch.py) stores what is new and names what came before. Rows that carry more than that are heeded here,
in the same commit: a later version settles its event anew, an announced lead that comes by itself is not fetched any more,
what its author took back is removed, a makeshift gives way to what it stood for, and of twins one counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, LiteralString
from uuid import UUID

import orjson
import psycopg

from connector_master.model.event import ERASED, EventStatus
from connector_master.storage import activity, batch, twins
from connector_master.storage.batch import LEAD_TEXTS, OPEN, Columns, EventRow, Stored, run
from connector_master.storage.ids import first_id_at, new_id
from connector_master.storage.outbox import becomes_due

EDITED = "edited"
"""The reason of an event with a lead whose text changed at its source."""

_LONGEST_REQUEST = timedelta(minutes=1)
"""What the records of one request are made within."""

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class _Known:
    """An event that came before. `is_waiting`: it names a lead that was not fetched yet, or in vain."""

    id: UUID
    status: str
    code: str | None
    lead_id: UUID | None
    version: str | None
    received_at: datetime
    is_waiting: bool


class _Deed(IntEnum):
    """What a row does to the event that came before it; of several in one batch the greatest counts, and the latest of them."""

    REPLACE = 1
    EDIT = 2
    SETTLE = 3
    ERASE = 4


@dataclass(frozen=True, slots=True)
class _Addition:
    """What a row has for a lead. Unless it `fills` blanks anyway, it does so only where it replaces a makeshift."""

    row: EventRow
    lead_id: UUID
    event_id: UUID
    fills: bool


async def store(connection: Connection, rows: Sequence[EventRow]) -> list[Stored]:
    """Write `rows` in one commit and return what became of each, in order, as `batch.store` does.

    One that made something else of an event from before is not `repeated`: it has that event's id and its status now.
    """
    if all(row.record is None for row in rows):
        return await batch.store(connection, rows)
    async with connection.transaction():
        found = await twins.find(connection, rows)
        rows = twins.recognized(rows, found)
        stored = await batch.store(connection, rows, is_followed=True)
        await _add_fresh(connection, rows, stored, found)
        repeated = {n: one.event_id for n, one in enumerate(stored) if one.repeated and rows[n].record is not None}
        changed = await _follow(connection, rows, repeated) if repeated else {}
    return [changed.get(n, one) for n, one in enumerate(stored)]


async def store_again(
    connection: Connection, rows: Sequence[EventRow], statuses: Sequence[str] = OPEN
) -> list[Stored | None]:
    """Settle events that are stored already, as `batch.store_again` does; those that are erased now lose their text."""
    results: list[Stored | None] = [None] * len(rows)
    async with connection.transaction():
        for places in twins.apart(rows):
            group = [rows[n] for n in places]
            found = await twins.find(connection, group)
            group = twins.recognized(group, found)
            stored = await batch.store_again(connection, group, statuses)
            await _add_fresh(connection, group, stored, found)
            for n, one in zip(places, stored, strict=True):
                results[n] = one
        await _erase(
            connection, [_place(row) for row, one in zip(rows, results, strict=True) if one and one.code == ERASED]
        )
    return results


async def _add_fresh(
    connection: Connection,
    rows: Sequence[EventRow],
    stored: Sequence[Stored | None],
    found: Mapping[int, twins.Twin],
) -> None:
    """Let what was stored just now add to leads that it does not count for, or that hold its makeshift."""
    additions = []
    paired = []
    for n, (row, one) in enumerate(zip(rows, stored, strict=True)):
        if one is None or one.repeated or one.lead_id is None:
            continue
        if n in found:
            workspace = row.columns["workspace_id"]
            paired += [(workspace, one.event_id), (workspace, found[n].event_id)]
        if n in found or (row.stands_for and one.status == EventStatus.DUPLICATE):
            additions.append(_Addition(row, one.lead_id, one.event_id, fills=n in found))
    await twins.pair(connection, paired)
    await _fill(connection, additions)


# ---- what came before -------------------------------------------------------------------------------

_KNOWN = """
    SELECT wanted.n, e.id, e.status, e.code, e.lead_id, e.version, e.received_at,
           e.is_announced AND e.resolved IS NULL AND e.status IN ('received', 'failed', 'dead')
      FROM json_to_recordset(%(rows)s::json) AS wanted (n int4, workspace_id uuid, id uuid)
      JOIN events e ON e.workspace_id = wanted.workspace_id AND e.id = wanted.id
     ORDER BY e.id
"""
_KNOWN_LOCKED = f"{_KNOWN} FOR UPDATE OF e"


async def _follow(connection: Connection, rows: Sequence[EventRow], repeated: Mapping[int, UUID]) -> dict[int, Stored]:
    """Let rows do what they do to the events that came before; return those that made something else of theirs."""
    deeds = await _deeds_of(connection, rows, repeated)
    settled = {n: event for n, (deed, event) in deeds.items() if deed is _Deed.SETTLE}
    edited = {n: event for n, (deed, event) in deeds.items() if deed is _Deed.EDIT}
    erased = {n: event for n, (deed, event) in deeds.items() if deed is _Deed.ERASE}
    changed = await _settle(connection, rows, settled)
    await _edit(connection, rows, edited)
    await _fill(
        connection,
        [
            _Addition(rows[n], event.lead_id, event.id, fills=deed is _Deed.EDIT)
            for n, (deed, event) in deeds.items()
            if deed in (_Deed.EDIT, _Deed.REPLACE) and event.lead_id is not None
        ],
    )
    await _erase(connection, [(rows[n].columns["workspace_id"], event.id) for n, event in erased.items()])
    return changed | {n: _now_erased(event) for n, event in erased.items()}


async def _deeds_of(
    connection: Connection, rows: Sequence[EventRow], repeated: Mapping[int, UUID]
) -> dict[int, tuple[_Deed, _Known]]:
    """Return, by place, what each row is to do to which event. Events that are to change are held until the commit."""
    deeds = _deeds(rows, await _known(connection, _KNOWN, rows, repeated))
    changing = {n: event.id for n, (deed, event) in deeds.items() if deed is not _Deed.REPLACE}
    if not changing:
        return deeds
    # Most repeats change nothing and hold nothing. What is to change is looked at once more when nobody else can change it.
    others = {n: deed for n, deed in deeds.items() if n not in changing}
    return others | _deeds(rows, await _known(connection, _KNOWN_LOCKED, rows, changing))


async def _known(
    connection: Connection, statement: LiteralString, rows: Sequence[EventRow], ids: Mapping[int, UUID]
) -> dict[int, _Known]:
    wanted = [{"n": n, "workspace_id": rows[n].columns["workspace_id"], "id": id_} for n, id_ in ids.items()]
    found = await run(connection, statement, {"rows": orjson.dumps(wanted).decode()})
    return {n: _Known(*columns) for n, *columns in found}


def _deeds(rows: Sequence[EventRow], events: Mapping[int, _Known]) -> dict[int, tuple[_Deed, _Known]]:
    of_event: dict[UUID, tuple[int, _Deed]] = {}
    for n in sorted(events):
        deed = _deed(rows[n], events[n])
        if deed is not None and deed >= of_event.get(events[n].id, (n, deed))[1]:
            of_event[events[n].id] = (n, deed)
    return {n: (deed, events[n]) for n, deed in of_event.values()}


def _deed(row: EventRow, event: _Known) -> _Deed | None:
    columns = row.columns
    if event.code == ERASED:
        # What was taken back stays so, whatever still comes of it.
        return None
    if columns.get("code") == ERASED:
        return _Deed.ERASE
    if columns.get("is_announced"):
        return None
    is_later = columns.get("version") not in (None, event.version)
    if event.lead_id is None:
        return _Deed.SETTLE if is_later or event.is_waiting else None
    if is_later:
        return _Deed.EDIT
    return _Deed.REPLACE if row.stands_for else None


# ---- what is done to it -----------------------------------------------------------------------------


async def _settle(connection: Connection, rows: Sequence[EventRow], events: Mapping[int, _Known]) -> dict[int, Stored]:
    """Settle events that have no lead by the records that came now."""
    if not events:
        return {}
    again = []
    for n, event in events.items():
        columns = rows[n].columns | {"id": event.id}
        window = rows[n].window_days
        if window is not None and event.is_waiting:
            # The buyer asked when it was announced, and the window reaches back from there.
            window += max(timedelta(0), columns["received_at"] - event.received_at).days
        again.append(
            replace(
                rows[n],
                columns=columns,
                payload=rows[n].record or b"",
                body=None,
                window_days=window,
                arrived_at=event.received_at,
            )
        )
    settled = await store_again(connection, again, (*OPEN, EventStatus.IGNORED))
    return {
        n: replace(one, repeated=one.status == events[n].status)
        for n, one in zip(events, settled, strict=True)
        if one is not None
    }


_EDIT = f"""
    UPDATE events SET code = coalesce(events.code, '{EDITED}'), version = coalesce(r.version, events.version),
                      resolved = substring(%(content)s::bytea FROM r.at FOR r.size)
      FROM json_to_recordset(%(rows)s::json) AS r (workspace_id uuid, id uuid, version text, at int4, size int4)
     WHERE events.workspace_id = r.workspace_id AND events.id = r.id
"""


async def _edit(connection: Connection, rows: Sequence[EventRow], events: Mapping[int, _Known]) -> None:
    """Keep the later texts of events with a lead, and note that they changed."""
    if not events:
        return
    edited = []
    content = b""
    for n, event in events.items():
        columns, record = rows[n].columns, rows[n].record or b""
        edited.append(
            {
                "workspace_id": columns["workspace_id"],
                "id": event.id,
                # While its connector is paused the text is only kept; the same version once more then fills the lead.
                "version": None if columns["status"] == EventStatus.RECEIVED else columns["version"],
                "at": len(content) + 1,
                "size": len(record),
            }
        )
        content += record
    await connection.execute(_EDIT, {"rows": orjson.dumps(edited).decode(), "content": content})


_ERASE = f"""
    UPDATE events SET code = '{ERASED}', status = CASE WHEN lead_id IS NULL THEN 'ignored' ELSE status END, payload = '',
                      body = NULL, resolved = NULL, headers = NULL, detail = NULL, warnings = NULL, twin = NULL,
                      resolve_at = NULL, processed_at = coalesce(processed_at, clock_timestamp())
      FROM unnest(%(workspaces)s::uuid[], %(ids)s::uuid[]) AS wanted (workspace_id, id)
     WHERE events.workspace_id = wanted.workspace_id AND events.id = wanted.id
    RETURNING events.workspace_id, events.connector_id, events.id, events.lead_id, events.request_id, events.received_at
"""
_ERASE_BODIES = """
    UPDATE events SET body = NULL
      FROM json_to_recordset(%(rows)s::json) AS gone (workspace_id uuid, request_id uuid, first uuid, last uuid)
     WHERE events.workspace_id = gone.workspace_id AND events.id >= gone.first AND events.id < gone.last
       AND events.request_id = gone.request_id AND events.body IS NOT NULL
"""


async def _erase(connection: Connection, events: Sequence[tuple[UUID, UUID]]) -> None:
    """Remove what was sent of these events (workspace, id), and say so where a lead was made of it or touched by it."""
    if not events:
        return
    workspaces, ids = zip(*events, strict=True)
    gone = await run(connection, _ERASE, {"workspaces": list(workspaces), "ids": list(ids)})
    # The first record of a request keeps the whole body: those that came with it were in there.
    bodies = [
        {"workspace_id": workspace, "request_id": request_id, "first": first_id_at(at - _LONGEST_REQUEST), "last": id_}
        for workspace, _, id_, _, request_id, at in gone
        if request_id is not None
    ]
    if bodies:
        await connection.execute(_ERASE_BODIES, {"rows": orjson.dumps(bodies).decode()})
    lines = [
        {
            "workspace_id": workspace,
            "connector_id": connector_id,
            "kind": "record_erased",
            "message": "Its author took back what this lead was made of: what was sent is removed, the lead stays",
            "event_id": id_,
            "lead_id": lead_id,
        }
        for workspace, connector_id, id_, lead_id, _, _ in gone
        if lead_id is not None
    ]
    if lines:
        await activity.write_warnings(connection, lines)


# ---- what is added to a lead ------------------------------------------------------------------------

_FILLED = tuple(name for name in LEAD_TEXTS if name != "phone_number")
_OTHER_PHONES = "known.attributes -> 'otherPhones'"
_NEW = {name: f"coalesce(r.replaces -> '{name}' ->> known.{name}, known.{name}, r.{name})" for name in _FILLED} | {
    "attributes": f"""coalesce(r.attributes, '{{}}') || known.attributes
               || CASE WHEN r.phone_number IS NULL OR r.phone_number = known.phone_number
                         OR coalesce({_OTHER_PHONES} ? r.phone_number, false) THEN '{{}}'
                       ELSE jsonb_build_object('otherPhones', coalesce({_OTHER_PHONES}, '[]') || to_jsonb(r.phone_number))
                  END"""
}
_UPDATE = f"""
    UPDATE leads AS known
       SET {", ".join(f"{name} = {new}" for name, new in _NEW.items())},
           enquired_at = coalesce(known.enquired_at, r.enquired_at), updated_at = greatest(known.updated_at, r.received_at),
           filled_by = CASE WHEN ({", ".join(_NEW.values())}) IS DISTINCT FROM ({", ".join(f"known.{name}" for name in _NEW)})
                            THEN r.addition_id ELSE known.filled_by END
      FROM json_to_recordset(%(rows)s::json)
           AS r (workspace_id uuid, lead_id uuid, event_id uuid, addition_id uuid, fills boolean, replaces jsonb,
                 attributes jsonb, enquired_at timestamptz, received_at timestamptz
                 {"".join(f", {name} text" for name in LEAD_TEXTS)})
     WHERE known.workspace_id = r.workspace_id AND known.id = r.lead_id
       AND (r.fills OR {" OR ".join(f"r.replaces -> '{name}' ? known.{name}" for name in _FILLED)})
    RETURNING known.workspace_id, known.id, r.event_id, known.filled_by = r.addition_id AS is_changed
"""
_CHANGED = """
    SELECT workspace_id, id AS lead_id, event_id, CASE WHEN is_changed THEN 'lead.updated' END AS occasion FROM filled
"""
_FILL = f"WITH filled AS ({_UPDATE}) {becomes_due(_CHANGED)}"


async def _fill(connection: Connection, additions: Sequence[_Addition]) -> None:
    """Fill blanks of leads, replace their makeshifts, and keep a further phone number beside the first; nothing is counted."""
    if not additions:
        return
    # PostgreSQL would take only one of several rows for a lead.
    folded: dict[tuple[UUID, UUID], Columns] = {}
    for addition in additions:
        columns = addition.row.columns
        where = {"workspace_id": columns["workspace_id"], "lead_id": addition.lead_id}
        lead = folded.setdefault(
            tuple(where.values()),
            {
                **where,
                "event_id": addition.event_id,
                "addition_id": new_id(),
                "fills": False,
                "replaces": {},
                "attributes": {},
            },
        )
        lead["fills"] |= addition.fills
        for name in (*LEAD_TEXTS, "enquired_at", "received_at"):
            if name in columns:
                lead.setdefault(name, columns[name])
        lead["attributes"] = columns.get("attributes", {}) | lead["attributes"]
        for name, makeshift in (addition.row.stands_for or {}).items():
            if name in columns:
                lead["replaces"].setdefault(name, {}).setdefault(makeshift, columns[name])
    await connection.execute(_FILL, {"rows": orjson.dumps(list(folded.values())).decode()})


def _now_erased(event: _Known) -> Stored:
    status = event.status if event.lead_id is not None else EventStatus.IGNORED.value
    return Stored(status, event.id, event.lead_id, repeated=status == event.status, code=ERASED)


def _place(row: EventRow) -> tuple[UUID, UUID]:
    return row.columns["workspace_id"], row.columns["id"]
