"""/api/events and /api/jobs over HTTP: what arrived, what it was, and trying it again."""

import base64
from typing import Any
from uuid import uuid4

import pytest

from tests.support.hub import Hub, TestConnector, new_phone, until

LISTED = {
    "id",
    "connectorId",
    "status",
    "code",
    "detail",
    "remedy",
    "reason",
    "leadId",
    "origin",
    "receivedAt",
    "processedAt",
    "enquiredAt",
    "externalId",
    "attempts",
    "ip",
    "contentType",
    "requestId",
    "position",
    "warnings",
}
SHOWN = LISTED | {
    "headers",
    "payload",
    "payloadEncoding",
    "payloadBytes",
    "decoded",
    "body",
    "bodyEncoding",
    "resolved",
}
ODD = {"nothing_has_this": "phoneNumber"}


async def found(hub: Hub, connector: TestConnector, **query: Any) -> list[str]:
    answer = await hub.api("GET", "/api/events", params={"connectorId": connector.id} | query)
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.json()["items"]]


async def test_a_failed_event_says_what_is_wrong_and_what_to_do(hub: Hub) -> None:
    connector = await hub.create_connector()
    body = b'{"name": "Asha", "phone": ""}'
    failed = await hub.send(connector, body, headers={"User-Agent": "forms/1", "X-Secret-Token": "hidden-7"})

    event = (await hub.api("GET", f"/api/events/{failed.event_id}")).json()
    (listed,) = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]

    assert (set(event), set(listed)) == (SHOWN, LISTED)
    assert (event["status"], event["code"], event["reason"]) == ("failed", "missing_phone", None)
    assert "Map a field" in event["remedy"]
    assert (event["payload"], event["payloadEncoding"], event["payloadBytes"]) == (body.decode(), "text", len(body))
    assert event["decoded"] == {"name": "Asha", "phone": ""}
    assert (event["ip"], event["contentType"], event["attempts"]) == ("127.0.0.1", "application/json", 1)
    assert event["headers"]["user-agent"] == "forms/1"
    assert "hidden-7" not in str(event)


async def test_an_ignored_event_says_why(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"zen": "x", "hook_id": 7})

    event = (await hub.api("GET", f"/api/events/{sent.event_id}")).json()

    assert (event["status"], event["reason"], event["code"], event["remedy"]) == ("ignored", "test", None, None)


async def test_warnings_are_shown_beside_the_lead(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"phone": new_phone(), "email": "not an address"})

    event = (await hub.api("GET", f"/api/events/{sent.event_id}")).json()

    assert (event["leadId"], event["status"]) == (sent.lead_id, "created")
    assert [(warning["field"], warning["code"]) for warning in event["warnings"]] == [("email", "invalid_email")]


async def test_what_is_no_text_comes_in_base64_and_forms_as_values(hub: Hub) -> None:
    connector = await hub.create_connector()
    binary = b'\xff\xfe{"phone": 1}'
    form = f"phone={new_phone()}&name=Asha+Rao".encode()

    odd = await hub.send(connector, binary)
    sent = await hub.send(connector, form, content_type="application/x-www-form-urlencoded")

    event = (await hub.api("GET", f"/api/events/{odd.event_id}")).json()
    assert (event["payloadEncoding"], event["decoded"]) == ("base64", None)
    assert base64.b64decode(event["payload"]) == binary
    event = (await hub.api("GET", f"/api/events/{sent.event_id}")).json()
    assert (event["payload"], event["decoded"]["name"]) == (form.decode(), "Asha Rao")


async def test_a_payload_with_every_oddity_of_json_is_shown(hub: Hub) -> None:
    connector = await hub.create_connector()
    body = b'{"a": "\\u0000", "b": "\\ud800", "\\udfff": 12345678901234567890123, "c": 1e308, "d": [[[]]]}'
    sent = await hub.send(connector, body)

    answer = await hub.api("GET", f"/api/events/{sent.event_id}")

    assert answer.status_code == 200
    assert answer.json()["payload"] == body.decode()
    assert answer.json()["decoded"]["a"] == "\x00"


