"""The resolve suite: leads that Meta only announces, fetched from the sandbox, and how long after its push one is there.

The engine and a bare loop that makes the very same calls take turns, so what the sandbox and the machine do is in both.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import psycopg
import uvloop

from benchmarks.sandbox import Sandbox, sandbox
from benchmarks.servers import create_database, folder, postgres, running
from benchmarks.verdicts import all_hold
from connector_master.access.caller import command_line
from connector_master.app import open_hub
from connector_master.logs import set_up_logs
from connector_master.outbound.client import Answer, Client
from connector_master.sandbox.enquiries import Enquiries
from connector_master.services import connectors, resolves
from connector_master.services.hub import Hub
from connector_master.storage import workspaces
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.engine import conninfo
from connector_master.storage.migrate import migrate

_AT_ONCE = 16
"""Calls of the bare loop at once: as many as the engine makes."""
_ADDRESS_SETTINGS = ("META_GRAPH_URL", "META_OAUTH_URL")
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much: leads announced in all, over so many rounds; then single pushes, a second apart."""

    leads: int = 10_000
    rounds: int = 5
    pushes: int = 60
    apart_seconds: float = 1.0


QUICK = Plan(leads=400, rounds=2, pushes=5, apart_seconds=0.2)


def run(plan: Plan) -> bool:
    """Measure both, print it; return whether every lead that was announced is there, once."""
    set_up_logs("console")
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        server_url = stack.enter_context(postgres(place / "server"))
        meta = stack.enter_context(sandbox())
        is_whole = _all_at_once(plan, meta, create_database(server_url, "bench_resolve"), place / "resolve")
        return _one_by_one(plan, meta, create_database(server_url, "bench_push"), place / "push") and is_whole


# ---- many that wait -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Round:
    """One round: seconds of the engine and of the bare loop for the same `calls`, and what each of them computed."""

    leads: int
    calls: int
    seconds: float
    cpu_seconds: float
    bare_seconds: float
    bare_cpu_seconds: float


@dataclass(slots=True)
class _Noting:
    """A client that notes what is asked for: Meta's leads are only ever read."""

    client: Client
    calls: list[_Call] = field(default_factory=list)

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.calls.append(_Call(path, query or {}, headers or {}))
        return await self.client.get(path, query, headers=headers)

    async def post(self, path: str, query: Mapping[str, str] | None = None, **more: Any) -> Answer:
        return await self.client.post(path, query, **more)

    async def delete(self, path: str, query: Mapping[str, str] | None = None, **more: Any) -> Answer:
        return await self.client.delete(path, query, **more)


def _all_at_once(plan: Plan, meta: Sandbox, url: str, data_dir: Path) -> bool:
    migrate(url)
    meta.control("reset", {})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = runner.run(_rounds(plan, meta, url, data_dir))
    seconds, calls = sum(one.seconds for one in rounds), sum(one.calls for one in rounds)
    computed, bare = (sum(getattr(one, name) for one in rounds) for name in ("cpu_seconds", "bare_cpu_seconds"))
    ratio = median(one.bare_seconds / one.seconds for one in rounds)
    print(
        f"announced: {plan.leads:,} leads in {calls:,} calls ({calls / plan.leads:.2f} a lead): {seconds:.1f} s, "
        f"{plan.leads / seconds:,.0f} leads/s"
    )
    print(
        f"a bare loop of the same calls, {_AT_ONCE} at once: {plan.leads / sum(one.bare_seconds for one in rounds):,.0f} "
        f"leads/s; the engine reaches {ratio:.0%} of it (median of {len(rounds)} rounds) and computes "
        f"{computed / plan.leads * 1e6:.0f} us a lead, the loop {bare / plan.leads * 1e6:.0f}"
    )
    return _check(plan.leads, url)


