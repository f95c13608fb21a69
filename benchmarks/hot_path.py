"""The hot path without HTTP: what one push costs the hub itself, the door called as uvicorn calls it, and its parts.

Only for finding out where time goes: HTTP, sockets and the sender are missing, so no figure here is a rate of the hub.
"""

import asyncio
import hmac
import time
import timeit
from collections.abc import Callable
from typing import Any

import orjson
import uvloop

from benchmarks.enquiries import SECRET_HEADER, body
from benchmarks.servers import create_database, folder, postgres
from connector_master.connectors import registry
from connector_master.connectors.forms import LeadSettings
from connector_master.ingest.bodies import decode
from connector_master.ingest.door import Door, Message, Scope
from connector_master.ingest.intake import Arrival, Intake
from connector_master.ingest.limits import Limits
from connector_master.ingest.refusals import Refusals
from connector_master.ingest.source import LiveSecret, Source
from connector_master.ingest.sources import Sources
from connector_master.ingest.writer import Writer
from connector_master.model.event import EventStatus, Outcome, Push
from connector_master.pipeline.process import Profile, process
from connector_master.storage.engine import conninfo
from connector_master.storage.ids import new_id, time_of
from connector_master.storage.migrate import migrate

_SECRET = "hot-path"
_WEBHOOK_ID = "hotpathhotpathhotpath"
_CALLERS = (1, 16, 64)


def run(*, quick: bool = False) -> None:
    """Print microseconds for each push, whole and in parts."""
    with folder() as place, postgres(place / "server") as server_url:
        url = create_database(server_url, "bench_hot_path")
        migrate(url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_whole(url, rounds=1 if quick else 3, pushes=100 if quick else 10_000))
    _parts(times=100 if quick else 20_000)


async def _whole(url: str, *, rounds: int, pushes: int) -> None:
    source = _source()
    writer = Writer(conninfo(url))
    intake = Intake(writer)

    async def find(_: str) -> Source:
        return source

    async def nothing_else(_scope: Scope, _receive: object, _send: object) -> None:
        raise AssertionError

    sources = Sources(find, conninfo(url))
    door = Door(nothing_else, sources, intake, Limits(writer), Refusals(writer), max_body_bytes=1 << 20)
    async with asyncio.TaskGroup() as group:
        group.create_task(intake.run())
        listening = group.create_task(sources.listen())
        following = 0
        for number in range(rounds + 1):
            for callers in _CALLERS:
                count = max(pushes // (5 if callers == 1 else 1), callers)
                wall, own = await _push_all(door, range(following, following + count), callers)
                following += count
                if number:  # the first round is for warming up
                    print(f"{callers:>3} at once: {wall:6.1f} us a push, of which the hub computes {own:5.1f} us")
        intake.stop()
        listening.cancel()
    await writer.close()


async def _push_all(door: Door, numbers: range, callers: int) -> tuple[float, float]:
    """Return the microseconds a push takes, and those of them that this thread computes."""
    waiting = iter([(_scope(content), content) for content in map(body, numbers)])

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


def _parts(times: int) -> None:
    """Time each part alone. In the hub it costs about half as much again: nothing is warm there."""
    source = _source()
    connector, settings = source.connector, source.settings
    content = body(12_345)
    headers = {name.decode(): value.decode() for name, value in _scope(content)["headers"]}
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


def _source() -> Source:
    connector = registry()["webhook"]
    settings = connector.settings.model_validate({"signature": "required"})
    assert isinstance(settings, LeadSettings)
    return Source(
        workspace_id=new_id(),
        connector_id=new_id(),
        webhook_id=_WEBHOOK_ID,
        connector=connector,
        settings=settings,
        secrets=(LiveSecret(_SECRET, None, None),),
        verify_token=None,
        mapping=None,
        profile=Profile(guesses=True),
        is_paused=False,
    )


def _scope(content: bytes) -> Scope:
    signature = hmac.digest(_SECRET.encode(), content, "sha256").hex()
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
        "path": f"/api/connectors/webhook/{_WEBHOOK_ID}",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
    }
