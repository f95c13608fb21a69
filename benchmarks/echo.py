"""The echo: a bare uvicorn that reads a body and answers it. Nothing in Python that speaks HTTP answers faster."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from benchmarks.serving import serve

Message = MutableMapping[str, Any]

_HEADERS = [(b"content-type", b"application/json")]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer one request with its own body."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, length]})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    sys.exit(serve(app))
