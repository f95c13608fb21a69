"""One TCP connection to a server, bytes as they are: for requests that no HTTP client would send."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class WireAnswer:
    """One answer as it came; header names in lower case."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's value."""
        return json.loads(self.body)


class Wire:
    """A connection. Use it in `async with`."""

    def __init__(self, address: str) -> None:
        self._parts = urlsplit(address)

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Write `data`."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> WireAnswer:
        """Return the next answer. Raises IncompleteReadError when the connection ends instead."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return WireAnswer(int(head[0].split()[1]), headers, body)

    async def rest(self) -> bytes:
        """Return what comes until the other side closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


def post(path: str, body: bytes = b"", *headers: str, content_type: str = "application/json") -> bytes:
    """Return a whole POST request. `headers` are lines; Content-Length is added unless one of them frames the body."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of a body sent with `Transfer-Encoding: chunked`; the one of no bytes ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)
