"""Long lists: words and sources are found among many thousands of leads, text among many thousands of events."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.caller import command_line
from connector_master.services import audit, events, leads
from connector_master.services.leads import Search
from connector_master.storage.events import EventFilter
from connector_master.storage.ids import new_id


class _Hub:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine


# The older, the smaller the number: an id is as good as the moment in it.
_LEADS = text("""
    WITH made AS (
        INSERT INTO leads (workspace_id, id, deduplication_key, phone_number, name, email, business_name, source, connector_id,
                           created_at, updated_at, last_seen_at, times_seen)
        SELECT :workspace, lpad(to_hex(number), 32, '0')::uuid, phone, phone,
               CASE WHEN number = 1 THEN 'Asha Rao' WHEN number = 2 THEN 'Asha Kumar' WHEN number % 9 = 0 THEN 'Meena Kumar'
                    ELSE 'Ravi Kumar' END,
               'k' || number || '@mills.example', 'Kumar Mills', CASE WHEN number < 3 THEN 'fair' ELSE 'web' END,
               :connector, now(), now(), now(), 1
          FROM generate_series(1, 12000) AS number,
               LATERAL (SELECT '+91' || CASE number WHEN 2 THEN 8765432109 ELSE 9000000000 + number END AS phone) AS numbered
        RETURNING *
    ), worded AS (
        INSERT INTO lead_words (workspace_id, lead_id, words)
        SELECT workspace_id, id, words_of_lead(concat_ws(' ', name, email, business_name), phone_number) FROM made
    )
    INSERT INTO searchable (until) SELECT lpad(to_hex(12000), 32, '0')::uuid
""")


async def _found(hub: Any, workspace: UUID, search: Search, limit: int = 10) -> tuple[list[str], int]:
    """Return who is found, page after page, and on how many pages."""
    names: list[str] = []
    cursor: str | None = None
    for page in range(1, 100):
        found, cursor = await leads.list_page(hub, command_line(workspace), search, limit=limit, cursor=cursor)
        names += [f"{lead.name} {lead.id.int}" for lead in found]
        if cursor is None:
            return names, page
    raise AssertionError("the list does not end")


@pytest.fixture
async def many(database: AsyncEngine, workspace: UUID) -> Any:
    """A hub with 12,000 leads."""
    async with database.begin() as connection:
        await connection.execute(_LEADS, {"workspace": workspace, "connector": new_id()})
    return _Hub(database)


@pytest.mark.parametrize(
    ("q", "wanted"),
    [
        ("asha", ["Asha Kumar 2", "Asha Rao 1"]),
        ("ash ra", ["Asha Rao 1"]),
        ("asha kumar mills", ["Asha Kumar 2", "Asha Rao 1"]),
        ("k2@mills.example", ["Asha Kumar 2"]),
        ("asha meena", []),
        ("900000 0001", ["Asha Rao 1"]),
        ("65 43 21", ["Asha Kumar 2"]),
        ("%", []),
    ],
)
async def test_words_are_found_among_the_oldest_leads(many: Any, workspace: UUID, q: str, wanted: list[str]) -> None:
    names, _pages = await _found(many, workspace, Search(q=q))

    assert names == wanted


async def test_every_lead_with_common_words_is_found_once(many: Any, workspace: UUID) -> None:
    names, _pages = await _found(many, workspace, Search(q="meena kumar"), limit=50)

    assert names == [f"Meena Kumar {number}" for number in range(11_997, 0, -9)]


async def test_a_source_is_looked_for_in_so_many_leads_at_a_time(many: Any, workspace: UUID) -> None:
    names, pages = await _found(many, workspace, Search(source="FAIR"))

    assert (names, pages) == (["Asha Kumar 2", "Asha Rao 1"], 2)


_EVENTS = text("""
    INSERT INTO events (workspace_id, id, connector_id, origin, status, code, received_at, payload)
    SELECT :workspace, lpad(to_hex(number), 32, '0')::uuid, :connector, 'push', 'created', CASE WHEN number = 1 THEN 'rare' END,
           now(), convert_to(CASE WHEN number = 1 THEN '{"a": "needle"}' ELSE '{}' END, 'UTF8')
      FROM generate_series(1, 10001) AS number
""")


@pytest.mark.parametrize("filter_", [EventFilter(q="needle"), EventFilter(code="rare")])
async def test_an_old_event_is_found_page_by_page(database: AsyncEngine, workspace: UUID, filter_: EventFilter) -> None:
    async with database.begin() as connection:
        await connection.execute(_EVENTS, {"workspace": workspace, "connector": new_id()})
    hub: Any = _Hub(database)
    caller = command_line(workspace)

    first, cursor = await events.list_page(hub, caller, filter_, limit=10, cursor=None)
    second, end = await events.list_page(hub, caller, filter_, limit=10, cursor=cursor)

    assert first == []
    assert cursor is not None
    assert [event.id.int for event in second] == [1]
    assert end is None


async def test_an_old_line_of_the_log_is_found_page_by_page(database: AsyncEngine, workspace: UUID) -> None:
    async with database.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO activity (workspace_id, id, at, kind, level, message, actor_kind)
                SELECT :workspace, lpad(to_hex(number), 32, '0')::uuid, now(), 'kind', 'info',
                       CASE WHEN number = 1 THEN 'a needle' ELSE 'hay' END, 'system'
                  FROM generate_series(1, 10001) AS number
            """),
            {"workspace": workspace},
        )
    hub: Any = _Hub(database)

    first, cursor = await audit.list_page(hub, command_line(workspace), limit=10, cursor=None, q="needle")
    second, end = await audit.list_page(hub, command_line(workspace), limit=10, cursor=cursor, q="needle")

    assert first == []
    assert [line.message for line in second] == ["a needle"]
    assert end is None
