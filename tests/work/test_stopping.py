"""A worker that is told to stop stops, also when the database goes just then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from procrastinate import App
from procrastinate.exceptions import ConnectorException

from connector_master.work.run import run_worker


class Failing:
    """A Procrastinate app that meets a database gone at the moment it is cancelled: while it works, or while it closes."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.works = asyncio.Event()

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._where == "closing":
                raise ConnectorException

    async def run_worker_async(self, **_: Any) -> None:
        self.works.set()
        try:
            await asyncio.Event().wait()
        finally:
            if self._where == "working":
                raise ConnectorException


@pytest.mark.parametrize("where", ["working", "closing"])
async def test_a_worker_that_fails_while_it_is_cancelled_ends(where: str) -> None:
    app = Failing(where)
    running = asyncio.create_task(run_worker(cast("App", app)))
    await app.works.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 20)
