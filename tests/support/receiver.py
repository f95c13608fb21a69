"""A system that takes leads over HTTP, on loopback: it keeps what it is sent, and answers as a test wants it to."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.support.serving import serving


@dataclass(frozen=True)
class Call:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The delivery's id."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @property
    def lead_id(self) -> str:
        """The lead that the envelope holds."""
        return str(self.json["data"]["id"])


@dataclass(frozen=True)
class Reply:
    """What the receiver answers, after `seconds`. With `hangs` it never does, with `endless` it never stops."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    hangs: bool = False
    endless: bool = False


def said(status: int = 200, **body: Any) -> Reply:
    """Return a reply with a JSON body."""
    return Reply(status, json.dumps(body).encode(), {"content-type": "application/json"})


Behaviour = Callable[[Call], Reply]


class Receiver:
    """Where it listens is `url`. `calls` are in the order in which they were read to their end."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.replies: list[Reply] = []
        self.behaviour: Behaviour = lambda _: Reply()
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    @property
    def ids(self) -> Counter[str]:
        """How often each delivery came."""
        return Counter(call.id for call in self.calls)

    def taken(self) -> list[str]:
        """Return the leads that came, in order."""
        return [call.lead_id for call in self.calls]

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode()))
        call = Call(scope["method"], scope["raw_path"].decode(), query, headers, body)
        with self._lock:
            self.calls.append(call)
            reply = self.replies.pop(0) if self.replies else self.behaviour(call)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._answer(reply, send)
        finally:
            with self._lock:
                self.at_once -= 1

    async def _answer(self, reply: Reply, send: Callable[[Any], Awaitable[None]]) -> None:
        await asyncio.sleep(3600 if reply.hangs else reply.seconds)
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        while reply.endless:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": reply.body})


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver while the `with` lasts."""
    receiver = Receiver()
    with serving(receiver) as address:
        receiver.url = address
        yield receiver
