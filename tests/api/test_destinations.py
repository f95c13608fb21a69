"""/api/destinations and /api/deliveries, as somebody who sets up a hand-over meets them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.handover import create, deliveries, handing_over, push, remove, settled
from tests.support.hub import Hub, Process, new_phone, until
from tests.support.receiver import Receiver, Reply, receiving


@pytest.fixture(scope="module")
def process() -> Iterator[tuple[Process, Path]]:
    with handing_over() as running:
        yield running


@pytest.fixture
async def handing(process: tuple[Process, Path]) -> AsyncIterator[Hub]:
    """A hub of these tests' own, which may deliver to loopback."""
    running = Hub(*process)
    running._keys = _KEYS
    yield running
    await running.client.aclose()


_KEYS: dict[str, str] = {}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


async def test_a_destination_is_created_shown_changed_and_deleted(handing: Hub) -> None:
    settings = {"authentication": "bearer", "headers": {"X-A": "1"}, "concurrency": 2}
    made = await create(handing, "https://crm.example/leads", credentials={"token": "secret-token-1234"}, **settings)
    path = f"/api/destinations/{made['id']}"

    assert made["signingSecret"].startswith("whsec_")
    assert (made["status"], made["credentials"]["token"]) == ("active", {"set": True, "hint": "…1234"})
    shown = (await handing.api("GET", path)).json()
    assert "signingSecret" not in shown
    assert shown | {"signingSecret": made["signingSecret"]} == made
    assert shown["settings"] == {"url": "https://crm.example/leads", "on": ["lead.created"], **settings}
    assert shown in (await handing.api("GET", "/api/destinations")).json()["items"]

    changed = await handing.api(
        "PUT", path, {"name": " New ", "settings": {"concurrency": None, "method": "PUT"}, "credentials": {}}
    )
    assert changed.status_code == 200
    now = changed.json()
    assert (now["name"], now["settings"]["method"], "concurrency" in now["settings"]) == ("New", "PUT", False)
    assert now["credentials"]["token"]["set"]

    assert (await handing.api("DELETE", path)).status_code == 204
    assert (await handing.api("GET", path)).status_code == 404
    told = (await handing.api("GET", "/api/audit", params={"q": made["id"]})).json()["items"]
    assert [line["kind"] for line in told] == ["destination_deleted", "destination_changed", "destination_created"]
    assert "secret-token" not in str(told)
    assert made["signingSecret"] not in str(told)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"type": "http"}, ["name"]),
        ({"name": "x", "type": "fax"}, ["type"]),
        ({"name": "x", "type": "http"}, ["settings.url"]),
        (
            {"name": "x", "type": "http", "settings": {"url": "crm", "method": "FETCH", "nothing": 1}},
            ["settings.url", "settings.method", "settings.nothing"],
        ),
        (
            {"name": "x", "type": "http", "settings": {"url": "https://a.example", "template": {"a": "{{ led }}"}}},
            ["settings.template"],
        ),
        (
            {"name": "x", "type": "http", "settings": {"url": "https://a.example", "authentication": "oauth2"}},
            ["settings"],
        ),
        (
            {"name": "x", "type": "http", "settings": {"url": "https://a.example", "authentication": "basic"}},
            ["credentials.username"],
        ),
        (
            {"name": "x", "type": "http", "settings": {"url": "https://a.example"}, "credentials": {"x": 1}},
            ["credentials.x"],
        ),
    ],
)
async def test_faults_are_named(handing: Hub, body: dict[str, Any], fields: list[str]) -> None:
    answer = await handing.api("POST", "/api/destinations", body)

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == fields


async def test_types_tell_what_their_forms_ask_for(handing: Hub) -> None:
    items = (await handing.api("GET", "/api/destination-types")).json()["items"]

    http = next(one for one in items if one["type"] == "http")
    url = next(field for field in http["settings"] if field["name"] == "url")
    token = next(field for field in http["credentials"] if field["name"] == "token")
    assert http["signs"]
    assert (url["required"], token["secret"]) == (True, True)
    assert all(field["label"] and field["help"] for one in items for field in one["settings"])


async def test_a_sample_lead_shows_whether_it_works(handing: Hub, receiver: Receiver) -> None:
    made = await create(handing, receiver.url, idFrom="body.id")
    path = f"/api/destinations/{made['id']}/test"
    receiver.replies = [Reply(200, b'{"id": 7}'), Reply(401, b"who are you?"), Reply(422, b"no")]

    good, unknown, refused = [(await handing.api("POST", path)).json() for _ in range(3)]

    assert receiver.calls[0].json["type"] == "lead.test"
    assert receiver.calls[0].json["data"]["attributes"] == {"test": True}
    assert good["ok"]
    assert (good["details"]["status"], good["details"]["externalId"]) == (200, "7")
    assert not unknown["ok"]
    assert (unknown["details"]["code"], unknown["details"]["answer"]) == ("destination_refused", "who are you?")
    assert "credentials" in unknown["message"]
    assert refused["details"]["code"] == "lead_refused"
    assert await deliveries(handing, destinationId=made["id"]) == []
    await remove(handing, made)


