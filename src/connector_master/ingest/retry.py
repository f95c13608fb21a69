"""Trying open events again: what was kept of each is read once more, under today's settings and mapping.

A body may hold several records today where it held one before, because a path to its records was set since. Its first
record then settles the event and the others come in as events of their own, before it and under keys made of its id: a
crash in between loses none of them, and a second retry doubles none.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

import psycopg
import structlog

from connector_master.ingest.bodies import decode
from connector_master.ingest.intake import Arrival, Intake, event_key, fail, settle
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.event import Push, Record
from connector_master.model.json_text import read_json
from connector_master.model.problem import Permanent, StorageRefused
from connector_master.storage import jobs
from connector_master.storage.batch import Columns, EventRow, Stored
from connector_master.storage.events import Again, RawEvent, settle_again

_INTAKE_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Read:
    """One event read again: what becomes of it, and the records that come in beside it."""

    raw: RawEvent
    again: Again
    others: Sequence[Record] = ()


async def retry(
    intake: Intake,
    writer: Writer,
    source: Source,
    raws: Sequence[RawEvent],
    now: datetime,
    *,
    job_id: UUID | None = None,
) -> list[Stored | None]:
    """Settle `raws`, all of `source`, and return what became of each; None for one that had been settled meanwhile.

    A paused source is processed too: whoever asks for a retry means it. Raises StorageUnavailable.
    """
    awake = replace(source, is_paused=False)
    # Parsing and mapping hundreds of records takes longer than others should wait for the loop.
    read = await asyncio.to_thread(lambda: [read_again(awake, raw, now) for raw in raws])
    for one in read:
        if one.others:
            await _take_others(intake, awake, one)
    results = await _settle(writer, [one.again for one in read], job_id)
    if any("resolve_at" in one.again.row.columns for one in read):
        await writer.write(jobs.hint_resolves, [(source.workspace_id, source.connector_id)])
    return results


def read_again(source: Source, raw: RawEvent, now: datetime) -> Read:
    """Return what becomes of an event under `source` as it is today. Pure."""
    columns = _columns(source, raw, now)
    if raw.twin is not None:
        columns["twin"] = raw.twin
    try:
        record, *others = records_in(source, raw) or [Record(None, ignored="no_records")]
    except Permanent as problem:
        fail(columns, problem)
        return Read(raw, Again(EventRow(columns, b"")))
    window = settle(source, record, columns, now)
    if window is not None:
        # The lead counts as made now, but its window reaches back from when the buyer asked.
        window += max(0, (now - raw.event.received_at).days)
    external_id = columns.get("event_external_id")
    key = None
    if "deduplication_key" in columns and external_id is not None:
        key = event_key("x", external_id)
    return Read(
        raw,
        Again(
            EventRow(columns, b"", window_days=window, arrived_at=raw.event.received_at),
            None if key == raw.idempotency_key else key,
        ),
        others,
    )


def records_in(source: Source, raw: RawEvent) -> Sequence[Record]:
    """Return the records that an event holds, as `source` reads them today. Raises InvalidBody and its like."""
    event = raw.event
    if raw.resolved is not None:
        return [Record(read_json(raw.resolved), external_id=event.external_id)]
    if event.position is not None:
        # One record of a list that was split when it came; its source's id was kept beside it.
        value = read_json(raw.payload)
        return [Record(value, external_id=event.external_id, is_announced=raw.is_announced)]
    decoded = decode(raw.payload, event.content_type)
    push = Push(raw.headers or {}, {}, raw.payload, event.ip or "", event.received_at)
    return source.connector.records(decoded.value, push, source.settings)


def _columns(source: Source, raw: RawEvent, now: datetime) -> Columns:
    return {
        "workspace_id": source.workspace_id,
        "id": raw.event.id,
        "connector_id": raw.event.connector_id,
        "received_at": now,
        "origin": raw.event.origin,
    }


async def _take_others(intake: Intake, source: Source, read: Read) -> None:
    event = read.raw.event
    arrival = Arrival(origin=event.origin, headers=read.raw.headers, ip=event.ip, delivery_id=f"{event.id}/again")
    async with asyncio.timeout(_INTAKE_SECONDS):
        await intake.take(source, read.others, arrival, is_list=True)


async def _settle(writer: Writer, items: Sequence[Again], job_id: UUID | None) -> list[Stored | None]:
    if not items:
        return []
    try:
        return await writer.write(partial(settle_again, job_id=job_id), items)
    except psycopg.DataError as error:
        if len(items) > 1:
            # One poisoned record must not fail its neighbours: halve until it is alone.
            middle = len(items) // 2
            return [*await _settle(writer, items[:middle], job_id), *await _settle(writer, items[middle:], job_id)]
        columns = items[0].row.columns
        log.error("record_refused_by_storage", event_id=str(columns["id"]), error=type(error).__name__)
        kept = {name: columns[name] for name in ("workspace_id", "id", "connector_id", "received_at")}
        fail(kept, StorageRefused("The database refused what was made of this record."))
        return await writer.write(partial(settle_again, job_id=job_id), [Again(EventRow(kept, b""))])
