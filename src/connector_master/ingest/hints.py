"""Hints: a worker is told soon after a commit that something may be due at destinations.

The commit alone makes it due, and a sweep each second finds it anyway; the hint only saves that second. It is given at most
every few milliseconds, however many commits there are, so that the door pays nothing for it.
"""

import asyncio

import psycopg
import structlog

from connector_master.ingest.writer import Writer
from connector_master.model.problem import StorageUnavailable
from connector_master.storage import jobs

_APART_SECONDS = 0.1

log = structlog.get_logger()


class Hints:
    """Tells workers, from a task of its own: `run` is that task, `stop` ends it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._told = asyncio.Event()
        self._is_stopped = False

    def tell(self) -> None:
        """Have workers told soon."""
        self._told.set()

    def stop(self) -> None:
        """Tell nobody any more; `run` returns."""
        self._is_stopped = True
        self._told.set()

    async def run(self) -> None:
        """Tell workers until stopped."""
        while not self._is_stopped:
            await self._told.wait()
            self._told.clear()
            try:
                await self._writer.write(jobs.hint_deliveries, [None])
            except (StorageUnavailable, psycopg.Error) as error:
                log.warning("deliveries_not_hinted", error=type(error).__name__)
            if not self._is_stopped:
                await asyncio.sleep(_APART_SECONDS)
