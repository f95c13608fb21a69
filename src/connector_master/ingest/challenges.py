"""Challenges: which connectors have proven their address to their provider, written down beside the answer, never before it."""

import asyncio
import time
from uuid import UUID

import structlog

from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.problem import StorageUnavailable
from connector_master.storage.subscriptions import note_challenges

_NOTED_SECONDS = 60.0
"""Anybody may ask some addresses for proof, so it is written no more often."""
_MOST_REMEMBERED = 10_000

log = structlog.get_logger()


class Challenges:
    """Writes down that challenges were answered. `run` is its task."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._noted: dict[tuple[UUID, UUID], float] = {}
        self._waiting: set[tuple[UUID, UUID]] = set()
        self._wake = asyncio.Event()
        self._is_stopping = False

    async def run(self) -> None:
        """Write what was noted, as soon as it is, until stopped."""
        while not self._is_stopping:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, set()
            if waiting:
                try:
                    await self._writer.write(note_challenges, sorted(waiting))
                except StorageUnavailable as problem:
                    # Nothing hangs on it, and the provider asks again.
                    log.warning("challenge_not_noted", code=problem.code)

    def stop(self) -> None:
        """Write what was noted, and end `run`."""
        self._is_stopping = True
        self._wake.set()

    def note(self, source: Source) -> None:
        """Have it written that a challenge to this source was answered."""
        who = (source.workspace_id, source.connector_id)
        now = time.monotonic()
        if now - self._noted.get(who, float("-inf")) < _NOTED_SECONDS:
            return
        if len(self._noted) >= _MOST_REMEMBERED:
            self._noted.clear()
        self._noted[who] = now
        self._waiting.add(who)
        self._wake.set()