async def test_a_private_address_is_refused_and_said_so(hub: Hub, receiver: Receiver) -> None:
    made = await create(hub, receiver.url)
    try:
        told = (await hub.api("POST", f"/api/destinations/{made['id']}/test")).json()
        connector = await hub.create_connector()
        lead_id = await push(hub, connector)
        waiting = await settled(hub, lead_id, "retrying")
    finally:
        await remove(hub, made)

    assert not told["ok"]
    assert "private, local or reserved" in told["message"]
    assert "OUTBOUND_ALLOW" in told["message"]
    assert (waiting["code"], receiver.calls) == ("destination_refused", [])


async def test_both_secrets_sign_until_the_grace_ends(handing: Hub, receiver: Receiver) -> None:
    made = await create(handing, receiver.url)
    path = f"/api/destinations/{made['id']}"

    renewed = (await handing.api("POST", f"{path}/regenerate-secret")).json()
    await handing.api("POST", f"{path}/test")
    both = receiver.calls[-1].headers["webhook-signature"]
    assert renewed["signingSecret"] != made["signingSecret"]
    assert renewed["previousSecretValidUntil"] == (await handing.api("GET", path)).json()["previousSecretValidUntil"]
    await handing.api("POST", f"{path}/regenerate-secret", {"graceHours": 0})
    await handing.api("POST", f"{path}/test")

    assert both.count("v1,") == 2
    assert receiver.calls[-1].headers["webhook-signature"].count("v1,") == 1
    assert (await handing.api("GET", path)).json()["previousSecretValidUntil"] is None
    await remove(handing, made)


async def test_a_lead_is_delivered_and_its_page_tells(handing: Hub, receiver: Receiver) -> None:
    made = await create(handing, receiver.url, idFrom="body.id")
    connector = await handing.create_connector()
    receiver.behaviour = lambda _: Reply(201, b'{"id": "crm-1"}')

    lead_id = await push(handing, connector, name="Asha")
    delivery = await settled(handing, lead_id, "delivered")
    lead = (await handing.api("GET", f"/api/leads/{lead_id}")).json()
    whole = (await handing.api("GET", f"/api/deliveries/{delivery['id']}")).json()

    (call,) = receiver.calls
    assert call.id == delivery["id"]
    assert call.json["data"] == {name: value for name, value in lead.items() if name != "timeline"}
    assert (delivery["externalId"], delivery["attempts"], delivery["type"]) == ("crm-1", 1, "lead.created")
    assert (delivery["destinationId"], delivery["nextAttemptAt"]) == (made["id"], None)
    (attempt,) = whole["history"]
    assert (attempt["status"], attempt["answer"], attempt["request"]["method"]) == (201, '{"id": "crm-1"}', "POST")
    kinds = [(one["kind"], one["status"]) for one in lead["timeline"]]
    assert sorted(kinds) == [("delivery", "delivered"), ("event", "created")]
    assert (await handing.api("GET", f"/api/leads/{lead_id}", role="executive")).json()["timeline"] == lead["timeline"]
    await remove(handing, made)


async def test_a_dead_delivery_is_explained_and_can_be_retried(handing: Hub, receiver: Receiver) -> None:
    made = await create(handing, receiver.url)
    connector = await handing.create_connector()
    receiver.replies = [Reply(400, b"city unknown")]
    lead_id = await push(handing, connector)
    dead = await settled(handing, lead_id, "dead")
    path = f"/api/deliveries/{dead['id']}"

    retried = await handing.api("POST", f"{path}/retry")
    delivered = await settled(handing, lead_id, "delivered")
    again = await handing.api("POST", f"{path}/retry")
    late = await handing.api("POST", f"{path}/cancel")

    assert (dead["code"], dead["detail"]) == ("lead_refused", "The receiver answered HTTP 400.")
    assert "mend" in dead["remedy"]
    assert (retried.status_code, retried.json()["status"]) == (200, "queued")
    assert (delivered["attempts"], delivered["code"]) == (2, None)
    assert [(call.id, call.body) for call in receiver.calls] == [(dead["id"], receiver.calls[0].body)] * 2
    assert (again.status_code, again.json()["code"]) == (409, "delivery_not_retryable")
    assert (late.status_code, late.json()["code"]) == (409, "delivery_settled")
    await remove(handing, made)


