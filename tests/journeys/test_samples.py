"""The sample bodies of webhook.md and indiamart.md through the real door yield what section 6 of each says.

Bodies are sent as they are. A signature that carries a time is made anew with the present one and the sample's secret;
the one that the sample came with is long over, and refused.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, Reply, TestConnector

SAMPLES = Path(__file__).parents[1] / "samples"
INDEX: Mapping[str, Any] = json.loads((SAMPLES / "webhook" / "index.json").read_text())

EXPECTED = {
    "plain-signed.json": {"phone_number": "+919000000201", "name": "Ravi Sample"},
    "standard-webhooks.json": {"phone_number": "+919000000202", "name": "Asha Example"},
    "typeform.json": {"phone_number": "+919000000203", "name": "Kiran Demo", "product_name": "Gate Valve"},
    "calendly.json": {"phone_number": "+919000000204", "name": "Meera Testwala"},
    "elementor-advanced.form": {"phone_number": "+919000000205", "name": "Asha Example"},
    "cf7.json": {"phone_number": "+919000000206"},
    "gravityforms.json": {
        "phone_number": "+919000000207",
        "name": "Deepa Demo",
        "city": "Surat",
        "pincode": "395001",
    },
    "jotform.multipart": {
        "phone_number": "+919000000208",
        "name": "Sunita Sample",
        "external_id": "6040000000000000001",
    },
    "webflow.json": {"phone_number": "+971500000001", "name": "Omar Sample"},
    "unbounce.form": {"phone_number": "+919000000209", "name": "Vikas Demo"},
    "tally.json": {"phone_number": "+919000000210", "name": "Priya Example", "product_name": "Pump"},
    "google-apps-script.json": {"phone_number": "+919000000211", "name": "Anil Example"},
}


def _standard(body: bytes, secret: str, headers: Mapping[str, str], now: int) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((headers["webhook-id"].encode(), str(now).encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-timestamp": str(now), "webhook-signature": f"v1,{signature}"}


def _calendly(body: bytes, secret: str, headers: Mapping[str, str], now: int) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hex()
    return {"Calendly-Webhook-Signature": f"t={now},v1={signature}"}


def _webflow(body: bytes, secret: str, headers: Mapping[str, str], now: int) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), f"{now * 1000}:".encode() + body, hashlib.sha256).hex()
    return {"x-webflow-timestamp": str(now * 1000), "x-webflow-signature": signature}


SIGNED_WITH_TIME: Mapping[str, Callable[[bytes, str, Mapping[str, str], int], dict[str, str]]] = {
    "standard-webhooks.json": _standard,
    "calendly.json": _calendly,
    "webflow.json": _webflow,
}
SIGNED = [name for name, sample in INDEX.items() if "secret" in sample]


async def connector_for(name: str, hub: Hub, **settings: str) -> TestConnector:
    """A connector that knows the sample's secret as its sender's own, if it has one."""
    secret = INDEX[name].get("secret")
    return await hub.create_connector(settings=settings, credentials={"signingSecret": secret} if secret else {})


async def send(name: str, connector: TestConnector, hub: Hub, headers: Mapping[str, str]) -> Reply:
    return await hub.send(connector, (SAMPLES / "webhook" / name).read_bytes(), content_type=None, headers=headers)


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_sample_becomes_its_lead(name: str, hub: Hub, rows: Rows) -> None:
    body = (SAMPLES / "webhook" / name).read_bytes()
    headers = dict(INDEX[name]["headers"])
    if name in SIGNED_WITH_TIME:
        headers |= SIGNED_WITH_TIME[name](body, INDEX[name]["secret"], headers, int(time.time()))
    connector = await connector_for(name, hub, signature="required" if name in SIGNED else "optional")

    reply = await send(name, connector, hub, headers)

    assert reply.status == "created", reply.body
    lead = await rows.lead(reply.lead_id)
    assert {field: lead[field] for field in EXPECTED[name]} == EXPECTED[name]
    assert lead["email"].endswith("@example.com")
    event = await rows.event(reply.event_id)
    assert event["payload"] == body
    assert not any("signature" in header or "key" in header for header in event["headers"])
    if documented := INDEX[name]["paths"].get("externalId"):
        assert event["external_id"], documented


def test_every_sample_is_expected_to_become_something() -> None:
    files = {path.name for path in (SAMPLES / "webhook").iterdir()} - {"index.json"}
    assert files == set(EXPECTED) == set(INDEX)


@pytest.mark.parametrize("name", SIGNED_WITH_TIME)
async def test_a_sample_s_original_signature_is_over_and_refused(name: str, hub: Hub, rows: Rows) -> None:
    connector = await connector_for(name, hub)

    reply = await send(name, connector, hub, INDEX[name]["headers"])

    assert (reply.status_code, reply.body["code"]) == (401, "invalid_signature")
    assert await rows.events(connector) == []


@pytest.mark.parametrize("name", SIGNED)
async def test_a_signed_sample_is_refused_by_a_connector_that_does_not_know_its_secret(name: str, hub: Hub) -> None:
    body = (SAMPLES / "webhook" / name).read_bytes()
    headers = dict(INDEX[name]["headers"])
    if name in SIGNED_WITH_TIME:
        headers |= SIGNED_WITH_TIME[name](body, INDEX[name]["secret"], headers, int(time.time()))

    reply = await send(name, await hub.create_connector(), hub, headers)

    assert (reply.status_code, reply.body["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize("name", SIGNED)
async def test_a_signed_sample_with_one_byte_changed_is_refused(name: str, hub: Hub) -> None:
    body = (SAMPLES / "webhook" / name).read_bytes()
    headers = dict(INDEX[name]["headers"])
    if name in SIGNED_WITH_TIME:
        headers |= SIGNED_WITH_TIME[name](body, INDEX[name]["secret"], headers, int(time.time()))
    connector = await connector_for(name, hub)

    reply = await hub.send(connector, body + b" ", content_type=None, headers=headers)

    assert reply.status_code == 401


async def test_a_sample_s_static_token_is_checked_where_its_connector_asks_for_one(hub: Hub, rows: Rows) -> None:
    name = "google-apps-script.json"
    connector = await hub.create_connector(
        settings={"signature": "required", "signatureScheme": "token-header", "tokenHeader": "X-Api-Key"}
    )
    assert connector.secret

    with_its_own = await send(name, connector, hub, INDEX[name]["headers"])
    with_ours = await send(name, connector, hub, {**INDEX[name]["headers"], "X-Api-Key": connector.secret})

    assert with_its_own.status_code == 401
    assert with_ours.status_code == 200
    assert (await rows.lead(with_ours.lead_id))["phone_number"] == "+919000000211"


INDIAMART = {
    "push-wrapped-direct.json": [("2900000001", "+919000000001")],
    "push-flat-spec.json": [("2900000002", "+919000000002")],
    "push-wrapped-call.json": [("2900000003", "+919000000003")],
    "push-wrapped-buylead-html.json": [("2900000004", "+919000000004")],
    "push-wrapped-array.json": [("2900000005", "+919000000005"), ("2900000006", "+919000000006")],
    "push-email-only.json": [("2900000007", None)],
    "push-dirty-phone.json": [
        ("2900000008", "+919000000008"),
        ("2900000009", "+919000000009"),
        ("2900000010", "+911204000001"),
        ("2900000011", "+27710000001"),
        ("2900000012", "+919000000012"),
        ("2900000013", "+919000000013"),
    ],
}


async def push(name: str, hub: Hub, rows: Rows) -> tuple[Reply, list[dict[str, Any]], list[dict[str, Any]]]:
    """Push a sample; return the answer, the events, and the lead of each (an empty one where there is none)."""
    connector = await hub.create_connector("indiamart")
    reply = await hub.send(connector, (SAMPLES / "indiamart" / name).read_bytes())
    events = await rows.events(connector)
    leads = [await rows.lead(event["lead_id"]) if event["lead_id"] else {} for event in events]
    return reply, events, leads


@pytest.mark.parametrize("name", INDIAMART)
async def test_an_indiamart_push_is_answered_200_and_becomes_its_leads(name: str, hub: Hub, rows: Rows) -> None:
    reply, events, leads = await push(name, hub, rows)

    assert (reply.status_code, reply.body["CODE"], reply.body["STATUS"]) == (200, 200, "SUCCESS")
    found = [(event["external_id"], lead.get("phone_number")) for event, lead in zip(events, leads, strict=True)]
    assert found == INDIAMART[name]


def test_every_indiamart_push_is_expected_to_become_something() -> None:
    assert {path.name for path in (SAMPLES / "indiamart").glob("push-*")} == set(INDIAMART)


async def test_an_indiamart_push_gives_product_company_place_and_time(hub: Hub, rows: Rows) -> None:
    _, (event,), (lead,) = await push("push-wrapped-direct.json", hub, rows)

    assert (lead["product_name"], lead["business_name"]) == ("Dye Sublimation Ink", "Sample Prints")
    assert (lead["city"], lead["state"], lead["country"], lead["pincode"]) == (
        "Meerut",
        "Uttar Pradesh",
        "IN",
        "250001",
    )
    # Their times are Indian ones.
    assert event["enquired_at"].isoformat() == "2026-10-12T05:47:14+00:00"
    assert lead["attributes"]["queryType"] == "W"


async def test_an_indiamart_push_as_the_specification_has_it_names_its_product(hub: Hub, rows: Rows) -> None:
    _, _, (lead,) = await push("push-flat-spec.json", hub, rows)

    assert lead["product_name"] == "Gate Valve 4 inch"


async def test_an_indiamart_call_gives_the_buyer_s_number_and_never_the_seller_s(hub: Hub, rows: Rows) -> None:
    _, _, (lead,) = await push("push-wrapped-call.json", hub, rows)

    assert (lead["phone_number"], lead["email"]) == ("+919000000003", None)
    assert "9999900000" not in json.dumps(lead, default=str)


async def test_an_indiamart_buylead_is_cleaned(hub: Hub, rows: Rows) -> None:
    _, _, (lead,) = await push("push-wrapped-buylead-html.json", hub, rows)

    assert (lead["name"], lead["email"]) == ("KIRAN DEMO", "kiran.demo@example.com")
    assert lead["business_name"] == "Demo & Sons"
    assert "<" not in lead["notes"]
    assert "Quantity : 6" in lead["notes"].splitlines()


async def test_an_indiamart_enquiry_twice_in_one_body_is_one(hub: Hub, rows: Rows) -> None:
    reply, events, _ = await push("push-wrapped-array.json", hub, rows)

    first, second, third = reply.body["results"]
    assert third == {**first, "repeated": True}
    assert second["eventId"] != first["eventId"]
    assert len(events) == 2


async def test_an_indiamart_enquiry_pushed_twice_is_one_for_ever(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector("indiamart")
    body = (SAMPLES / "indiamart" / "push-wrapped-direct.json").read_bytes()
    first = await hub.send(connector, body)

    again = await hub.send(connector, body)

    assert again.body == {**first.body, "repeated": True}
    assert len(await rows.events(connector)) == 1


async def test_an_indiamart_enquiry_without_a_phone_is_kept_as_failed(hub: Hub, rows: Rows) -> None:
    reply, (event,), _ = await push("push-email-only.json", hub, rows)

    assert (reply.status, reply.body["code"]) == ("failed", "missing_phone")
    assert (event["status"], event["code"]) == ("failed", "missing_phone")
