"""Managing connectors over HTTP: create, see, change, delete, and who sees what (API.md "Connectors")."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from tests.support.hub import Hub, TestConnector, new_phone, sign

UNKNOWN = "01900000-0000-7000-8000-000000000000"
SECRETS = {"signingSecret": "calendly-signing-secret-f3a9"}
HIDDEN = {
    "webhookUrl",
    "webhookSecret",
    "webhookSecretFingerprint",
    "previousSecretValidUntil",
    "settings",
    "credentials",
    "fieldMapping",
}


def faults(answer: Any) -> dict[str, str]:
    """The fields that a problem names, with what it says of each."""
    assert answer.status_code == 422, answer.text
    return {one["field"]: one["message"] for one in answer.json()["errors"]}


async def see(hub: Hub, connector: TestConnector, role: str = "admin") -> dict[str, Any]:
    answer = await hub.api("GET", f"/api/connectors/{connector.id}", role=role)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# ---- creating ---------------------------------------------------------------------------------------


async def test_a_new_connector_is_shown_with_its_address_and_secret(hub: Hub) -> None:
    answer = await hub.api(
        "POST", "/api/connectors", {"name": " My CRM ", "type": "webhook", "description": "Leads from external CRM"}
    )
    made = answer.json()

    assert answer.status_code == 201
    assert UUID(made["id"]).version == 7
    assert (made["name"], made["type"], made["status"]) == ("My CRM", "webhook", "active")
    assert made["description"] == "Leads from external CRM"
    assert made["webhookUrl"].startswith("/api/connectors/webhook/")
    assert len(made["webhookUrl"].rpartition("/")[2]) >= 22
    assert len(made["webhookSecret"]) >= 32
    assert made["settings"] == {}
    assert made["credentials"] == {"signingSecret": {"set": False, "hint": None}}
    assert made["fieldMapping"] == {"phone": "phoneNumber", "name": "name", "email": "email", "source": "source"}
    assert (made["lastEventAt"], made["lastSyncAt"], made["nextSyncAt"]) == (None, None, None)
    assert made["createdAt"].endswith("Z")
    assert datetime.fromisoformat(made["createdAt"]).tzinfo is not None


async def test_an_indiamart_connector_has_an_address_of_its_own_and_no_secret(hub: Hub) -> None:
    made = (await hub.api("POST", "/api/connectors", {"name": "IndiaMART", "type": "indiamart"})).json()

    assert made["webhookUrl"].startswith("/api/connectors/indiamart/")
    assert "webhookSecret" not in made
    assert list(made["credentials"]) == ["glid", "mobileKey", "mobile"]
    assert made["fieldMapping"]["SENDER_MOBILE"] == "phoneNumber"


async def test_settings_credentials_and_mapping_may_come_with_it(hub: Hub) -> None:
    connector = await hub.create_connector(
        settings={"defaultRegion": "ae", "signature": "required"},
        credentials=SECRETS,
        fieldMapping={"tel": "phoneNumber", "who": {"field": "name", "transform": "value.trim()"}},
    )

    shown = await see(hub, connector)

    assert shown["settings"] == {"defaultRegion": "AE", "signature": "required"}
    assert shown["credentials"] == {"signingSecret": {"set": True, "hint": "…f3a9"}}
    assert shown["fieldMapping"] == {"tel": "phoneNumber", "who": {"field": "name", "transform": "value.trim()"}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, {"name", "type"}),
        ({"name": "", "type": "webhook"}, {"name"}),
        ({"name": "   ", "type": "webhook"}, {"name"}),
        ({"name": "x" * 201, "type": "webhook"}, {"name"}),
        ({"name": 5, "type": "webhook"}, {"name"}),
        ({"name": "x", "type": "nothing"}, {"type"}),
        ({"name": "x", "type": None}, {"type"}),
        ({"name": "x", "type": "webhook", "settings": {"defaultRegion": "India"}}, {"settings.defaultRegion"}),
        (
            {"name": "x", "type": "webhook", "settings": {"rateLimitPerMinute": 0, "colour": 1}},
            {"settings.rateLimitPerMinute", "settings.colour"},
        ),
        (
            {"name": "x", "type": "webhook", "settings": {"duplicatePolicy": {"fields": ["shoeSize"]}}},
            {"settings.duplicatePolicy.fields.0"},
        ),
        (
            {"name": "x", "type": "webhook", "settings": {"duplicatePolicy": {"windowDays": 0}}},
            {"settings.duplicatePolicy.windowDays"},
        ),
        ({"name": "x", "type": "webhook", "settings": {"signature": "sometimes"}}, {"settings.signature"}),
        ({"name": "x", "type": "webhook", "credentials": {"apiKey": "k"}}, {"credentials.apiKey"}),
        ({"name": "x", "type": "webhook", "credentials": {"signingSecret": ""}}, {"credentials.signingSecret"}),
        ({"name": "x", "type": "webhook", "status": "paused", "webhookUrl": "/x"}, {"status", "webhookUrl"}),
        ({"name": "x", "type": "webhook", "webhookSecret": "mine"}, {"webhookSecret"}),
        ({"name": "x", "type": "webhook", "settings": []}, {"settings"}),
    ],
)
async def test_every_fault_of_a_new_connector_is_named(hub: Hub, fields: dict[str, Any], named: set[str]) -> None:
    assert set(faults(await hub.api("POST", "/api/connectors", fields))) == named


async def test_settings_that_could_never_be_satisfied_are_refused(hub: Hub) -> None:
    answer = await hub.api(
        "POST",
        "/api/connectors",
        {"name": "x", "type": "webhook", "settings": {"signature": "required", "signatureScheme": "none"}},
    )

    assert "nothing would be accepted" in str(faults(answer))


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800"], ids=["nul", "nul inside", "surrogate"])
async def test_a_name_that_can_not_be_stored_is_refused(hub: Hub, text: str) -> None:
    content = json.dumps({"name": f"N{text}", "type": "webhook"}).encode()

    answer = await hub.api("POST", "/api/connectors", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_addresses_share_no_pattern(hub: Hub) -> None:
    ids = [(await hub.create_connector()).url.rpartition("/")[2] for _ in range(40)]

    assert len({one[:6] for one in ids}) == len({one[-6:] for one in ids}) == 40


# ---- seeing -----------------------------------------------------------------------------------------


async def test_a_secret_is_never_shown_again(hub: Hub) -> None:
    connector = await hub.create_connector(credentials=SECRETS)
    base = f"/api/connectors/{connector.id}"
    second = (await hub.api("POST", f"{base}/regenerate-secret", {})).json()["webhookSecret"]
    body = json.dumps({"phone": new_phone()}).encode()
    reply = await hub.send(connector, body, headers=sign(body, second))
    later = [
        await hub.api("PUT", base, {"description": "changed"}),
        await hub.api("PUT", base, {"credentials": {"signingSecret": SECRETS["signingSecret"] + "x"}}),
        await hub.api("PUT", f"{base}/field-mapping", {"fieldMapping": {"phone": "phoneNumber"}}),
        await hub.api("POST", f"{base}/test-webhook", {"payload": {"phone": "1"}}),
        await hub.api("POST", f"{base}/test-connection"),
        await hub.api("POST", f"{base}/pause"),
        await hub.api("POST", f"{base}/resume"),
        await hub.api("GET", base),
        await hub.api("GET", "/api/connectors?limit=200"),
        await hub.api("GET", f"{base}/logs?limit=200"),
        await hub.api("GET", f"{base}/metrics"),
        await hub.api("GET", f"/api/events/{reply.event_id}"),
        await hub.api("GET", f"/api/leads/{reply.lead_id}"),
        await hub.api("GET", "/api/audit?limit=200"),
    ]

    assert [answer.status_code for answer in later] == [200] * len(later)
    for secret in (connector.secret, second, SECRETS["signingSecret"]):
        assert secret
        core = secret.removeprefix("whsec_").rstrip("=")
        assert [str(answer.url) for answer in later if core in answer.text] == []


async def test_an_executive_sees_name_type_and_status_only(hub: Hub) -> None:
    connector = await hub.create_connector(name="Seen by all", description="d", settings={"tokenHeader": "X-Mine"})

    one = await see(hub, connector, "executive")
    listed = (await hub.api("GET", "/api/connectors", role="executive")).json()["items"]
    metrics = await hub.api("GET", f"/api/connectors/{connector.id}/metrics", role="executive")

    assert (one["name"], one["type"], one["status"], one["description"]) == ("Seen by all", "webhook", "active", "d")
    assert HIDDEN & set(one) == set()
    assert [HIDDEN & set(item) for item in listed] == [set()] * len(listed)
    webhook_id = connector.url.rpartition("/")[2]
    assert not [text for text in (json.dumps(one), json.dumps(listed), metrics.text) if webhook_id in text]


async def test_a_manager_sees_the_address(hub: Hub) -> None:
    connector = await hub.create_connector()

    assert (await see(hub, connector, "manager"))["webhookUrl"] == connector.url


async def test_a_manager_creates_and_edits_but_does_not_delete(hub: Hub) -> None:
    made = await hub.api("POST", "/api/connectors", {"name": "M", "type": "webhook"}, role="manager")
    url = f"/api/connectors/{made.json()['id']}"

    edited = await hub.api("PUT", url, {"name": "M2"}, role="manager")
    deleted = await hub.api("DELETE", url, role="manager")

    assert (made.status_code, edited.status_code) == (201, 200)
    assert (deleted.status_code, deleted.json()["code"]) == (403, "forbidden")
    assert (await hub.api("GET", url)).json()["name"] == "M2"


async def test_the_list_is_newest_first_and_paged_without_gaps(hub: Hub) -> None:
    made = [(await hub.create_connector(name=f"Page {number}")).id for number in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while len(seen) < 5:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await hub.api("GET", "/api/connectors", params=query)).json()
        assert len(page["items"]) == 2
        seen += [one["id"] for one in page["items"]]
        cursor = page["nextCursor"]
        await hub.create_connector(name="comes meanwhile")

    assert seen[:5] == made[::-1]


async def test_the_last_page_has_no_cursor(hub: Hub) -> None:
    seen, cursor = 0, ""
    while cursor is not None:
        page = (await hub.api("GET", f"/api/connectors?limit=200{cursor}")).json()
        seen += len(page["items"])
        cursor = f"&cursor={page['nextCursor']}" if page["nextCursor"] else None

    assert seen >= 1


async def test_the_list_is_filtered_by_type_and_status(hub: Hub) -> None:
    connector = await hub.create_connector("indiamart")
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")

    found = (await hub.api("GET", "/api/connectors?type=indiamart&status=paused")).json()["items"]

    assert connector.id in {one["id"] for one in found}
    assert {(one["type"], one["status"]) for one in found} == {("indiamart", "paused")}


# ---- changing ---------------------------------------------------------------------------------------


async def test_a_change_replaces_only_the_fields_given(hub: Hub) -> None:
    connector = await hub.create_connector(
        description="before",
        settings={"defaultRegion": "AE", "rateLimitPerMinute": 100},
        credentials=SECRETS,
        fieldMapping={"tel": "phoneNumber"},
    )
    before = await see(hub, connector)

    answer = await hub.api("PUT", f"/api/connectors/{connector.id}", {"name": "After"})

    changed = {name for name, value in answer.json().items() if before[name] != value}
    assert changed == {"name", "updatedAt"}
    assert answer.json()["updatedAt"] > before["updatedAt"]


async def test_settings_are_merged_and_null_puts_one_back(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"defaultRegion": "AE", "rateLimitPerMinute": 100})
    url = f"/api/connectors/{connector.id}"

    merged = await hub.api("PUT", url, {"settings": {"signature": "required"}})
    reset = await hub.api("PUT", url, {"settings": {"defaultRegion": None}})
    untouched = await hub.api("PUT", url, {"settings": {}})

    assert merged.json()["settings"] == {"defaultRegion": "AE", "rateLimitPerMinute": 100, "signature": "required"}
    assert reset.json()["settings"] == {"rateLimitPerMinute": 100, "signature": "required"}
    assert untouched.json()["settings"] == reset.json()["settings"]


async def test_a_description_may_be_taken_away_and_a_mapping_put_back(hub: Hub) -> None:
    connector = await hub.create_connector(description="d", fieldMapping={"tel": "phoneNumber"})

    answer = await hub.api("PUT", f"/api/connectors/{connector.id}", {"description": None, "fieldMapping": None})

    assert answer.json()["description"] is None
    assert answer.json()["fieldMapping"]["phone"] == "phoneNumber"


async def test_a_credential_is_replaced_kept_and_taken_away(hub: Hub) -> None:
    connector = await hub.create_connector(
        "indiamart", credentials={"glid": "12345678", "mobileKey": "k" * 20 + "LAST"}
    )
    url = f"/api/connectors/{connector.id}"

    kept = (await hub.api("PUT", url, {"credentials": {"mobile": "9876543210"}})).json()["credentials"]
    removed = (await hub.api("PUT", url, {"credentials": {"mobileKey": None}})).json()["credentials"]
    unknown = await hub.api("PUT", url, {"credentials": {"password": None}})

    assert {name: one["set"] for name, one in kept.items()} == {"glid": True, "mobileKey": True, "mobile": True}
    assert kept["mobileKey"]["hint"] == "…LAST"
    assert removed["mobileKey"] == {"set": False, "hint": None}
    assert set(faults(unknown)) == {"credentials.password"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"type": "indiamart"}, {"type"}),
        ({"id": UNKNOWN, "workspaceId": UNKNOWN, "createdAt": None}, {"id", "workspaceId", "createdAt"}),
        ({"status": "paused"}, {"status"}),
        ({"webhookUrl": "/x", "webhookSecret": "x"}, {"webhookUrl", "webhookSecret"}),
        ({"name": ""}, {"name"}),
        ({"settings": {"rateLimitPerMinute": "many"}}, {"settings.rateLimitPerMinute"}),
        ({"settings": {"nothing": None}}, {"settings.nothing"}),
        ({"fieldMapping": {"a": "shoeSize"}}, {'fieldMapping["a"]'}),
    ],
)
async def test_every_fault_of_a_change_is_named_and_nothing_changes(
    hub: Hub, change: dict[str, Any], named: set[str]
) -> None:
    connector = await hub.create_connector()
    before = await see(hub, connector)

    answer = await hub.api("PUT", f"/api/connectors/{connector.id}", change)

    assert set(faults(answer)) == named
    assert await see(hub, connector) == before


async def test_a_change_counts_at_the_door_at_once(hub: Hub) -> None:
    connector = await hub.create_connector()
    before = await hub.send(connector, {"phone": new_phone()})

    await hub.api("PUT", f"/api/connectors/{connector.id}", {"settings": {"signature": "required"}})
    unsigned = await hub.send(connector, {"phone": new_phone()})
    signed = await hub.send(connector, {"phone": new_phone()}, signed=True)

    assert [one.status_code for one in (before, unsigned, signed)] == [200, 401, 200]


async def test_going_to_a_token_keeps_the_secret_and_coming_back_makes_a_new_one(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})
    url = f"/api/connectors/{connector.id}"

    to_token = (await hub.api("PUT", url, {"settings": {"signatureScheme": "token-header"}})).json()
    by_token = await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Token": connector.secret or ""})
    back = (await hub.api("PUT", url, {"settings": {"signatureScheme": None}})).json()
    body = json.dumps({"phone": new_phone()}).encode()
    old = await hub.send(connector, body, headers=sign(body, connector.secret or ""))
    new = await hub.send(connector, body, headers=sign(body, back["webhookSecret"]))

    assert "webhookSecret" not in to_token
    assert [one.status_code for one in (by_token, old, new)] == [200, 401, 200]


# ---- ending -----------------------------------------------------------------------------------------


async def test_a_deleted_connector_is_gone_and_what_it_brought_stays(hub: Hub) -> None:
    connector = await hub.create_connector()
    reply = await hub.send(connector, {"phone": new_phone()})
    url = f"/api/connectors/{connector.id}"

    deleted = await hub.api("DELETE", url)
    again = await hub.api("DELETE", url)
    calls = [
        await hub.api("GET", url),
        await hub.api("PUT", url, {}),
        await hub.api("PUT", f"{url}/field-mapping", {"fieldMapping": None}),
        *[
            await hub.api("POST", f"{url}/{what}", {"payload": {}} if what == "test-webhook" else None)
            for what in ("test-webhook", "test-connection", "pause", "resume", "regenerate-secret")
        ],
    ]
    listed = (await hub.api("GET", "/api/connectors?limit=200")).json()["items"]
    retried = await hub.api("GET", f"/api/events?connectorId={connector.id}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert {answer.status_code for answer in (again, *calls)} == {404}
    assert connector.id not in {one["id"] for one in listed}
    assert [one["id"] for one in retried.json()["items"]] == [reply.event_id]
    assert (await hub.api("GET", f"/api/leads/{reply.lead_id}")).status_code == 200


async def test_an_unknown_connector_is_404(hub: Hub) -> None:
    answer = await hub.api("GET", f"/api/connectors/{UNKNOWN}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# ---- types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "manager", "executive"])
async def test_every_type_is_described_for_the_forms(hub: Hub, role: str) -> None:
    types = {one["type"]: one for one in (await hub.api("GET", "/api/connector-types", role=role)).json()["items"]}
    webhook, indiamart = types["webhook"], types["indiamart"]

    assert (webhook["name"], webhook["auth"], webhook["pushes"], webhook["pulls"]) == (
        "Webhook",
        "signature",
        True,
        False,
    )
    assert (indiamart["name"], indiamart["auth"], indiamart["pushes"]) == ("IndiaMART", "none", True)
    assert indiamart["fieldMapping"]["UNIQUE_QUERY_ID"] == "externalId"
    settings = {one["name"]: one for one in webhook["settings"]}
    assert settings["signature"]["schema"]["enum"] == ["optional", "required"]
    assert settings["rateLimitPerMinute"]["required"] is False
    assert {one["secret"] for one in webhook["credentials"]} == {True}
    secret = {one["name"]: one["secret"] for one in indiamart["credentials"]}
    assert secret == {"glid": False, "mobileKey": True, "mobile": False}
    fields = [field for one in types.values() for field in (*one["settings"], *one["credentials"])]
    assert [field["name"] for field in fields if not (field["label"] and field["help"] and field["schema"])] == []
