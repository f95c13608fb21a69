"""Announced leads: what was fetched for them becomes what a pull of them would have become."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import psycopg
import structlog

from connector_master.connectors.connector import Resolve
from connector_master.connectors.oauth import Grant
from connector_master.ingest.intake import event_row, fail, settle
from connector_master.ingest.pacing import MustWait
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.event import Push, Record
from connector_master.model.json import Json
from connector_master.model.json_text import read_json
from connector_master.model.problem import Problem, ProviderUnavailable, StorageRefused, TokenRefused
from connector_master.outbound.client import Client
from connector_master.storage.batch import Columns, EventRow
from connector_master.storage.events import Again, RawEvent, settle_again

_AT_ONCE = 16

log = structlog.get_logger()

Fetched = Mapping[UUID, Record | Problem]
"""By the event's id, the lead that it announced, or why that could not be fetched."""


async def fetch(
    resolve: Resolve,
    client: Client,
    grant: Grant,
    source: Source,
    events: Sequence[RawEvent],
    found: dict[UUID, Record | Problem],
) -> None:
    """Put into `found` what each of `events` announced, those that are there already aside.

    Raises TokenRefused or MustWait when that is why some are missing, after the others were fetched.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    refused: list[TokenRefused] = []
    waiting: list[MustWait] = []

    async def one(event: RawEvent) -> None:
        async with places:
            try:
                found[event.event.id] = await resolve(client, grant, source.settings, _announcement(source, event))
            except TokenRefused as problem:
                refused.append(problem)
            except Problem as problem:
                found[event.event.id] = problem
            except MustWait as waits:
                waiting.append(waits)
            except Exception as error:
                # A connector that stumbles over a lead it did not expect holds up that one only.
                log.exception("resolve_failed", event_id=str(event.event.id))
                unknown = ProviderUnavailable("The provider sent something that could not be understood.")
                unknown.__cause__ = error
                found[event.event.id] = unknown

    async with asyncio.TaskGroup() as group:
        for event in events:
            if not isinstance(found.get(event.event.id), Record):
                group.create_task(one(event))
    if refused:
        raise refused[0]
    if waiting:
        raise waiting[0]


async def settle_fetched(
    writer: Writer, source: Source, events: Sequence[RawEvent], found: Fetched, now: datetime
) -> None:
    """Store the leads that were fetched for `events`; one that can't be stored spoils no other."""
    items = [
        Again(_row(source, event, record, now))
        for event in events
        if isinstance(record := found.get(event.event.id), Record)
    ]
    await _write(writer, items)


def _announcement(source: Source, raw: RawEvent) -> Json:
    value = read_json(raw.payload)
    if raw.event.position is not None:
        return value
    # The body of one record alone is kept as it came.
    push = Push(raw.headers or {}, {}, raw.payload, raw.event.ip or "", raw.event.received_at)
    return source.connector.records(value, push, source.settings)[0].value


def _row(source: Source, raw: RawEvent, record: Record, now: datetime) -> EventRow:
    columns: Columns = {
        "workspace_id": source.workspace_id,
        "id": raw.event.id,
        "connector_id": raw.event.connector_id,
        "received_at": now,
        "origin": raw.event.origin,
    }
    window = settle(source, record, columns, now)
    if window is not None:
        # The lead counts as made now, but its window reaches back from when the buyer asked.
        window += max(0, (now - raw.event.received_at).days)
    return replace(event_row(source, record, columns, window), arrived_at=raw.event.received_at)


async def _write(writer: Writer, items: Sequence[Again]) -> None:
    if not items:
        return
    try:
        await writer.write(settle_again, items)
    except psycopg.DataError as error:
        if len(items) > 1:
            # One poisoned record must not fail its neighbours: halve until it is alone.
            middle = len(items) // 2
            await _write(writer, items[:middle])
            await _write(writer, items[middle:])
            return
        columns = items[0].row.columns
        log.error("record_refused_by_storage", event_id=str(columns["id"]), error=type(error).__name__)
        kept = {name: columns[name] for name in ("workspace_id", "id", "connector_id", "received_at")}
        fail(kept, StorageRefused("The database refused what was made of this record."))
        await writer.write(settle_again, [Again(EventRow(kept, items[0].row.payload))])