async def test_the_records_of_a_list_know_their_request_and_the_first_the_whole_body(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, [{"phone": new_phone()}, {"phone": "none"}])
    first, second = [
        (await hub.api("GET", f"/api/events/{result['eventId']}")).json() for result in sent.body["results"]
    ]

    assert first["requestId"] == second["requestId"] is not None
    assert (first["position"], second["position"]) == (0, 1)
    assert first["body"].startswith("[{")
    assert (second["body"], second["decoded"]) == (None, {"phone": "none"})


async def test_whoever_sees_a_payload_is_on_record(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"phone": new_phone()})
    for role in ("manager", "admin"):
        await hub.api("GET", f"/api/events/{sent.event_id}", role=role)
    await hub.api("GET", f"/api/events?connectorId={connector.id}")

    logs = (await hub.api("GET", f"/api/connectors/{connector.id}/logs?kind=payload_viewed")).json()["items"]

    assert [(line["actorName"], line["eventId"]) for line in logs] == [
        ("tests admin", sent.event_id),
        ("tests manager", sent.event_id),
    ]


# ---- filters ----------------------------------------------------------------------------------------


async def test_every_filter_narrows_the_list(hub: Hub) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    created = await hub.send(connector, {"phone": phone, "name": "Asha"}, headers={"Idempotency-Key": "k1"})
    duplicate = await hub.send(connector, {"phone": phone})
    ignored = await hub.send(connector, {"zen": "x", "hook_id": 7})
    failed = await hub.send(connector, {"phone": "12", "name": "Needle in it"})
    everything = [one.event_id for one in (failed, ignored, duplicate, created)]

    assert await found(hub, connector) == everything
    for status, sent in (("created", created), ("duplicate", duplicate), ("ignored", ignored), ("failed", failed)):
        assert await found(hub, connector, status=status) == [sent.event_id]
    assert await found(hub, connector, code="invalid_phone") == [failed.event_id]
    assert await found(hub, connector, code="test") == [ignored.event_id]
    assert await found(hub, connector, q="Needle") == [failed.event_id]
    assert await found(hub, connector, q="INVALID_phone") == [failed.event_id]
    assert await found(hub, connector, q=created.event_id) == [created.event_id]
    assert await found(hub, connector, q=created.lead_id) == [duplicate.event_id, created.event_id]
    assert await found(hub, connector, q="%") == []
    times = {event["id"]: event["receivedAt"] for event in (await _items(hub, connector))}
    assert await found(hub, connector, **{"from": times[ignored.event_id]}) == everything[:2]
    assert await found(hub, connector, to=times[ignored.event_id]) == everything[2:]
    assert await found(hub, connector, status="dead") == await found(hub, connector, status="received") == []


