"""Trying events again: after a mended mapping, after a pause, one and many, with crashes and races in between."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from connector_master.model.problem import NotFound
from connector_master.services import connectors, events
from connector_master.services import jobs as job_service
from connector_master.services.events import NotRetryable
from connector_master.storage import jobs
from connector_master.storage.events import EventFilter
from connector_master.storage.ids import new_id
from tests.support.hub import new_phone
from tests.support.inside import Inside

ODD = {"tel_no_of_buyer_x": "phoneNumber"}
"""A mapping for a field that no guess would find."""


async def states(inside: Inside, connector_id: UUID) -> list[tuple[str, str | None]]:
    rows = await inside.sql("SELECT status, code FROM events WHERE connector_id = :id ORDER BY id", id=connector_id)
    return [(row.status, row.code) for row in rows]


async def test_a_mended_mapping_turns_a_failed_event_into_a_lead(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    (failed,) = await inside.push(connector, {"buyer": new_phone(), "name": "Asha"})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber", "name": "name"})

    event = await events.retry(inside.hub, inside.caller, failed.event_id)

    assert (failed.status, failed.problem_code) == ("failed", "missing_phone")
    assert (event.id, event.status, event.code, event.attempts) == (failed.event_id, "created", None, 2)
    (lead,) = await inside.sql("SELECT id, name, created_at - :at AS age FROM leads", at=event.received_at)
    assert (lead.id, lead.name) == (event.lead_id, "Asha")
    (line,) = await inside.sql("SELECT data FROM activity WHERE kind = 'event_retried'")
    assert (line.data["before"]["status"], line.data["after"]["status"]) == ("failed", "created")


async def test_an_event_that_fails_again_says_the_new_reason(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    (failed,) = await inside.push(connector, {"buyer": "12345"})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})

    event = await events.retry(inside.hub, inside.caller, failed.event_id)

    assert (event.status, event.code, event.attempts, event.lead_id) == ("failed", "invalid_phone", 2, None)
    assert event.detail


async def test_a_retried_event_of_a_known_buyer_is_a_duplicate(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    phone = new_phone()
    (failed,) = await inside.push(connector, {"buyer": phone})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})
    (created,) = await inside.push(connector, {"buyer": phone})

    event = await events.retry(inside.hub, inside.caller, failed.event_id)

    assert (event.status, event.lead_id) == ("duplicate", created.lead_id)


async def test_what_became_something_is_not_retried(inside: Inside) -> None:
    connector = await inside.create_connector()
    phone = new_phone()
    (created,) = await inside.push(connector, {"phone": phone})
    (duplicate,) = await inside.push(connector, {"phone": phone})
    (ignored,) = await inside.push(connector, {"zen": "x", "hook_id": 1})

    for outcome in (created, duplicate, ignored):
        with pytest.raises(NotRetryable) as raised:
            await events.retry(inside.hub, inside.caller, outcome.event_id)
        assert (raised.value.code, raised.value.status) == ("not_retryable", 409)
    with pytest.raises(NotFound):
        await events.retry(inside.hub, inside.caller, new_id())


async def test_two_retries_at_once_make_one_lead(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    (failed,) = await inside.push(connector, {"buyer": new_phone()})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})

    results = await asyncio.gather(
        *(events.retry(inside.hub, inside.caller, failed.event_id) for _ in range(4)), return_exceptions=True
    )

    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, NotRetryable) for result in results if isinstance(result, BaseException))
    (lead,) = await inside.sql("SELECT times_seen FROM leads")
    assert lead.times_seen == 1


async def test_a_body_that_turns_out_to_hold_several_records_loses_and_doubles_none(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping={"p": "phoneNumber"})
    phones = [new_phone() for _ in range(3)]
    body = {"data": {"leads": [{"p": phone} for phone in phones]}}
    (failed,) = await inside.push(connector, body)
    await inside.change(connector, settings={"recordsPath": "data.leads"})

    # As after a crash: the others came in, the event itself was not settled.
    raw_status = "UPDATE events SET status = 'failed', lead_id = NULL WHERE id = :id"
    first = await events.retry(inside.hub, inside.caller, failed.event_id)
    await inside.sql(raw_status, id=failed.event_id)
    second = await events.retry(inside.hub, inside.caller, failed.event_id)

    assert (first.status, second.status) == ("created", "duplicate")
    leads = await inside.sql("SELECT phone_number FROM leads")
    assert sorted(lead.phone_number for lead in leads) == sorted(phones)
    assert len(await states(inside, connector.id)) == 3


async def test_a_record_of_a_list_is_retried_by_itself(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    phones = [new_phone(), new_phone()]
    outcomes = await inside.push(connector, [{"buyer": phone} for phone in phones])
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})

    event = await events.retry(inside.hub, inside.caller, outcomes[1].event_id)

    assert event.status == "created"
    assert [state for state, _ in await states(inside, connector.id)] == ["failed", "created"]


async def test_an_unreadable_body_stays_failed_with_its_reason(inside: Inside) -> None:
    connector = await inside.create_connector()
    (failed,) = await inside.push(connector, b'{"phone": ')

    event = await events.retry(inside.hub, inside.caller, failed.event_id)

    assert (event.status, event.code, event.attempts) == ("failed", "invalid_body", 2)


async def test_an_event_of_a_deleted_connector_can_still_be_retried(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    (failed,) = await inside.push(connector, {"buyer": new_phone()})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})
    await connectors.delete(inside.hub, inside.caller, connector.id)

    assert (await events.retry(inside.hub, inside.caller, failed.event_id)).status == "created"


async def test_a_retry_under_which_the_same_id_had_come_in_already_counts_nothing_twice(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD | {"id": "externalId"})
    phone = new_phone()
    (failed,) = await inside.push(connector, {"buyer": phone, "id": "A-1"})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber", "id": "externalId"})
    (again,) = await inside.push(connector, {"buyer": phone, "id": "A-1"})

    event = await events.retry(inside.hub, inside.caller, failed.event_id)

    assert (again.status, event.status, event.code) == ("created", "ignored", "repeated")
    (lead,) = await inside.sql("SELECT times_seen FROM leads")
    assert lead.times_seen == 1


async def test_an_id_learnt_by_a_retry_makes_later_deliveries_repetitions(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD | {"id": "externalId"})
    phone = new_phone()
    (failed,) = await inside.push(connector, {"buyer": phone, "id": "A-2"})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber", "id": "externalId"})
    event = await events.retry(inside.hub, inside.caller, failed.event_id)

    (later,) = await inside.push(connector, {"buyer": phone, "id": "A-2"})

    assert (later.repeated, later.event_id, later.lead_id) == (True, failed.event_id, event.lead_id)


# ---- held while paused ------------------------------------------------------------------------------


async def test_a_resumed_connector_processes_what_it_held_in_order(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping={"p": "phoneNumber", "name": "name", "id": "externalId"})
    phone = new_phone()
    await connectors.pause(inside.hub, inside.caller, connector.id)
    for name, id_ in (("Asha", "1"), ("Asha Rao", "2"), ("Asha R", "2")):
        (outcome,) = await inside.push(connector, {"p": phone, "name": name, "id": id_})
        assert outcome.status == "received"
    await inside.push(connector, {"zen": "x", "hook_id": 1})
    assert await events.process_held(inside.hub, inside.workspace, connector.id) == 0
    await connectors.resume(inside.hub, inside.caller, connector.id)

    assert await events.process_held(inside.hub, inside.workspace, connector.id) == 3

    assert await states(inside, connector.id) == [
        ("created", None),
        ("duplicate", None),
        ("ignored", "repeated"),
        ("ignored", "test"),
    ]
    (lead,) = await inside.sql("SELECT name, times_seen FROM leads")
    assert (lead.name, lead.times_seen) == ("Asha", 2)
    assert await events.process_held(inside.hub, inside.workspace, connector.id) == 0


async def test_more_than_a_batch_is_processed(inside: Inside) -> None:
    connector = await inside.create_connector()
    await connectors.pause(inside.hub, inside.caller, connector.id)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(events.BATCH * 2 + 5)])
    await connectors.resume(inside.hub, inside.caller, connector.id)

    assert await events.process_held(inside.hub, inside.workspace, connector.id) == events.BATCH * 2 + 5
    assert {state for state, _ in await states(inside, connector.id)} == {"created"}


async def test_the_sweep_finds_held_events_and_forgotten_jobs(inside: Inside) -> None:
    connector, paused, deleted = [await inside.create_connector() for _ in range(3)]
    for one in (connector, paused, deleted):
        await connectors.pause(inside.hub, inside.caller, one.id)
        await inside.push(one, {"phone": new_phone()})
    await inside.sql("UPDATE connectors SET status = 'active' WHERE id <> :id", id=paused.id)
    await connectors.delete(inside.hub, inside.caller, deleted.id)
    job = await events.start_retry(inside.hub, inside.caller, EventFilter())
    await inside.sql("DELETE FROM procrastinate_jobs")

    await events.sweep(inside.hub)
    await events.sweep(inside.hub)

    rows = await inside.sql("SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY 1, args")
    assert [(row.task_name, row.args) for row in rows] == [
        ("process_held", {"workspace_id": str(inside.workspace), "connector_id": str(connector.id)}),
        ("process_held", {"workspace_id": str(inside.workspace), "connector_id": str(deleted.id)}),
        ("retry_events", {"workspace_id": str(inside.workspace), "job_id": str(job.id)}),
    ]


# ---- many -------------------------------------------------------------------------------------------


async def many_failed(inside: Inside, count: int) -> UUID:
    connector = await inside.create_connector(field_mapping=ODD)
    await inside.push(connector, [{"buyer": "none"}] + [{"buyer": new_phone()} for _ in range(count)])
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})
    return connector.id


async def test_many_are_retried_once_each_with_progress(inside: Inside) -> None:
    connector_id = await many_failed(inside, events.BATCH + 30)
    other = await many_failed(inside, 1)

    job = await events.start_retry(inside.hub, inside.caller, EventFilter(connector_id=connector_id))
    await events.run_retry(inside.hub, inside.workspace, job.id)

    done = await job_service.get(inside.hub, inside.caller, job.id)
    assert (job.status, done.status) == ("queued", "succeeded")
    assert (done.total, done.done, done.failed) == (events.BATCH + 31, events.BATCH + 31, 1)
    assert done.finished_at is not None
    found = await states(inside, connector_id)
    assert found.count(("created", None)) == events.BATCH + 30
    assert {state for state, _ in await states(inside, other)} == {"failed"}
    (attempts,) = await inside.sql("SELECT max(attempts) AS most FROM events")
    assert attempts.most == 2


async def test_a_job_that_broke_off_goes_on_where_it_was(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    connector_id = await many_failed(inside, events.BATCH + 30)
    job = await events.start_retry(inside.hub, inside.caller, EventFilter(connector_id=connector_id))
    real, calls = events.retrying.retry, 0

    async def breaks(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError
        return await real(*args, **more)

    monkeypatch.setattr(events.retrying, "retry", breaks)
    with pytest.raises(ConnectionError):
        await events.run_retry(inside.hub, inside.workspace, job.id)
    half = await job_service.get(inside.hub, inside.caller, job.id)
    await events.run_retry(inside.hub, inside.workspace, job.id)

    done = await job_service.get(inside.hub, inside.caller, job.id)
    assert (half.status, half.done) == ("running", events.BATCH)
    assert (done.status, done.total, done.done) == ("succeeded", events.BATCH + 31, events.BATCH + 31)
    (attempts,) = await inside.sql("SELECT max(attempts) AS most FROM events")
    assert attempts.most == 2


async def test_an_unexpected_error_ends_a_job_as_failed(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    await many_failed(inside, 1)
    job = await events.start_retry(inside.hub, inside.caller, EventFilter())

    async def breaks(*args: Any, **more: Any) -> Any:
        raise LookupError

    monkeypatch.setattr(events.retrying, "retry", breaks)
    await events.run_retry(inside.hub, inside.workspace, job.id)

    ended = await job_service.get(inside.hub, inside.caller, job.id)
    assert (ended.status, ended.error is not None) == ("failed", True)


async def test_a_job_is_stopped_before_and_while_it_runs(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    connector_id = await many_failed(inside, events.BATCH + 30)
    waiting = await events.start_retry(inside.hub, inside.caller, EventFilter(connector_id=connector_id))
    assert (await job_service.cancel(inside.hub, inside.caller, waiting.id)).status == "cancelled"
    await events.run_retry(inside.hub, inside.workspace, waiting.id)
    assert {state for state, _ in await states(inside, connector_id)} == {"failed"}

    running = await events.start_retry(inside.hub, inside.caller, EventFilter(connector_id=connector_id))
    real = events.retrying.retry

    async def stops(*args: Any, **more: Any) -> Any:
        await job_service.cancel(inside.hub, inside.caller, running.id)
        return await real(*args, **more)

    monkeypatch.setattr(events.retrying, "retry", stops)
    await events.run_retry(inside.hub, inside.workspace, running.id)

    ended = await job_service.get(inside.hub, inside.caller, running.id)
    assert (ended.status, ended.done) == ("cancelled", events.BATCH)
    with pytest.raises(job_service.JobEnded):
        await job_service.cancel(inside.hub, inside.caller, running.id)


async def test_work_is_deferred_exactly_when_the_transaction_commits(inside: Inside) -> None:
    async with inside.hub.engine.connect() as connection:
        await jobs.defer(connection, "process_held", connector_id="a")
        await connection.rollback()
    async with inside.hub.engine.begin() as connection:
        await jobs.defer(connection, "process_held", connector_id="b")

    rows = await inside.sql("SELECT args, lock FROM procrastinate_jobs")
    assert [(row.args, row.lock) for row in rows] == [
        ({"connector_id": "b"}, 'process_held:{"connector_id":"b"}'),
    ]
