"""Gathering: who shares a write, what each gets back, and when nothing more is taken."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from connector_master.ingest.gather import Gathering
from connector_master.model.problem import StorageUnavailable


class Writing:
    """Writes that wait until they may end, and answer each item with its double."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int | BaseException]:
        self.writes.append(list(items))
        self.begun.set()
        await self.may_end.wait()
        if 13 in items:
            raise OSError("the whole write fails")
        return [ValueError(item) if item < 0 else 2 * item for item in items]


@asynccontextmanager
async def gathering(
    writing: Writing, *, most_in_write: int = 100, most_waiting: int = 100
) -> AsyncIterator[Gathering[int, int]]:
    """A gathering whose items weigh what they are, while its task runs."""
    made: Gathering[int, int] = Gathering(
        writing, most_in_write=most_in_write, most_waiting=most_waiting, weight=lambda item: max(1, abs(item))
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run())
        yield made
        made.close()


async def held(writing: Writing, made: Gathering[int, int]) -> asyncio.Task[int]:
    """Submit 1 and return once its write is under way, held."""
    writing.may_end.clear()
    first = asyncio.create_task(made.submit(1))
    await writing.begun.wait()
    return first


async def submitted(made: Gathering[int, int], items: Sequence[int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(made.submit(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_one_caller_has_a_write_of_its_own() -> None:
    writing = Writing()
    async with gathering(writing) as made:
        assert await made.submit(4) == 8

    assert writing.writes == [[4]]


async def test_all_that_come_while_a_write_is_under_way_share_the_next_one() -> None:
    writing = Writing()
    async with gathering(writing) as made:
        first = await held(writing, made)
        others = await submitted(made, [2, 3, 4])
        writing.may_end.set()

        assert await asyncio.gather(first, *others) == [2, 4, 6, 8]

    assert writing.writes == [[1], [2, 3, 4]]


async def test_an_item_that_fails_fails_alone() -> None:
    async with gathering(Writing()) as made:
        results = await asyncio.gather(*(made.submit(item) for item in (5, -1, 6)), return_exceptions=True)

    assert [results[0], results[2]] == [10, 12]
    assert isinstance(results[1], ValueError)


async def test_a_write_that_fails_fails_everybody_in_it_and_nobody_else() -> None:
    writing = Writing()
    async with gathering(writing) as made:
        first = await held(writing, made)
        others = await submitted(made, [2, 13])
        writing.may_end.set()
        results = await asyncio.gather(first, *others, return_exceptions=True)
        after = await made.submit(7)

    assert (results[0], after) == (2, 14)
    assert [type(result) for result in results[1:]] == [OSError, OSError]


async def test_a_write_takes_no_more_than_its_share_and_an_item_beyond_it_goes_alone() -> None:
    writing = Writing()
    async with gathering(writing, most_in_write=10) as made:
        first = await held(writing, made)
        others = await submitted(made, [4, 5, 6, 30, 1])
        writing.may_end.set()
        await asyncio.gather(first, *others)

    assert writing.writes == [[1], [4, 5], [6], [30], [1]]


async def test_when_too_much_waits_a_caller_is_refused_at_once_with_the_time_to_come_back() -> None:
    writing = Writing()
    async with gathering(writing, most_waiting=10) as made:
        first = await held(writing, made)
        waiting = await submitted(made, [5, 5])

        with pytest.raises(StorageUnavailable) as refused:
            await made.submit(1)
        writing.may_end.set()

        assert refused.value.retry_after_seconds
        assert await asyncio.gather(first, *waiting) == [2, 10, 10]
        assert await made.submit(3) == 6


async def test_what_is_heavier_than_the_whole_queue_is_taken_when_nothing_waits() -> None:
    async with gathering(Writing(), most_waiting=10) as made:
        assert await made.submit(50) == 100


async def test_a_caller_that_goes_away_disturbs_nobody() -> None:
    writing = Writing()
    async with gathering(writing) as made:
        first = await held(writing, made)
        gone, stays = await submitted(made, [2, 3])
        gone.cancel()
        writing.may_end.set()

        assert await asyncio.gather(first, stays) == [2, 6]
        assert await made.submit(4) == 8


async def test_what_waits_is_written_before_the_end_and_nothing_more_is_taken() -> None:
    writing = Writing()
    made: Gathering[int, int] = Gathering(writing, most_in_write=10, most_waiting=10)
    running = asyncio.create_task(made.run())
    first = await held(writing, made)
    waiting = await submitted(made, [2])
    made.close()

    with pytest.raises(StorageUnavailable):
        await made.submit(3)
    writing.may_end.set()
    await running

    assert await asyncio.gather(first, *waiting) == [2, 4]


async def test_callers_do_not_wait_for_ever_when_the_writing_task_is_cancelled() -> None:
    writing = Writing()
    made: Gathering[int, int] = Gathering(writing, most_in_write=10, most_waiting=10)
    running = asyncio.create_task(made.run())
    first = await held(writing, made)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await first
