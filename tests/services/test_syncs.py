"""Runs of sources that are asked, as their engine plays them: states, deep runs, and days with a limit of calls."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from connector_master.connectors.pulling import Limits
from connector_master.ingest.pacing import MustWait, Paced
from connector_master.model.problem import DailyLimitReached
from connector_master.services import checklist, connections, syncs
from connector_master.storage import connectors
from connector_master.storage import syncs as stored
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.ids import new_id
from tests.support.counted import Counted
from tests.support.hub import new_phone, until

PACIFIC = ZoneInfo("America/Los_Angeles")
PER_DAY = 8
"""What Counted's share of its ten calls a day is."""


def midnight() -> datetime:
    """The next midnight in California."""
    tomorrow = datetime.now(PACIFIC).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=PACIFIC).astimezone(UTC)


def comment(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "version": "1", "text": f"Comment {id_}", **fields}


async def use_up(counted: Counted, *, left: int = 0) -> None:
    await counted.sql("UPDATE provider_quotas SET used = :used", used=PER_DAY - left)


async def the_next_day(counted: Counted) -> None:
    """Let a day pass: what was used was used yesterday, and whoever waited until midnight waits no longer."""
    await counted.sql("UPDATE provider_quotas SET day = day - 1")
    await counted.sql("UPDATE provider_paces SET next_call_at = now()")


async def daily_calls(counted: Counted, connector: ConnectorRow) -> checklist.Item:
    items = await checklist.checklist(counted.hub, counted.caller, connector.id)
    return next(item for item in items if item.code == "daily_calls")


def states(counted: Counted) -> list[Any]:
    """What each call was told of the state, in turn."""
    return [orjson.loads(query["state"]) for query in counted.provider.asked_of("/comments")]


# ---- state ------------------------------------------------------------------------------------------


async def test_what_the_last_page_left_is_handed_to_the_next_run(counted: Counted) -> None:
    connector = await counted.connect()
    counted.provider.pages = [[comment("1")], [comment("2")]]

    await counted.pull(connector)
    await counted.pull(connector)

    assert states(counted) == [None, None, {"pages": 2}, {"pages": 2}]


async def test_a_page_that_is_not_stored_leaves_nothing(counted: Counted) -> None:
    connector = await counted.connect()
    counted.provider.pages = [[comment("1")], [comment("2")]]
    counted.provider.faults = [200, 500]

    assert (await counted.pull(connector)).status == "failed"
    await counted.pull(connector)

    assert states(counted)[2] == {"pages": 1}


async def test_a_backfill_has_no_state_and_leaves_none(counted: Counted) -> None:
    connector = await counted.connect()
    await counted.pull(connector)
    since = datetime.now(UTC) - timedelta(days=10)

    await syncs.start(counted.hub, counted.caller, connector.id, since, None)
    await counted.go_on(connector)
    await counted.pull(connector)

    assert states(counted) == [None, None, {"pages": 1}]


async def test_disconnecting_forgets_what_was_left(counted: Counted) -> None:
    connector = await counted.connect()
    await counted.pull(connector)

    await connections.disconnect(counted.hub, counted.caller, connector.id)

    (row,) = await counted.sql("SELECT sync_state, deep_at FROM connectors WHERE id = :id", id=connector.id)
    assert tuple(row) == (None, None)


# ---- deep runs --------------------------------------------------------------------------------------


async def depths(counted: Counted) -> list[str]:
    return [query["deep"] for query in counted.provider.asked_of("/comments")]


async def test_one_scheduled_run_a_day_is_deep(counted: Counted) -> None:
    connector = await counted.connect()

    await counted.pull(connector)
    await counted.pull(connector)
    await counted.sql("UPDATE connectors SET deep_at = deep_at - interval '24 hours'")
    await counted.pull(connector)
    await counted.pull(connector)

    assert await depths(counted) == ["True", "False", "True", "False"]


async def test_a_deep_run_that_failed_is_tried_again(counted: Counted) -> None:
    connector = await counted.connect()
    counted.provider.faults = [500]

    await counted.pull(connector)
    await counted.pull(connector)
    await counted.pull(connector)

    assert await depths(counted) == ["True", "True", "False"]


async def test_a_run_by_hand_is_not_deep_and_takes_no_deep_one_s_place(counted: Counted) -> None:
    connector = await counted.connect()

    await syncs.start(counted.hub, counted.caller, connector.id, None, None)
    await counted.go_on(connector)
    await counted.pull(connector)

    assert await depths(counted) == ["False", "True"]


# ---- calls of a day ---------------------------------------------------------------------------------


async def test_a_run_that_finds_the_day_used_up_says_so_waits_for_midnight_there_and_loses_nothing(
    counted: Counted,
) -> None:
    connector = await counted.connect()
    phones = [new_phone() for _ in range(3)]
    counted.provider.pages = [[comment(phone, phone=phone)] for phone in phones]
    await counted.pull(connector)
    await counted.sql("TRUNCATE leads, events, event_keys CASCADE")
    await use_up(counted, left=1)

    waits = await counted.pull(connector)

    assert (waits.status, waits.error_code) == ("running", "daily_limit_reached")
    assert waits.resumes_at == midnight()
    assert "8 calls" in (waits.error_message or "")
    item = await daily_calls(counted, connector)
    assert (item.title, item.state) == ("8 of 8 calls of the day used", "wrong")
    (deferred,) = await counted.sql(
        "SELECT scheduled_at FROM procrastinate_jobs WHERE task_name = 'run_sync' AND scheduled_at IS NOT NULL"
    )
    assert deferred.scheduled_at == midnight()

    asked = len(counted.provider.asked)
    await counted.go_on(connector)
    assert len(counted.provider.asked) == asked
    await the_next_day(counted)
    ended = await counted.go_on(connector)

    assert (ended.status, ended.error_code) == ("succeeded", None)
    leads = await counted.sql("SELECT phone_number FROM leads")
    assert {lead.phone_number for lead in leads} == set(phones)


