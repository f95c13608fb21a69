"""The HTTP server: uvicorn, with a deadline on receiving a request, a cap on connections, and our own signals.

uvicorn itself waits for ever for a sender that drips its headers or its body (SECURITY.md "What bites in this stack").
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from re import IGNORECASE
from re import compile as pattern
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 20
LINGER_SECONDS = 5.0
"""How long what still comes is taken and forgotten after the last answer, so that the sender can read it."""

_UPGRADE = pattern(rb"\r\nupgrade[ \t]*:[^\r\n]*", IGNORECASE)


class _Transport:
    """A connection whose closing lets the sender read the last answer.

    Closed while bytes come in unread, a connection is reset by the kernel, and the reset overtakes the answer: the sender
    of a body that is too large would see a broken connection instead of 413. So while a request is still arriving,
    closing says that nothing more will be sent, and forgets what comes until the sender closes or a moment is over.
    """

    def __init__(self, transport: asyncio.Transport, is_arriving: Callable[[], bool]) -> None:
        self._transport = transport
        self._is_arriving = is_arriving
        self._is_leaving = False
        self.write = transport.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more may be sent."""
        return self._is_leaving or self._transport.is_closing()

    def close(self) -> None:
        """Close, at once if nothing is arriving or if asked twice."""
        if self._is_leaving or self._transport.is_closing() or not self._is_arriving():
            self._transport.close()
            return
        self._is_leaving = True
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)


class _UpgradeOffered(Exception):
    """The request asks for another protocol in a way that leaves its body unread."""


class Protocol(HttpToolsProtocol):
    """One connection. Headers must be whole within 10 s of its start (or of their first byte), a body within 30 s more."""

    def __init__(self, *args: Any, most_connections: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most_connections = most_connections
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_request = False
        self._has_headers = False
        self._last_words: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        closing_gently: Any = _Transport(transport, lambda: self._is_in_request)
        super().connection_made(closing_gently)
        if len(self.connections) > self._most_connections:
            self._refuse(503, "too_many_connections", "Too many connections", "Try again in a few seconds.")
        else:
            self._set_deadline(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over():
            return
        had_headers = self._is_in_request and self._has_headers
        if not had_headers and (b"pgrade" in data or b"PGRADE" in data):
            data = _without_upgrade(data)
        super().data_received(data)
        if not self._is_in_request or self._is_over():
            self._clear_deadline()
        elif self._deadline is None or (self._has_headers and not had_headers):
            self._set_deadline(BODY_SECONDS if self._has_headers else HEADER_SECONDS)

    def on_message_begin(self) -> None:
        self._is_in_request, self._has_headers = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            # The parser takes no body then, and what is one would be read as the next request.
            raise _UpgradeOffered
        super().on_headers_complete()
        self._has_headers = True

    def on_message_complete(self) -> None:
        self._is_in_request = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        was_last = not self.pipeline
        super().on_response_complete()
        if was_last and self._last_words is not None:
            self._last_words()

    def send_400_response(self, msg: str) -> None:
        self._refuse_in_turn(400, "invalid_http", "Not a valid HTTP request", "Send a well-formed HTTP/1.1 request.")

    def _is_over(self) -> bool:
        """Return whether what still comes is forgotten."""
        return self._last_words is not None or self.transport.is_closing()

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse_in_turn(408, "request_timeout", "The request took too long to arrive", "Send it again, faster.")

    def _refuse_in_turn(self, status: int, code: str, title: str, remedy: str) -> None:
        """Answer the request that is arriving with a problem, after those that came before it, and close."""
        refuse = partial(self._refuse, status, code, title, remedy)
        arriving = self.cycle if self._is_in_request and self._has_headers else None
        if arriving is None:
            waits = bool(self.cycle) and not self.cycle.response_complete
        else:
            waits = bool(self.pipeline) and self.pipeline[0][0] is arriving
            if waits:
                self.pipeline.popleft()
        if waits:
            self._last_words = refuse
        elif arriving is not None and arriving.response_started:
            self.transport.close()
        else:
            refuse()

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
    # With the protocol named, asyncio sends at once (TCP_NODELAY): an answer is two writes, and the second would wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.set_inheritable(False)
    except OSError:
        listener.close()
        raise
    return listener


def _without_upgrade(data: bytes) -> bytes:
    """Return the start of a request without its offer of another protocol, which Java's client makes by default."""
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + body
