"""Sources: what is remembered of connectors, and how soon it is forgotten."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest

from connector_master.connectors import registry
from connector_master.connectors.webhook import Settings
from connector_master.ingest.source import Source
from connector_master.ingest.sources import Sources
from connector_master.pipeline.process import Profile
from connector_master.storage.connectors import CHANGED
from connector_master.storage.engine import conninfo
from tests.support.hub import until

ID = "abcdefghijklmnop"
NOWHERE = "host=/nowhere"


def source(webhook_id: str = ID) -> Source:
    return Source(
        workspace_id=UUID(int=1),
        connector_id=UUID(int=2),
        webhook_id=webhook_id,
        connector=registry()["webhook"],
        settings=Settings(),
        secrets=(),
        verify_tokens=(),
        mapping=None,
        profile=Profile(),
        is_paused=False,
    )


class Database:
    """What a test says is stored; counts how often it is read, and holds a reading back where asked to."""

    def __init__(self, *stored: str) -> None:
        self.stored = set(stored)
        self.reads: Counter[str] = Counter()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.fails = False

    async def load(self, webhook_id: str) -> Source | None:
        self.reads[webhook_id] += 1
        found = source(webhook_id) if webhook_id in self.stored else None
        self.begun.set()
        await self.may_end.wait()
        if self.fails:
            raise OSError("the database is away")
        return found

    async def owners(self, workspace: UUID, type_: str) -> Mapping[str, str]:
        return {}

    def sources(self, where: str = NOWHERE) -> Sources:
        return Sources(self.load, where, self.owners)


async def test_a_source_is_read_once_and_remembered() -> None:
    database = Database(ID)
    sources = database.sources()

    found = await sources.find(ID)

    assert found is not None
    assert await sources.find(ID) is found
    assert database.reads[ID] == 1


async def test_many_that_ask_at_once_share_one_reading() -> None:
    database = Database(ID)
    sources = database.sources()

    found = await asyncio.gather(*(sources.find(ID) for _ in range(50)))

    assert len({id(one) for one in found}) == 1
    assert database.reads[ID] == 1


@pytest.mark.parametrize(
    "webhook_id", ["", "short", "x" * 65, "abcdefghijklmno/", "abcdefghijklmno\0", "क" * 20, "a" * 16 + "\n"]
)
async def test_what_can_t_be_an_address_is_never_looked_up(webhook_id: str) -> None:
    database = Database()

    assert await database.sources().find(webhook_id) is None
    assert not database.reads


async def test_an_unknown_address_is_none() -> None:
    assert await Database().sources().find(ID) is None


async def test_what_is_forgotten_is_read_again() -> None:
    database = Database(ID)
    sources = database.sources()
    await sources.find(ID)
    database.stored.clear()
    assert await sources.find(ID) is not None

    sources.forget(ID)

    assert await sources.find(ID) is None


async def test_what_changes_while_it_is_being_read_is_read_again() -> None:
    database = Database(ID)
    sources = database.sources()
    database.may_end.clear()
    reading = asyncio.create_task(sources.find(ID))
    await database.begun.wait()

    database.stored.clear()
    sources.forget(ID)
    database.may_end.set()

    # Who had asked before the change may get what was read before it; nobody after.
    await reading
    assert await sources.find(ID) is None


async def test_a_failed_reading_is_not_remembered() -> None:
    database = Database(ID)
    sources = database.sources()
    database.fails = True
    with pytest.raises(OSError, match="away"):
        await sources.find(ID)

    database.fails = False

    assert await sources.find(ID) is not None


async def test_who_goes_away_takes_nobody_s_reading_with_him() -> None:
    database = Database(ID)
    sources = database.sources()
    database.may_end.clear()
    going, staying = asyncio.create_task(sources.find(ID)), asyncio.create_task(sources.find(ID))
    await database.begun.wait()

    going.cancel()
    database.may_end.set()

    assert await staying is not None
    assert database.reads[ID] == 1


# ---- what others change -----------------------------------------------------------------------------


@asynccontextmanager
async def listening(sources: Sources) -> AsyncIterator[None]:
    task = asyncio.create_task(sources.listen())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def tell(where: str, webhook_id: str) -> None:
    async with await psycopg.AsyncConnection.connect(where, autocommit=True) as connection:
        await connection.execute("SELECT pg_notify(%s, %s)", [CHANGED, webhook_id])


async def test_a_change_that_another_process_tells_of_is_heard(database_url: str) -> None:
    where = conninfo(database_url)
    database = Database(ID, "q" * 16)
    sources = database.sources(where)
    async with listening(sources):
        await sources.find(ID)
        await sources.find("q" * 16)
        database.stored.clear()

        async def is_gone() -> bool:
            await tell(where, ID)
            return await sources.find(ID) is None

        await until(is_gone)


async def test_a_listener_that_lost_its_connection_listens_again(database_url: str) -> None:
    where = conninfo(database_url)
    database = Database(ID)
    sources = database.sources(where)
    async with listening(sources), await psycopg.AsyncConnection.connect(where, autocommit=True) as connection:

        async def ended() -> list[Any]:
            found = await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s AND datname = current_database()",
                ["LISTEN%"],
            )
            return await found.fetchall()

        async def is_heard() -> bool:
            return sources._is_heard

        async def is_unheard() -> bool:
            return not sources._is_heard

        await until(ended)
        await until(is_unheard)
        await until(is_heard)
        await sources.find(ID)
        database.stored.clear()

        async def is_gone() -> bool:
            await tell(where, ID)
            return await sources.find(ID) is None

        await until(is_gone)


async def test_while_nothing_is_heard_a_change_shows_all_the_same() -> None:
    database = Database(ID)
    sources = database.sources()
    await sources.find(ID)
    database.stored.clear()

    async def is_gone() -> bool:
        return await sources.find(ID) is None

    await until(is_gone)
