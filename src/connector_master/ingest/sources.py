"""What this process remembers of connectors: a short memory that PostgreSQL's NOTIFY corrects within milliseconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from re import compile as pattern

import psycopg
import structlog

from connector_master.ingest.source import Source
from connector_master.storage.connectors import CHANGED

WEBHOOK_ID = pattern(r"[A-Za-z0-9_-]{16,64}")

_HEARD_SECONDS = 300.0
"""How long an entry counts while the channel is heard."""
_UNHEARD_SECONDS = 0.5
"""How long an entry counts while nothing is heard, and an unknown address at all times."""
_MOST = 50_000

log = structlog.get_logger()


class Sources:
    """Sources by webhook id. `load` reads one from the database."""

    def __init__(self, load: Callable[[str], Awaitable[Source | None]], conninfo: str) -> None:
        self._load = load
        self._conninfo = conninfo
        self._known: dict[str, tuple[float, Source | None]] = {}
        self._loading: dict[str, asyncio.Task[Source | None]] = {}
        self._is_heard = False

    async def find(self, webhook_id: str) -> Source | None:
        """Return the source with this address, None when there is none. Raises what `load` raises."""
        entry = self._known.get(webhook_id)
        if entry is not None:
            age = time.monotonic() - entry[0]
            if age < (_HEARD_SECONDS if self._is_heard and entry[1] is not None else _UNHEARD_SECONDS):
                return entry[1]
        if WEBHOOK_ID.fullmatch(webhook_id) is None:
            return None
        task = self._loading.get(webhook_id)
        if task is None:
            task = asyncio.create_task(self._load_one(webhook_id))
            self._loading[webhook_id] = task
        return await asyncio.shield(task)

    def forget(self, webhook_id: str | None = None) -> None:
        """Read this source (or every one) again when it is next asked for, also if it is being read just now."""
        if webhook_id is None:
            self._known.clear()
            self._loading.clear()
        else:
            self._known.pop(webhook_id, None)
            self._loading.pop(webhook_id, None)

    async def listen(self) -> None:
        """Hear of changes until cancelled; while nothing can be heard, entries count for half a second only."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, connect_timeout=5
                ) as connection:
                    await connection.execute(f"LISTEN {CHANGED}")
                    self.forget()
                    self._is_heard = True
                    async for notice in connection.notifies():
                        self.forget(notice.payload)
            except psycopg.Error as error:
                log.warning("changes_unheard", error=type(error).__name__)
            finally:
                self._is_heard = False
            await asyncio.sleep(0.5)

    async def _load_one(self, webhook_id: str) -> Source | None:
        task = asyncio.current_task()
        try:
            source = await self._load(webhook_id)
        except BaseException:
            if self._loading.get(webhook_id) is task:
                del self._loading[webhook_id]
            raise
        # A change that came while this was being read took the task off the list: what was read may be old.
        if self._loading.get(webhook_id) is task:
            del self._loading[webhook_id]
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[webhook_id] = (time.monotonic(), source)
        return source
