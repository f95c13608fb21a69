"""Calls at a provider's pace: shared by processes, and costing the database nothing where there is no pace to keep."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Limits
from connector_master.ingest.pacing import MustWait, Paced
from connector_master.ingest.resolve import fetch
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import Problem, ProviderLimited
from connector_master.outbound.client import Client
from connector_master.storage.ids import new_id
from tests.connectors.scripted import Scripted, answer
from tests.support.hub import until


def paced(database: AsyncEngine, key: str = "toy:k", **limits: Any) -> Paced:
    """A client as one process has it; what it calls answers 200."""
    return Paced(database, Scripted(answer([])), key, Limits(**limits))


async def test_two_processes_share_one_pace(database: AsyncEngine) -> None:
    slow = {"between_calls": timedelta(minutes=5)}
    await paced(database, **slow).get("/")

    with pytest.raises(MustWait):
        await paced(database, **slow).get("/")
    await paced(database, "toy:another", **slow).get("/")


async def test_a_thousand_calls_without_a_pace_hardly_ask_the_database(database: AsyncEngine) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.sync_engine, "before_cursor_execute", note)
    client = paced(database)

    await asyncio.gather(*(client.get("/") for _ in range(1000)))

    assert client.calls == 1000
    assert len(statements) < 50
    assert all(statement.lstrip().startswith("SELECT") for statement in statements)


async def test_a_rest_that_another_process_was_told_of_is_kept_within_moments(database: AsyncEngine) -> None:
    one, other = paced(database), paced(database)
    await one.get("/")
    await other.rest(ProviderLimited("Too many calls.", retry_after_seconds=600))

    async def rests() -> bool:
        try:
            await one.get("/")
        except MustWait as waits:
            return waits.until > datetime.now(UTC) + timedelta(minutes=9)
        return False

    await until(rests, 5)


async def test_a_short_rest_is_slept_through(database: AsyncEngine) -> None:
    client = paced(database)
    resumes_at = await client.rest(ProviderLimited("Too many calls.", retry_after_seconds=1))

    await client.get("/")

    assert datetime.now(UTC) >= resumes_at - timedelta(milliseconds=50)


async def test_announced_leads_wait_with_their_provider_and_are_no_failures(database: AsyncEngine) -> None:
    client = paced(database)
    await client.rest(ProviderLimited("Too many calls.", retry_after_seconds=600))

    async def resolve(client: Client, grant: Grant, settings: Any, announced: Json) -> Record:
        await client.get("/lead")
        return Record(announced)

    grant = Grant(credentials=None, access_token="t")
    source: Any = SimpleNamespace(settings=None)
    # One of several of its request, which is read as it was kept.
    announced: Any = SimpleNamespace(event=SimpleNamespace(id=new_id(), position=0), payload=b"{}")
    found: dict[UUID, Record | Problem] = {}
    with pytest.raises(MustWait):
        await fetch(resolve, client, grant, source, [announced], found)

    assert found == {}
