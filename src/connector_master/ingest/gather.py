"""Gathering: many callers share one write. What comes while a write is under way makes up the next one.

With one caller this costs one write; with hundreds, one write for hundreds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from connector_master.model.problem import StorageUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """Callers submit an item and get its result after the write that carried it.

    `write` takes items in order and returns a result or an exception for each; if it raises, everybody in that write
    gets the exception. `weight` counts an item against `most_in_write` and `most_waiting`: when more than that waits,
    submit refuses at once, so that the queue never grows beyond what memory and patience bear.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result | BaseException]]],
        *,
        most_in_write: int,
        most_waiting: int,
        weight: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._write = write
        self._most_in_write = most_in_write
        self._most_waiting = most_waiting
        self._weight = weight
        self._waiting: deque[tuple[Item, int, asyncio.Future[Result]]] = deque()
        self._waiting_weight = 0
        self._wake = asyncio.Event()
        self._closing = False

    async def submit(self, item: Item) -> Result:
        """Return the item's result once it is written. Raises StorageUnavailable when too much waits already."""
        weight = self._weight(item)
        if self._closing or (self._waiting and self._waiting_weight + weight > self._most_waiting):
            raise StorageUnavailable("More is arriving than can be stored just now.", retry_after_seconds=1)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, weight, future))
        self._waiting_weight += weight
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Write until cancelled or closed; the owner runs this as its task."""
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._write_one()

    def close(self) -> None:
        """Let `run` write what waits and then return; nothing more is taken."""
        self._closing = True
        self._wake.set()

    async def _write_one(self) -> None:
        items: list[Item] = []
        futures: list[asyncio.Future[Result]] = []
        total = 0
        while self._waiting and (not items or total + self._waiting[0][1] <= self._most_in_write):
            item, weight, future = self._waiting.popleft()
            self._waiting_weight -= weight
            total += weight
            items.append(item)
            futures.append(future)
        try:
            results = await self._write(items)
        except Exception as error:
            results = [error] * len(items)
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        for future, result in zip(futures, results, strict=True):
            if future.done():
                continue  # its caller went away
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