async def _rounds(plan: Plan, meta: Sandbox, url: str, data_dir: Path) -> list[_Round]:
    async with open_hub(url, secret_keys=None, data_dir=data_dir, addresses=_addresses(meta)) as opened:
        row = await _create(opened.hub)
        place = ["--data-dir", str(data_dir), "--database-url", url]
        # A process that receives and does not work: what it is told waits.
        with running("hub", ["connector_master", "serve", "--port", "0", *place]) as server:
            _subscribe(meta, f"http://{server.host}:{server.port}", row)
            return [await _round(opened.hub, row, meta, plan.leads // plan.rounds) for _ in range(plan.rounds)]


async def _round(hub: Hub, row: ConnectorRow, meta: Sandbox, leads: int) -> _Round:
    await asyncio.to_thread(meta.control, "meta/leads", {"count": leads})
    noting: dict[str, _Noting] = {}
    noted = replace(hub, provider=lambda connector: noting.setdefault(connector.type, _Noting(hub.provider(connector))))
    began, computed = time.perf_counter(), time.process_time()
    await resolves.run(noted, row.workspace_id, row.id)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - computed
    calls = noting[row.type].calls
    began, computed = time.perf_counter(), time.process_time()
    await _repeat(f"{meta.url}/meta", calls)
    bare_seconds, bare_cpu_seconds = time.perf_counter() - began, time.process_time() - computed
    return _Round(leads, len(calls), seconds, cpu_seconds, bare_seconds, bare_cpu_seconds)


async def _repeat(base: str, calls: list[_Call]) -> None:
    """Make the same calls as anybody would, and do nothing with the answers."""
    left = iter(calls)

    async def worker(client: httpx2.AsyncClient) -> None:
        for call in left:
            answer = await client.get(base + call.path, params=dict(call.query), headers=dict(call.headers))
            answer.raise_for_status()

    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker(client))


# ---- one by one -----------------------------------------------------------------------------------------


def _one_by_one(plan: Plan, meta: Sandbox, url: str, data_dir: Path) -> bool:
    migrate(url)
    meta.control("reset", {})
    with asyncio.Runner() as runner:
        row = runner.run(_created(url, data_dir))
    place = ["--data-dir", str(data_dir), "--database-url", url]
    env = {f"CONNECTOR_MASTER_{name}": address for name, address in _addresses(meta).items()}
    with running("hub", ["connector_master", "up", "--port", "0", *place], env) as server:
        _subscribe(meta, f"http://{server.host}:{server.port}", row)
        for _ in range(plan.pushes):
            meta.control("meta/leads", {"count": 1})
            time.sleep(plan.apart_seconds)
        took = sorted(_milliseconds(url, plan.pushes))
    print(
        f"one push each {plan.apart_seconds:g} s: from push to lead p50 {_quantile(took, 0.5):.0f} ms, "
        f"p99 {_quantile(took, 0.99):.0f} ms ({len(took)} pushes)"
    )
    return _check(plan.pushes, url)


async def _created(url: str, data_dir: Path) -> ConnectorRow:
    async with open_hub(url, secret_keys=None, data_dir=data_dir) as opened:
        return await _create(opened.hub)


def _milliseconds(url: str, wanted: int) -> list[float]:
    """Return how long each lead took from the arrival of its push, once all are there or waiting makes no sense."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        while True:
            rows = connection.execute("""
                SELECT extract(epoch FROM processed_at - received_at) * 1000 FROM events WHERE lead_id IS NOT NULL
            """).fetchall()
            if len(rows) >= wanted or time.monotonic() > deadline:
                return [float(took) for (took,) in rows]
            time.sleep(0.1)


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


# ---- what both need -------------------------------------------------------------------------------------


def _addresses(meta: Sandbox) -> dict[str, str]:
    return dict.fromkeys(_ADDRESS_SETTINGS, f"{meta.url}/meta")


async def _create(hub: Hub) -> ConnectorRow:
    """Create a connector with a token that was made elsewhere."""
    async with hub.engine.connect() as connection:
        caller = command_line(await workspaces.first(connection))
    made = await connectors.create(
        hub,
        caller,
        type_="meta",
        name="Benchmark",
        description=None,
        settings={},
        credentials={
            "appId": "1234567890123456",
            "appSecret": "sandbox-app-secret-0123456789abcdef",
            "accessToken": "sandbox-system-benchmark",
        },
        field_mapping=None,
    )
    return made.row


def _subscribe(meta: Sandbox, hub: str, row: ConnectorRow) -> None:
    """Let Meta announce the leads of its first page to the connector."""
    page = meta.state("meta")["settings"]["pages"][0]["id"]
    target = f"{hub}/api/connectors/meta/{row.webhook_id}"
    meta.control("meta/settings", {"pushTo": target, "subscribedPages": [page]})


def _check(leads: int, url: str) -> bool:
    enquiries = Enquiries()
    buyers = len({enquiries.make(number).phone for number in range(1, leads + 1)})
    with psycopg.connect(conninfo(url)) as connection:
        found = connection.execute("""
            SELECT count(*), count(DISTINCT external_id), count(*) FILTER (WHERE lead_id IS NOT NULL),
                   (SELECT count(*) FROM leads), (SELECT count(DISTINCT phone_number) FROM leads) FROM events
        """).fetchone()
    assert found is not None
    events, distinct, fetched, known, phones = map(int, found)
    return all_hold(
        {
            f"{fetched:,} of {leads:,} announced leads are there, each once": events == distinct == fetched == leads,
            f"they came from {known:,} buyers of {buyers:,}, each once": known == phones == buyers,
        }
    )
