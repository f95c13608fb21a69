"""The pull suite: a long backfill, and many connectors due at once, against the sandbox in a process of its own.

What the provider takes is the sandbox's doing, so the backfill says how much of its time was ours. The sandbox counts
calls that come too early: there must be none.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import uvloop

from benchmarks.sandbox import SEED, Sandbox, sandbox
from benchmarks.servers import Process, create_database, folder, postgres, working
from benchmarks.verdicts import all_hold
from connector_master.access.caller import Caller, command_line
from connector_master.app import open_hub
from connector_master.connectors.connector import Connector
from connector_master.connectors.pulling import Page, Window
from connector_master.connectors.tradeindia import IST
from connector_master.connectors.tradeindia import connector as tradeindia
from connector_master.ingest.pacing import Paced
from connector_master.ingest.sync import pull
from connector_master.logs import set_up_logs
from connector_master.model.json import Json
from connector_master.outbound.client import Answer, Client
from connector_master.sandbox.enquiries import Enquiries
from connector_master.services import connectors, syncs
from connector_master.services.credentials import open_credentials, paced
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.storage import syncs as runs
from connector_master.storage import workspaces
from connector_master.storage.engine import conninfo
from connector_master.storage.ids import new_id
from connector_master.storage.migrate import migrate

_ADDRESS_SETTING = "TRADEINDIA_URL"
_WORKERS = 2
_RECENT = 12
"""Enquiries of the days that a scheduled run reads again."""
_LATEST = timedelta(seconds=240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much: leads of the backfill over so many days, after how many memory is first measured, connectors due at once."""

    leads: int = 200_000
    first: int = 20_000
    days: int = 300
    connectors: int = 1_000


QUICK = Plan(leads=2_000, first=500, days=9, connectors=6)


def run(plan: Plan) -> bool:
    """Measure both, print it; return whether nothing was lost and no limit was broken."""
    # As `up` does: what is not for operators costs nothing.
    set_up_logs("console")
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        server_url = stack.enter_context(postgres(place / "server"))
        market = stack.enter_context(sandbox())
        is_whole = _backfill(plan, market, create_database(server_url, "bench_backfill"), place / "backfill")
        return _due_at_once(plan, market, create_database(server_url, "bench_due"), place / "due") and is_whole


# ---- a long backfill ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Course:
    """How a backfill went: seconds in all, of them in the provider's hands and for storing; resident MB first and last."""

    seconds: float = 0.0
    provider_seconds: float = 0.0
    storing_seconds: float = 0.0
    own_cpu_seconds: float = 0.0
    calls: int = 0
    stored: int = 0
    first_mb: float | None = None
    last_mb: float = 0.0


class _Timed:
    """A client that notes how long the provider lets us wait."""

    def __init__(self, client: Client, course: _Course) -> None:
        self._client = client
        self._course = course

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        began = time.perf_counter()
        try:
            return await self._client.get(path, query, headers=headers)
        finally:
            self._note(began)

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        began = time.perf_counter()
        try:
            return await self._client.post(path, query, json=json, form=form, headers=headers)
        finally:
            self._note(began)

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        began = time.perf_counter()
        try:
            return await self._client.delete(path, query, headers=headers)
        finally:
            self._note(began)

    def _note(self, began: float) -> None:
        self._course.provider_seconds += time.perf_counter() - began
        self._course.calls += 1


def _backfill(plan: Plan, market: Sandbox, url: str, data_dir: Path) -> bool:
    migrate(url)
    today = datetime.now(IST).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = today - timedelta(days=plan.days), today
    _fill(market, plan.leads, start, end)
    # With our pace set to nothing, the provider's must be too.
    market.control("tradeindia/settings", {"betweenSeconds": 0})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        course = runner.run(_read_all(market, url, data_dir, start, end, plan.first))
    assert course.first_mb is not None, f"only {course.stored:,} were read"
    outside = course.seconds - course.provider_seconds
    print(
        f"backfill: {plan.leads:,} leads of {plan.days} days in {course.calls:,} calls: {course.seconds:.1f} s, "
        f"{course.stored / course.seconds:,.0f} leads/s"
    )
    print(
        f"outside the provider: {outside / course.seconds:.0%} of the time, {outside / course.stored * 1e6:.0f} us a lead "
        f"(storing {course.storing_seconds / course.seconds:.0%}); "
        f"we compute {course.own_cpu_seconds / course.stored * 1e6:.0f} us a lead"
    )
    print(
        f"resident: {course.first_mb:.1f} MB after {plan.first:,} leads, {course.last_mb:.1f} MB after {plan.leads:,} "
        f"({course.last_mb / course.first_mb - 1:+.1%})"
    )
    return _check_backfill(plan, url)


