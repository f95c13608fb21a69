"""A short memory for what a provider is asked again and again: forms, names of campaigns, titles of videos."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

_MOST = 2_000


class Memory:
    """Values by key, for a while. Whoever asks while a value is being read waits for it instead of reading it again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Any]] = {}
        self._reading: dict[str, asyncio.Task[Any]] = {}

    async def get(self, key: str, read: Callable[[], Awaitable[Any]], *, seconds: float = 3600) -> Any:
        """Return the value of `key`, read once in `seconds`. Raises what `read` raises, and then remembers nothing."""
        entry = self._known.get(key)
        if entry is not None and time.monotonic() < entry[0]:
            return entry[1]
        task = self._reading.get(key)
        if task is None:
            task = asyncio.ensure_future(self._read(key, read, seconds))
            self._reading[key] = task
        return await asyncio.shield(task)

    def forget(self, key: str | None = None) -> None:
        """Read this value (or every one) again when it is next asked for."""
        if key is None:
            self._known.clear()
        else:
            self._known.pop(key, None)

    async def _read(self, key: str, read: Callable[[], Awaitable[Any]], seconds: float) -> Any:
        try:
            value = await read()
        finally:
            self._reading.pop(key, None)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (time.monotonic() + seconds, value)
        return value
