"""Pull runs: a span of a source's past becomes events, page by page, and nothing is skipped.

The mark moves in the same commit as the events of its page, and never on an error, a refusal or a limit. So a run that
is cut short, by whatever, goes on where it was; what is read twice is recognised by its idempotency key.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.ingest.intake import Arrival, prepare, refused_row
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.json import Json
from connector_master.model.problem import Problem, ProviderLimited, ProviderUnavailable
from connector_master.outbound.client import Answer, Client
from connector_master.storage import paces, syncs
from connector_master.storage.batch import EventRow
from connector_master.storage.syncs import LostRun, Sync

_LONGEST_NAP = timedelta(seconds=5)
"""A wait for the provider's pace up to this is slept through; for a longer one the worker is set free."""
_RECORDS_IN_A_WRITE = 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a run ended, or that it waits: then `resumes_at` says until when."""

    status: str
    problem: Problem | None = None
    resumes_at: datetime | None = None


class MustWait(Exception):
    """The provider's pace asks for a longer wait than a worker should sleep through."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"until {until.isoformat()}")
        self.until = until


class Paced:
    """A client that keeps a provider's pace, across processes and across connectors that share a key."""

    def __init__(self, engine: AsyncEngine, client: Client, key: str | None, limits: Limits) -> None:
        self._engine = engine
        self._client = client
        self._key = key
        self.limits = limits

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Wait for its turn, then call."""
        await self._turn()
        try:
            return await self._client.get(path, query, headers=headers)
        finally:
            await self._rest()

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Wait for its turn, then call."""
        await self._turn()
        try:
            return await self._client.post(path, query, json=json, form=form, headers=headers)
        finally:
            await self._rest()

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Wait for its turn, then call."""
        await self._turn()
        try:
            return await self._client.delete(path, query, headers=headers)
        finally:
            await self._rest()

    async def rest(self, seconds: int | None) -> datetime:
        """Let the key rest because the provider said so; return until when."""
        for_ = timedelta(seconds=seconds) if seconds is not None else self.limits.rests_after
        if self._key is not None:
            async with self._engine.begin() as connection:
                await paces.rest(connection, self._key, for_)
        return datetime.now(UTC) + for_

    async def _turn(self) -> None:
        if self._key is None:
            return
        while True:
            async with self._engine.begin() as connection:
                until = await paces.claim(connection, self._key, self.limits.between_calls)
            if until is None:
                return
            wait = until - datetime.now(UTC)
            if wait > _LONGEST_NAP:
                raise MustWait(until)
            await asyncio.sleep(max(0.01, wait.total_seconds()))

    async def _rest(self) -> None:
        if self._key is not None and self.limits.between_calls:
            async with self._engine.begin() as connection:
                await paces.finish(connection, self._key, self.limits.between_calls)


async def pull(
    writer: Writer,
    source: Source,
    access: Form | Grant,
    client: Paced,
    limits: Limits,
    sync: Sync,
    token: UUID,
) -> Pulled:
    """Run `sync` from where it is to its end, with the grant or the credentials that `access` is.

    Returns how it ended or that it waits; raises LostRun when it was cancelled or another worker runs it now.
    """
    assert source.connector.pull is not None
    reached = sync.read_until or sync.from_at
    moves_mark = sync.trigger != "backfill"
    try:
        for piece in Window(reached, sync.to_at).pieces(limits.window):
            async for page in source.connector.pull(client, access, source.settings, piece):
                await _store(writer, source, sync, token, page, moves_mark=moves_mark)
            await _store(writer, source, sync, token, Page((), piece.end), moves_mark=moves_mark)
    except MustWait as waits:
        return Pulled("running", resumes_at=waits.until)
    except ProviderLimited as problem:
        return Pulled("failed", problem, await client.rest(problem.retry_after_seconds))
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


async def _store(
    writer: Writer,
    source: Source,
    sync: Sync,
    token: UUID,
    page: Page,
    *,
    moves_mark: bool,
) -> None:
    """Store one page. `read_until` moves only with the last of its writes."""
    rows = await asyncio.to_thread(prepare, source, page.records, Arrival(origin="pull"), True) if page.records else []
    before = max(sync.from_at, min(page.read_until, sync.read_until or sync.from_at))
    for start in range(0, max(1, len(rows)), _RECORDS_IN_A_WRITE):
        part = rows[start : start + _RECORDS_IN_A_WRITE]
        is_last = start + _RECORDS_IN_A_WRITE >= len(rows)
        until = page.read_until if is_last else before
        await _write(writer, sync, token, part, until, moves_mark=moves_mark)


async def _write(
    writer: Writer,
    sync: Sync,
    token: UUID,
    rows: Sequence[EventRow],
    read_until: datetime,
    *,
    moves_mark: bool,
) -> None:
    async def commit(rows: Sequence[EventRow], until: datetime, *, moves: bool) -> None:
        async def page(connection: psycopg.AsyncConnection[Any], rows: Sequence[EventRow]) -> list[None]:
            await syncs.commit_page(connection, sync, token, rows, until, moves_mark=moves)
            return []

        await writer.write(page, rows)

    try:
        await commit(rows, read_until, moves=moves_mark)
        return
    except psycopg.DataError:
        if not rows:
            raise
    # No record may spoil its neighbours: each alone, and the one that is refused as a failed event.
    for row in rows:
        try:
            await commit([row], sync.from_at, moves=False)
        except psycopg.DataError:
            await commit([refused_row(row)], sync.from_at, moves=False)
    await commit([], read_until, moves=moves_mark)
