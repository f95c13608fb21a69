"""The hot path without HTTP: what one push costs the hub itself, the door called as uvicorn calls it, and its parts.

Only for finding out where time goes: HTTP, sockets and the sender are missing, so no figure here is a rate of the hub.
"""

import asyncio
import hmac
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvloop

from benchmarks.enquiries import SECRET_HEADER, body
from benchmarks.hub import hub
from benchmarks.servers import create_database, folder, postgres
from connector_master.app import application, open_hub
from connector_master.ingest.bodies import decode
from connector_master.ingest.door import Application, Message, Scope
from connector_master.ingest.intake import Arrival
from connector_master.ingest.source import Source
from connector_master.model.event import EventStatus, Outcome, Push
from connector_master.pipeline.process import process
from connector_master.settings import Settings
from connector_master.storage.ids import new_id, time_of

_CALLERS = (1, 16, 64)


@dataclass(frozen=True, slots=True)
class _Address:
    path: str
    secret: str


def run(*, quick: bool = False) -> None:
    """Print microseconds for each push, whole and in parts."""
    with folder() as place, postgres(place / "server") as server_url:
        url = create_database(server_url, "bench_hot_path")
        with hub(place / "hub", url) as running:
            address = _Address(running.path, running.secret)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            whole = _whole(url, place / "hub", address, rounds=1 if quick else 3, pushes=100 if quick else 10_000)
            source = runner.run(whole)
    _parts(source, address, times=100 if quick else 20_000)


async def _whole(url: str, data_dir: Path, address: _Address, *, rounds: int, pushes: int) -> Source:
    async with open_hub(url, secret_keys=None, data_dir=data_dir) as running:
        door = application(running, Settings(data_dir=data_dir))
        following = 0
        for number in range(rounds + 1):
            for callers in _CALLERS:
                count = max(pushes // (5 if callers == 1 else 1), callers)
                wall, own = await _push_all(door, address, range(following, following + count), callers)
                following += count
                if number:  # the first round is for warming up
                    print(f"{callers:>3} at once: {wall:6.1f} us a push, of which the hub computes {own:5.1f} us")
        source = await running.hub.sources.find(address.path.rpartition("/")[2])
    assert source is not None
    return source


async def _push_all(door: Application, address: _Address, numbers: range, callers: int) -> tuple[float, float]:
    """Return the microseconds a push takes, and those of them that this thread computes."""
    waiting = iter([(_scope(address, content), content) for content in map(body, numbers)])

    async def call() -> None:
        for scope, content in waiting:
            message = {"type": "http.request", "body": content, "more_body": False}

            async def receive(message: Message = message) -> Message:
                return message

            async def send(message: Message) -> None:
                assert message.get("status", 200) == 200, message

            await door(scope, receive, send)

    began, own = time.perf_counter(), time.thread_time()
    await asyncio.gather(*(call() for _ in range(callers)))
    wall, own = time.perf_counter() - began, time.thread_time() - own
    return wall / len(numbers) * 1e6, own / len(numbers) * 1e6


def _parts(source: Source, address: _Address, times: int) -> None:
    """Time each part alone. In the hub it costs about half as much again: nothing is warm there."""
    connector, settings = source.connector, source.settings
    content = body(12_345)
    headers = {name.decode(): value.decode() for name, value in _scope(address, content)["headers"]}
    id_ = new_id()
    push = Push(headers, {}, content, "127.0.0.1", time_of(id_))
    value = decode(content, "application/json").value
    outcomes = [Outcome(EventStatus.CREATED, id_, id_)]
    answer = connector.acknowledge(outcomes, False)
    assert connector.verify is not None
    verify = connector.verify
    parts: dict[str, Callable[[], Any]] = {
        "id and its time": lambda: time_of(new_id()),
        "secrets of the moment": lambda: source.secrets_at(push.received_at),
        "verify": lambda: verify(push, source.secrets_at(push.received_at), settings),
        "decode": lambda: decode(content, "application/json"),
        "records": lambda: connector.records(value, push, settings),
        "process": lambda: process(value, source.mapping, source.profile),
        "arrival": lambda: Arrival("push", "application/json", content, headers, "127.0.0.1"),
        "acknowledge": lambda: connector.acknowledge(outcomes, False),
        "answer as JSON": lambda: orjson.dumps(answer.body),
    }
    for name, part in parts.items():
        print(f"{name:<22} {min(timeit.repeat(part, number=times, repeat=5)) / times * 1e6:6.2f} us")


def _scope(address: _Address, content: bytes) -> Scope:
    signature = hmac.digest(address.secret.encode(), content, "sha256").hex()
    headers = {
        "host": "127.0.0.1:8080",
        "content-type": "application/json",
        "user-agent": "bench",
        SECRET_HEADER.lower(): f"sha256={signature}",
        "content-length": str(len(content)),
    }
    return {
        "type": "http",
        "method": "POST",
        "path": address.path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
    }
