"""The mapping bench: a payload beside the lead it becomes, entry by entry, for a page to map from. Nothing is created."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.ingest.bodies import decode
from connector_master.ingest.retry import records_in
from connector_master.model.event import Push, Record
from connector_master.model.json import Json
from connector_master.model.problem import InvalidRequest, NotFound, Permanent, TransformFailed
from connector_master.model.words import Words
from connector_master.pipeline.expressions import compile_expression
from connector_master.pipeline.grammar import parse_path
from connector_master.pipeline.guess.suggest import Suggestion, suggest
from connector_master.pipeline.mapping import compile_mapping, place_of
from connector_master.pipeline.outline import Outline, outline
from connector_master.pipeline.paths import Reader
from connector_master.services.hub import Hub
from connector_master.services.mappings import OwnMapping
from connector_master.services.sources import mapping_of, settings_of, source_of
from connector_master.services.trials import Tried, try_record
from connector_master.storage import activity, connectors, events
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.events import Event

RECENT = 20
_FORM = "application/x-www-form-urlencoded"
_MOST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a mapping while it is edited: what is missing is empty."""

    path: str
    field: str
    transform: str = ""
    combine: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry on the bench: what its path finds, what its transform makes of that, and what is wrong with which part."""

    entry: Entry
    found: Json = None
    made: Json = None
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """The payload on the bench: an event's, or one that was pasted. `fault` says why there is no record in it."""

    record: Json = None
    records: int = 0
    event: Event | None = None
    text: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that the page shows. `tried` and `outline` are None where there is no record to try.

    `edited` is the mapping of the entries that have no fault; None where there is no entry, so that the type's own counts.
    """

    row: ConnectorRow
    connector: Connector
    sample: Sample
    lines: Sequence[Line]
    edited: OwnMapping
    tried: Tried | None
    outline: Outline | None
    suggestions: Sequence[Suggestion]
    recent: Sequence[Event] = ()

    @property
    def has_faults(self) -> bool:
        """Whether an entry can't be saved as it is."""
        return any(line.faults for line in self.lines)


async def lay_out(
    hub: Hub,
    caller: Caller,
    connector_id: UUID,
    entries: Sequence[Entry] | None,
    *,
    event_id: UUID | None = None,
    text: str = "",
    is_first_look: bool = False,
    suggests: bool = True,
) -> Bench:
    """Return the bench of a connector with `entries`, None for those of the saved mapping.

    The sample is `text` if there is any, else the event with `event_id`, else the latest. A first look goes into the
    activity log, as every look at a raw payload does. Raises NotFound.
    """
    async with hub.engine.begin() as connection:
        row = await connectors.get(connection, caller.workspace_id, connector_id)
        if row is None or row.type not in registry():
            raise NotFound("No connector here has this id.")
        connector = registry()[row.type]
        recent = await events.samples(connection, caller.workspace_id, row.id, RECENT) if is_first_look else []
        if event_id is None and recent and not text:
            event_id = recent[0].id
        if text.strip():
            sample = _pasted(connector, row, text)
        else:
            sample = await _sent(connection, hub, row, event_id) if event_id is not None else Sample()
        if is_first_look and sample.event is not None:
            await _note_look(connection, caller, sample.event)
        entries = entries_of(connector, row.field_mapping) if entries is None else entries
        mapping, faults = checked(entries)
        edited = mapping if entries else None
        if sample.fault or sample.records == 0:
            lines = [Line(entry, faults=faults.get(n, {})) for n, entry in enumerate(entries)]
            return Bench(row, connector, sample, lines, edited, None, None, (), recent)
        tried = await try_record(
            connection, row, sample.record, mapping_of(connector, edited), records=sample.records, most_unmapped=0
        )
    shown, lines = await asyncio.to_thread(_measured, sample.record, entries, faults, tried)
    suggestions = await asyncio.to_thread(suggest, sample.record) if suggests else []
    return Bench(row, connector, sample, lines, edited, tried, shown, suggestions, recent)


def entries_of(connector: Connector, own: OwnMapping) -> list[Entry]:
    """Return a saved mapping's entries; without one those of its type, or none where fields are found by themselves."""
    mapping = own if own is not None else ({} if connector.guesses else connector.mapping)
    found = []
    for path, target in mapping.items():
        spec: Mapping[str, str] = {"field": target} if isinstance(target, str) else target
        found.append(Entry(path, spec["field"], spec.get("transform") or "", spec.get("combine") or ""))
    return found


