"""The sample bodies of docs/connectors/webhook.md, read without any mapping, yield what its section 6 says."""

import json
from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connector_master.model.json import Json
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.paths import parse_path, read
from connector_master.pipeline.process import Profile, process, try_out

SAMPLES = Path(__file__).parents[1] / "samples" / "webhook"
INDEX: Mapping[str, Any] = json.loads((SAMPLES / "index.json").read_text())
PROFILE = Profile(guesses=True)


def decoded(name: str) -> Json:
    """Decode a sample by the simplest means, not by the product's own."""
    body = (SAMPLES / name).read_bytes()
    if name.endswith(".json"):
        value: Json = json.loads(body)
        return value
    if name.endswith(".multipart"):
        kind = INDEX[name]["headers"]["Content-Type"]
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        parts = (part for part in message.walk() if not part.is_multipart())
        return {str(part.get_param("name", header="content-disposition")): part.get_payload() for part in parts}  # type: ignore[misc]
    form: dict[str, Any] = {}
    for key, text in parse_qsl(body.decode(), keep_blank_values=True):
        steps = key.replace("]", "").split("[")
        inner = form
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1]] = text
    return form


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (
            "plain-signed.json",
            {"phone_number": "+919000000201", "name": "Ravi Sample", "notes": "Call me — ज़रूरी", "city": "Pune"},
        ),
        ("standard-webhooks.json", {"phone_number": "+919000000202", "name": "Asha Example", "external_id": None}),
        ("typeform.json", {"phone_number": "+919000000203", "name": "Kiran Demo", "product_name": "Gate Valve"}),
        (
            "calendly.json",
            {"phone_number": "+919000000204", "name": "Meera Testwala", "business_name": "Testwala Traders"},
        ),
        ("elementor-advanced.form", {"phone_number": "+919000000205", "name": "Asha Example"}),
        ("cf7.json", {"phone_number": "+919000000206", "notes": 'Line one\nLine "two"', "city": "Pune"}),
        (
            "gravityforms.json",
            {"phone_number": "+919000000207", "name": "Deepa Demo", "city": "Surat", "pincode": "395001"},
        ),
        (
            "jotform.multipart",
            {"phone_number": "+919000000208", "name": "Sunita Sample", "external_id": "6040000000000000001"},
        ),
        ("webflow.json", {"phone_number": "+971500000001", "name": "Omar Sample"}),
        ("unbounce.form", {"phone_number": "+919000000209", "name": "Vikas Demo", "business_name": "Demo Steels"}),
        ("tally.json", {"phone_number": "+919000000210", "name": "Priya Example", "product_name": "Pump"}),
        (
            "google-apps-script.json",
            {"phone_number": "+919000000211", "name": "Anil Example", "product_name": "Pump, Valve"},
        ),
    ],
)
def test_a_sample_becomes_its_lead(sample: str, expected: dict[str, str | None]) -> None:
    draft = process(decoded(sample), None, PROFILE)

    assert {field: getattr(draft, field) for field in expected} == expected
    assert draft.email
    assert draft.email.endswith("@example.com")
    assert draft.warnings == ()


@pytest.mark.parametrize("sample", [name for name in INDEX if name != "jotform.multipart"])
def test_the_sample_s_documented_path_to_the_external_id_is_the_one_that_is_guessed(sample: str) -> None:
    record = decoded(sample)
    documented = INDEX[sample]["paths"].get("externalId")
    if documented:
        assert process(record, None, PROFILE).external_id == read(record, parse_path(documented))


def test_a_dry_run_lists_what_a_sample_holds_beyond_the_lead() -> None:
    assert try_out(decoded("google-apps-script.json"), None, PROFILE).unmapped == [
        "sheet",
        "row",
        "namedValues.Timestamp",
    ]


INDIAMART = {
    "SENDER_MOBILE": "phoneNumber",
    "SENDER_PHONE": "phoneNumber",
    "SENDER_MOBILE_ALT": "phoneNumber",
    "SENDER_PHONE_ALT": "phoneNumber",
    "SENDER_NAME": "name",
    "SENDER_EMAIL": "email",
    "SENDER_COMPANY": "businessName",
    "SENDER_ADDRESS": "addressLine1",
    "SENDER_CITY": "city",
    "SENDER_STATE": "state",
    "SENDER_PINCODE": "pincode",
    "SENDER_COUNTRY_ISO": "country",
    "QUERY_PRODUCT_NAME": "productName",
    "QUERY_MESSAGE": "notes",
    "UNIQUE_QUERY_ID": "externalId",
}


def test_an_indiamart_record_with_mark_up_is_cleaned() -> None:
    record: Json = {
        "UNIQUE_QUERY_ID": 2900000004,
        "SENDER_NAME": "  KIRAN   DEMO ",
        "SENDER_MOBILE": None,
        "SENDER_MOBILE_ALT": "+91-09000000004",
        "SENDER_EMAIL": " Kiran.Demo@Example.COM ",
        "SENDER_COMPANY": "Demo &amp; Sons",
        "SENDER_ADDRESS": "Demo Colony, Hyderabad, Telangana,         500072",
        "SENDER_COUNTRY_ISO": "IN",
        "QUERY_MESSAGE": "I want to buy.\r\rKindly send price.<br> Quantity :   6<br>",
    }

    draft = process(record, compile_mapping(INDIAMART), Profile())

    assert (draft.phone_number, draft.name, draft.email) == ("+919000000004", "KIRAN DEMO", "kiran.demo@example.com")
    assert (draft.business_name, draft.pincode, draft.external_id) == ("Demo & Sons", "500072", "2900000004")
    assert draft.notes == "I want to buy.\nKindly send price.\nQuantity : 6"
