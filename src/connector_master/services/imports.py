"""Imports: leads from a file, taken in like any others, with a preview before and a report afterwards."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.ingest.intake import Arrival
from connector_master.ingest.tables import Table, read_table
from connector_master.model.event import Record
from connector_master.model.problem import Conflict, NotFound, StorageUnavailable
from connector_master.pipeline.mapping import compile_mapping
from connector_master.services import csv_cells
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.services.trials import Tried, try_record
from connector_master.storage import activity, connectors, imports, jobs
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.ids import new_id
from connector_master.storage.imports import Import, RowFailure
from connector_master.storage.jobs import IMPORT_LEADS, Job

_BATCH = 500
_PREVIEWED = 10
_MOST_REPORTED = 100_000
_KEPT = timedelta(days=1)
"""A file that nobody starts is let go after this time."""
_PASSING = (StorageUnavailable, OperationalError, InterfaceError, OSError)

log = structlog.get_logger()


class NotImportable(Conflict):
    """Files are taken in by webhooks, whose mapping fits any names of columns."""

    code = "not_importable"
    title = "Not for files"
    remedy = "Make a webhook connector for the file, and bring it there."


class ImportStarted(Conflict):
    """The import runs or has ended."""

    code = "import_started"
    title = "Already started"
    remedy = "Bring the file again to import it once more; what is known is not counted twice."


@dataclass(frozen=True, slots=True)
class Preview:
    """A file before it is taken in: what its first rows would become."""

    import_: Import
    columns: Sequence[str]
    tried: Sequence[Tried]


async def bring(hub: Hub, caller: Caller, connector_id: UUID, file_name: str, content: bytes) -> Import:
    """Keep a CSV or Excel file to be imported. Raises NotFound, NotImportable, and InvalidRequest for an unfit file."""
    async with hub.engine.connect() as connection:
        row = await _connector(connection, caller, connector_id)
    table = await asyncio.to_thread(read_table, content)
    async with hub.engine.begin() as connection:
        return await imports.add(
            connection,
            caller.workspace_id,
            id_=new_id(),
            connector_id=row.id,
            file_name=file_name[:200] or "leads.csv",
            content=content,
            rows=len(table.rows),
            actor_name=caller.name,
        )


async def preview(hub: Hub, caller: Caller, connector_id: UUID, import_id: UUID) -> Preview:
    """Return what the first rows would become under the connector's mapping. Raises NotFound, ImportStarted."""
    async with hub.engine.connect() as connection:
        found = await _import(connection, caller, connector_id, import_id)
        row = await _connector(connection, caller, found.connector_id)
        table = await _table(connection, caller.workspace_id, found)
        mapping = None if row.field_mapping is None else compile_mapping(row.field_mapping)
        tried = [await try_record(connection, row, record, mapping) for record in islice(table.records(), _PREVIEWED)]
    return Preview(found, table.columns, tried)


async def start(hub: Hub, caller: Caller, connector_id: UUID, import_id: UUID) -> Job:
    """Let a worker take the rows in, and return its job. Raises NotFound, ImportStarted."""
    job_id = new_id()
    async with hub.engine.begin() as connection:
        found = await _import(connection, caller, connector_id, import_id)
        if not await imports.start(connection, caller.workspace_id, import_id, job_id):
            raise ImportStarted("This file is imported already.")
        job = await jobs.add(
            connection,
            caller.workspace_id,
            id_=job_id,
            kind=IMPORT_LEADS,
            filter_={"importId": str(import_id)},
            actor=caller,
        )
        await jobs.defer(connection, IMPORT_LEADS, workspace_id=str(caller.workspace_id), job_id=str(job_id))
        await activity.write(
            connection,
            caller.workspace_id,
            kind="import_started",
            message=f"Import of {found.rows} rows started",
            actor=caller,
            connector_id=found.connector_id,
            data={"importId": import_id, "jobId": job_id, "fileName": found.file_name},
        )
    return job


async def get(hub: Hub, caller: Caller, connector_id: UUID, import_id: UUID) -> Import:
    """Return an import. Raises NotFound."""
    async with hub.engine.connect() as connection:
        return await _import(connection, caller, connector_id, import_id)


async def list_recent(hub: Hub, caller: Caller, connector_id: UUID) -> Sequence[Import]:
    """Return a connector's latest imports. Raises NotFound, NotImportable."""
    async with hub.engine.connect() as connection:
        await _connector(connection, caller, connector_id)
        return await imports.of_connector(connection, caller.workspace_id, connector_id, 20)


