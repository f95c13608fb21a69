"""/api/leads over HTTP: the lead's shape, every filter, paging, the export, and what an executive sees."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from connector_master.services.csv_cells import unguard
from tests.support.hub import Hub, TestConnector, new_phone

FIELDS = {
    "id",
    "phoneNumber",
    "name",
    "email",
    "source",
    "businessName",
    "addressLine1",
    "addressLine2",
    "city",
    "state",
    "country",
    "pincode",
    "productName",
    "notes",
    "campaign",
    "externalId",
    "attributes",
    "connectorId",
    "enquiredAt",
    "createdAt",
    "updatedAt",
    "timesSeen",
}


async def found(hub: Hub, connector: TestConnector | None = None, **query: Any) -> list[str]:
    """Return the names of the leads that a search finds, newest first."""
    if connector is not None:
        query["connectorId"] = connector.id
    answer = await hub.api("GET", "/api/leads", params=query)
    assert answer.status_code == 200, answer.text
    return [lead["name"] for lead in answer.json()["items"]]


async def test_a_lead_shows_every_field_and_its_timeline(hub: Hub) -> None:
    connector = await hub.create_connector(name="Our form")
    phone = new_phone()
    first = await hub.send(connector, {"phone": phone, "name": "Asha Rao"})
    second = await hub.send(connector, {"phone": phone, "email": "asha@example.com"})

    lead = (await hub.api("GET", f"/api/leads/{first.lead_id}")).json()
    (listed,) = (await hub.api("GET", f"/api/leads?connectorId={connector.id}")).json()["items"]

    assert set(listed) == FIELDS
    assert set(lead) == FIELDS | {"timeline"}
    assert (lead["phoneNumber"], lead["name"], lead["email"]) == (phone, "Asha Rao", "asha@example.com")
    assert (lead["timesSeen"], lead["connectorId"]) == (2, connector.id)
    assert lead["createdAt"].endswith("Z")
    touches = [(touch["eventId"], touch["status"], touch["connectorName"]) for touch in lead["timeline"]]
    assert touches == [(second.event_id, "duplicate", "Our form"), (first.event_id, "created", "Our form")]


async def test_the_timeline_keeps_the_name_of_a_deleted_connector(hub: Hub) -> None:
    connector = await hub.create_connector(name="Gone")
    sent = await hub.send(connector, {"phone": new_phone()})
    await hub.api("DELETE", f"/api/connectors/{connector.id}")

    lead = (await hub.api("GET", f"/api/leads/{sent.lead_id}")).json()

    assert [touch["connectorName"] for touch in lead["timeline"]] == ["Gone"]


@pytest.mark.parametrize("role", ["admin", "manager", "executive"])
async def test_nobody_sees_payload_address_or_secrets_in_a_lead(hub: Hub, role: str) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"phone": new_phone(), "message": "unmapped-by-anything-9Z"}, signed=True)

    texts = [
        (await hub.api("GET", path, role=role)).text
        for path in (f"/api/leads/{sent.lead_id}", f"/api/leads?connectorId={connector.id}")
    ]

    assert connector.secret
    for text in texts:
        for hidden in (
            connector.url,
            connector.url.rsplit("/", 1)[1],
            connector.secret,
            "127.0.0.1",
            '"payload"',
            '"ip"',
        ):
            assert hidden not in text


# ---- filters ----------------------------------------------------------------------------------------


async def test_text_is_looked_for_in_name_email_company_and_phone(hub: Hub) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    await hub.send(
        connector, {"phone": phone, "name": "Asha Rao", "email": "asha@mills.example", "company": "Rao Mills"}
    )
    await hub.send(connector, {"phone": new_phone(), "name": "Ravi Kumar"})
    spaced = f"{phone[3:8]} {phone[8:]}"

    for q in ("asha", "RAO", "rao asha", "mills.example", "Rao Mills", phone, spaced, f"0{phone[3:]}", phone[6:]):
        assert await found(hub, connector, q=q) == ["Asha Rao"], q
    for q in ("nobody", "asha kumar", "%", "_", "' OR 1=1 --", "\\"):
        assert await found(hub, connector, q=q) == [], q
    assert await found(hub, connector, q="a") == ["Ravi Kumar", "Asha Rao"]


async def test_a_phone_number_is_found_in_any_spelling(hub: Hub) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    await hub.send(connector, {"phone": phone, "name": "Asha"})
    national = phone[3:]

    for spelling in (
        phone,
        national,
        f"0{national}",
        f"91{national}",
        f"+91-{national[:5]}-{national[5:]}",
        f"({national[:3]}) {national[3:]}",
        f"p:{phone}",
        "".join(chr(0x0966 + int(digit)) for digit in national),
    ):
        assert await found(hub, phone=spelling) == ["Asha"], spelling
    # What a form sends when nobody escapes the plus.
    answer = await hub.api("GET", f"/api/leads?phone={phone}")
    assert [lead["name"] for lead in answer.json()["items"]] == ["Asha"]


async def test_the_beginning_of_a_phone_number_finds_it_and_nonsense_finds_nothing(hub: Hub) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    await hub.send(connector, {"phone": phone, "name": "Asha"})

    for beginning in (phone[:9], phone[3:9], f"0{phone[3:9]}", phone[1:9], f"{phone[3:8]} {phone[8:9]}"):
        assert await found(hub, connector, phone=beginning) == ["Asha"], beginning
    for nonsense in ("abc", "+", "000", "9" * 90, "+9190000000001", "x' OR true --"):
        assert await found(hub, connector, phone=nonsense) == [], nonsense


async def test_a_lead_whose_key_says_more_than_its_phone_is_found_by_it(hub: Hub) -> None:
    policy = {"duplicatePolicy": {"fields": ["phoneNumber", "email"]}}
    connector = await hub.create_connector(settings=policy)
    phone = new_phone()
    await hub.send(connector, {"phone": phone, "name": "Asha", "email": "a@example.com"})
    await hub.send(connector, {"phone": phone, "name": "Also Asha", "email": "b@example.com"})

    assert await found(hub, phone=phone) == ["Also Asha", "Asha"]


async def test_a_whole_phone_number_does_not_find_a_longer_one(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, [{"phone": "+493012345", "name": "Short"}, {"phone": "+4930123456", "name": "Long"}])

    assert await found(hub, connector, phone="+493012345") == ["Short"]


async def test_source_and_connector_narrow_the_list(hub: Hub) -> None:
    one, other = await hub.create_connector(), await hub.create_connector()
    await hub.send(one, {"phone": new_phone(), "name": "A", "source": "Google Ads"})
    await hub.send(one, {"phone": new_phone(), "name": "B", "source": "Poster"})
    await hub.send(other, {"phone": new_phone(), "name": "C", "source": "Poster"})

    assert await found(hub, one) == ["B", "A"]
    assert await found(hub, one, source="google ads") == ["A"]
    assert await found(hub, other, source="Poster") == ["C"]
    assert await found(hub, one, source="Post") == []


async def test_a_span_of_time_begins_with_from_and_ends_before_to(hub: Hub) -> None:
    connector = await hub.create_connector()
    for name in "ABC":
        await hub.send(connector, {"phone": new_phone(), "name": name})
    items = (await hub.api("GET", f"/api/leads?connectorId={connector.id}")).json()["items"]
    at = {lead["name"]: lead["createdAt"] for lead in items}
    there = datetime.fromisoformat(at["B"])
    elsewhere = there.astimezone(datetime.strptime("+0530", "%z").tzinfo).isoformat()

    assert await found(hub, connector, **{"from": at["B"]}) == ["C", "B"]
    assert await found(hub, connector, to=at["B"]) == ["A"]
    assert await found(hub, connector, **{"from": at["A"], "to": at["C"]}) == ["B", "A"]
    assert await found(hub, connector, **{"from": elsewhere}) == ["C", "B"]
    assert await found(hub, connector, **{"from": (there + timedelta(microseconds=1)).isoformat()}) == ["C"]
    assert await found(hub, connector, **{"from": at["B"].removesuffix("Z")}) == ["C", "B"]
    assert await found(hub, connector, **{"from": (there + timedelta(days=1)).date().isoformat()}) == []
    unescaped = await hub.api("GET", f"/api/leads?connectorId={connector.id}&from={elsewhere}")
    assert len(unescaped.json()["items"]) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=5", "to"),
        ("from=2026-13-01", "from"),
        ("from=0001-01-01T00:00:00%2B14:00", "from"),
        ("connectorId=7", "connectorId"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("unknown=1", "unknown"),
        ("start=2026-01-01", "start"),
        ("phone=" + "1" * 101, "phone"),
    ],
)
async def test_a_wrong_parameter_is_named(hub: Hub, query: str, field: str) -> None:
    answer = await hub.api("GET", f"/api/leads?{query}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("query", ["q=%00", "phone=%00", "source=%00", "q=%FF", "q=%ED%A0%80", "phone=%F0%9F%98%80"])
async def test_strange_characters_find_nothing_or_are_refused(hub: Hub, query: str) -> None:
    assert (await hub.api("GET", f"/api/leads?{query}")).status_code in (200, 422)


async def test_the_furthest_times_are_no_error(hub: Hub) -> None:
    answer = await hub.api("GET", "/api/leads?from=0001-01-01&to=9999-12-31T23:59:59Z&limit=1")

    assert answer.status_code == 200


# ---- paging -----------------------------------------------------------------------------------------


async def test_pages_show_every_lead_once_whatever_comes_meanwhile(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, [{"phone": new_phone(), "name": f"N {n}"} for n in range(7)])
    seen: list[str] = []
    cursor = None
    while True:
        query = {"connectorId": connector.id, "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await hub.api("GET", "/api/leads", params=query)).json()
        seen += [lead["name"] for lead in page["items"]]
        await hub.send(connector, {"phone": new_phone(), "name": "Late"})
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert seen == [f"N {n}" for n in reversed(range(7))]
    tampered = await hub.api("GET", "/api/leads?cursor=AAAA")
    assert (tampered.status_code, tampered.json()["code"]) == (400, "invalid_cursor")


async def test_an_unknown_lead_is_404(hub: Hub) -> None:
    assert (await hub.api("GET", f"/api/leads/{uuid4()}")).status_code == 404
    assert (await hub.api("GET", "/api/leads/7")).status_code == 422


# ---- export -----------------------------------------------------------------------------------------


async def test_the_export_holds_every_lead_as_text(hub: Hub) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    name = '=HYPERLINK("http://x","y")'
    await hub.send(connector, {"phone": phone, "name": name, "message": 'He said "hi",\nthen @left', "colour": "-1+1"})
    await hub.send(connector, {"phone": new_phone(), "name": "आशा राव"})

    answer = await hub.api("GET", f"/api/leads/export.csv?connectorId={connector.id}")

    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].startswith('attachment; filename="leads-')
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert set(rows[0]) == FIELDS
    assert [unguard(row["phoneNumber"]) for row in rows][1] == phone
    assert rows[1]["phoneNumber"] == f"'{phone}"
    assert [row["name"] for row in rows] == ["आशा राव", f"'{name}"]
    assert all(cell[:1] not in {"=", "+", "-", "@", "\t", "\r"} for row in rows for cell in row.values())


async def test_the_export_takes_the_same_filters_and_more_than_one_piece(hub: Hub) -> None:
    connector = await hub.create_connector()
    count = 2_300
    await hub.send(connector, [{"phone": new_phone(), "name": "One of many"} for _ in range(count)])
    await hub.send(connector, {"phone": new_phone(), "name": "Odd"})

    everything = await hub.api("GET", f"/api/leads/export.csv?connectorId={connector.id}")
    odd = await hub.api("GET", f"/api/leads/export.csv?connectorId={connector.id}&q=odd")
    none = await hub.api("GET", "/api/leads/export.csv?phone=abc")

    ids = [row["id"] for row in csv.DictReader(io.StringIO(everything.text, newline=""))]
    assert len(ids) == len(set(ids)) == count + 1
    assert ids == sorted(ids, reverse=True)
    assert len(odd.text.splitlines()) == 2
    assert len(none.text.splitlines()) == 1


async def test_an_export_is_kept_in_the_audit_trail_without_what_was_looked_for(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.api("GET", f"/api/leads/export.csv?connectorId={connector.id}&q=Secretname")

    logs = (await hub.api("GET", f"/api/connectors/{connector.id}/logs?kind=leads_exported")).json()["items"]

    assert [line["actorName"] for line in logs] == ["tests admin"]
    assert logs[0]["data"]["filter"]["q"] is True
    assert "Secretname" not in str(logs)


async def test_the_export_is_not_for_executives_and_takes_no_page(hub: Hub) -> None:
    assert (await hub.api("GET", "/api/leads/export.csv", role="executive")).status_code == 403
    assert (await hub.api("GET", "/api/leads/export.csv", role=None)).status_code == 401
    assert (await hub.api("GET", "/api/leads/export.csv?limit=5")).status_code == 422
    assert (await hub.api("GET", "/api/leads/export.csv?from=never")).status_code == 422


async def test_an_export_of_what_nobody_can_be_is_empty(hub: Hub) -> None:
    answer = await hub.api("GET", "/api/leads/export.csv?phone=nobody")

    assert (answer.status_code, len(answer.text.splitlines())) == (200, 1)
