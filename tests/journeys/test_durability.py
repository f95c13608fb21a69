"""Acknowledged means stored: real processes under load, killed and stopped, then every acknowledgement looked up.

Senders go on until each delivery is acknowledged, as providers do; a delivery with an Idempotency-Key keeps it. So at
the end such a delivery is exactly one event, whatever was killed in between, and any other is at least the one that was
acknowledged. A killed process proves less than a power cut (what it wrote is in the kernel's cache), so PostgreSQL's own
settings for that are looked at as well.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, Process, TestConnector, command, new_phone, until
from tests.support.inside import open_inside
from tests.support.wire import Wire, post

SENDERS = 24


class Installation:
    """A data folder and the `up` that runs on it, started again as often as it is killed."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.start()

    def start(self) -> None:
        self.process = Process("up", "--data-dir", str(self.data_dir), "--port", "0").wait_ready()

    @property
    def postmaster(self) -> int:
        (file,) = self.data_dir.glob("postgres/*/postmaster.pid")
        return int(file.read_text().split()[0])

    def postgres_log(self) -> str:
        return (self.data_dir / "postgres" / "postgres.log").read_text()


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[tuple[Installation, Hub, TestConnector]]:
    installation = Installation(folder / "data")
    try:
        hub = Hub(installation.process, installation.data_dir)
        connector = await hub.create_connector()
        yield installation, hub, connector
        await hub.client.aclose()
    finally:
        if installation.process.popen.poll() is None:
            assert installation.process.stop() == 0


@dataclass
class Load:
    """Senders that push until told to stop, and what each was told."""

    installation: Installation
    url: str
    phones: list[str] = field(default_factory=lambda: [new_phone() for _ in range(150)])
    sent: int = 0
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    keyed: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    is_over: bool = False

    async def run(self) -> None:
        """Push from many connections until `is_over`, and until what was begun is acknowledged."""
        async with asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(self._send(random.Random(number)))

    async def reach(self, more: int) -> None:
        """Return when `more` further deliveries are acknowledged."""
        goal = len(self.acknowledged) + more

        async def reached() -> bool:
            return len(self.acknowledged) >= goal

        await until(reached, 60)

    async def _send(self, chance: random.Random) -> None:
        while not self.is_over:
            self.sent += 1
            payload: dict[str, Any] = {"n": self.sent, "name": "Asha"}
            if chance.random() < 0.9:
                payload["phone"] = chance.choice(self.phones)
            key = f"delivery {self.sent}" if chance.random() < 0.5 else None
            await self._until_acknowledged(json.dumps(payload).encode(), key)

    async def _until_acknowledged(self, body: bytes, key: str | None) -> None:
        lines = [f"Idempotency-Key: {key}"] if key else []
        while True:
            answer = await self._push(post(self.url, body, *lines))
            if answer is not None and "eventId" in answer:
                self.acknowledged[answer["eventId"]] = body
                if key is not None:
                    self.keyed[key] = answer["eventId"]
                return
            await asyncio.sleep(0.02)

    async def _push(self, request: bytes) -> Any:
        try:
            async with Wire(self.installation.process.address) as wire:
                await wire.send(request)
                answer = await wire.answer()
        except (OSError, EOFError):
            return None
        self.statuses[answer.status_code] += 1
        return answer.json()


async def assert_all_is_there(load: Load, connector: TestConnector, data_dir: Path) -> None:
    """Every acknowledgement is one event with its payload, every delivery with a key one event, every phone one lead."""
    async with Rows(data_dir) as rows:
        events = {str(event["id"]): event for event in await rows.events(connector)}
        assert load.acknowledged.keys() <= events.keys()
        assert {id_: events[id_]["payload"] for id_ in load.acknowledged} == load.acknowledged

        by_key: dict[str, set[str]] = {}
        for id_, event in events.items():
            if event["idempotency_key"] is not None:
                by_key.setdefault(event["idempotency_key"], set()).add(id_)
        assert by_key == {f"d:{key}": {id_} for key, id_ in load.keyed.items()}

        leads = await rows.all("SELECT * FROM leads")
        assert len({lead["phone_number"] for lead in leads}) == len(leads)
        seen = Counter(event["lead_id"] for event in events.values() if event["lead_id"])
        assert {lead["id"]: lead["times_seen"] for lead in leads} == seen
        assert Counter(event["lead_id"] for event in events.values() if event["status"] == "created") == Counter(
            lead["id"] for lead in leads
        )
        assert {event["status"] for event in events.values()} == {"created", "duplicate", "failed"}


@pytest.mark.slow
async def test_no_acknowledged_event_is_lost_or_doubled_when_anything_is_killed_under_load(folder: Path) -> None:
    chance = random.Random()
    async with installed(folder) as (installation, _, connector):
        load = Load(installation, connector.url)
        running = asyncio.create_task(load.run())
        for victim in ("postgresql", "hub", "both", "postgresql"):
            await load.reach(chance.randint(20, 600))
            postmaster = installation.postmaster
            if victim != "postgresql":
                installation.process.kill()
            if victim != "hub":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(postmaster, signal.SIGKILL)
            if victim != "postgresql":
                installation.start()
        await load.reach(100)
        load.is_over = True
        await running

        assert load.statuses.keys() <= {200, 400, 503}
        assert load.statuses[400] > 0
        await assert_all_is_there(load, connector, installation.data_dir)