def checked(entries: Sequence[Entry]) -> tuple[dict[str, Any], dict[int, dict[str, str]]]:
    """Return the mapping of the entries that are sound, and by the others' numbers what is wrong with which part."""
    faults: dict[int, dict[str, str]] = {}
    numbers: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.path in numbers:
            faults[number] = {"path": Words("This path has a field already; a path feeds one.")}
        else:
            numbers[entry.path] = number
    mapping = {path: _spec(entries[number]) for path, number in numbers.items()}
    for _round in range(_MOST_ROUNDS):
        try:
            compile_mapping(mapping)
        except InvalidRequest as problem:
            for path in list(mapping):
                found = {
                    one.field.removeprefix(place_of(path)).removeprefix(".") or "path": one.message
                    for one in problem.errors
                    if one.field.startswith(place_of(path))
                }
                if found:
                    faults.setdefault(numbers[path], {}).update(found)
                    del mapping[path]
            if any(one.field == "fieldMapping" for one in problem.errors):
                raise
        else:
            break
    return {path: _short(spec) for path, spec in mapping.items()}, faults


def _spec(entry: Entry) -> dict[str, str]:
    given = {"field": entry.field, "transform": entry.transform, "combine": entry.combine}
    return {name: value for name, value in given.items() if value.strip() or name == "field"}


def _short(spec: Mapping[str, str]) -> str | Mapping[str, str]:
    return spec["field"] if len(spec) == 1 else spec


def _measured(
    record: Json, entries: Sequence[Entry], faults: Mapping[int, Mapping[str, str]], tried: Tried
) -> tuple[Outline, list[Line]]:
    failed = {one.field: one.message for one in tried.problems if one.code == TransformFailed.code}
    reader = Reader(record)
    lines = [_line(reader, entry, faults.get(number, {}), failed) for number, entry in enumerate(entries)]
    fields = {path: target if isinstance(target, str) else target["field"] for path, target in tried.mapping.items()}
    return outline(record, fields), lines


def _line(reader: Reader, entry: Entry, faults: Mapping[str, str], failed: Mapping[str, str]) -> Line:
    if "path" in faults:
        return Line(entry, faults=faults)
    found = reader.read(parse_path(entry.path))
    if not entry.transform.strip() or "transform" in faults:
        return Line(entry, found, found, faults)
    if entry.path in failed:
        return Line(entry, found, None, {**faults, "transform": failed[entry.path]})
    try:
        made = compile_expression(entry.transform).evaluate(found, reader.record)
    except TransformFailed:
        # It failed on nothing, for which nobody calls it.
        made = None
    return Line(entry, found, made, faults)


def _pasted(connector: Connector, row: ConnectorRow, text: str) -> Sample:
    body = text.strip().encode()
    is_json = body[:1] in b"{["
    try:
        value = decode(body, "application/json" if is_json else _FORM).value
        push = Push({}, {}, body, "", datetime.now(UTC))
        return _sample(connector.records(value, push, settings_of(connector, row.settings)), None, text)
    except (Permanent, UnicodeError) as problem:
        return Sample(text=text, fault=problem.detail if isinstance(problem, Permanent) else str(problem))


async def _sent(connection: AsyncConnection, hub: Hub, row: ConnectorRow, event_id: UUID) -> Sample:
    raw = await events.get_raw(connection, row.workspace_id, event_id)
    source = await source_of(connection, hub.keys, hub.apps, row)
    if raw is None or source is None or raw.event.connector_id != row.id:
        raise NotFound("No event of this connector has this id.")
    try:
        return _sample(records_in(source, raw), raw.event, "")
    except Permanent as problem:
        return Sample(event=raw.event, fault=problem.detail)


def _sample(records: Sequence[Record], event: Event | None, text: str) -> Sample:
    if not records or records[0].ignored is not None:
        return Sample(event=event, text=text, fault=Words("This payload holds no enquiry."))
    if not isinstance(records[0].value, dict):
        return Sample(event=event, text=text, fault=Words("The record is not an object with fields"))
    return Sample(records[0].value, len(records), event, text)


async def _note_look(connection: AsyncConnection, caller: Caller, event: Event) -> None:
    await activity.write(
        connection,
        caller.workspace_id,
        kind="payload_viewed",
        message="Raw payload viewed",
        actor=caller,
        connector_id=event.connector_id,
        event_id=event.id,
        lead_id=event.lead_id,
    )
