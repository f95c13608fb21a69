"""Counts by day: the same in every zone, whether they are kept already or counted at once."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.storage import counts
from connector_master.storage.ids import first_id_at, new_id

ZONES = (
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "UTC",
    # Its clocks went back on 2026-11-01.
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Niue",
)
NOW = datetime(2026, 11, 4, 17, 47, 12, tzinfo=UTC)
SETTLED = timedelta(minutes=2)


async def _arrive(engine: AsyncEngine, workspace: UUID, connector: UUID, moments: list[datetime]) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO events (workspace_id, id, connector_id, origin, status, received_at, payload)
                SELECT :workspace, came.id, :connector, 'push', 'created', came.at, '{}'
                  FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS came (id, at)
            """),
            {
                "workspace": workspace,
                "connector": connector,
                "ids": [UUID(int=first_id_at(at).int | (new_id().int & (2**76 - 1))) for at in moments],
                "moments": moments,
            },
        )


async def _counted(
    engine: AsyncEngine, workspace: UUID, zone: ZoneInfo, first: date
) -> dict[tuple[UUID, date], tuple[int, int]]:
    async with engine.connect() as connection:
        found = await counts.by_day(connection, workspace, first=first, now=NOW, zone=zone)
    return {(one.connector_id, one.day): (one.leads, one.leads_by_then) for one in found if one.received}


@pytest.mark.parametrize("name", ZONES)
async def test_days_are_those_of_the_zone(database: AsyncEngine, workspace: UUID, name: str) -> None:
    zone, random = ZoneInfo(name), Random(7)
    first = NOW.astimezone(zone).date() - timedelta(days=6)
    clock = NOW.astimezone(zone).time()
    moments = [NOW - timedelta(minutes=random.randrange(7 * 24 * 60)) for _ in range(300)]
    # A quarter is counted as a whole: what comes in it is as good as what comes when it begins.
    moments += [NOW - timedelta(days=day) for day in range(7)]
    moments = [at - timedelta(minutes=at.minute % 15, seconds=at.second) for at in moments]
    connectors = (new_id(), new_id())
    days: Counter[tuple[UUID, date]] = Counter()
    by_then: Counter[tuple[UUID, date]] = Counter()
    for place, connector in enumerate(connectors):
        await _arrive(database, workspace, connector, moments[place::2])
        for at in moments[place::2]:
            local = at.astimezone(zone)
            if local.date() >= first:
                days[connector, local.date()] += 1
                by_then[connector, local.date()] += local.time() < clock
    wanted = {key: (count, by_then[key]) for key, count in days.items()}

    at_once = await _counted(database, workspace, zone, first)
    async with database.begin() as connection:
        while await counts.count_on(connection, now=NOW, settled=SETTLED, most=timedelta(days=1)):
            pass
    kept = await _counted(database, workspace, zone, first)

    assert at_once == wanted
    assert kept == wanted


async def test_what_was_committed_late_is_counted_once(database: AsyncEngine, workspace: UUID) -> None:
    zone, connector = ZoneInfo("Asia/Kolkata"), new_id()
    today = NOW.astimezone(zone).date()
    await _arrive(database, workspace, connector, [NOW - timedelta(minutes=70), NOW - timedelta(minutes=30)])
    async with database.begin() as connection:
        await counts.count_on(connection, now=NOW, settled=SETTLED, most=timedelta(days=1))
    await _arrive(database, workspace, connector, [NOW - timedelta(minutes=31)])
    async with database.begin() as connection:
        await counts.count_on(connection, now=NOW, settled=SETTLED, most=timedelta(days=1))

    assert await _counted(database, workspace, zone, today) == {(connector, today): (3, 3)}