async def _read_all(market: Sandbox, url: str, data_dir: Path, start: datetime, end: datetime, first: int) -> _Course:
    course = _Course()
    connector = _measured(course, first)
    async with open_hub(url, secret_keys=None, data_dir=data_dir, addresses={_ADDRESS_SETTING: market.url}) as opened:
        hub = opened.hub
        async with hub.engine.connect() as connection:
            caller = command_line(await workspaces.first(connection))
        row = (await _create(hub, caller, 0)).row
        sync = await syncs.start(hub, caller, row.id, start, end)
        token = new_id()
        async with hub.engine.begin() as connection:
            begun = await runs.begin(connection, row.workspace_id, sync.id, token)
            source = await source_of(connection, hub.keys, hub.apps, row)
            credentials = await open_credentials(connection, hub.keys, row, tradeindia)
        assert begun is not None
        assert source is not None
        timed = replace(hub, provider=lambda connector: _Timed(hub.provider(connector), course))
        client: Paced = paced(timed, connector, credentials)
        began, computed = time.perf_counter(), time.process_time()
        pulled = await pull(
            hub.writer, replace(source, connector=connector), credentials, client, connector.limits, begun, token
        )
        course.seconds = time.perf_counter() - began
        course.own_cpu_seconds = time.process_time() - computed
        course.last_mb = _resident_mb()
        assert pulled.status == "succeeded", pulled
    return course


def _measured(course: _Course, first: int) -> Connector:
    """Return TradeIndia without a pace, noting its `course`: a page that is asked for means that the one before is stored."""
    reads = tradeindia.pull
    assert reads is not None

    async def pages(client: Client, credentials: Any, settings: Any, window: Window) -> AsyncIterator[Page]:
        async for page in reads(client, credentials, settings, window):
            began = time.perf_counter()
            yield page
            course.storing_seconds += time.perf_counter() - began
            course.stored += len(page.records)
            if course.first_mb is None and course.stored >= first:
                course.first_mb = _resident_mb()

    return replace(tradeindia, pull=pages, limits=replace(tradeindia.limits, between_calls=timedelta(0)))


def _check_backfill(plan: Plan, url: str) -> bool:
    enquiries = Enquiries(SEED)
    buyers = len({enquiries.make(number).phone for number in range(1, plan.leads + 1)})
    with psycopg.connect(conninfo(url)) as connection:
        found = connection.execute("""
            SELECT (SELECT count(*) FROM events), (SELECT count(DISTINCT external_id) FROM events WHERE lead_id IS NOT NULL),
                   count(*), count(DISTINCT phone_number), coalesce(sum(times_seen), 0) FROM leads
        """).fetchone()
    assert found is not None
    events, distinct, leads, phones, seen = map(int, found)
    return all_hold(
        {
            f"{distinct:,} different leads of {plan.leads:,} are stored, each once": (
                events == distinct == seen == plan.leads
            ),
            f"they came from {leads:,} buyers of {buyers:,}, each once": leads == phones == buyers,
        }
    )


# ---- many connectors due at once ------------------------------------------------------------------------


