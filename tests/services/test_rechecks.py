"""Records that are read again: confirmed, edited, taken back, and let go of when their source's policy says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector_master.services import connections, connectors, rechecks
from connector_master.storage.connectors import ConnectorRow
from tests.support.counted import Counted
from tests.support.hub import new_phone


def comment(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "version": "1", "text": f"Comment {id_}", **fields}


async def pulled(counted: Counted, *comments: dict[str, Any]) -> ConnectorRow:
    """Connect, and pull these comments."""
    connector = await counted.connect()
    counted.provider.pages = [list(comments)]
    assert (await counted.pull(connector)).status == "succeeded"
    return connector


async def pass_days(counted: Counted, days: float) -> None:
    """Let events have come, and been seen, so many days before."""
    await counted.sql(
        "UPDATE events SET received_at = received_at - make_interval(hours => :hours),"
        " confirmed_at = confirmed_at - make_interval(hours => :hours)",
        hours=round(days * 24),
    )
    await counted.sql("UPDATE provider_quotas SET day = day - 1")


async def recheck(counted: Counted) -> list[list[str]]:
    """Run what is due to be rechecked as workers do, and return the ids that were asked for, call by call."""
    before = len(counted.provider.asked_of("/comments/again"))
    await rechecks.schedule_due(counted.hub)
    for job in await counted.sql("DELETE FROM procrastinate_jobs WHERE task_name = 'recheck' RETURNING args"):
        await rechecks.run(counted.hub, counted.workspace, job.args["connector_id"])
    return [query["ids"].split(",") for query in counted.provider.asked_of("/comments/again")[before:]]


async def make_due(counted: Counted) -> None:
    await counted.sql("UPDATE connectors SET recheck_at = now()")


async def event(counted: Counted, id_: str) -> Any:
    (found,) = await counted.sql("SELECT * FROM events WHERE external_id = :id", id=id_)
    return found


# ---- read again -------------------------------------------------------------------------------------


async def test_after_a_deep_run_what_nobody_saw_for_a_day_is_read_again_and_confirmed(counted: Counted) -> None:
    connector = await pulled(counted, comment("old"), comment("gone from the list"))
    await pass_days(counted, 2)
    await counted.sql("UPDATE connectors SET deep_at = deep_at - interval '2 days'")
    counted.provider.pages = [[comment("old"), comment("new")]]
    await counted.pull(connector)
    counted.provider.pages.append([comment("gone from the list")])

    assert await recheck(counted) == [["gone from the list"]]

    assert (await event(counted, "gone from the list")).confirmed_at > datetime.now(UTC) - timedelta(minutes=1)
    assert (await event(counted, "old")).confirmed_at > datetime.now(UTC) - timedelta(minutes=1)
    assert await recheck(counted) == []


async def test_a_comment_that_gained_a_phone_becomes_a_lead_and_one_taken_back_is_removed(counted: Counted) -> None:
    await pulled(counted, comment("edited"), comment("taken back"))
    await pass_days(counted, 2)
    phone = new_phone()
    counted.provider.pages = [[comment("edited", phone=phone) | {"version": "2"}]]
    await make_due(counted)

    await recheck(counted)

    assert (await event(counted, "edited")).status == "created"
    assert [lead.phone_number for lead in await counted.sql("SELECT phone_number FROM leads")] == [phone]
    gone = await event(counted, "taken back")
    assert (gone.status, gone.code, bytes(gone.payload)) == ("ignored", "erased", b"")


async def test_many_records_are_read_again_in_batches_and_go_on_where_the_day_ended(counted: Counted) -> None:
    comments = [comment(f"{number:04}") for number in range(250)]
    connector = await pulled(counted, *comments)
    await pass_days(counted, 2)
    await counted.sql("INSERT INTO provider_quotas SELECT key, current_date, 6 FROM provider_quotas")
    await counted.sql(
        "UPDATE provider_quotas SET day = (now() AT TIME ZONE 'America/Los_Angeles')::date WHERE used = 6"
    )
    await make_due(counted)

    first = await recheck(counted)
    (row,) = await counted.sql("SELECT recheck_at FROM connectors WHERE id = :id", id=connector.id)
    assert row.recheck_at > datetime.now(UTC)
    await counted.sql("UPDATE provider_quotas SET day = day - 7")
    await make_due(counted)
    second = await recheck(counted)

    assert [len(ids) for ids in first] == [100, 100]
    assert [len(ids) for ids in second] == [50]
    assert sorted(id_ for ids in (*first, *second) for id_ in ids) == [one["id"] for one in comments]


async def test_a_provider_that_fails_is_asked_again_later(counted: Counted) -> None:
    await pulled(counted, comment("1"))
    await pass_days(counted, 2)
    counted.provider.faults = [500]
    await make_due(counted)

    await recheck(counted)
    assert (await event(counted, "1")).confirmed_at is None
    assert await recheck(counted) == []
    await make_due(counted)
    await recheck(counted)

    assert (await event(counted, "1")).confirmed_at is not None


async def test_a_paused_connector_s_records_are_not_read_again(counted: Counted) -> None:
    connector = await pulled(counted, comment("1"))
    await pass_days(counted, 2)
    await connectors.pause(counted.hub, counted.caller, connector.id)
    await make_due(counted)

    assert await recheck(counted) == []


# ---- let go -----------------------------------------------------------------------------------------


async def test_what_nobody_saw_at_its_source_for_so_long_is_removed_and_its_lead_stays(counted: Counted) -> None:
    await pulled(counted, comment("lead", phone=new_phone()), comment("interaction"))
    await pass_days(counted, 29)
    assert await rechecks.forget_unconfirmed(counted.hub) == 0
    await pass_days(counted, 2)

    assert await rechecks.forget_unconfirmed(counted.hub) == 2

    lead, interaction = await event(counted, "lead"), await event(counted, "interaction")
    assert (lead.status, bytes(lead.payload), lead.resolved) == ("created", b"", None)
    assert (interaction.status, interaction.code, bytes(interaction.payload)) == ("ignored", "interaction", b"")
    assert len(await counted.sql("SELECT 1 FROM leads")) == 1
    assert await rechecks.forget_unconfirmed(counted.hub) == 0


async def test_what_was_seen_lately_is_kept_however_old_it_is(counted: Counted) -> None:
    connector = await pulled(counted, comment("1"))
    await pass_days(counted, 29)
    await counted.pull(connector)
    await pass_days(counted, 2)

    assert await rechecks.forget_unconfirmed(counted.hub) == 0


async def removed(counted: Counted, connector: ConnectorRow) -> None:
    """Run what a worker would, and see that what was sent is gone and somebody is told."""
    for job in await counted.sql("DELETE FROM procrastinate_jobs WHERE task_name = 'forget_raw' RETURNING args"):
        before = datetime.fromisoformat(job.args["before"])
        await rechecks.forget_raw(counted.hub, counted.workspace, connector.id, before)
    assert bytes((await event(counted, "1")).payload) == b""
    assert len(await counted.sql("SELECT 1 FROM leads")) == 1
    (line,) = await counted.sql("SELECT message FROM activity WHERE kind = 'raw_removed'")
    assert "1 event " in line.message


async def test_disconnecting_removes_what_was_sent_and_leaves_the_lead(counted: Counted) -> None:
    connector = await pulled(counted, comment("1", phone=new_phone()))

    await connections.disconnect(counted.hub, counted.caller, connector.id)

    await removed(counted, connector)


@pytest.mark.parametrize(("days", "is_kept"), [(6, True), (8, False)])
async def test_what_came_under_an_agreement_that_was_lost_is_removed_after_a_week(
    counted: Counted, days: int, *, is_kept: bool
) -> None:
    connector = await pulled(counted, comment("1"))
    await counted.sql(
        "INSERT INTO connections (workspace_id, connector_id, kind, sealed, authorized_at, issued_at, lost_at)"
        " SELECT workspace_id, id, 'oauth', '', now(), now(), now() - make_interval(days => :days) FROM connectors"
        " WHERE id = :id",
        days=days,
        id=connector.id,
    )

    await rechecks.forget_unconfirmed(counted.hub)

    assert bool((await event(counted, "1")).payload) == is_kept


async def test_deleting_a_connector_removes_what_was_sent_and_leaves_the_lead(counted: Counted) -> None:
    connector = await pulled(counted, comment("1", phone=new_phone()))

    await connectors.delete(counted.hub, counted.caller, connector.id)

    await removed(counted, connector)


async def test_a_record_whose_payload_was_removed_is_recognized_when_it_comes_again(counted: Counted) -> None:
    connector = await pulled(counted, comment("1", phone=new_phone()))
    await pass_days(counted, 31)
    await rechecks.forget_unconfirmed(counted.hub)

    again = await counted.pull(connector)

    assert (again.received, again.repeated) == (1, 1)
    assert len(await counted.sql("SELECT 1 FROM events")) == 1
