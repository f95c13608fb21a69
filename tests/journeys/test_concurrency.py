"""Many at once: one lead, one event a delivery, whoever comes first, and a poisoned record harms only itself."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector_master.ingest.intake import Arrival
from connector_master.model.event import Record
from connector_master.model.problem import Problem
from tests.journeys.rows import Rows
from tests.support.hub import Hub, TestConnector, new_phone
from tests.support.inside import Inside, open_inside

AT_ONCE = 200


async def pushed_at_once(
    hub: Hub, connector: TestConnector, payloads: list[Any], headers: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Push every payload on a connection of its own, all at once; return the answers in order."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(base_url=hub.address, limits=limits, timeout=60, trust_env=False) as client:
        answers = await asyncio.gather(
            *(client.post(connector.url, json=payload, headers=headers) for payload in payloads)
        )
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json() for answer in answers]


async def test_200_pushes_of_one_phone_at_once_make_one_lead(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()

    answers = await pushed_at_once(hub, connector, [{"phone": phone, "n": number} for number in range(AT_ONCE)])

    assert Counter(answer["status"] for answer in answers) == {"created": 1, "duplicate": AT_ONCE - 1}
    (lead,) = await rows.leads(phone)
    assert {answer["leadId"] for answer in answers} == {str(lead["id"])}
    assert lead["times_seen"] == AT_ONCE
    events = await rows.events(connector)
    assert {str(event["id"]) for event in events} == {answer["eventId"] for answer in answers}
    assert Counter(event["status"] for event in events) == {"created": 1, "duplicate": AT_ONCE - 1}
    assert {json.loads(event["payload"])["n"] for event in events} == set(range(AT_ONCE))


async def test_one_delivery_50_times_at_once_is_one_event(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    payload = {"phone": new_phone()}

    answers = await pushed_at_once(hub, connector, [payload] * 50, {"Idempotency-Key": "once"})

    (event,) = await rows.events(connector)
    assert {answer["eventId"] for answer in answers} == {str(event["id"])}
    assert {answer["status"] for answer in answers} == {"created"}
    assert Counter(answer.get("repeated", False) for answer in answers) == {True: 49, False: 1}
    (lead,) = await rows.leads(payload["phone"])
    assert lead["times_seen"] == 1


async def test_one_external_id_50_times_at_once_is_one_event(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector("indiamart")
    phone = new_phone()

    answers = await pushed_at_once(hub, connector, [{"UNIQUE_QUERY_ID": "7", "SENDER_MOBILE": phone}] * 50)

    assert len(await rows.events(connector)) == 1
    assert Counter(answer.get("repeated", False) for answer in answers) == {True: 49, False: 1}


async def test_many_that_know_something_else_each_fill_blanks_only(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    first = await hub.send(connector, {"phone": phone, "name": "First", "city": "Pune"})
    others = [
        {"phone": phone, "name": "Second", "city": "Surat", **more}
        for more in (
            {"email": "a@example.com"},
            {"company": "Demo & Sons"},
            {"pincode": "395001"},
            {"email": "b@example.com"},
        )
    ]

    await pushed_at_once(hub, connector, others * 10)

    lead = await rows.lead(first.lead_id)
    assert (lead["name"], lead["city"]) == ("First", "Pune")
    assert (lead["business_name"], lead["pincode"]) == ("Demo & Sons", "395001")
    assert lead["email"] in ("a@example.com", "b@example.com")
    assert lead["times_seen"] == 41


async def test_phones_crosswise_in_lists_deadlock_nobody(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phones = [new_phone() for _ in range(20)]
    forwards = [{"phone": phone} for phone in phones]

    await pushed_at_once(hub, connector, [forwards, forwards[::-1]] * 10)

    leads = [lead for phone in phones for lead in await rows.leads(phone)]
    assert [lead["times_seen"] for lead in leads] == [20] * 20


async def test_two_processes_make_one_lead_of_one_phone_and_one_event_of_one_delivery(
    database_url: str, tmp_path: Path
) -> None:
    phone = new_phone()
    async with open_inside(database_url, tmp_path) as one, open_inside(database_url, tmp_path) as other:
        connector = await one.create_connector()

        pushes = [
            hub.push(connector, {"phone": phone}, delivery_id=f"{number // 2}")
            for number in range(100)
            for hub in (one, other)
        ]
        outcomes = [outcome for (outcome,) in await asyncio.gather(*pushes)]

        assert len({outcome.lead_id for outcome in outcomes}) == 1
        assert len({outcome.event_id for outcome in outcomes}) == 50
        assert sum(not outcome.repeated for outcome in outcomes) == 50
        assert await one.sql("SELECT times_seen FROM leads") == [(50,)]


# ---- a poisoned record ------------------------------------------------------------------------------

POISONS = {
    "what PostgreSQL refuses": "a\0b",
    "what can't be written as JSON": "a\ud800b",
}


async def take(inside: Inside, connector: Any, record: Record, content_type: str = "application/json") -> Any:
    source = await inside.hub.sources.find(connector.webhook_id)
    assert source is not None
    arrival = Arrival("push", content_type, json.dumps(record.value).encode(), {}, "192.0.2.7")
    return await inside.hub.intake.take(source, [record], arrival, is_list=False)


@pytest.mark.parametrize("what", POISONS)
async def test_a_poisoned_record_harms_only_itself_and_is_kept_as_failed(
    what: str, database_url: str, tmp_path: Path
) -> None:
    async with open_inside(database_url, tmp_path) as inside:
        connector = await inside.create_connector()
        # No reason that a source gives is like this: it stands for whatever slips through one day.
        poison = Record({"poison": 1}, ignored=POISONS[what])
        records = [poison if number in (3, 40) else Record({"phone": new_phone()}) for number in range(60)]

        outcomes = await asyncio.gather(*(take(inside, connector, record) for record in records))

        assert [outcome.status for (outcome,) in outcomes] == [
            "failed" if record is poison else "created" for record in records
        ]
        ((poisoned,), _) = (outcomes[3], outcomes[40])
        assert poisoned.problem_code == "storage_refused"
        assert (
            await inside.sql("SELECT code, convert_from(payload, 'UTF8') FROM events WHERE status = 'failed'")
            == [("storage_refused", '{"poison": 1}')] * 2
        )
        assert await inside.sql("SELECT count(*) FROM leads") == [(58,)]


async def test_a_poisoned_record_in_a_list_harms_only_itself(database_url: str, tmp_path: Path) -> None:
    async with open_inside(database_url, tmp_path) as inside:
        connector = await inside.create_connector()
        source = await inside.hub.sources.find(connector.webhook_id or "")
        assert source is not None
        records = [Record({"phone": new_phone()}) for _ in range(9)]
        records.insert(4, Record({"poison": 1}, ignored="\0"))

        outcomes = await inside.hub.intake.take(source, records, Arrival("push", body=b"[]"), is_list=True)

        assert [outcome.status for outcome in outcomes] == ["created"] * 4 + ["failed"] + ["created"] * 5
        assert await inside.sql("SELECT position FROM events ORDER BY id") == [(number,) for number in range(10)]


@pytest.mark.parametrize("what", POISONS)
async def test_a_request_poisoned_itself_is_refused_and_harms_nobody(
    what: str, database_url: str, tmp_path: Path
) -> None:
    async with open_inside(database_url, tmp_path) as inside:
        connector = await inside.create_connector()

        results = await asyncio.gather(
            *(take(inside, connector, Record({"phone": new_phone()})) for _ in range(10)),
            take(inside, connector, Record({"phone": new_phone()}), content_type=POISONS[what]),
            *(take(inside, connector, Record({"phone": new_phone()})) for _ in range(10)),
            return_exceptions=True,
        )

        assert [type(result) is list for result in results] == [True] * 10 + [False] + [True] * 10
        assert not isinstance(results[10], Problem)
        assert await inside.sql("SELECT count(*) FROM leads") == [(20,)]
