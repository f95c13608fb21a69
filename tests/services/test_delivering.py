"""Handing over: every lead reaches every destination, in order, again where it has to be, and never under another id."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from connector_master.services import deliveries, delivering, destinations, erasures, events
from tests.support.hub import new_phone, until
from tests.support.inside import Inside
from tests.support.receiver import Receiver, Reply, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@asynccontextmanager
async def delivering_on(inside: Inside) -> AsyncIterator[None]:
    """Deliver what becomes due for as long as the `with` lasts, as a worker does."""
    stopping = asyncio.Event()

    async def deliver() -> None:
        while not stopping.is_set():
            await delivering.deliver_due(inside.hub, stopping)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(deliver())
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(task, 20)


async def deliver_once(inside: Inside) -> None:
    """Deliver what is due now, until nothing is."""
    await delivering.deliver_due(inside.hub, asyncio.Event())


async def rows(inside: Inside, columns: str = "status, code, attempts, retries") -> list[Any]:
    return await inside.sql(f"SELECT {columns} FROM deliveries ORDER BY number")


async def make_due(inside: Inside) -> None:
    """Let the time pass until everything that waits is due."""
    await inside.sql("UPDATE deliveries SET due_at = now() - interval '1 hour' WHERE status = 'retrying'")
    await inside.sql("UPDATE destination_gates SET rests_until = NULL")


async def push_lead(inside: Inside, connector: Any, **fields: Any) -> UUID:
    (outcome,) = await inside.push(connector, {"phone": new_phone(), **fields})
    assert outcome.lead_id is not None
    return outcome.lead_id


# ---- what becomes due -------------------------------------------------------------------------------


async def test_a_created_lead_goes_to_every_destination_and_a_duplicate_to_none(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    places = [await inside.create_destination(f"{receiver.url}/{n}") for n in range(3)]
    phone = new_phone()

    (created,) = await inside.push(connector, {"phone": phone, "name": "Asha"})
    await inside.push(connector, {"phone": phone, "name": "Asha", "email": "asha@example.com"})
    await deliver_once(inside)

    assert sorted(call.path for call in receiver.calls) == ["/0", "/1", "/2"]
    assert {call.json["type"] for call in receiver.calls} == {"lead.created"}
    assert receiver.taken() == [str(created.lead_id)] * 3
    found = await rows(inside, "destination_id, status, event_id, attempts")
    assert {(row.destination_id, row.status, row.event_id, row.attempts) for row in found} == {
        (place, "delivered", created.event_id, 1) for place in places
    }


async def test_leads_of_one_batch_and_of_one_person_are_due_once_each(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url)
    phones = [new_phone() for _ in range(20)]

    await inside.push(connector, [{"phone": phone} for phone in [*phones, *phones]])
    await deliver_once(inside)

    assert sorted(call.json["data"]["phoneNumber"] for call in receiver.calls) == sorted(phones)


async def test_the_lead_is_sent_as_the_api_shows_it(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector(
        field_mapping={"phone": "phoneNumber", "name": "name", "when": "enquiredAt", "size": "attributes.size"}
    )
    await inside.create_destination(receiver.url)
    phone = new_phone()

    lead_id = await push_lead(inside, connector, phone=phone, name="Aśha ", when="2026-11-24T10:00:00+05:30", size=4)
    await deliver_once(inside)

    data = receiver.calls[0].json["data"]
    assert (data["id"], data["phoneNumber"], data["name"]) == (str(lead_id), phone, "Aśha")
    assert (data["enquiredAt"], data["attributes"], data["email"]) == ("2026-11-24T04:30:00Z", {"size": 4}, None)
    assert data["createdAt"].endswith("Z")
    assert (data["connectorId"], data["timesSeen"]) == (str(connector.id), 1)


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two pushes"])
async def test_a_duplicate_that_fills_blanks_is_an_update_where_it_is_wanted(
    inside: Inside, receiver: Receiver, together: bool
) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(f"{receiver.url}/both", on=["lead.created", "lead.updated"])
    await inside.create_destination(f"{receiver.url}/updates", on=["lead.updated"])
    await inside.create_destination(f"{receiver.url}/creations")
    phone = new_phone()
    fills = [{"phone": phone, "city": "Pune"}, {"phone": phone, "city": "Pune"}]

    await push_lead(inside, connector, phone=phone, name="Asha")
    if together:
        await inside.push(connector, fills)
    else:
        for one in fills:
            await inside.push(connector, one)
    await push_lead(inside, connector, phone=phone, name="Another name")
    await deliver_once(inside)

    told = sorted((call.path, call.json["type"]) for call in receiver.calls)
    assert told == [
        ("/both", "lead.created"),
        ("/both", "lead.updated"),
        ("/creations", "lead.created"),
        ("/updates", "lead.updated"),
    ]


async def test_a_lead_that_a_retried_event_makes_is_due_like_any_other(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector(field_mapping={"tel": "phoneNumber"})
    await inside.create_destination(receiver.url)
    (failed,) = await inside.push(connector, {"phone": new_phone()})
    await inside.change(connector, field_mapping={"phone": "phoneNumber"})

    event = await events.retry(inside.hub, inside.caller, failed.event_id)
    await deliver_once(inside)

    assert receiver.taken() == [str(event.lead_id)]


async def test_an_erasure_ends_what_waits_and_is_told_where_the_lead_was_sent(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    wanted = ["lead.created", "lead.updated", "lead.erased"]
    await inside.create_destination(f"{receiver.url}/told", on=wanted, idFrom="body.id")
    receiver.behaviour = lambda _: Reply(200, b'{"id": "crm-1", "name": "Asha Rao"}')
    phone = new_phone()
    lead_id = await push_lead(inside, connector, phone=phone)
    await deliver_once(inside)
    await inside.create_destination(f"{receiver.url}/never", on=wanted)
    await push_lead(inside, connector, phone=phone, city="Pune")

    await erasures.erase_lead(inside.hub, inside.caller, lead_id)
    receiver.calls.clear()
    await deliver_once(inside)

    (call,) = receiver.calls
    assert (call.path, call.json["type"], call.json["data"]) == ("/told", "lead.erased", {"id": str(lead_id)})
    found = await rows(inside, "occasion, status, code")
    assert [tuple(row) for row in found] == [
        ("lead.created", "delivered", None),
        ("lead.updated", "dead", "lead_erased"),
        ("lead.updated", "dead", "lead_erased"),
        ("lead.erased", "delivered", None),
    ]
    kept = await inside.sql("SELECT answer FROM delivery_attempts ORDER BY id")
    assert [row.answer for row in kept] == [None, None]


async def test_without_destinations_nothing_is_due(inside: Inside) -> None:
    await push_lead(inside, await inside.create_connector())

    assert await rows(inside) == []


# ---- what goes wrong --------------------------------------------------------------------------------


async def test_a_failure_is_tried_again_under_the_same_id_until_it_succeeds(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url)
    receiver.replies = [Reply(500, b"oops"), Reply(503)]
    await push_lead(inside, connector)

    await deliver_once(inside)
    (first,) = await rows(inside, "status, code, attempts, retries, due_at - last_attempt_at AS wait")
    await make_due(inside)
    await deliver_once(inside)
    await make_due(inside)
    await deliver_once(inside)

    assert (first.status, first.code, first.attempts, first.retries) == ("retrying", "receiver_unavailable", 1, 1)
    assert 10 <= first.wait.total_seconds() <= 13
    assert [(row.status, row.code, row.attempts) for row in await rows(inside)] == [("delivered", None, 3)]
    assert list(receiver.ids.values()) == [3]
    assert len({call.headers["idempotency-key"] for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    kept = await inside.sql("SELECT number, status, answer, code FROM delivery_attempts ORDER BY id")
    assert [tuple(one) for one in kept] == [
        (1, 500, "oops", "receiver_unavailable"),
        (2, 503, "{}", "receiver_unavailable"),
        (3, 200, "{}", None),
    ]


async def test_a_lead_that_is_refused_waits_for_a_person_and_holds_up_nobody(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url)
    refused = await push_lead(inside, connector, name="Refused")
    receiver.behaviour = lambda call: Reply(422, b"no e-mail") if call.lead_id == str(refused) else Reply()
    others = [await push_lead(inside, connector) for _ in range(10)]

    await deliver_once(inside)

    found = await rows(inside)
    assert (found[0].status, found[0].code, found[0].attempts) == ("dead", "lead_refused", 1)
    assert {row.status for row in found[1:]} == {"delivered"}
    assert set(receiver.taken()) == {str(refused), *map(str, others)}


async def test_a_template_that_can_not_take_a_lead_leaves_it_dead_with_the_reason(
    inside: Inside, receiver: Receiver
) -> None:
    await inside.create_destination(receiver.url, template={"size": "{{ lead.attributes.size }}"})
    await push_lead(inside, await inside.create_connector())

    await deliver_once(inside)

    (row,) = await rows(inside, "status, code, detail")
    assert (row.status, row.code) == ("dead", "transform_failed")
    assert "size" in row.detail
    assert receiver.calls == []


async def test_retries_end_after_almost_four_days(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url)
    receiver.behaviour = lambda _: Reply(500)
    await push_lead(inside, connector)
    waited = 0.0

    for _ in range(20):
        await make_due(inside)
        await deliver_once(inside)
        (row,) = await rows(inside, "status, attempts, extract(epoch FROM due_at - last_attempt_at) AS wait")
        if row.status == "dead":
            break
        waited += float(row.wait)
        # So long ago did it begin to fail.
        await inside.sql(f"UPDATE deliveries SET failing_since = now() - interval '{waited} seconds'")

    assert (row.status, row.attempts) == ("dead", 11)
    assert 90 * 3600 <= waited <= 120 * 3600


async def test_a_receiver_that_asks_for_a_rest_gets_it(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, concurrency=1)
    receiver.replies = [Reply(429, headers={"retry-after": "120"})]
    for _ in range(3):
        await push_lead(inside, connector)

    await deliver_once(inside)

    assert len(receiver.calls) == 1
    first, *others = await rows(inside, "status, code, retries, due_at - now() AS wait")
    assert (first.status, first.code, first.retries) == ("retrying", "receiver_limited", 0)
    assert 110 <= first.wait.total_seconds() <= 140
    assert {row.status for row in others} == {"queued"}
    (gate,) = await inside.sql("SELECT rests_until - now() AS rest, failures FROM destination_gates")
    assert 110 <= gate.rest.total_seconds() <= 121
    assert gate.failures == 0


async def test_gone_is_gone_until_a_person_says_otherwise(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(receiver.url, concurrency=1)
    receiver.replies = [Reply(410)]
    await push_lead(inside, connector)
    await push_lead(inside, connector)

    await deliver_once(inside)
    await deliver_once(inside)

    assert len(receiver.calls) == 1
    assert [(row.status, row.code) for row in await rows(inside)] == [("dead", "receiver_gone"), ("queued", None)]
    shown = await destinations.get(inside.hub, inside.caller, place)
    assert shown.row.status == "disabled"
    (line,) = await inside.sql("SELECT level, message FROM activity WHERE kind = 'destination_disabled'")
    assert (line.level, "410" in line.message) == ("error", True)

    await destinations.resume(inside.hub, inside.caller, place)
    await deliver_once(inside)

    assert [row.status for row in await rows(inside)] == ["dead", "delivered"]


# ---- order ------------------------------------------------------------------------------------------


async def test_what_follows_a_lead_waits_for_what_came_before_it(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, on=["lead.created", "lead.updated"], concurrency=8)
    phone = new_phone()
    receiver.replies = [Reply(500)]
    await push_lead(inside, connector, phone=phone)
    await deliver_once(inside)

    await push_lead(inside, connector, phone=phone, city="Pune")
    await push_lead(inside, connector, phone=phone, name="Asha")
    await deliver_once(inside)
    await deliver_once(inside)

    assert [call.json["type"] for call in receiver.calls] == ["lead.created"]
    await make_due(inside)
    await deliver_once(inside)
    await until_all_delivered(inside)
    assert [call.json["type"] for call in receiver.calls] == ["lead.created"] * 2 + ["lead.updated"] * 2


async def until_all_delivered(inside: Inside) -> None:
    async def all_delivered() -> bool:
        await delivering.deliver_due(inside.hub, asyncio.Event())
        return {row.status for row in await rows(inside)} == {"delivered"}

    await until(all_delivered)


async def test_a_dead_one_lets_those_behind_it_pass(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, on=["lead.created", "lead.updated"])
    phone = new_phone()
    receiver.replies = [Reply(400)]
    await push_lead(inside, connector, phone=phone)
    await push_lead(inside, connector, phone=phone, city="Pune")

    await deliver_once(inside)

    assert [row.status for row in await rows(inside)] == ["dead", "delivered"]


async def test_leads_are_sent_in_the_order_in_which_they_came(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, concurrency=1)
    came = [str(await push_lead(inside, connector)) for _ in range(15)]

    await deliver_once(inside)

    assert receiver.taken() == came


# ---- limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 5])
async def test_no_more_calls_are_under_way_than_the_destination_wants(
    inside: Inside, receiver: Receiver, most: int
) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, concurrency=most)
    receiver.behaviour = lambda _: Reply(seconds=0.05)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(20)])

    async with delivering_on(inside):
        await until(lambda: done(inside, 20))

    assert receiver.most_at_once == most


async def done(inside: Inside, count: int) -> bool:
    found = await inside.sql("SELECT count(*) FROM deliveries WHERE status = 'delivered'")
    return bool(found[0][0] >= count)


async def test_calls_are_spread_out_where_a_destination_wants_so_many_a_minute(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, ratePerMinute=600)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(15)])

    async with delivering_on(inside):
        await until(lambda: done(inside, 15))

    (found,) = await inside.sql("""
        SELECT g.next_call_at - min(q.created_at) AS took FROM destination_gates g, deliveries q GROUP BY g.next_call_at
    """)
    assert found.took.total_seconds() >= 1.5
    assert set(receiver.ids.values()) == {1}


# ---- the breaker ------------------------------------------------------------------------------------


async def test_a_destination_that_keeps_failing_rests_is_probed_and_drains_in_order(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(receiver.url, concurrency=1)
    receiver.behaviour = lambda _: Reply(503)
    came = [str(await push_lead(inside, connector)) for _ in range(12)]

    await deliver_once(inside)
    broken = await destinations.get(inside.hub, inside.caller, place)
    await deliver_once(inside)

    assert len(receiver.calls) == 5
    assert broken.health.breaker.is_open
    assert (broken.health.breaker.failures, broken.health.waiting) == (5, 12)
    assert await lines(inside) == ["destination_failing"]

    # A probe that fails is one call, and the next one is further away.
    await inside.sql("UPDATE destination_gates SET rests_until = NULL")
    await deliver_once(inside)
    assert len(receiver.calls) == 6
    (gate,) = await inside.sql("SELECT pauses, rests_until > now() AS rests FROM destination_gates")
    assert (gate.pauses, gate.rests) == (2, True)

    receiver.behaviour = lambda _: Reply()
    await inside.sql("UPDATE destination_gates SET rests_until = NULL")
    receiver.calls.clear()
    await deliver_once(inside)

    assert {row.status for row in await rows(inside)} == {"delivered"}
    # The probe came out of turn; all others in the order in which they came.
    probe, *drained = receiver.taken()
    assert drained == [one for one in came if one != probe]
    assert await lines(inside) == ["destination_failing", "destination_recovered"]
    mended = await destinations.get(inside.hub, inside.caller, place)
    assert (mended.health.breaker.is_open, mended.health.waiting) == (False, 0)


async def lines(inside: Inside) -> list[str]:
    found = await inside.sql(
        "SELECT kind FROM activity WHERE kind IN ('destination_failing', 'destination_recovered') ORDER BY id"
    )
    return [row.kind for row in found]


async def test_credentials_that_are_mended_let_everything_out_at_once(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    made = await destinations.create(
        inside.hub,
        inside.caller,
        type_="http",
        name="CRM",
        description=None,
        settings={"url": receiver.url, "authentication": "bearer"},
        credentials={"token": "old"},
    )
    receiver.behaviour = lambda call: Reply(200 if call.headers["authorization"] == "Bearer new" else 401)
    for _ in range(8):
        await push_lead(inside, connector)
    await deliver_once(inside)
    refused = {row.code for row in await rows(inside) if row.code}

    await destinations.update(inside.hub, inside.caller, made.row.id, {"credentials": {"token": "new"}})
    await deliver_once(inside)

    assert refused == {"destination_refused"}
    assert {row.status for row in await rows(inside)} == {"delivered"}


async def test_one_dead_destination_slows_no_other(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(f"{receiver.url}/hangs", timeoutSeconds=60)
    for n in range(5):
        await inside.create_destination(f"{receiver.url}/{n}")
    receiver.behaviour = lambda call: Reply(hangs=call.path == "/hangs")
    await inside.push(connector, [{"phone": new_phone()} for _ in range(20)])

    stopping = asyncio.Event()
    task = asyncio.create_task(delivering.deliver_due(inside.hub, stopping))
    await until(lambda: done(inside, 100))
    task.cancel()

    assert len([call for call in receiver.calls if call.path == "/hangs"]) == 4


# ---- pausing, changing, ending ----------------------------------------------------------------------


async def test_a_paused_destination_keeps_what_is_due_until_it_is_resumed(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(receiver.url)
    await destinations.pause(inside.hub, inside.caller, place)
    await push_lead(inside, connector)

    await deliver_once(inside)
    assert receiver.calls == []

    await destinations.resume(inside.hub, inside.caller, place)
    await deliver_once(inside)
    assert len(receiver.calls) == 1


async def test_a_pause_takes_effect_in_the_middle_of_a_run(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(receiver.url, concurrency=1)
    receiver.behaviour = lambda _: Reply(seconds=0.05)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(50)])
    task = asyncio.create_task(deliver_once(inside))
    await until(lambda: done(inside, 2))

    await destinations.pause(inside.hub, inside.caller, place)
    await asyncio.wait_for(task, 10)

    assert 2 <= len(receiver.calls) <= 10


async def test_a_change_takes_effect_in_the_middle_of_a_run(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(f"{receiver.url}/old", concurrency=1)
    receiver.behaviour = lambda _: Reply(seconds=0.05)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(30)])

    async with delivering_on(inside):
        await until(lambda: done(inside, 2))
        await destinations.update(inside.hub, inside.caller, place, {"settings": {"url": f"{receiver.url}/new"}})
        await until(lambda: done(inside, 30))

    paths = [call.path for call in receiver.calls]
    assert paths == sorted(paths, reverse=True)
    assert len(paths) == 30
    assert paths.count("/old") <= 10


async def test_a_deleted_destination_gets_nothing_and_what_waited_is_dead(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(receiver.url)
    await push_lead(inside, connector)
    await destinations.delete(inside.hub, inside.caller, place)
    await push_lead(inside, connector)

    await deliveries.end_all(inside.hub, inside.workspace, place)
    await deliver_once(inside)

    assert receiver.calls == []
    assert [(row.status, row.code) for row in await rows(inside)] == [("dead", "destination_deleted")]
    (row,) = await rows(inside, "id")
    with pytest.raises(deliveries.DeliveryNotRetryable):
        await deliveries.retry(inside.hub, inside.caller, row.id)


# ---- runners ----------------------------------------------------------------------------------------


async def test_only_one_runner_delivers_at_a_destination(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, concurrency=4)
    receiver.behaviour = lambda _: Reply(seconds=0.02)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(60)])

    await asyncio.gather(*(deliver_once(inside) for _ in range(8)))

    assert set(receiver.ids.values()) == {1}
    assert len(receiver.ids) == 60
    assert receiver.most_at_once <= 4


async def test_a_runner_that_dies_is_replaced_and_its_calls_are_made_again_under_their_ids(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url)
    receiver.behaviour = lambda _: Reply(hangs=True)
    await push_lead(inside, connector)
    dying = asyncio.create_task(deliver_once(inside))
    await until(lambda: got(receiver, 1))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.behaviour = lambda _: Reply()

    await deliver_once(inside)
    assert len(receiver.calls) == 1  # its lease lasts
    await inside.sql("UPDATE destination_gates SET runs_until = now() - interval '1 second'")
    await deliver_once(inside)

    assert list(receiver.ids.values()) == [2]
    assert [(row.status, row.attempts) for row in await rows(inside)] == [("delivered", 1)]


async def got(receiver: Receiver, count: int) -> bool:
    return len(receiver.calls) >= count


async def test_a_runner_that_is_told_to_stop_ends_its_calls_and_begins_no_more(
    inside: Inside, receiver: Receiver
) -> None:
    connector = await inside.create_connector()
    await inside.create_destination(receiver.url, concurrency=2)
    receiver.behaviour = lambda _: Reply(seconds=0.1)
    await inside.push(connector, [{"phone": new_phone()} for _ in range(40)])
    stopping = asyncio.Event()
    running = asyncio.create_task(delivering.deliver_due(inside.hub, stopping))
    await until(lambda: got(receiver, 3))

    stopping.set()
    await asyncio.wait_for(running, 10)

    delivered = [row for row in await rows(inside) if row.status == "delivered"]
    assert len(delivered) == len(receiver.calls) < 40
    (gate,) = await inside.sql("SELECT runner FROM destination_gates")
    assert gate.runner is None


async def test_a_destination_that_can_not_be_opened_rests_and_says_why(inside: Inside, receiver: Receiver) -> None:
    connector = await inside.create_connector()
    place = await inside.create_destination(receiver.url)
    await inside.create_destination(receiver.url)
    await inside.sql("UPDATE destinations SET secret = :broken WHERE id = :id", broken=b"x", id=place)
    await push_lead(inside, connector)

    await deliver_once(inside)

    assert len(receiver.calls) == 1
    shown = await destinations.get(inside.hub, inside.caller, place)
    assert shown.health.breaker.problem_code == "seal_broken"
    assert shown.health.breaker.rests_until is not None