async def test_pages_go_on_where_the_last_one_ended(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = [await hub.send(connector, {"phone": new_phone()}) for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"connectorId": connector.id, "limit": 2}
    while True:
        page = (await hub.api("GET", "/api/events", params=query)).json()
        seen += [event["id"] for event in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]

    assert seen == [one.event_id for one in reversed(sent)]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("status=lost", 422, "status"),
        ("from=never", 422, "from"),
        ("connectorId=x", 422, "connectorId"),
        ("limit=1000", 422, "limit"),
        ("nonsense=1", 422, "nonsense"),
        ("cursor=x", 400, "cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(hub: Hub, query: str, status: int, field: str) -> None:
    answer = await hub.api("GET", f"/api/events?{query}")

    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_executives_see_no_events(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"phone": new_phone()})

    for method, path in (
        ("GET", "/api/events"),
        ("GET", f"/api/events/{sent.event_id}"),
        ("POST", f"/api/events/{sent.event_id}/retry"),
        ("GET", "/api/jobs"),
        ("GET", f"/api/jobs/{uuid4()}"),
        ("POST", f"/api/jobs/{uuid4()}/cancel"),
    ):
        assert (await hub.api(method, path, role="executive")).status_code == 403
        assert (await hub.api(method, path, role=None)).status_code == 401
    assert (await hub.api("POST", "/api/events/retry", {"filter": {}}, role="executive")).status_code == 403


async def test_unknown_events_are_404(hub: Hub) -> None:
    assert (await hub.api("GET", f"/api/events/{uuid4()}")).status_code == 404
    assert (await hub.api("POST", f"/api/events/{uuid4()}/retry")).status_code == 404
    assert (await hub.api("POST", f"/api/jobs/{uuid4()}/cancel")).status_code == 404


# ---- retries ----------------------------------------------------------------------------------------


async def test_a_mended_mapping_and_a_retry_make_the_lead(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=ODD)
    phone = new_phone()
    failed = await hub.send(connector, {"buyer": phone, "name": "Asha"})
    path = f"/api/events/{failed.event_id}/retry"

    still = await hub.api("POST", path)
    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": {"buyer": "phoneNumber"}})
    mended = await hub.api("POST", path, role="manager")
    again = await hub.api("POST", path)

    assert (still.status_code, still.json()["status"], still.json()["attempts"]) == (200, "failed", 2)
    assert (mended.status_code, mended.json()["status"], mended.json()["attempts"]) == (200, "created", 3)
    assert set(mended.json()) == LISTED
    assert (again.status_code, again.json()["code"]) == (409, "not_retryable")
    lead = (await hub.api("GET", f"/api/leads/{mended.json()['leadId']}")).json()
    assert (lead["phoneNumber"], lead["timesSeen"]) == (phone, 1)


async def test_many_are_retried_by_a_job(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=ODD)
    await hub.send(connector, [{"buyer": new_phone()} for _ in range(250)] + [{"buyer": "x"}])
    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": {"buyer": "phoneNumber"}})

    started = await hub.api("POST", "/api/events/retry", {"filter": {"connectorId": connector.id, "status": "failed"}})

    assert started.status_code == 202
    assert set(started.json()) == {"jobId", "status"}

    async def ended() -> Any:
        job = (await hub.api("GET", f"/api/jobs/{started.json()['jobId']}")).json()
        return job if job["status"] not in ("queued", "running") else None

    job = await until(ended)
    assert (job["status"], job["total"], job["done"], job["failed"]) == ("succeeded", 251, 251, 1)
    assert (job["kind"], job["actorName"], job["filter"]["connectorId"]) == (
        "retry_events",
        "tests admin",
        connector.id,
    )
    assert len(await found(hub, connector, status="created", limit=200)) == 200
    assert job["id"] in [one["id"] for one in (await hub.api("GET", "/api/jobs")).json()["items"]]
    ended_already = await hub.api("POST", f"/api/jobs/{job['id']}/cancel")
    assert (ended_already.status_code, ended_already.json()["code"]) == (409, "job_ended")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "filter"),
        ({"filter": {"status": "created"}}, "filter.status"),
        ({"filter": {"everything": True}}, "filter.everything"),
        ({"filter": {"from": "never"}}, "filter.from"),
        ({"filter": {"connectorId": "x"}}, "filter.connectorId"),
        ({"filter": {}, "dryRun": True}, "dryRun"),
    ],
)
async def test_a_wrong_filter_starts_nothing(hub: Hub, body: dict[str, Any], field: str) -> None:
    answer = await hub.api("POST", "/api/events/retry", body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_paused_connector_keeps_and_a_resumed_one_processes(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")
    held = await hub.send(connector, {"phone": new_phone()})
    assert held.status == "received"
    await hub.api("POST", f"/api/connectors/{connector.id}/resume")

    async def processed() -> Any:
        return (await hub.api("GET", f"/api/events/{held.event_id}")).json()["status"] == "created"

    await until(processed)


async def _items(hub: Hub, connector: TestConnector) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]
    return items
