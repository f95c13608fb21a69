"""Events: looking at what arrived, and trying again what could not be used."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller, system
from connector_master.ingest import retry as retrying
from connector_master.ingest.bodies import decode
from connector_master.ingest.source import Source
from connector_master.model.event import EventStatus
from connector_master.model.json import Json
from connector_master.model.json_text import read_json
from connector_master.model.problem import Conflict, NotFound, Problem, Transient
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.storage import activity, connectors, events, failures, jobs
from connector_master.storage.events import OPEN, Event, EventFilter, RawEvent
from connector_master.storage.failures import Failure
from connector_master.storage.ids import new_id
from connector_master.storage.jobs import PROCESS_HELD, RETRY_EVENTS, Job
from connector_master.storage.paging import cut, decode_cursor

BATCH = 200
_DECODED_ON_THE_LOOP = 64 * 1024
_PASSING = (Transient, OperationalError, InterfaceError, PoolTimeout, OSError, TimeoutError)
"""What passes by itself: the worker tries again."""

log = structlog.get_logger()


class NotRetryable(Conflict):
    """The event is no failed one: it became a lead, touched one, or could not be one."""

    code = "not_retryable"
    title = "Event can't be retried"
    remedy = "Retry events whose status is failed, dead or received."


@dataclass(frozen=True, slots=True)
class Seen:
    """An event with what was sent. `decoded` is what the payload was read as, None when it can't be read.

    `resolved` is the record that was fetched for it, or its latest text, None where there is neither.
    """

    raw: RawEvent
    decoded: Json
    resolved: Json


async def list_page(
    hub: Hub, caller: Caller, filter_: EventFilter, *, limit: int, cursor: str | None
) -> tuple[list[Event], str | None]:
    """Return at most `limit` events, newest first, and the cursor of the rest. Raises InvalidCursor.

    `q` may be an event's or a lead's id; any other text is looked for in ids of the source, problems and raw payloads, so many
    events at a time: a page may be short, even empty, and have a cursor.
    """
    after = decode_cursor(cursor) if cursor is not None else None
    if filter_.q is not None and (id_ := _uuid(filter_.q)) is not None:
        filter_ = replace(filter_, q=None, id_=id_)
    async with hub.engine.connect() as connection:
        found = await events.page(connection, caller.workspace_id, filter_, limit=limit + 1, after=after)
    return cut(found, limit)


async def list_failures(hub: Hub, caller: Caller, connector_id: UUID | None = None) -> Sequence[Failure]:
    """Return the failed events grouped by connector and cause, the cause seen last first."""
    async with hub.engine.connect() as connection:
        return await failures.grouped(connection, caller.workspace_id, connector_id)


async def get(hub: Hub, caller: Caller, event_id: UUID) -> Seen:
    """Return an event with its raw payload; that it was seen goes into the activity log. Raises NotFound."""
    async with hub.engine.begin() as connection:
        raw = await events.get_raw(connection, caller.workspace_id, event_id)
        if raw is None:
            raise _not_found()
        await activity.write(
            connection,
            caller.workspace_id,
            kind="payload_viewed",
            message="Raw payload viewed",
            actor=caller,
            connector_id=raw.event.connector_id,
            event_id=event_id,
            lead_id=raw.event.lead_id,
        )
    if len(raw.payload) + len(raw.resolved or b"") > _DECODED_ON_THE_LOOP:
        return await asyncio.to_thread(_seen, raw)
    return _seen(raw)


async def retry(hub: Hub, caller: Caller, event_id: UUID) -> Event:
    """Try one event again and return it as it is now, which may be failed once more. Raises NotFound, NotRetryable."""
    async with hub.engine.connect() as connection:
        raw = await events.get_raw(connection, caller.workspace_id, event_id)
        if raw is None:
            raise _not_found()
        source = await _source(connection, hub, caller.workspace_id, raw.event.connector_id)
    if raw.event.status not in OPEN:
        raise NotRetryable(f"The event is {raw.event.status}.")
    if source is None:
        raise NotRetryable("This release does not know the type of the event's connector.")
    (stored,) = await retrying.retry(hub.intake, hub.writer, source, [raw], datetime.now(UTC))
    async with hub.engine.begin() as connection:
        event = await events.get(connection, caller.workspace_id, event_id)
        if event is None:
            raise _not_found()
        if stored is None:
            raise NotRetryable(f"The event is {event.status}: somebody else retried it at the same time.")
        await activity.write(
            connection,
            caller.workspace_id,
            kind="event_retried",
            message=f"Event retried: {event.status}",
            actor=caller,
            connector_id=event.connector_id,
            event_id=event_id,
            lead_id=event.lead_id,
            data={"before": _facts(raw.event), "after": _facts(event)},
        )
    return event


async def start_retry(hub: Hub, caller: Caller, filter_: EventFilter) -> Job:
    """Let a worker try every open event again that fits `filter_`, and return the job whose progress can be read.

    Without statuses the failed and dead ones are meant; held ones wait for their connector.
    """
    id_ = new_id()
    described = _described(filter_)
    async with hub.engine.begin() as connection:
        job = await jobs.add(
            connection, caller.workspace_id, id_=id_, kind=RETRY_EVENTS, filter_=described, actor=caller
        )
        await jobs.defer(connection, RETRY_EVENTS, workspace_id=str(caller.workspace_id), job_id=str(id_))
        await activity.write(
            connection,
            caller.workspace_id,
            kind="events_retry_started",
            message="Retry of many events started",
            actor=caller,
            connector_id=filter_.connector_id,
            data={"jobId": id_, "filter": described},
        )
    return job


async def run_retry(hub: Hub, workspace: UUID, job_id: UUID) -> None:
    """Do the work of a job that `start_retry` made, from wherever it is; a worker calls this.

    Only events settled before the job was made count, so a run that starts again goes on where the last one ended, and
    events that fail again are not tried for ever. Raises what passes by itself, so that the worker tries again.
    """
    async with hub.engine.begin() as connection:
        job = await jobs.start(connection, workspace, job_id)
        if job is None:
            return
        filter_ = _filter(job.filter)
        remaining = await events.count_open(connection, workspace, filter_, job.created_at)
        await jobs.counted(connection, workspace, job_id, remaining)
    try:
        status = await _retry_all(hub, workspace, filter_, job)
    except _PASSING:
        raise
    except Exception as error:
        log.exception("job_failed", job_id=str(job_id))
        await _finish(hub, workspace, job_id, "failed", f"{type(error).__name__}: see the log for job {job_id}")
        return
    await _finish(hub, workspace, job_id, status)


async def process_held(hub: Hub, workspace: UUID, connector_id: UUID) -> int:
    """Process what a connector kept while it was paused, oldest first, and return how many events that were.

    Stops when the connector is paused again; a deleted one no longer is, so what it held is processed. A worker calls this,
    again after a crash.
    """
    filter_ = EventFilter(statuses=(EventStatus.RECEIVED,), connector_id=connector_id)
    done = 0
    after: UUID | None = None
    while True:
        async with hub.engine.connect() as connection:
            row = await connectors.get_ever(connection, workspace, connector_id)
            if row is None or row.status == "paused":
                break
            batch = await events.open_batch(connection, workspace, filter_, limit=BATCH, after=after)
            source = await source_of(connection, hub.keys, hub.apps, row) if batch else None
        if source is None:
            break
        await retrying.retry(hub.intake, hub.writer, source, batch, datetime.now(UTC))
        done += len(batch)
        after = batch[-1].event.id
    if done:
        async with hub.engine.begin() as connection:
            await activity.write(
                connection,
                workspace,
                kind="held_processed",
                message=f"{done} events that were kept while paused are processed",
                connector_id=connector_id,
                data={"events": done},
            )
    return done


async def sweep(hub: Hub) -> None:
    """Defer what should be under way and is not: held events of connectors that go on, and jobs that lost their worker.

    A resume may race with a push that still sees the pause, and a worker's job may vanish: whatever is missed elsewhere
    is found here.
    """
    async with hub.engine.begin() as connection:
        for workspace, connector_id in await events.connectors_with_held(connection):
            args = {"workspace_id": str(workspace), "connector_id": str(connector_id)}
            if not await jobs.is_deferred(connection, PROCESS_HELD, **args):
                await jobs.defer(connection, PROCESS_HELD, **args)
        for workspace, job_id, kind in await jobs.forgotten(connection):
            await jobs.defer(connection, kind, workspace_id=str(workspace), job_id=str(job_id))


async def _retry_all(hub: Hub, workspace: UUID, filter_: EventFilter, job: Job) -> str:
    after: UUID | None = None
    while True:
        async with hub.engine.connect() as connection:
            present = await jobs.get(connection, workspace, job.id)
            if present is None or present.cancel_requested:
                return "cancelled"
            batch = await events.open_batch(
                connection, workspace, filter_, limit=BATCH, after=after, untouched_since=job.created_at
            )
            if not batch:
                return "succeeded"
            sources = {
                id_: await _source(connection, hub, workspace, id_)
                for id_ in dict.fromkeys(raw.event.connector_id for raw in batch)
            }
        for connector_id, source in sources.items():
            own = [raw for raw in batch if raw.event.connector_id == connector_id]
            if source is None:
                log.warning("connector_type_unknown", connector_id=str(connector_id))
                continue
            await retrying.retry(hub.intake, hub.writer, source, own, datetime.now(UTC), job_id=job.id)
        after = batch[-1].event.id


async def _finish(hub: Hub, workspace: UUID, job_id: UUID, status: str, error: str | None = None) -> None:
    async with hub.engine.begin() as connection:
        job = await jobs.finish(connection, workspace, job_id, status, error)
        if job is not None:
            await activity.write(
                connection,
                workspace,
                kind="events_retry_finished",
                message=f"Retry of many events {status}: {job.done} tried, {job.failed} failed again",
                actor=system(workspace),
                level="error" if status == "failed" else "info",
                connector_id=_filter(job.filter).connector_id,
                data={"jobId": job_id, "done": job.done, "failed": job.failed},
            )


async def _source(connection: AsyncConnection, hub: Hub, workspace: UUID, connector_id: UUID) -> Source | None:
    row = await connectors.get_ever(connection, workspace, connector_id)
    return None if row is None else await source_of(connection, hub.keys, hub.apps, row)


def _seen(raw: RawEvent) -> Seen:
    return Seen(raw, _decoded(raw), None if raw.resolved is None else read_json(raw.resolved))


def _decoded(raw: RawEvent) -> Json:
    try:
        if raw.event.position is not None:
            return read_json(raw.payload)
        return decode(raw.payload, raw.event.content_type).value
    except Problem:
        return None


def _described(filter_: EventFilter) -> dict[str, Any]:
    statuses = filter_.statuses or (EventStatus.FAILED, EventStatus.DEAD)
    return {
        "statuses": [status.value for status in statuses],
        "connectorId": filter_.connector_id,
        "code": filter_.code,
        "from": filter_.start,
        "to": filter_.end,
    }


def _filter(described: Mapping[str, Any]) -> EventFilter:
    start, end, connector_id = described["from"], described["to"], described["connectorId"]
    return EventFilter(
        statuses=[EventStatus(status) for status in described["statuses"]],
        connector_id=UUID(connector_id) if connector_id else None,
        code=described["code"],
        start=datetime.fromisoformat(start) if start else None,
        end=datetime.fromisoformat(end) if end else None,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _facts(event: Event) -> dict[str, Any]:
    return {"status": event.status, "code": event.code, "detail": event.detail, "attempts": event.attempts}


def _not_found() -> NotFound:
    return NotFound("No event has this id.")
