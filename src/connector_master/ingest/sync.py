"""Pull runs: a span of a source's past becomes events, page by page, and nothing is skipped.

The mark moves in the same commit as the events of its page, and never on an error, a refusal or a limit. So a run that
is cut short, by whatever, goes on where it was; what is read twice is recognised by its idempotency key.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.ingest.intake import Arrival, prepare, refused_row
from connector_master.ingest.pacing import MustWait, Paced
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.json import Json
from connector_master.model.problem import DailyLimitReached, Problem, ProviderLimited, ProviderUnavailable
from connector_master.storage import syncs
from connector_master.storage.batch import EventRow
from connector_master.storage.syncs import LostRun, Sync

_RECORDS_IN_A_WRITE = 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a run ended, or that it waits: then `resumes_at` says until when."""

    status: str
    problem: Problem | None = None
    resumes_at: datetime | None = None


async def pull(
    writer: Writer,
    source: Source,
    access: Form | Grant,
    client: Paced,
    limits: Limits,
    sync: Sync,
    token: UUID,
    *,
    state: Json = None,
) -> Pulled:
    """Run `sync` from where it is to its end, with the grant or the credentials that `access` is.

    `state` is what the connector's last page left. Returns how it ended or that it waits; raises LostRun when it was
    cancelled or another worker runs it now.
    """
    assert source.connector.pull is not None
    reached = sync.read_until or sync.from_at
    try:
        for piece in Window(reached, sync.to_at, is_deep=sync.is_deep).pieces(limits.window):
            # A backfill reads beside the present, whose state it must neither take for its own nor change.
            window = replace(piece, state=state) if sync.moves_mark else piece
            async for page in source.connector.pull(client, access, source.settings, window):
                await _store(writer, source, sync, token, page)
                state = page.state if page.state is not None else state
            await _store(writer, source, sync, token, Page((), piece.end))
    except MustWait as waits:
        return Pulled("running", waits.why, waits.until)
    except DailyLimitReached as problem:
        return Pulled("running", problem, await client.rest(problem))
    except ProviderLimited as problem:
        return Pulled("failed", problem, await client.rest(problem))
    except Problem as problem:
        return Pulled("failed", problem)
    except LostRun:
        raise
    except Exception as error:
        # A connector that stumbles over a page it did not expect fails its run, visibly, and the mark stays.
        log.exception("pull_failed", sync_id=str(sync.id), connector_id=str(sync.connector_id))
        return Pulled("failed", _unexpected(error))
    return Pulled("succeeded")


def _unexpected(error: BaseException) -> Problem:
    problem = ProviderUnavailable("The provider sent something that could not be understood.")
    problem.__cause__ = error
    return problem


async def _store(writer: Writer, source: Source, sync: Sync, token: UUID, page: Page) -> None:
    """Store one page. What it says beyond its records (`read_until`, `state`) counts with the last of its writes."""
    rows = await asyncio.to_thread(prepare, source, page.records, Arrival(origin="pull"), True) if page.records else []
    before = Page((), max(sync.from_at, min(page.read_until, sync.read_until or sync.from_at)))
    for start in range(0, max(1, len(rows)), _RECORDS_IN_A_WRITE):
        is_last = start + _RECORDS_IN_A_WRITE >= len(rows)
        part = rows[start : start + _RECORDS_IN_A_WRITE]
        await _write(writer, source, sync, token, part, page if is_last else before)


async def _write(writer: Writer, source: Source, sync: Sync, token: UUID, rows: Sequence[EventRow], page: Page) -> None:
    confirms = source.connector.raw_days is not None

    async def commit(rows: Sequence[EventRow], page: Page) -> None:
        async def store(connection: psycopg.AsyncConnection[Any], rows: Sequence[EventRow]) -> list[None]:
            await syncs.commit_page(connection, sync, token, rows, page.read_until, state=page.state, confirms=confirms)
            return []

        await writer.write(store, rows)

    try:
        await commit(rows, page)
        return
    except psycopg.DataError:
        if not rows:
            raise
    # No record may spoil its neighbours: each alone, and the one that is refused as a failed event.
    start = Page((), sync.from_at)
    for row in rows:
        try:
            await commit([row], start)
        except psycopg.DataError:
            await commit([refused_row(row)], start)
    await commit([], page)