async def test_connectors_of_one_key_share_the_day_and_another_key_has_its_own(counted: Counted) -> None:
    first, second = await counted.connect(), await counted.connect()
    other = await counted.connect(clientId="project-2")
    await counted.pull(first)
    await use_up(counted)

    assert (await counted.pull(second)).status == "running"
    assert (await counted.pull(other)).status == "succeeded"


async def test_an_installation_s_own_app_is_one_key_for_all_connectors_that_have_none(counted: Counted) -> None:
    credentials = {"accessToken": "token"}
    apps = {"COUNTED_CLIENT_ID": "ours", "COUNTED_CLIENT_SECRET": "s"}
    owned = replace(counted, hub=replace(counted.hub, apps=apps))
    ours = await owned.create_connector("counted", credentials=credentials)
    theirs = await owned.connect(clientId="ours")

    await owned.pull(ours)
    await owned.pull(theirs)

    (quota,) = await counted.sql("SELECT used FROM provider_quotas")
    assert quota.used == 2


async def test_many_callers_at_once_never_take_more_than_the_share(counted: Counted) -> None:
    limits = Limits(calls_per_day=10, day_share=0.8)

    async def call() -> bool:
        try:
            await Paced(counted.hub.engine, counted.provider, "k", limits).get("/comments", {"page": "0"})
        except MustWait:
            return False
        return True

    assert sum(await asyncio.gather(*(call() for _ in range(20)))) == PER_DAY
    assert len(counted.provider.asked) == PER_DAY


async def test_a_day_that_the_provider_says_is_used_up_is_waited_for_by_all_who_share_it(counted: Counted) -> None:
    # Soon after its midnight such an answer is not believed for the day.
    is_early = datetime.now(PACIFIC).hour == 0
    connector, other = await counted.connect(), await counted.connect()
    counted.provider.faults = [403]

    waits = await counted.pull(connector)
    also_waits = await counted.pull(other)

    assert (waits.status, waits.error_code, also_waits.status) == ("running", "daily_limit_reached", "running")
    assert waits.resumes_at is not None
    assert is_early or abs(waits.resumes_at - midnight()) < timedelta(seconds=2)
    assert "quotaExceeded" in (waits.error_message or "")
    assert len(counted.provider.asked) == 1
    assert (await daily_calls(counted, other)).state == "wrong"

    await the_next_day(counted)
    assert (await counted.go_on(connector)).status == "succeeded"


@pytest.mark.parametrize("left", [7, 1])
async def test_runs_lie_so_far_apart_that_the_day_s_calls_last_for_all_who_share_them(
    counted: Counted, left: int
) -> None:
    connector, other = await counted.connect(), await counted.connect()
    for one in (connector, other, connector, other):
        await counted.pull(one)
    await use_up(counted, left=left + 1)

    await counted.pull(connector)

    # A round of both takes two calls.
    day_left = midnight() - datetime.now(UTC)
    wanted = max(timedelta(minutes=15), min(day_left, day_left * 2 / left))
    (row,) = await counted.sql("SELECT next_sync_at FROM connectors WHERE id = :id", id=connector.id)
    assert abs(row.next_sync_at - datetime.now(UTC) - wanted) < timedelta(minutes=2)


async def test_a_person_is_told_at_once_that_the_day_is_used_up(counted: Counted) -> None:
    connector = await counted.connect()
    await counted.pull(connector)
    await use_up(counted)

    with pytest.raises(DailyLimitReached) as told:
        await connections.list_accounts(counted.hub, counted.caller, connector.id)

    assert told.value.retry_after_seconds is not None


# ---- the schedule beside runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", ["scheduled", "backfill"])
async def test_a_run_goes_on_while_the_schedule_looks_at_its_connector(counted: Counted, trigger: str) -> None:
    connector = await counted.connect()
    counted.provider.pages = [[comment("1")]]
    now = datetime.now(UTC)
    async with counted.hub.engine.begin() as connection:
        about: dict[str, Any] = {"connector_id": connector.id, "from_at": now - timedelta(days=1), "to_at": now}
        sync = await stored.add(connection, counted.workspace, id_=new_id(), trigger=trigger, **about)

    async def the_run_waits() -> bool:
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(await counted.sql(waiting))

    async with counted.hub.engine.begin() as scheduling:
        # What the schedule does: it holds the connector, and then tries to queue the next run.
        await connectors.get_locked(scheduling, counted.workspace, connector.id)
        running = asyncio.create_task(syncs.run(counted.hub, counted.workspace, sync.id))
        await until(the_run_waits)
        with pytest.raises(stored.AlreadyActive):
            await stored.add(scheduling, counted.workspace, id_=new_id(), trigger="scheduled", **about)
    await running

    assert (await syncs.get(counted.hub, counted.caller, connector.id, sync.id)).status == "succeeded"


# ---- limits that last -------------------------------------------------------------------------------


async def test_a_provider_that_says_too_many_again_and_again_is_asked_less_and_less(counted: Counted) -> None:
    connector = await counted.connect()
    counted.provider.faults = [429] * 6
    rests = []

    for _ in range(6):
        await counted.sql("UPDATE provider_paces SET next_call_at = now()")
        await counted.pull(connector)
        (row,) = await counted.sql("SELECT next_sync_at - now() AS rest FROM connectors")
        rests.append(row.rest)

    assert rests[0] < timedelta(minutes=1)
    assert rests[-1] > 5 * rests[0]
