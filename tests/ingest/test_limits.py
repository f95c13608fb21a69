"""Limits: how many requests a minute a connector lets pass, counted for all processes together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connectors import registry
from connector_master.connectors.webhook import Settings
from connector_master.ingest.limits import Limits
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.problem import RateLimited, StorageUnavailable
from connector_master.pipeline.process import Profile
from connector_master.storage.engine import conninfo
from connector_master.storage.ids import new_id


def source(workspace: UUID, per_minute: int | None) -> Source:
    return Source(
        workspace_id=workspace,
        connector_id=new_id(),
        webhook_id="x" * 16,
        connector=registry()["webhook"],
        settings=Settings(rate_limit_per_minute=per_minute),
        secrets=(),
        verify_tokens=(),
        mapping=None,
        profile=Profile(),
        is_paused=False,
    )


@asynccontextmanager
async def limits_at(where: str) -> AsyncIterator[Limits]:
    writer = Writer(where)
    limits = Limits(writer)
    async with asyncio.TaskGroup() as group:
        group.create_task(limits.run())
        try:
            yield limits
        finally:
            limits.stop()
    await writer.close()


@pytest.fixture
async def limits(database_url: str) -> AsyncIterator[Limits]:
    async with limits_at(conninfo(database_url)) as made:
        yield made


async def passes(limits: Limits, one: Source) -> bool:
    try:
        await limits.pass_one(one)
    except RateLimited:
        return False
    return True


async def test_a_full_minute_s_worth_passes_and_the_next_is_refused(limits: Limits, workspace: UUID) -> None:
    one = source(workspace, 3)

    assert [await passes(limits, one) for _ in range(5)] == [True, True, True, False, False]


async def test_a_refusal_says_when_to_come_back(limits: Limits, workspace: UUID) -> None:
    one = source(workspace, 2)
    for _ in range(2):
        await limits.pass_one(one)

    with pytest.raises(RateLimited) as refused:
        await limits.pass_one(one)

    assert refused.value.retry_after_seconds in range(1, 31)


async def test_of_many_at_once_exactly_as_many_pass_as_may(limits: Limits, workspace: UUID) -> None:
    one = source(workspace, 10)

    passed = await asyncio.gather(*(passes(limits, one) for _ in range(100)))

    assert sum(passed) == 10
    # First come, first served.
    assert passed[:10] == [True] * 10


async def test_a_connector_s_flood_takes_nothing_from_another(limits: Limits, workspace: UUID) -> None:
    flooded, calm = source(workspace, 1), source(workspace, 1)

    passed = await asyncio.gather(*(passes(limits, flooded) for _ in range(50)), passes(limits, calm))

    assert sum(passed[:50]) == 1
    assert passed[50]


async def test_processes_count_together(database_url: str, limits: Limits, workspace: UUID) -> None:
    one = source(workspace, 10)
    async with limits_at(conninfo(database_url)) as other:
        passed = await asyncio.gather(*(passes(either, one) for _ in range(20) for either in (limits, other)))

    assert sum(passed) == 10


async def test_the_bucket_fills_up_again_with_time_and_never_beyond_a_minute_s_worth(
    limits: Limits, workspace: UUID, database: AsyncEngine
) -> None:
    one = source(workspace, 2)
    while await passes(limits, one):
        pass

    for hours, expected in ((0.5 / 60, 1), (24, 2)):
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE rate_limits SET tokens = 0, refilled_at = now() - make_interval(secs => :secs)"),
                {"secs": hours * 3600 + 1},
            )
        assert sum([await passes(limits, one) for _ in range(4)]) == expected


async def test_a_limit_that_is_lowered_counts_at_once(limits: Limits, workspace: UUID) -> None:
    one = source(workspace, 1000)
    assert await passes(limits, one)
    lowered = replace(one, settings=Settings(rate_limit_per_minute=1))

    assert [await passes(limits, lowered) for _ in range(2)] == [True, False]


async def test_without_a_limit_nothing_is_asked_of_the_database(workspace: UUID) -> None:
    async with limits_at("host=/nowhere") as nowhere:
        await nowhere.pass_one(source(workspace, None))
        with pytest.raises(StorageUnavailable):
            await nowhere.pass_one(source(workspace, 1))
