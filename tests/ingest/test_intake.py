"""Intake: what a record becomes, by its connector's policy and what came before, in the database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector_master.ingest.intake import event_key
from connector_master.services import connectors
from tests.support.hub import new_phone
from tests.support.inside import Inside, open_inside


@pytest.fixture
async def inside(database_url: str, tmp_path: Path) -> AsyncIterator[Inside]:
    async with open_inside(database_url, tmp_path) as made:
        yield made


async def status(inside: Inside, connector: Any, payload: Any, **more: Any) -> str:
    (outcome,) = await inside.push(connector, payload, **more)
    return str(outcome.status)


# ---- when an enquiry is a known lead's --------------------------------------------------------------


async def test_by_default_the_phone_alone_makes_a_lead(inside: Inside) -> None:
    connector = await inside.create_connector()
    phone = new_phone()

    assert await status(inside, connector, {"phone": phone, "product": "Pump"}) == "created"
    assert await status(inside, connector, {"phone": phone, "product": "Valve"}) == "duplicate"


async def test_a_policy_may_tell_leads_apart_by_product(inside: Inside) -> None:
    connector = await inside.create_connector(settings={"duplicatePolicy": {"fields": ["productName"]}})
    phone = new_phone()

    assert await status(inside, connector, {"phone": phone, "product": "Pump"}) == "created"
    assert await status(inside, connector, {"phone": phone, "product": "Valve"}) == "created"
    assert await status(inside, connector, {"phone": phone, "product": " PUMP "}) == "duplicate"
    assert await status(inside, connector, {"phone": phone}) == "created"
    assert await status(inside, connector, {"phone": phone}) == "duplicate"


async def test_after_the_window_the_same_person_is_a_new_lead_and_the_old_one_stays(inside: Inside) -> None:
    connector = await inside.create_connector(settings={"duplicatePolicy": {"windowDays": 30}})
    phone = new_phone()
    (first,) = await inside.push(connector, {"phone": phone, "name": "Old"})

    async def seen(days_ago: int) -> None:
        await inside.sql("UPDATE leads SET last_seen_at = :then", then=datetime.now(UTC) - timedelta(days=days_ago))

    await seen(29)
    assert await status(inside, connector, {"phone": phone}) == "duplicate"
    await seen(31)
    (new,) = await inside.push(connector, {"phone": phone, "name": "New"})
    (again,) = await inside.push(connector, {"phone": phone})

    assert (new.status, again.status) == ("created", "duplicate")
    assert again.lead_id == new.lead_id != first.lead_id
    assert await inside.sql("SELECT name, times_seen FROM leads ORDER BY id") == [("Old", 2), ("New", 2)]


async def test_after_the_window_many_at_once_are_still_one_new_lead(inside: Inside) -> None:
    connector = await inside.create_connector(settings={"duplicatePolicy": {"windowDays": 30}})
    phone = new_phone()
    await inside.push(connector, {"phone": phone})
    await inside.sql("UPDATE leads SET last_seen_at = :then", then=datetime.now(UTC) - timedelta(days=31))

    outcomes = await asyncio.gather(*(inside.push(connector, {"phone": phone}) for _ in range(50)))

    assert sorted(str(outcome.status) for (outcome,) in outcomes) == ["created"] + ["duplicate"] * 49
    assert await inside.sql("SELECT times_seen FROM leads ORDER BY id") == [(1,), (50,)]


async def test_what_a_known_lead_lacks_is_filled_and_what_it_has_stays(inside: Inside) -> None:
    mapping = {"phone": "phoneNumber", "name": "name", "city": "city", "a": "attributes.a", "b": "attributes.b"}
    connector = await inside.create_connector(field_mapping=mapping)
    phone = new_phone()
    await inside.push(connector, {"phone": phone, "name": "Asha", "a": "first"})

    await inside.push(connector, {"phone": phone, "name": "Other", "city": "Pune", "a": "second", "b": "new"})

    assert await inside.sql("SELECT name, city, attributes FROM leads") == [
        ("Asha", "Pune", {"a": "first", "b": "new"})
    ]


async def test_within_one_list_the_earlier_record_wins(inside: Inside) -> None:
    connector = await inside.create_connector()
    phone = new_phone()

    outcomes = await inside.push(
        connector,
        [{"phone": phone}, {"phone": phone, "name": "Asha"}, {"phone": phone, "name": "Late", "city": "Pune"}],
    )

    assert [outcome.status for outcome in outcomes] == ["created", "duplicate", "duplicate"]
    assert await inside.sql("SELECT name, city, times_seen FROM leads") == [("Asha", "Pune", 3)]


# ---- when an event is the same again ----------------------------------------------------------------


async def test_a_delivery_that_failed_is_not_tried_again_by_being_sent_again(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping={"tel": "phoneNumber"})
    (failed,) = await inside.push(connector, {"phone": new_phone()}, delivery_id="1")
    await inside.change(connector, field_mapping={"phone": "phoneNumber"})

    (again,) = await inside.push(connector, {"phone": new_phone()}, delivery_id="1")

    assert (again.status, again.event_id, again.repeated) == ("failed", failed.event_id, True)


async def test_in_one_list_a_repeated_external_id_is_the_first_record_s_event(inside: Inside) -> None:
    connector = await inside.create_connector("indiamart")
    record = {"UNIQUE_QUERY_ID": "1", "SENDER_MOBILE": new_phone()}

    first, again = await inside.push(connector, [record, record])

    assert (first.repeated, again.repeated) == (False, True)
    assert again.event_id == first.event_id
    assert await inside.sql("SELECT times_seen FROM leads") == [(1,)]


async def test_an_external_id_counts_also_while_paused(inside: Inside) -> None:
    connector = await inside.create_connector("indiamart")
    await connectors.pause(inside.hub, inside.caller, connector.id)
    record = {"UNIQUE_QUERY_ID": "1", "SENDER_MOBILE": new_phone()}

    (first,) = await inside.push(connector, record)
    (again,) = await inside.push(connector, record)

    assert (first.status, again.status, again.repeated) == ("received", "received", True)
    assert again.event_id == first.event_id


async def test_a_delivery_id_and_an_external_id_that_read_alike_are_two_things(inside: Inside) -> None:
    connector = await inside.create_connector("indiamart")

    (first,) = await inside.push(connector, {"UNIQUE_QUERY_ID": "7", "SENDER_MOBILE": new_phone()})
    (other,) = await inside.push(connector, {"SENDER_MOBILE": new_phone()}, delivery_id="7")

    assert first.event_id != other.event_id
    assert not other.repeated


def test_the_key_of_an_event_fits_an_index_however_long_the_id() -> None:
    assert event_key("x", "A-1") == "x:A-1"
    long = [event_key("d", "k" * length) for length in (201, 202, 100_000)]
    assert len({*long}) == 3
    assert max(map(len, long)) <= 200
    assert event_key("d", "\ud800" * 300) == event_key("d", "\ud800" * 300)


# ---- many records -----------------------------------------------------------------------------------


async def test_a_list_larger_than_one_write_is_stored_whole_and_in_order(inside: Inside) -> None:
    connector = await inside.create_connector()
    phones = [new_phone() for _ in range(2_500)]

    outcomes = await inside.push(connector, [{"phone": phone} for phone in phones])

    assert [outcome.status for outcome in outcomes] == ["created"] * 2_500
    stored = await inside.sql(
        "SELECT e.id, l.phone_number FROM events e JOIN leads l ON l.id = e.lead_id ORDER BY e.position"
    )
    assert stored == [(outcome.event_id, phone) for outcome, phone in zip(outcomes, phones, strict=True)]
    assert await inside.sql("SELECT count(DISTINCT request_id), count(body) FROM events") == [(1, 1)]


async def test_events_sort_by_their_arrival(inside: Inside) -> None:
    connector = await inside.create_connector()
    outcomes = [await inside.push(connector, {"phone": new_phone()}) for _ in range(20)]

    stored = await inside.sql("SELECT id, received_at FROM events ORDER BY id")

    assert [id_ for id_, _ in stored] == [outcome.event_id for (outcome,) in outcomes]
    assert [at for _, at in stored] == sorted(at for _, at in stored)
