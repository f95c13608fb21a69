"""Pull runs against a provider that fails as providers do: whatever happens, the same leads are there in the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connectors.answers import answer
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form, LeadSettings
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.ingest.pacing import Paced
from connector_master.ingest.source import Source
from connector_master.ingest.sync import pull
from connector_master.ingest.writer import Writer
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import ProviderLimited, ProviderUnavailable
from connector_master.outbound.client import Answer
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile
from connector_master.storage import syncs
from connector_master.storage.engine import conninfo, create_engine
from connector_master.storage.ids import new_id
from connector_master.storage.syncs import LostRun, Sync

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
NO_LIMITS = Limits(window=timedelta(days=2))


@dataclass
class Provider:
    """A provider that has leads at given hours, pages of three, and faults in the order in which it will commit them."""

    hours: Sequence[int]
    faults: list[str] = field(default_factory=list)
    calls: int = 0
    cancel: Callable[[], Awaitable[None]] | None = None

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "limited":
            return Answer(429, b"")
        if fault == "broken":
            return Answer(502, b"<html>Bad gateway</html>")
        if fault == "cancelled" and self.cancel is not None:
            await self.cancel()
        if fault == "killed":
            raise asyncio.CancelledError
        return Answer(200, b"[]")

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        raise NotImplementedError


def source_for(provider: Provider, workspace: UUID, connector_id: UUID) -> Source:
    """A source whose pages come from `provider`."""

    async def pages(client: Paced, credentials: Form, settings: LeadSettings, window: Window) -> AsyncIterator[Page]:
        found = [(hour, BEGIN + timedelta(hours=hour)) for hour in sorted(provider.hours)]
        inside = [(hour, at) for hour, at in found if window.start <= at < window.end]
        for start in range(0, max(1, len(inside)), 3):
            got = await client.get("/leads")
            if got.status == 429:
                raise ProviderLimited("Too many calls.", retry_after_seconds=0)
            got.json()
            chunk = inside[start : start + 3]
            records = [
                Record({"id": str(hour), "phone": f"+9190000{hour:05d}"}, external_id=str(hour)) for hour, _ in chunk
            ]
            yield Page(records, chunk[-1][1] if chunk else window.end)

    connector = Connector(
        type="scripted",
        title="Scripted",
        summary="",
        auth="none",
        settings=LeadSettings,
        credentials=Form,
        mapping={"phone": "phoneNumber", "id": "externalId"},
        records=lambda body, push, settings: [],
        acknowledge=answer,
        pull=pages,
        limits=NO_LIMITS,
    )
    return Source(
        workspace_id=workspace,
        connector_id=connector_id,
        webhook_id="",
        connector=connector,
        settings=LeadSettings(),
        secrets=(),
        verify_tokens=(),
        mapping=compile_mapping(connector.mapping),
        profile=Profile(source="Scripted"),
        is_paused=False,
    )


@contextlib.asynccontextmanager
async def writing(url: str) -> AsyncIterator[Writer]:
    """A writer on the database at `url`."""
    writer = Writer(conninfo(url))
    yield writer
    await writer.close()


class Run:
    """One connector of its own in the database, and a sync over five days of it."""

    def __init__(self, engine: AsyncEngine, url: str, provider: Provider) -> None:
        self.engine = engine
        self.url = url
        self.provider = provider
        self.connector_id = new_id()

    async def queue(self, trigger: str = "scheduled") -> Sync:
        """Make the connector and its sync."""
        async with self.engine.begin() as connection:
            self.workspace = (await connection.execute(text("SELECT id FROM workspaces"))).scalar_one()
            await connection.execute(
                text("""INSERT INTO connectors (workspace_id, id, type, name, status)
                        VALUES (:workspace, :id, 'scripted', 'Scripted', 'active')"""),
                {"workspace": self.workspace, "id": self.connector_id},
            )
            self.sync = await syncs.add(
                connection,
                self.workspace,
                id_=new_id(),
                connector_id=self.connector_id,
                trigger=trigger,
                from_at=BEGIN,
                to_at=BEGIN + timedelta(days=5),
            )
        return self.sync

    async def attempt(self, token: UUID | None = None) -> str:
        """Run the sync as one worker would, until it ends, waits or dies; return which."""
        token = token or new_id()
        async with self.engine.begin() as connection:
            sync = await syncs.begin(connection, self.workspace, self.sync.id, token)
        if sync is None:
            return "ended"
        source = source_for(self.provider, self.workspace, self.connector_id)
        client = Paced(self.engine, self.provider, None, NO_LIMITS)
        async with writing(self.url) as own:
            try:
                pulled = await pull(own, source, Form(), client, NO_LIMITS, sync, token)
            except asyncio.CancelledError:
                return "killed"
        return pulled.status

    async def cancel(self) -> None:
        """End the run, as somebody else would while it reads a page."""
        async with self.engine.begin() as connection:
            await syncs.finish(connection, self.workspace, self.sync.id, token=None, status="cancelled")

    async def leads(self) -> set[str]:
        """Return the external ids of the connector's leads."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT external_id FROM leads WHERE connector_id = :id"), {"id": self.connector_id}
            )
            return {row.external_id for row in rows}

    async def state(self) -> Sync:
        """Return the sync as it is."""
        async with self.engine.connect() as connection:
            found = await syncs.get(connection, self.workspace, self.sync.id)
        assert found is not None
        return found

    async def mark(self) -> datetime | None:
        """Return up to when the connector has been read."""
        async with self.engine.connect() as connection:
            return (await syncs.mark(connection, self.workspace, self.connector_id))[0]


