"""Holding an answer back: what happens meanwhile is what a slow network lets happen."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Held:
    """One answer that is held back."""

    made: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    async def is_there(self) -> bool:
        """Return whether the answer is made, and only its sender doesn't have it yet."""
        return self.made.is_set()


class Holding:
    """An ASGI application around another one, which holds back answers of an address."""

    def __init__(self, onward: Any) -> None:
        self._onward = onward
        self._next: dict[str, Held] = {}

    @contextlib.contextmanager
    def hold(self, path: str) -> Iterator[Held]:
        """Hold back the next answer of `path` for as long as the `with` lasts."""
        held = self._next[path] = Held()
        try:
            yield held
        finally:
            self._next.pop(path, None)
            held.released.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        held = self._next.pop(scope.get("path", ""), None)

        async def send_later(message: Any) -> None:
            if held is not None and message["type"] == "http.response.start":
                held.made.set()
                await asyncio.to_thread(held.released.wait, 60)
            await send(message)

        await self._onward(scope, receive, send_later)