async def test_what_waits_can_be_cancelled(handing: Hub, receiver: Receiver) -> None:
    made = await create(handing, receiver.url)
    await handing.api("POST", f"/api/destinations/{made['id']}/pause")
    connector = await handing.create_connector()
    first, second = [await push(handing, connector) for _ in range(2)]
    waiting = await settled(handing, first, "queued")

    cancelled = (await handing.api("POST", f"/api/deliveries/{waiting['id']}/cancel")).json()
    resumed = await handing.api("POST", f"/api/destinations/{made['id']}/resume")
    await settled(handing, second, "delivered")

    assert (cancelled["status"], cancelled["code"]) == ("dead", "delivery_cancelled")
    assert (resumed.status_code, resumed.json()["status"]) == (200, "active")
    assert receiver.taken() == [second]
    await remove(handing, made)


async def test_many_are_retried_by_a_job(handing: Hub, receiver: Receiver) -> None:
    made = await create(handing, receiver.url)
    connector = await handing.create_connector()
    receiver.behaviour = lambda _: Reply(422)
    leads = [await push(handing, connector) for _ in range(5)]
    for lead_id in leads:
        await settled(handing, lead_id, "dead")
    receiver.behaviour = lambda _: Reply()

    started = await handing.api("POST", "/api/deliveries/retry", {"filter": {"destinationId": made["id"]}})

    async def ended() -> Any:
        job = (await handing.api("GET", f"/api/jobs/{started.json()['jobId']}")).json()
        return job["status"] == "succeeded" and job

    job = await until(ended)
    for lead_id in leads:
        await settled(handing, lead_id, "delivered")
    assert started.status_code == 202
    assert (job["total"], job["done"], job["failed"]) == (5, 5, 0)
    assert set(receiver.ids.values()) == {2}
    await remove(handing, made)


async def test_deliveries_are_found_by_destination_lead_and_status(handing: Hub, receiver: Receiver) -> None:
    made, other = [await create(handing, f"{receiver.url}/{n}") for n in range(2)]
    connector = await handing.create_connector()
    receiver.behaviour = lambda call: Reply(200 if call.path == "/0" else 400)
    leads = [await push(handing, connector) for _ in range(3)]

    async def all_ended() -> bool:
        found = [await deliveries(handing, destinationId=one["id"]) for one in (made, other)]
        return all(one["status"] in ("delivered", "dead") for one in found[0] + found[1])

    await until(all_ended)

    assert [one["leadId"] for one in await deliveries(handing, destinationId=made["id"])] == leads[::-1]
    both = await deliveries(handing, leadId=leads[0])
    assert {(one["destinationId"], one["status"]) for one in both} == {
        (made["id"], "delivered"),
        (other["id"], "dead"),
    }
    assert await deliveries(handing, destinationId=made["id"], status="dead") == []
    first = (await handing.api("GET", "/api/deliveries", params={"destinationId": other["id"], "limit": 2})).json()
    rest = await deliveries(handing, destinationId=other["id"], cursor=first["nextCursor"])
    assert [one["leadId"] for one in first["items"] + rest] == leads[::-1]
    assert len(await deliveries(handing, destinationId=other["id"], code="lead_refused")) == 3
    for one in (made, other):
        await remove(handing, one)


async def test_a_destination_that_fails_shows_why_and_recovers_when_it_is_mended(
    handing: Hub, receiver: Receiver
) -> None:
    made = await create(handing, f"{receiver.url}/wrong", concurrency=1)
    receiver.behaviour = lambda call: Reply(404 if call.path == "/wrong" else 200)
    connector = await handing.create_connector()
    leads = [await push(handing, connector) for _ in range(7)]
    path = f"/api/destinations/{made['id']}"

    async def is_failing() -> Any:
        shown = (await handing.api("GET", path)).json()
        return shown["status"] == "failing" and shown

    failing = await until(is_failing)
    await handing.api("PUT", path, {"settings": {"url": receiver.url}})
    for lead_id in leads:
        await settled(handing, lead_id, "delivered")
    healthy = (await handing.api("GET", path)).json()

    assert failing["health"]["problem"]["code"] == "destination_refused"
    assert failing["health"]["failures"] >= 5
    assert (failing["health"]["waiting"], failing["health"]["dead"]) == (7, 0)
    assert (healthy["status"], healthy["health"]["waiting"], healthy["health"]["problem"]) == ("active", 0, None)
    assert healthy["health"]["lastDeliveredAt"]
    await remove(handing, made)


async def test_our_own_webhook_connector_takes_what_another_hub_signs(handing: Hub, hub: Hub) -> None:
    taking = await hub.create_connector(settings={"signature": "required", "signatureScheme": "standard-webhooks"})
    made = await create(handing, f"{hub.address}{taking.url}")
    connector = await handing.create_connector()
    path = f"/api/connectors/{taking.id}"
    # The receiving side is told the secret that the sending side signs with.
    answer = await hub.api("PUT", path, {"credentials": {"signingSecret": made["signingSecret"]}})
    assert answer.status_code == 200, answer.text
    phone = new_phone()

    lead_id = await push(handing, connector, phone=phone, name="Asha")
    await settled(handing, lead_id, "delivered")

    found = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    assert [one["name"] for one in found] == ["Asha"]
    await remove(handing, made)
