"""Operating connectors over HTTP: mapping, dry run, connection test, secrets, log, pause (API.md "Connectors")."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.hub import Hub, TestConnector, new_phone, sign, until

PHONE = "+919876500000"


async def try_out(hub: Hub, connector: TestConnector, payload: Any, **more: Any) -> dict[str, Any]:
    answer = await hub.api("POST", f"/api/connectors/{connector.id}/test-webhook", {"payload": payload, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def log(hub: Hub, connector: TestConnector, **query: str) -> list[dict[str, Any]]:
    answer = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params={"limit": "200", **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def faults(answer: Any) -> dict[str, str]:
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    return {one["field"]: one["message"] for one in answer.json()["errors"]}


# ---- field mapping ----------------------------------------------------------------------------------


async def test_a_mapping_is_saved_in_its_order_and_counts_at_once(hub: Hub) -> None:
    connector = await hub.create_connector()
    mapping = {
        "z.tel": "phoneNumber",
        "last": "name",
        "first": "name",
        "a.budget": "attributes.budget",
        "answers[type=email].value": {"field": "email", "transform": "value.lowerAscii()", "combine": "first"},
    }

    saved = await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": mapping})
    phone = new_phone()
    reply = await hub.send(
        connector,
        {
            "z": {"tel": phone},
            "first": "Asha",
            "last": "Rao",
            "a": {"budget": 5},
            "answers": [{"type": "email", "value": "ASHA@EXAMPLE.COM"}],
        },
    )
    lead = (await hub.api("GET", f"/api/leads/{reply.lead_id}")).json()

    assert saved.status_code == 200
    assert list(saved.json()["fieldMapping"].items()) == list(mapping.items())
    assert (lead["phoneNumber"], lead["name"], lead["email"]) == (phone, "Rao Asha", "asha@example.com")
    assert lead["attributes"] == {"budget": 5}


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ({"a": "shoeSize", "b": "phone_number"}, {'fieldMapping["a"]', 'fieldMapping["b"]'}),
        ({"a": "attributes."}, {'fieldMapping["a"]'}),
        ({"a[": "name"}, {'fieldMapping["a["]'}),
        ({"": "name"}, {'fieldMapping[""]'}),
        ({"a": {"field": "name", "transform": "value.("}}, {'fieldMapping["a"].transform'}),
        ({"a": {"field": "name", "transform": "nothing"}}, {'fieldMapping["a"].transform'}),
        ({"a": {"field": "name", "transform": ""}}, {'fieldMapping["a"].transform'}),
        (
            {"a": {"field": "name", "combine": "join"}, "b": {"field": "name", "combine": "first"}},
            {'fieldMapping["b"].combine'},
        ),
        (
            {"a": {"field": "nme", "transform": "("}, "b[": "name"},
            {'fieldMapping["a"].field', 'fieldMapping["a"].transform', 'fieldMapping["b["]'},
        ),
    ],
)
async def test_every_fault_of_a_mapping_is_named_and_nothing_is_saved(
    hub: Hub, mapping: dict[str, Any], named: set[str]
) -> None:
    connector = await hub.create_connector()
    url = f"/api/connectors/{connector.id}"

    answers = [
        await hub.api("PUT", f"{url}/field-mapping", {"fieldMapping": mapping}),
        await hub.api("PUT", url, {"fieldMapping": mapping}),
        await hub.api("POST", "/api/connectors", {"name": "x", "type": "webhook", "fieldMapping": mapping}),
        await hub.api("POST", f"{url}/test-webhook", {"payload": {}, "fieldMapping": mapping}),
    ]

    assert [set(faults(answer)) for answer in answers] == [named] * 4
    assert all(message for answer in answers for message in faults(answer).values())
    assert (await hub.api("GET", url)).json()["fieldMapping"]["phone"] == "phoneNumber"


@pytest.mark.parametrize(
    "mapping",
    [
        {"a": 5},
        {"a": None},
        {"a": ["name"]},
        {"a": {}},
        {"a": {"transform": "value"}},
        {"a": {"field": "name", "combine": "add"}},
        {"a": {"field": "name", "also": "x"}},
        ["a"],
        "a",
    ],
)
async def test_a_mapping_of_another_shape_is_refused(hub: Hub, mapping: Any) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": mapping})

    assert all(name.startswith("fieldMapping") for name in faults(answer))


async def test_a_misspelt_lead_field_is_answered_with_the_right_one(hub: Hub) -> None:
    connector = await hub.create_connector()

    answer = await hub.api(
        "PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": {"a": "phonenumber"}}
    )

    assert "did you mean phoneNumber?" in str(faults(answer))


async def test_a_null_mapping_goes_back_to_the_default(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})

    answer = await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": None})

    assert answer.json()["fieldMapping"] == {
        "phone": "phoneNumber",
        "name": "name",
        "email": "email",
        "source": "source",
    }


# ---- dry run ----------------------------------------------------------------------------------------


async def test_a_payload_that_would_be_a_lead_is_shown_and_creates_nothing(hub: Hub) -> None:
    connector, phone = await hub.create_connector(), new_phone()

    tried = await try_out(hub, connector, {"phone": f"0{phone[3:]}", "name": " asha ", "city": "Pune", "x": {"y": 1}})
    again = await try_out(hub, connector, {"phone": phone})
    events = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]
    leads = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]

    assert (tried["outcome"], tried["problems"], tried["records"]) == ("created", [], 1)
    assert (tried["lead"]["phoneNumber"], tried["lead"]["name"]) == (phone, "asha")
    assert "x.y" in tried["unmapped"]
    assert again["outcome"] == "created"
    assert (events, leads) == ([], [])


async def test_a_payload_of_a_known_person_would_be_a_duplicate(hub: Hub) -> None:
    connector, phone = await hub.create_connector(), new_phone()
    made = await hub.send(connector, {"phone": phone})

    tried = await try_out(hub, connector, {"phone": phone})

    assert (tried["outcome"], tried["leadId"]) == ("duplicate", made.lead_id)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"name": "Asha"}, "missing_phone"),
        ({"phone": "98XXXXXX10"}, "invalid_phone"),
        ({"phone": "12"}, "invalid_phone"),
        ("text", "invalid_body"),
        (5, "invalid_body"),
        (None, "invalid_body"),
        ([5], "invalid_record"),
    ],
)
async def test_a_payload_that_can_be_no_lead_is_rejected_with_the_reason(hub: Hub, payload: Any, code: str) -> None:
    connector = await hub.create_connector()

    tried = await try_out(hub, connector, payload)

    assert tried["outcome"] == "rejected"
    assert code in [one["code"] for one in tried["problems"] if one["blocks"]]
    assert all(one["message"] for one in tried["problems"])


async def test_what_is_no_enquiry_would_be_ignored(hub: Hub) -> None:
    connector = await hub.create_connector()

    ping = await try_out(hub, connector, {"zen": "Keep it simple.", "hook_id": 1})
    empty = await try_out(hub, connector, [])

    assert (ping["outcome"], ping["reason"]) == ("ignored", "test")
    assert (empty["outcome"], empty["reason"]) == ("ignored", "empty")


async def test_a_mapping_is_tried_without_being_saved(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping={"nowhere": "phoneNumber"})
    payload = {"tel": new_phone(), "more": "x"}

    saved = await try_out(hub, connector, payload)
    tried = await try_out(hub, connector, payload, fieldMapping={"tel": "phoneNumber"})
    after = await try_out(hub, connector, payload)

    assert (saved["outcome"], tried["outcome"], after["outcome"]) == ("rejected", "created", "rejected")
    assert tried["unmapped"] == ["more"]
    assert set(saved["unmapped"]) == {"tel", "more"}


async def test_a_warning_does_not_reject(hub: Hub) -> None:
    connector = await hub.create_connector()

    tried = await try_out(hub, connector, {"phone": new_phone(), "email": "not an address"})

    assert tried["outcome"] == "created"
    assert [(one["field"], one["blocks"]) for one in tried["problems"]] == [("email", False)]


async def test_a_dry_run_is_logged_without_the_payload(hub: Hub) -> None:
    connector = await hub.create_connector()
    await try_out(hub, connector, {"phone": PHONE, "name": "Distinctive Name"})

    (line,) = await log(hub, connector, kind="webhook_test")

    assert (line["actorKind"], line["ip"]) == ("api_key", "127.0.0.1")
    assert "Distinctive" not in json.dumps(await log(hub, connector))


async def test_a_payload_is_asked_for(hub: Hub) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("POST", f"/api/connectors/{connector.id}/test-webhook", {})

    assert set(faults(answer)) == {"payload"}


# ---- connection test --------------------------------------------------------------------------------


async def test_the_connection_test_says_what_to_expect(hub: Hub) -> None:
    connector = await hub.create_connector()
    url = f"/api/connectors/{connector.id}"

    new = (await hub.api("POST", f"{url}/test-connection")).json()
    await hub.send(connector, {"phone": new_phone()})
    used = (await hub.api("POST", f"{url}/test-connection")).json()
    await hub.api("POST", f"{url}/pause")
    paused = (await hub.api("POST", f"{url}/test-connection")).json()

    assert [one["ok"] for one in (new, used, paused)] == [True, True, True]
    assert len({one["message"] for one in (new, used, paused)}) == 3
    assert used["details"]["lastEventAt"].endswith("Z")
    assert paused["details"]["status"] == "paused"
    assert new["checkedAt"].endswith("Z")
    assert len(await log(hub, connector, kind="connection_test")) == 3


# ---- secrets ----------------------------------------------------------------------------------------


async def test_a_new_secret_is_shown_once_and_the_old_one_keeps_its_grace(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})
    url = f"/api/connectors/{connector.id}"
    before = (await hub.api("GET", url)).json()

    answer = await hub.api("POST", f"{url}/regenerate-secret")
    made = answer.json()
    after = (await hub.api("GET", url)).json()
    body = json.dumps({"phone": new_phone()}).encode()
    by_old = await hub.send(connector, body, headers=sign(body, connector.secret or ""))
    by_new = await hub.send(connector, body, headers=sign(body, made["webhookSecret"]))

    ends = datetime.fromisoformat(made["previousSecretValidUntil"])
    assert answer.status_code == 200
    assert set(made) >= {"webhookSecret", "previousSecretValidUntil"}
    assert abs(ends - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
    assert made["webhookSecret"] != connector.secret
    assert after["webhookSecretFingerprint"] != before["webhookSecretFingerprint"]
    assert after["previousSecretValidUntil"] == made["previousSecretValidUntil"]
    assert [by_old.status_code, by_new.status_code] == [200, 200]


async def test_no_grace_ends_the_old_secret_at_once(hub: Hub) -> None:
    connector = await hub.create_connector()
    made = (await hub.api("POST", f"/api/connectors/{connector.id}/regenerate-secret", {"graceHours": 0})).json()
    body = json.dumps({"phone": new_phone()}).encode()

    by_old = await hub.send(connector, body, headers=sign(body, connector.secret or ""))
    by_new = await hub.send(connector, body, headers=sign(body, made["webhookSecret"]))

    assert [by_old.status_code, by_new.status_code] == [401, 200]


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "24", True, None, 10**30])
async def test_a_grace_outside_0_to_168_hours_is_refused(hub: Hub, hours: Any) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("POST", f"/api/connectors/{connector.id}/regenerate-secret", {"graceHours": hours})

    assert set(faults(answer)) == {"graceHours"}


async def test_a_type_that_can_not_sign_has_no_secret_to_regenerate(hub: Hub) -> None:
    connector = await hub.create_connector("indiamart")

    answer = await hub.api("POST", f"/api/connectors/{connector.id}/regenerate-secret", {})

    assert (answer.status_code, answer.json()["code"]) == (409, "no_secret")


# ---- log --------------------------------------------------------------------------------------------


async def test_the_log_tells_what_arrived_and_what_became_of_it(hub: Hub) -> None:
    connector, phone = await hub.create_connector(), new_phone()
    made = await hub.send(connector, {"phone": phone})
    await hub.send(connector, {"phone": phone})
    failed = await hub.send(connector, {"name": "x"})
    await hub.send(connector, {"phone": phone}, headers={"X-Webhook-Signature": "sha256=00"})

    lines = await log(hub, connector)

    kinds = [line["kind"] for line in lines]
    assert kinds == [
        "signature_refused",
        "error",
        "webhook_received",
        "duplicate",
        "webhook_received",
        "lead_created",
        "webhook_received",
        "connector_created",
    ]
    by_kind = {line["kind"]: line for line in lines}
    assert by_kind["lead_created"]["leadId"] == made.lead_id
    assert by_kind["error"]["eventId"] == failed.event_id
    assert (by_kind["error"]["level"], by_kind["signature_refused"]["level"]) == ("error", "warning")
    assert "missing_phone" in by_kind["error"]["message"]
    assert {line["ip"] for line in lines} == {"127.0.0.1"}
    assert [line["at"] for line in lines] == sorted((line["at"] for line in lines), reverse=True)


async def test_a_change_is_told_with_who_before_and_after(hub: Hub) -> None:
    connector = await hub.create_connector(name="Old", settings={"defaultRegion": "AE"})
    url = f"/api/connectors/{connector.id}"
    await hub.api("PUT", url, {"name": "New", "settings": {"defaultRegion": None}}, role="manager")
    await hub.api("PUT", f"{url}/field-mapping", {"fieldMapping": {"tel": "phoneNumber"}})
    await hub.api("PUT", url, {"credentials": SECRET})

    credentials, mapping, change = await log(hub, connector, kind="connector_changed")

    assert change["data"]["before"] == {"name": "Old", "settings": {"defaultRegion": "AE"}}
    assert change["data"]["after"] == {"name": "New", "settings": {}}
    assert (change["actorKind"], change["actorName"], change["ip"]) == ("api_key", "tests manager", "127.0.0.1")
    assert mapping["data"] == {
        "before": {"fieldMapping": None, "mappingVersion": 1},
        "after": {"fieldMapping": {"tel": "phoneNumber"}, "mappingVersion": 2},
    }
    assert credentials["data"]["credentialsChanged"] == ["signingSecret"]
    assert SECRET["signingSecret"] not in json.dumps(credentials)


SECRET = {"signingSecret": "planted-secret-value"}


async def test_pause_resume_and_secrets_are_told(hub: Hub) -> None:
    connector = await hub.create_connector()
    url = f"/api/connectors/{connector.id}"
    for what in ("pause", "pause", "resume", "regenerate-secret", "test-connection"):
        await hub.api("POST", f"{url}/{what}")

    kinds = [line["kind"] for line in await log(hub, connector)]

    assert kinds == [
        "connection_test",
        "secret_regenerated",
        "connector_resumed",
        "connector_paused",
        "connector_created",
    ]


@pytest.fixture
async def busy(hub: Hub) -> TestConnector:
    """A connector with a log of every kind."""
    connector, phone = await hub.create_connector(), new_phone()
    await hub.send(connector, {"phone": phone})
    await hub.send(connector, {"name": "x"})
    await hub.send(connector, {"phone": phone}, headers={"X-Webhook-Signature": "sha256=00"})
    await hub.api("POST", f"/api/connectors/{connector.id}/test-connection")
    return connector


@pytest.mark.parametrize("kind", ["webhook_received", "lead_created", "error", "connection_test", "connector_created"])
async def test_the_log_is_filtered_by_kind(hub: Hub, busy: TestConnector, kind: str) -> None:
    found = await log(hub, busy, kind=kind)

    assert found
    assert {line["kind"] for line in found} == {kind}


async def test_the_log_is_filtered_by_level_text_and_time(hub: Hub, busy: TestConnector) -> None:
    everything = await log(hub, busy)
    middle = everything[3]["at"]

    levels = {level: len(await log(hub, busy, level=level)) for level in ("info", "warning", "error")}
    since, before = await log(hub, busy, **{"from": middle}), await log(hub, busy, to=middle)

    assert sum(levels.values()) == len(everything)
    assert (levels["error"], levels["warning"]) == (1, 1)
    assert [line["kind"] for line in await log(hub, busy, q="MISSING_PHONE")] == ["error"]
    assert [line["kind"] for line in await log(hub, busy, q="signature is wrong")] == ["signature_refused"]
    assert await log(hub, busy, q="%") == await log(hub, busy, q="' OR 1=1 --") == []
    assert len(since) + len(before) == len(everything)
    assert since
    assert before
    assert await log(hub, busy, **{"from": "2100-01-01"}) == []


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"to": "2026-13-01T00:00:00Z"},
        {"level": "loud"},
        {"q": "x" * 201},
        {"limit": "201"},
        {"kinds": "error"},
    ],
)
async def test_a_wrong_filter_of_the_log_is_refused_by_name(hub: Hub, query: dict[str, str]) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params=query)

    assert set(faults(answer)) == set(query)


async def test_the_log_is_paged_without_gaps_or_repeats(hub: Hub, busy: TestConnector) -> None:
    whole = await log(hub, busy)
    paged: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "1"}
    while True:
        page = (await hub.api("GET", f"/api/connectors/{busy.id}/logs", params=query)).json()
        paged += page["items"]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]

    assert paged == whole


async def test_the_log_shows_nothing_of_another_connector(hub: Hub, busy: TestConnector) -> None:
    other = await hub.create_connector()

    assert [line["kind"] for line in await log(hub, other)] == ["connector_created"]
    assert {line["connectorId"] for line in await log(hub, busy)} == {busy.id}


# ---- pause and resume -------------------------------------------------------------------------------


async def test_a_paused_connector_keeps_what_arrives_and_processes_it_on_resume(hub: Hub) -> None:
    connector, phone = await hub.create_connector(), new_phone()
    url = f"/api/connectors/{connector.id}"

    paused = await hub.api("POST", f"{url}/pause")
    held = await hub.send(connector, {"phone": phone})
    found_while_paused = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    resumed = await hub.api("POST", f"{url}/resume")

    async def settled() -> dict[str, Any] | None:
        event: dict[str, Any] = (await hub.api("GET", f"/api/events/{held.event_id}")).json()
        return event if event["status"] != "received" else None

    event = await until(settled)

    assert (paused.json()["status"], resumed.json()["status"]) == ("paused", "active")
    assert (held.status_code, held.status, held.body["reason"]) == (200, "received", "paused")
    assert found_while_paused == []
    assert event["status"] == "created"
    assert (await hub.api("GET", f"/api/leads/{event['leadId']}")).json()["phoneNumber"] == phone


async def test_a_signature_counts_also_while_paused(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")

    unsigned = await hub.send(connector, {"phone": new_phone()})

    assert unsigned.status_code == 401


async def test_the_last_event_is_told(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, {"phone": new_phone()})

    shown = (await hub.api("GET", f"/api/connectors/{connector.id}")).json()

    last = datetime.fromisoformat(shown["lastEventAt"])
    assert timedelta(0) <= datetime.now(UTC) - last < timedelta(minutes=1)