@pytest.mark.slow
async def test_a_stop_answers_every_request_in_flight_and_ends_postgresql_cleanly(folder: Path) -> None:
    async with installed(folder) as (installation, hub, connector), contextlib.AsyncExitStack() as stack:
        load = Load(installation, connector.url)
        running = asyncio.create_task(load.run())
        await load.reach(50)
        # Each of these has been read up to its body when the stop comes: the hub has said so.
        phones = [new_phone() for _ in range(20)]
        wires = [await stack.enter_async_context(Wire(hub.address)) for _ in phones]
        bodies = [json.dumps({"phone": phone}).encode() for phone in phones]
        for wire, body in zip(wires, bodies, strict=True):
            await wire.send(post(connector.url, b"", f"Content-Length: {len(body)}", "Expect: 100-continue"))
            assert (await wire.answer()).status_code == 100

        installation.process.popen.send_signal(signal.SIGTERM)

        async def takes_nobody_new() -> bool:
            try:
                async with Wire(hub.address):
                    return False
            except ConnectionRefusedError:
                return True

        await until(takes_nobody_new)
        for wire, body in zip(wires, bodies, strict=True):
            await wire.send(body)
        answers = [await wire.answer() for wire in wires]

        assert [answer.json()["status"] for answer in answers] == ["created"] * 20
        assert {answer.headers["connection"] for answer in answers} == {"close"}
        # Asked once more while it is ending, it ends all the same in its own time.
        assert await asyncio.to_thread(installation.process.stop) == 0
        assert "database system is shut down" in installation.postgres_log().splitlines()[-1]

        load.acknowledged |= {answer.json()["eventId"]: body for answer, body in zip(answers, bodies, strict=True)}
        installation.start()
        load.is_over = True
        await running
        assert "was not properly shut down" not in installation.postgres_log()
        await assert_all_is_there(load, connector, installation.data_dir)


@pytest.mark.slow
async def test_a_second_up_is_refused_by_name_and_after_a_kill_the_next_one_recovers(folder: Path) -> None:
    async with installed(folder) as (installation, hub, connector):
        where = ["--data-dir", str(installation.data_dir), "--port", "0"]
        first = await hub.send(connector, {"phone": new_phone()})

        second = await asyncio.to_thread(command, "up", *where)

        assert second.returncode == 1
        assert f"process {installation.process.popen.pid}" in second.stderr
        assert "Traceback" not in second.stderr
        assert (await hub.send(connector, {"phone": new_phone()})).status == "created"

        postmaster = installation.postmaster
        installation.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(postmaster, signal.SIGKILL)
        installation.start()

        async with Rows(installation.data_dir) as rows:
            assert (await rows.event(first.event_id))["status"] == "created"
        again = Hub(installation.process, installation.data_dir)
        assert (await again.send(connector, {"phone": new_phone()})).status == "created"
        await again.client.aclose()
        installation.process.popen.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(installation.process.popen.wait, 30) == 0


# ---- and should the power fail ----------------------------------------------------------------------

SAFE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on"}


async def test_the_embedded_postgresql_flushes_before_it_reports_a_commit(hub: Hub, rows: Rows) -> None:
    if hub.database_url:
        pytest.skip("another's PostgreSQL is set up by its owner")
    for name, value in SAFE.items():
        assert await rows.one(f"SHOW {name}") == {name: value}


async def test_the_doors_own_connection_waits_for_the_flush(database_url: str, tmp_path: Path) -> None:
    async def show(connection: psycopg.AsyncConnection[Any], _: Any) -> list[Any]:
        return await (await connection.execute("SHOW synchronous_commit")).fetchall()

    async with open_inside(database_url, tmp_path) as inside:
        assert await inside.hub.writer.write(show, []) == [("on",)]


async def test_what_is_answered_has_been_flushed(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    for _ in range(20):
        before = await rows.one("SELECT pg_current_wal_insert_lsn() AS lsn")

        reply = await hub.send(connector, {"phone": new_phone()})

        flushed = await rows.one("SELECT pg_current_wal_flush_lsn() > %s AS is_beyond", before["lsn"])
        assert reply.status == "created"
        assert flushed["is_beyond"]


async def test_the_answer_waits_for_the_commit(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    # While somebody holds the table, nothing can be committed: there must be no answer.
    async with rows.connection.transaction():
        await rows.connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        pushing = asyncio.create_task(hub.send(connector, {"phone": new_phone()}))

        async def waits_for_the_lock() -> Any:
            return await rows.all("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass")

        await until(waits_for_the_lock)
        assert not pushing.done()

    assert (await pushing).status == "created"