async def report(hub: Hub, caller: Caller, connector_id: UUID, import_id: UUID) -> str:
    """Return as CSV which rows failed, and why. Raises NotFound."""
    async with hub.engine.connect() as connection:
        await _import(connection, caller, connector_id, import_id)
        failed = await imports.failures(connection, caller.workspace_id, import_id, _MOST_REPORTED)
    rows = [[str(one.row_number), one.code, one.detail, str(one.event_id)] for one in failed]
    return csv_cells.lines([["row", "code", "detail", "eventId"], *rows])


async def run(hub: Hub, workspace: UUID, job_id: UUID) -> None:
    """Do the work of a job that `start` made, from wherever it is; a worker calls this.

    Each row is an event under a key of its own, so a run that starts again doubles none.
    """
    async with hub.engine.begin() as connection:
        job = await jobs.start(connection, workspace, job_id)
        if job is None:
            return
        found = await imports.get(connection, workspace, UUID(job.filter["importId"]))
        if found is not None:
            await jobs.counted(connection, workspace, job_id, found.rows - job.done)
    status: str = "failed"
    error: str | None = "The file is gone."
    if found is not None and found.has_content:
        try:
            status, error = await _take_in(hub, workspace, found, job), None
        except _PASSING:
            raise
        except Exception as problem:
            log.exception("import_failed", job_id=str(job_id))
            error = f"{type(problem).__name__}: see the log for job {job_id}"
    async with hub.engine.begin() as connection:
        if found is not None:
            await imports.end(connection, workspace, found.id)
        ended = await jobs.finish(connection, workspace, job_id, status, error)
        if ended is not None and found is not None:
            await activity.write(
                connection,
                workspace,
                kind="import_ended",
                message=f"Import ended: {ended.done} of {found.rows} rows taken in, {ended.failed} failed",
                connector_id=found.connector_id,
                level="info" if status == "succeeded" and not ended.failed else "warning",
                data={"importId": found.id, "jobId": job_id, "status": status},
            )


async def forget_unstarted(hub: Hub, now: datetime) -> None:
    """Let go of files that nobody started; called daily."""
    async with hub.engine.begin() as connection:
        await imports.forget_unstarted(connection, now - _KEPT)


async def _take_in(hub: Hub, workspace: UUID, found: Import, job: Job) -> str:
    async with hub.engine.connect() as connection:
        table = await _table(connection, workspace, found)
    records = list(table.records())
    for begin in range(job.done, len(records), _BATCH):
        async with hub.engine.connect() as connection:
            present = await jobs.get(connection, workspace, job.id)
            if present is None or present.cancel_requested:
                return "cancelled"
            row = await connectors.get_ever(connection, workspace, found.connector_id)
            source = None if row is None else await source_of(connection, hub.keys, hub.apps, row)
        if source is None:
            return "cancelled"
        batch = [
            Record(record, external_id=f"{found.id}:{number}")
            for number, record in enumerate(records[begin : begin + _BATCH], begin + 1)
        ]
        outcomes = await hub.intake.take(source, batch, Arrival("import"), True)
        failed = [
            RowFailure(number, one.event_id, one.problem_code or "unknown", one.detail)
            for number, one in enumerate(outcomes, begin + 1)
            if one.status == "failed"
        ]
        async with hub.engine.begin() as connection:
            await imports.note_progress(
                connection, workspace, found.id, job.id, done=begin + len(batch), failures=failed
            )
    return "succeeded"


async def _import(connection: AsyncConnection, caller: Caller, connector_id: UUID, import_id: UUID) -> Import:
    found = await imports.get(connection, caller.workspace_id, import_id)
    if found is None or found.connector_id != connector_id:
        raise NotFound("No import has this id.")
    return found


async def _connector(connection: AsyncConnection, caller: Caller, connector_id: UUID) -> ConnectorRow:
    row = await connectors.get(connection, caller.workspace_id, connector_id)
    if row is None or row.type not in registry():
        raise NotFound("No connector here has this id.")
    if not registry()[row.type].guesses:
        raise NotImportable("Only a webhook takes files in.")
    return row


async def _table(connection: AsyncConnection, workspace: UUID, found: Import) -> Table:
    content = await imports.content(connection, workspace, found.id)
    if content is None:
        raise ImportStarted("This file is imported already, and let go.")
    return await asyncio.to_thread(read_table, content)
