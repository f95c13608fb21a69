"""What this process remembers of connectors: a short memory that PostgreSQL's NOTIFY corrects within milliseconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from re import compile as pattern
from uuid import UUID

import psycopg
import structlog

from connector_master.ingest.source import Source
from connector_master.storage.connectors import CHANGED

LoadOwners = Callable[[UUID, str], Awaitable[Mapping[str, str]]]
"""(workspace, connector type) → the webhook id of the connector that owns each account."""

WEBHOOK_ID = pattern(r"[A-Za-z0-9_-]{16,64}")

_HEARD_SECONDS = 300.0
"""How long an entry counts while the channel is heard."""
_UNHEARD_SECONDS = 0.5
"""How long an entry counts while nothing is heard, and an unknown address at all times."""
_SILENCE_SECONDS = 5.0
_MOST = 50_000

log = structlog.get_logger()


class Sources:
    """Sources by webhook id, or by the account they own. `load` and `load_owners` read from the database."""

    def __init__(self, load: Callable[[str], Awaitable[Source | None]], conninfo: str, load_owners: LoadOwners) -> None:
        self._load = load
        self._load_owners = load_owners
        self._conninfo = conninfo
        self._known: dict[str, tuple[float, Source | None]] = {}
        self._loading: dict[str, asyncio.Task[Source | None]] = {}
        self._owners: dict[tuple[UUID, str], tuple[float, Mapping[str, str]]] = {}
        self._changes = 0
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

    async def owner(self, source: Source, account: str) -> Source | None:
        """Return the source of the same workspace and type that owns `account`, None when there is none.

        Raises what `load` and `load_owners` raise.
        """
        key = (source.workspace_id, source.connector.type)
        entry = self._owners.get(key)
        if entry is None or time.monotonic() - entry[0] >= (_HEARD_SECONDS if self._is_heard else _UNHEARD_SECONDS):
            changes = self._changes
            entry = (time.monotonic(), await self._load_owners(*key))
            # A change that came while this was being read makes it old already.
            if changes == self._changes:
                self._owners[key] = entry
        webhook_id = entry[1].get(account)
        return None if webhook_id is None else await self.find(webhook_id)

    def forget(self, webhook_id: str | None = None) -> None:
        """Read this source (or every one) again when it is next asked for, also if it is being read just now."""
        self._changes += 1
        self._owners.clear()
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
                    while True:
                        async for notice in connection.notifies(timeout=_SILENCE_SECONDS):
                            self.forget(notice.payload)
                        # A connection that was dropped without a word stays silent for ever: ask whether it lives.
                        async with asyncio.timeout(_SILENCE_SECONDS):
                            await connection.execute("SELECT 1")
            except (psycopg.Error, TimeoutError) as error:
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
