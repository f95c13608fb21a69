"""The HTTP server: uvicorn, with a deadline on receiving a request, a cap on connections, and our own signals.

uvicorn itself waits for ever for a sender that drips its headers or its body (SECURITY.md "What bites in this stack").
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 20


class Protocol(HttpToolsProtocol):
    """One connection. Headers must be whole within 10 s of its start (or of their first byte), a body within 30 s more."""

    def __init__(self, *args: Any, most_connections: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most_connections = most_connections
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_request = False
        self._has_headers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most_connections:
            self._refuse(503, "too_many_connections", "Too many connections", "Try again in a few seconds.")
        else:
            self._set_deadline(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        had_headers = self._is_in_request and self._has_headers
        super().data_received(data)
        if not self._is_in_request:
            self._clear_deadline()
        elif self._deadline is None or (self._has_headers and not had_headers):
            self._set_deadline(BODY_SECONDS if self._has_headers else HEADER_SECONDS)

    def on_message_begin(self) -> None:
        self._is_in_request, self._has_headers = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._has_headers = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", "Not a valid HTTP request", "Send a well-formed HTTP/1.1 request.")

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        # A request whose application has begun to answer is closed without a second answer.
        if self._has_headers and self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(408, "request_timeout", "The request took too long to arrive", "Send it again, faster.")

    def _refuse(self, status: int, code: str, title: str, remedy: str) -> None:
        body = orjson.dumps(
            {"type": "about:blank", "title": title, "status": status, "detail": title, "code": code, "remedy": remedy}
        )
        head = (
            f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
            f"{'Retry-After: 2' + chr(13) + chr(10) if status == 503 else ''}Connection: close\r\n\r\n"
        )
        if not self.transport.is_closing():
            self.transport.write(head.encode() + body)
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn, leaving signals to us: its own would raise SIGTERM again before what runs beside it has ended."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set `listening`."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


def make_server(application: Callable[..., Any], *, most_connections: int) -> Server:
    """Return a server for an ASGI application; run it with `serve(sockets=[…])` and end it by `should_exit = True`."""
    config = uvicorn.Config(
        application,
        # A factory, though uvicorn's type says a class: it only calls it.
        http=partial(Protocol, most_connections=most_connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=15,
        backlog=2048,
    )
    return Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`; raises OSError when it can't."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.set_inheritable(False)
    except OSError:
        listener.close()
        raise
    return listener
