"""API.md's table "Receiving", row by row, at the door of the running product."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from connector_master.storage.embedded import Embedded
from tests.journeys.rows import Rows
from tests.support.hub import Hub, Process, Reply, new_phone, until
from tests.support.wire import Wire, chunk, post

MAX_BODY_BYTES = 1024 * 1024


def is_problem(reply: Reply, status: int, code: str) -> bool:
    """Whether the answer is problem details with all that API.md promises."""
    body = reply.body
    return (
        reply.status_code == body["status"] == status
        and body["code"] == code
        and reply.headers["content-type"] == "application/problem+json"
        and all(body[name] for name in ("type", "title", "detail", "remedy"))
    )


# ---- what became of a record ------------------------------------------------------------------------


async def test_a_new_phone_creates_a_lead_and_an_event_that_keeps_the_request(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    body = json.dumps({"name": "Asha  Example", "phone": phone, "email": "Asha@Example.com"}).encode()

    reply = await hub.send(connector, body, headers={"User-Agent": "A form"})

    assert (reply.status_code, reply.body) == (200, {"status": "created", "leadId": ANY, "eventId": ANY})
    lead = await rows.lead(reply.lead_id)
    assert (lead["phone_number"], lead["name"], lead["email"]) == (phone, "Asha Example", "asha@example.com")
    assert lead["times_seen"] == 1
    event = await rows.event(reply.event_id)
    assert (event["status"], str(event["lead_id"]), event["ip"]) == ("created", reply.lead_id, "127.0.0.1")
    assert (event["payload"], event["content_type"]) == (body, "application/json")
    assert event["headers"]["user-agent"] == "A form"


async def test_a_known_phone_however_spelt_is_a_duplicate_with_the_lead_s_id(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    first = await hub.send(connector, {"phone": phone, "name": "Asha"})

    again = await hub.send(connector, {"phone": f"0{phone[3:8]}-{phone[8:]}", "email": "asha@example.com"})

    assert (again.status_code, again.body) == (
        200,
        {"status": "duplicate", "leadId": first.lead_id, "eventId": ANY},
    )
    assert again.event_id != first.event_id
    lead = await rows.lead(first.lead_id)
    assert (lead["name"], lead["email"], lead["times_seen"]) == ("Asha", "asha@example.com", 2)


async def test_a_lead_is_one_whichever_connector_it_comes_by(hub: Hub) -> None:
    phone = new_phone()
    first = await hub.send(await hub.create_connector(), {"phone": phone})

    again = await hub.send(await hub.create_connector("indiamart"), {"SENDER_MOBILE": phone, "UNIQUE_QUERY_ID": "77"})

    assert (again.status, again.lead_id) == ("duplicate", first.lead_id)


@pytest.mark.parametrize("header", ["webhook-id", "svix-id", "X-GitHub-Delivery", "Idempotency-Key"])
async def test_the_same_delivery_again_gives_the_first_answer_and_changes_nothing(
    header: str, hub: Hub, rows: Rows
) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    first = await hub.send(connector, {"phone": phone}, headers={header: "delivery 1"})

    again = await hub.send(connector, {"phone": phone, "name": "Later"}, headers={header: "delivery 1"})

    assert (again.status_code, again.body) == (200, {**first.body, "repeated": True})
    assert len(await rows.events(connector)) == 1
    lead = await rows.lead(first.lead_id)
    assert (lead["times_seen"], lead["name"]) == (1, None)


async def test_the_same_external_id_again_gives_the_first_answer_and_changes_nothing(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber", "ref": "externalId"})
    first = await hub.send(connector, {"tel": new_phone(), "ref": "A-1"})

    again = await hub.send(connector, {"tel": new_phone(), "ref": "A-1"})

    assert (again.status_code, again.body) == (200, {**first.body, "repeated": True})
    assert len(await rows.events(connector)) == 1
    assert (await rows.event(first.event_id))["external_id"] == "A-1"


async def test_another_connector_s_delivery_ids_are_its_own(hub: Hub) -> None:
    same = {"Idempotency-Key": "delivery 1"}
    first = await hub.send(await hub.create_connector(), {"phone": new_phone()}, headers=same)

    other = await hub.send(await hub.create_connector(), {"phone": new_phone()}, headers=same)

    assert other.status == "created"
    assert "repeated" not in other.body
    assert other.event_id != first.event_id


async def test_a_failed_delivery_again_gives_its_problem_again(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    first = await hub.send(connector, {"name": "Asha"}, headers={"Idempotency-Key": "1"})

    again = await hub.send(connector, {"name": "Asha"}, headers={"Idempotency-Key": "1"})

    assert (again.status_code, again.body) == (400, {**first.body, "repeated": True})
    assert len(await rows.events(connector)) == 1


async def test_several_records_have_each_its_own_outcome_in_order(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    body = json.dumps(
        [{"phone": phone}, {"name": "No phone"}, {"phone": phone}, {"zen": "…", "hook_id": 1}, 5]
    ).encode()

    reply = await hub.send(connector, body)

    assert reply.status_code == 200
    counts = {name: reply.body[name] for name in ("status", "created", "duplicates", "failed", "ignored")}
    assert counts == {"status": "processed", "created": 1, "duplicates": 1, "failed": 2, "ignored": 1}
    results = reply.body["results"]
    assert [one["status"] for one in results] == ["created", "failed", "duplicate", "ignored", "failed"]
    assert results[2]["leadId"] == results[0]["leadId"]
    assert [results[1]["code"], results[4]["code"]] == ["missing_phone", "invalid_record"]
    assert results[1]["remedy"]
    events = await rows.events(connector)
    assert [str(event["id"]) for event in events] == [one["eventId"] for one in results]
    assert [event["position"] for event in events] == [0, 1, 2, 3, 4]
    assert [event["body"] for event in events] == [body, None, None, None, None]
    assert json.loads(events[1]["payload"]) == {"name": "No phone"}


async def test_a_list_of_one_is_answered_as_a_list(hub: Hub) -> None:
    reply = await hub.send(await hub.create_connector(), [{"phone": new_phone()}])

    assert (reply.status, reply.body["created"], len(reply.body["results"])) == ("processed", 1, 1)


async def test_lines_of_json_are_records_and_a_broken_line_fails_alone(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    lines = [json.dumps({"phone": new_phone()}), '{"phone": ', "", json.dumps({"phone": new_phone()})]
    body = "\r\n".join(lines).encode()

    reply = await hub.send(connector, body, content_type="application/x-ndjson")

    assert [one["status"] for one in reply.body["results"]] == ["created", "failed", "created"]
    assert [event["status"] for event in await rows.events(connector)] == ["created", "failed", "created"]


async def test_the_connector_s_records_path_says_where_the_records_are(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"recordsPath": "data.leads"})

    reply = await hub.send(connector, {"data": {"leads": [{"phone": new_phone()}, {"phone": new_phone()}]}})

    assert (reply.status, reply.body["created"]) == ("processed", 2)


async def test_a_list_sent_again_under_one_delivery_id_repeats_each_of_its_answers(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    records = [{"phone": new_phone()}, {"phone": new_phone()}]
    first = await hub.send(connector, records, headers={"Idempotency-Key": "1"})

    again = await hub.send(connector, records, headers={"Idempotency-Key": "1"})

    assert again.body["results"] == [{**one, "repeated": True} for one in first.body["results"]]
    assert len(await rows.events(connector)) == 2


async def test_a_test_ping_is_ignored_with_its_reason_and_kept(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, {"zen": "Keep it simple.", "hook_id": 1, "phone": new_phone()})

    assert (reply.status_code, reply.body) == (200, {"status": "ignored", "reason": "test", "eventId": ANY})
    event = await rows.event(reply.event_id)
    assert (event["status"], event["code"], event["lead_id"]) == ("ignored", "test", None)


@pytest.mark.parametrize("body", [b"[]", b"[[]]", b" [ ] "])
async def test_a_list_without_records_is_ignored_and_kept(body: bytes, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, body)

    assert (reply.status_code, reply.body) == (200, {"status": "ignored", "reason": "empty", "eventId": ANY})
    assert (await rows.event(reply.event_id))["payload"] == body


# ---- what can't be used -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"name": "Asha"}, "missing_phone"),
        ({"name": "Asha", "phone": "  "}, "missing_phone"),
        ({"name": "Asha", "phone": "12"}, "invalid_phone"),
        ({"name": "Asha", "phone": "9XXXXXX811"}, "invalid_phone"),
    ],
)
async def test_a_record_without_a_usable_phone_is_400_and_kept_as_failed(
    payload: dict[str, str], code: str, hub: Hub, rows: Rows
) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, payload)

    assert is_problem(reply, 400, code)
    event = await rows.event(reply.event_id)
    assert (event["status"], event["code"], json.loads(event["payload"])) == ("failed", code, payload)
    assert event["detail"] == reply.body["detail"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"phone": ', "application/json"),
        (b"phone=1", "application/json"),
        (b'"just text"', "application/json"),
        (b"17", "application/json"),
        (b"null", "application/json"),
        (b'{"a": 1}\n{"b": 2}', "application/json"),
        (b"{broken\n{too", "application/x-ndjson"),
        (b"no boundary here", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n", "multipart/form-data"),
    ],
)
async def test_an_unreadable_body_is_400_and_kept_byte_for_byte(
    body: bytes, content_type: str, hub: Hub, rows: Rows
) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, body, content_type=content_type)

    assert is_problem(reply, 400, "invalid_body")
    event = await rows.event(reply.event_id)
    assert (event["status"], event["code"], event["payload"]) == ("failed", "invalid_body", body)


async def test_indiamart_is_answered_200_also_for_a_lead_without_a_phone(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector("indiamart")

    reply = await hub.send(connector, {"UNIQUE_QUERY_ID": "31", "SENDER_NAME": "Asha"})

    assert (reply.status_code, reply.body["CODE"], reply.status) == (200, 200, "failed")
    assert reply.body["code"] == "missing_phone"
    assert (await rows.event(reply.event_id))["status"] == "failed"


# ---- who may not -----------------------------------------------------------------------------------


async def test_a_wrong_signature_is_401_leaves_no_event_and_is_logged_with_its_address(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()

    reply = await hub.send(connector, {"phone": phone}, headers={"X-Webhook-Signature": "sha256=" + "0" * 64})

    assert is_problem(reply, 401, "invalid_signature")
    assert "eventId" not in reply.body
    assert await rows.events(connector) == []
    assert await rows.leads(phone) == []
    (line,) = await rows.activity(connector, "signature_refused")
    assert (line["ip"], line["level"], line["actor_kind"]) == ("127.0.0.1", "warning", "stranger")
    assert phone not in str(line)


async def test_a_missing_signature_is_401_where_one_is_required(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})

    reply = await hub.send(connector, {"phone": new_phone()})
    signed = await hub.send(connector, {"phone": new_phone()}, signed=True)

    assert is_problem(reply, 401, "invalid_signature")
    assert signed.status == "created"
    assert len(await rows.activity(connector, "signature_refused")) == 1


async def test_every_refused_signature_is_answered_alike(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})
    wrong = [
        {},
        {"X-Webhook-Signature": "sha256=" + "0" * 64},
        {"X-Webhook-Signature": "rubbish"},
        {"X-Webhook-Signature": ""},
        {"X-Webhook-Token": "guess"},
        {"Stripe-Signature": "t=1,v1="},
    ]

    replies = [await hub.send(connector, {"phone": new_phone()}, headers=headers) for headers in wrong]

    assert {reply.status_code for reply in replies} == {401}
    assert len({json.dumps(reply.body) for reply in replies}) == 1


async def test_an_unknown_address_is_404(hub: Hub) -> None:
    connector = await hub.create_connector()
    for path in (
        connector.url[:-1],
        connector.url + "x",
        connector.url + "/",
        connector.url.swapcase().replace("/API/CONNECTORS/WEBHOOK/", "/api/connectors/webhook/"),
        "/api/connectors/webhook/",
        "/api/connectors/webhook/" + "x" * 5_000,
        "/api/connectors/webhook/..%2f..%2fhealthz",
        "/api/connectors/webhook/%00%0a",
    ):
        answer = await hub.client.post(path, json={"phone": new_phone()})

        assert (answer.status_code, answer.json()["code"]) == (404, "connector_not_found"), path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_real_address_under_another_type_s_door_is_404(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    wrong_door = connector.url.replace("/webhook/", "/indiamart/")

    answer = await hub.client.post(wrong_door, json={"UNIQUE_QUERY_ID": "1", "SENDER_MOBILE": new_phone()})

    assert (answer.status_code, answer.json()["code"]) == (404, "connector_not_found")
    assert await rows.events(connector) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_door_takes_no_other_method_than_post(method: str, hub: Hub) -> None:
    connector = await hub.create_connector()

    answer = await hub.client.request(method, connector.url)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "method_not_allowed"


async def test_a_deleted_connector_s_address_is_404_at_once_and_its_events_stay(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, {"phone": new_phone()})
    await hub.api("DELETE", f"/api/connectors/{connector.id}")

    reply = await hub.send(connector, {"phone": new_phone()})

    assert is_problem(reply, 404, "connector_not_found")
    assert len(await rows.events(connector)) == 1


# ---- what is too much -------------------------------------------------------------------------------


async def test_a_body_declared_too_large_is_413_before_any_of_it_is_read(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    async with Wire(hub.address) as wire:
        await wire.send(post(connector.url, b"", f"Content-Length: {MAX_BODY_BYTES + 1}"))

        answer = await wire.answer()

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert await rows.events(connector) == []


async def test_a_body_of_unknown_size_is_413_as_soon_as_it_is_too_large(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    async with Wire(hub.address) as wire:
        await wire.send(post(connector.url, b"", "Transfer-Encoding: chunked"))
        await wire.send(chunk(b" " * MAX_BODY_BYTES))
        await wire.send(chunk(b" "))

        answer = await wire.answer()

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert await rows.events(connector) == []


async def test_the_largest_body_allowed_is_taken(hub: Hub) -> None:
    connector = await hub.create_connector()
    payload = json.dumps({"phone": new_phone(), "message": "x"}).encode()

    reply = await hub.send(connector, payload + b" " * (MAX_BODY_BYTES - len(payload)))

    assert reply.status == "created"


@pytest.mark.parametrize("content_type", ["application/xml", "text/html", "image/png", "text/plain", "nonsense", None])
async def test_an_unsupported_type_is_415(content_type: str | None, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, b"<lead/>", content_type=content_type)

    assert is_problem(reply, 415, "unsupported_media_type")
    assert await rows.events(connector) == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "x-unknown", "identity, gzip"])
async def test_a_compressed_body_is_415(encoding: str, hub: Hub) -> None:
    reply = await hub.send(await hub.create_connector(), {"phone": new_phone()}, headers={"Content-Encoding": encoding})

    assert is_problem(reply, 415, "unsupported_media_type")


async def test_beyond_the_connector_s_limit_is_429_with_the_time_to_wait(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(settings={"rateLimitPerMinute": 2})

    replies = [await hub.send(connector, {"phone": new_phone()}) for _ in range(4)]

    assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
    assert is_problem(replies[2], 429, "rate_limited")
    assert 1 <= int(replies[2].headers["retry-after"]) <= 30
    assert len(await rows.events(connector)) == 2


async def test_a_limit_is_its_connector_s_own_and_bad_signatures_do_not_use_it_up(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"rateLimitPerMinute": 1})
    for _ in range(3):
        await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Signature": "sha256=0"})

    assert (await hub.send(connector, {"phone": new_phone()})).status == "created"
    assert (await hub.send(connector, {"phone": new_phone()})).status_code == 429
    assert (await hub.send(await hub.create_connector(), {"phone": new_phone()})).status == "created"


async def test_while_postgresql_is_away_it_is_503_and_all_is_well_again_by_itself(folder: Path) -> None:
    postgresql = Embedded(folder / "postgresql")
    postgresql.start()
    url = postgresql.url
    process = Process("up", "--database-url", url, "--data-dir", str(folder / "hub"), "--port", "0").wait_ready()
    hub = Hub(process, folder / "hub", url)
    try:
        connector = await hub.create_connector()
        phone = new_phone()
        before = await hub.send(connector, {"phone": phone})
        postgresql.stop()

        away = [await hub.send(connector, {"phone": phone}, signed=signed) for signed in (False, True)]
        away.append(await hub.send(connector, b"{broken"))
        away.append(await hub.send(connector, {"phone": phone}, headers={"X-Webhook-Signature": "sha256=0"}))

        for reply in away:
            assert is_problem(reply, 503, "storage_unavailable")
            assert int(reply.headers["retry-after"]) > 0
        assert (await hub.client.get("/healthz")).status_code == 200
        assert (await hub.client.get("/readyz")).status_code == 503

        postgresql = Embedded(folder / "postgresql")
        postgresql.start()

        async def taken() -> Reply | None:
            reply = await hub.send(connector, {"phone": phone})
            return reply if reply.status_code == 200 else None

        after: Reply = await until(taken)
        assert (after.status, after.lead_id) == ("duplicate", before.lead_id)
        assert (await hub.client.get("/readyz")).status_code == 200
        async with Rows(folder, url) as rows:
            assert [str(event["id"]) for event in await rows.events(connector)] == [before.event_id, after.event_id]
    finally:
        await hub.client.aclose()
        assert process.stop() == 0
        postgresql.stop()


# ---- content types ----------------------------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    '--b\r\nContent-Disposition: form-data; name="phone"\r\n\r\n{phone}\r\n'
    '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAsha Example\r\n'
    '--b\r\nContent-Disposition: form-data; name="cv"; filename="cv.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n'
    "--b--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "template"),
    [
        ("application/json", '{{"phone": "{phone}", "name": "Asha Example"}}'),
        ("application/json; charset=utf-8", '{{"phone": "{phone}", "name": "Asha Example"}}'),
        ("APPLICATION/JSON", '{{"phone": "{phone}", "name": "Asha Example"}}'),
        ("application/vnd.api+json", '{{"phone": "{phone}", "name": "Asha Example"}}'),
        ("text/plain;charset=UTF-8", ' {{"phone": "{phone}", "name": "Asha Example"}}'),
        (None, '{{"phone": "{phone}", "name": "Asha Example"}}'),
        (FORM, "phone=%2B{digits}&name=Asha+Example"),
        (
            FORM,
            "fields[tel][value]=%2B{digits}&fields[tel][type]=tel&fields[name][type]=text&fields[name][value]=Asha%20Example",
        ),
        (FORM, 'payload={{"phone": "%2B{digits}", "name": "Asha Example"}}'),
        (FORM, 'data.json={{"phone": ["{phone_quoted}"], "name": ["Asha Example"]}}'),
        ("multipart/form-data; boundary=b", MULTIPART),
        ('multipart/form-data; boundary="b"', MULTIPART),
        ("application/json", '{{"body": "{{\\"phone\\": \\"{phone}\\", \\"name\\": \\"Asha Example\\"}}"}}'),
    ],
)
async def test_each_content_type_is_read(content_type: str | None, template: str, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    body = template.format(phone=phone, digits=phone[1:], phone_quoted=phone.replace("+", "%2B")).encode()

    reply = await hub.send(connector, body, content_type=content_type)

    assert reply.status == "created", reply.body
    lead = await rows.lead(reply.lead_id)
    assert (lead["phone_number"], lead["name"]) == (phone, "Asha Example")
    assert (await rows.event(reply.event_id))["payload"] == body


async def test_lines_of_json_are_read_as_a_list(hub: Hub) -> None:
    lines = b"".join(json.dumps({"phone": new_phone()}).encode() + b"\n" for _ in range(3))

    reply = await hub.send(await hub.create_connector(), lines, content_type="application/x-ndjson")

    assert (reply.status, reply.body["created"]) == ("processed", 3)


async def test_json_never_becomes_an_upload(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = MULTIPART.format(phone=new_phone()).encode()

    reply = await hub.send(connector, body)

    assert is_problem(reply, 400, "invalid_body")


# ---- paused -----------------------------------------------------------------------------------------


async def test_a_paused_connector_keeps_what_comes_and_works_it_off_on_resume(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")

    kept = await hub.send(connector, {"phone": phone})
    failing = await hub.send(connector, {"name": "No phone"})

    assert (kept.status_code, kept.body) == (200, {"status": "received", "reason": "paused", "eventId": ANY})
    assert failing.status == "received"
    assert await rows.leads(phone) == []

    await hub.api("POST", f"/api/connectors/{connector.id}/resume")

    async def settled() -> list[Any]:
        found = [event["status"] for event in await rows.events(connector)]
        return found if "received" not in found else []

    assert await until(settled) == ["created", "failed"]
    (lead,) = await rows.leads(phone)
    assert (await rows.event(kept.event_id))["lead_id"] == lead["id"]


async def test_a_paused_connector_still_refuses_bad_signatures_and_repeats_answers(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")
    first = await hub.send(connector, {"phone": new_phone()}, headers={"Idempotency-Key": "1"})

    again = await hub.send(connector, {"phone": new_phone()}, headers={"Idempotency-Key": "1"})
    wrong = await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Signature": "sha256=0"})

    assert again.body == {**first.body, "repeated": True}
    assert wrong.status_code == 401
    assert len(await rows.events(connector)) == 1


async def test_what_can_t_be_a_lead_is_settled_also_while_paused(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")

    ping = await hub.send(connector, {"zen": "…", "hook_id": 1})
    broken = await hub.send(connector, b"{broken")

    assert (ping.status, broken.status_code) == ("ignored", 400)