@pytest.mark.timeout(120)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hours=st.lists(st.integers(0, 119), max_size=25, unique=True),
    faults=st.lists(st.sampled_from(["none", "limited", "broken", "killed"]), max_size=12),
)
def test_whatever_happens_in_between_the_same_leads_are_there_in_the_end(
    database_url: str, hours: list[int], faults: list[str]
) -> None:
    async def story() -> None:
        engine = create_engine(database_url, pool_size=2)
        try:
            async with engine.begin() as connection:
                await connection.execute(text("TRUNCATE leads, events, event_keys, syncs, connectors CASCADE"))
            run = Run(engine, database_url, Provider(hours, list(faults)))
            await run.queue()
            for _ in range(len(faults) + 1):
                if await run.attempt() == "succeeded":
                    break
            else:
                raise AssertionError("the run never succeeded")
            state = await run.state()
            assert await run.leads() == {str(hour) for hour in hours}
            assert state.created == len(hours)
            assert await run.mark() == state.read_until == state.to_at
        finally:
            await engine.dispose()

    asyncio.run(story())


async def test_the_mark_stays_where_it_was_on_a_refusal(database: AsyncEngine, database_url: str) -> None:
    run = Run(database, database_url, Provider([1, 2, 3, 4, 60], ["none", "limited"]))
    await run.queue()

    assert await run.attempt() == "failed"

    # The first page of three is stored and counted; what was refused is not.
    assert await run.leads() == {"1", "2", "3"}
    assert await run.mark() == BEGIN + timedelta(hours=3)


async def test_a_backfill_does_not_move_the_mark(database: AsyncEngine, database_url: str) -> None:
    run = Run(database, database_url, Provider([1, 60]))
    await run.queue(trigger="backfill")

    assert await run.attempt() == "succeeded"

    assert await run.leads() == {"1", "60"}
    assert await run.mark() is None


async def test_a_worker_that_was_taken_for_dead_stores_nothing_more(database: AsyncEngine, database_url: str) -> None:
    run = Run(database, database_url, Provider([1, 2]))
    await run.queue()
    late, other = new_id(), new_id()
    async with database.begin() as connection:
        stale = await syncs.begin(connection, run.workspace, run.sync.id, late)
        await syncs.begin(connection, run.workspace, run.sync.id, other)
    assert stale is not None

    source = source_for(run.provider, run.workspace, run.connector_id)
    async with writing(database_url) as own:
        with pytest.raises(LostRun):
            await pull(own, source, Form(), Paced(database, run.provider, None, NO_LIMITS), NO_LIMITS, stale, late)

    assert await run.leads() == set()


async def test_a_cancelled_run_stores_nothing_more_and_keeps_what_it_stored(
    database: AsyncEngine, database_url: str
) -> None:
    run = Run(database, database_url, Provider([1, 2, 3, 4, 5], ["none", "cancelled"]))
    await run.queue()
    run.provider.cancel = run.cancel

    with pytest.raises(LostRun):
        await run.attempt()

    assert await run.leads() == {"1", "2", "3"}
    assert (await run.state()).status == "cancelled"


async def test_a_connector_runs_one_sync_at_a_time(database: AsyncEngine, database_url: str) -> None:
    run = Run(database, database_url, Provider([]))
    sync = await run.queue()

    async with database.begin() as connection:
        with pytest.raises(syncs.AlreadyActive):
            await syncs.add(
                connection,
                run.workspace,
                id_=new_id(),
                connector_id=sync.connector_id,
                trigger="manual",
                from_at=BEGIN,
                to_at=BEGIN,
            )
        assert (await connection.execute(text("SELECT count(*) FROM syncs"))).scalar_one() == 1


async def test_html_from_a_gateway_fails_the_run_and_names_the_provider(
    database: AsyncEngine, database_url: str
) -> None:
    run = Run(database, database_url, Provider([1], ["broken"]))
    await run.queue()
    token = new_id()
    async with database.begin() as connection:
        sync = await syncs.begin(connection, run.workspace, run.sync.id, token)
    assert sync is not None
    source = source_for(run.provider, run.workspace, run.connector_id)
    async with writing(database_url) as own:
        pulled = await pull(own, source, Form(), Paced(database, run.provider, None, NO_LIMITS), NO_LIMITS, sync, token)

    assert pulled.status == "failed"
    assert isinstance(pulled.problem, ProviderUnavailable)