def _due_at_once(plan: Plan, market: Sandbox, url: str, data_dir: Path) -> bool:
    migrate(url)
    now = datetime.now(UTC)
    _fill(market, _RECENT, now - timedelta(hours=36), now - timedelta(hours=1))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_create_all(url, data_dir, plan.connectors))
    place = ["--data-dir", str(data_dir), "--database-url", url]
    address = {f"CONNECTOR_MASTER_{_ADDRESS_SETTING}": market.url}
    with ExitStack() as stack, psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("UPDATE connectors SET next_sync_at = NULL")
        workers = [
            stack.enter_context(working(f"worker {number}", ["connector_master", "work", *place], address))
            for number in range(_WORKERS)
        ]
        computed = _cpu_seconds(workers)
        connection.execute("UPDATE connectors SET synced_until = now(), next_sync_at = now()")
        began = time.monotonic()
        while (done := _read(connection)) < plan.connectors and time.monotonic() - began < _LATEST.total_seconds():
            time.sleep(0.25)
        seconds = time.monotonic() - began
        computed = _cpu_seconds(workers) - computed
    calls = int(market.state("tradeindia")["counts"].get("calls", 0))
    print(
        f"due at once: {done:,} of {plan.connectors:,} connectors read by {_WORKERS} workers in {seconds:.1f} s: "
        f"{done / seconds * 60:,.0f} syncs a minute, {calls / seconds:.1f} calls a second, "
        f"{computed / max(1, done) * 1e3:.0f} ms computed for each sync"
    )
    return _check_due(url, market)


async def _create_all(url: str, data_dir: Path, count: int) -> None:
    async with open_hub(url, secret_keys=None, data_dir=data_dir) as opened:
        async with opened.hub.engine.connect() as connection:
            caller = command_line(await workspaces.first(connection))
        for number in range(count):
            await _create(opened.hub, caller, number)


async def _create(hub: Hub, caller: Caller, number: int) -> connectors.Shown:
    """Create a connector with a key of its own."""
    return await connectors.create(
        hub,
        caller,
        type_=tradeindia.type,
        name=f"Benchmark {number}",
        description=None,
        settings={},
        credentials={"userId": "1000001", "profileId": "2000001", "apiKey": f"sandbox-{number:08d}"},
        field_mapping=None,
    )


def _read(connection: "psycopg.Connection[tuple[Any, ...]]") -> int:
    """Return how many connectors have been read to the end."""
    row = connection.execute("SELECT count(DISTINCT connector_id) FROM syncs WHERE status = 'succeeded'").fetchone()
    assert row is not None
    return int(row[0])


def _check_due(url: str, market: Sandbox) -> bool:
    with psycopg.connect(conninfo(url)) as connection:
        by_code = connection.execute("""
            SELECT coalesce(error_code, status), count(*) FROM syncs WHERE status NOT IN ('queued', 'running', 'succeeded')
             GROUP BY 1
        """).fetchall()
        short = connection.execute(
            """
            SELECT s.connector_id FROM syncs s LEFT JOIN events e ON e.connector_id = s.connector_id
             WHERE s.status = 'succeeded' GROUP BY 1 HAVING count(DISTINCT e.external_id) <> %s
        """,
            (_RECENT,),
        ).fetchall()
    if by_code:
        print(f"       runs that failed and come again: {', '.join(f'{code} {count}' for code, count in by_code)}")
    state = market.state("tradeindia")
    calls, breaches = (int(state["counts"].get(name, 0)) for name in ("calls", "breaches"))
    pace = state["settings"]["betweenSeconds"]
    return all_hold(
        {
            f"each of them has all {_RECENT} enquiries": not short,
            f"{breaches} of {calls:,} calls came too early ({pace} s between two with the same key)": not breaches,
        }
    )


# ---- what both need -------------------------------------------------------------------------------------


def _fill(market: Sandbox, count: int, start: datetime, end: datetime) -> None:
    """Begin anew with `count` enquiries, spread evenly from `start` to before `end`."""
    market.control("reset", {"seed": SEED})
    asked = {"count": count, "from": start.isoformat(), "to": end.isoformat(), "push": False}
    market.control("tradeindia/leads", asked)


def _resident_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 1024 / 1024


def _cpu_seconds(processes: Sequence[Process]) -> float:
    return sum(process.cpu_seconds() for process in processes)
