"""Servers that misbehave: raw sockets on loopback that answer with exactly these bytes, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Served:
    """Where a server listens, and the request heads that it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.heads: list[str] = []


@contextlib.asynccontextmanager
async def serving(handler: Handler | bytes, *more: bytes) -> AsyncIterator[Served]:
    """Run a server; given bytes it sends them: the first ones to the first request, the last ones to all that follow."""
    answers = [handler, *more] if isinstance(handler, bytes) else []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            served.heads.append(head.decode("latin-1"))
            if isinstance(handler, bytes):
                writer.write(answers.pop(0) if len(answers) > 1 else answers[0])
                await writer.drain()
            else:
                await handler(head, writer)
        with contextlib.suppress(ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    served = Served(server.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        server.close()


def answer(body: bytes = b"[]", status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP answer that ends its connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
