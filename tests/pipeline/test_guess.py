"""Guesses: the sensible mapping of a record that nobody has mapped, by format rather than by sample."""

import time
from collections.abc import Mapping

import pytest

from connector_master.model.json import Json
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import MissingPhone
from connector_master.pipeline.guess import guessed, propose
from connector_master.pipeline.guess.labels import meaning_of
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile, process

PROFILE = Profile(guesses=True)


def guess(record: Mapping[str, Json]) -> LeadDraft:
    return process(dict(record), None, PROFILE)


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ("phone", "phoneNumber"),
        ("Phone Number", "phoneNumber"),
        ("MOBILE_NO", "phoneNumber"),
        ("your-phone", "phoneNumber"),
        ("Phone number (WhatsApp)", "phoneNumber"),
        ("q5_phoneNumber", "phoneNumber"),
        ("What's your mobile?", "phoneNumber"),
        ("contact", "phoneNumber"),
        ("tel-481", "phoneNumber"),
        ("मोबाइल नंबर", "phoneNumber"),
        ("Full Name ", "name"),
        ("contactName", "name"),
        ("What is your name?", "name"),
        ("Name_First", "name.first"),
        ("lastname", "name.last"),
        ("E-Mail*", "email"),
        ("your-email", "email"),
        ("Work email address", "email"),
        ("Company / Organisation", None),
        ("company_name", "businessName"),
        ("Organisation", "businessName"),
        ("Your Message", "notes"),
        ("Requirements", "notes"),
        ("query", "notes"),
        ("Which product?", "productName"),
        ("qty", "attributes.quantity"),
        ("menu-city", "city"),
        ("ZIP / Postal code", "pincode"),
        ("addressLine2", "addressLine2"),
        ("utm_campaign", "campaign"),
        ("form_name", None),
        ("formTitle", None),
        ("page_name", None),
        ("Page URL", None),
        ("user_agent", None),
        ("Remote IP", None),
        ("ip_address", None),
        ("phone_type", None),
        ("phone_country_code", None),
        ("email_opt_in", None),
        ("email_verified", None),
        ("receiver_mobile", None),
        ("owner_email", None),
        ("product_id", None),
        ("companySize", None),
        ("order_date", None),
        ("id", None),
        ("", None),
        ("?!", None),
    ],
)
def test_a_label_says_what_its_field_is(label: str, field: str | None) -> None:
    assert (meaning_of(label) or (None,))[0] == field


@pytest.mark.parametrize(
    ("record", "name", "phone"),
    [
        pytest.param(
            {"Your Name": "Riley Demo", "Phone": "90000 00221", "form_id": "a1", "form_name": "New Form"},
            *("Riley Demo", "+919000000221"),
            id="Elementor without advanced data",
        ),
        pytest.param(
            {"name": {"first": "Asha", "last": "Example"}, "phone": "+919000000222", "entry_id": "17"},
            *("Asha Example", "+919000000222"),
            id="WPForms",
        ),
        pytest.param(
            {"Name_First": "Deepa", "Name_Last": "Demo", "PhoneNumber": "+919000000223"},
            *("Deepa Demo", "+919000000223"),
            id="Zoho Forms",
        ),
        pytest.param(
            {"lead": {"full name": "Omar Sample", "phone": "971500000001"}, "source": "zap", "score": "12"},
            *("Omar Sample", "+971500000001"),
            id="Zapier",
        ),
        pytest.param(
            {"id": "l:12", "full_name": "Kiran Demo", "phone_number": "p:+919000000224", "form_name": "Quote form"},
            *("Kiran Demo", "+919000000224"),
            id="Meta row",
        ),
        pytest.param(
            {"FormID": "23534", "UniqueID": "1", "Name": "first = John\nlast = Sample", "Phone": "90000-00225"},
            *("John Sample", "+919000000225"),
            id="Formstack",
        ),
        pytest.param(
            {"headers": {"x-phone": "9999900000"}, "query": {}, "body": {"phone": "9000000226", "name": "Asha"}},
            *("Asha", "+919000000226"),
            id="n8n",
        ),
        pytest.param(
            {"name": "Contact form", "site": "65", "data": {"Name": "Omar", "Phone": "9000000227"}, "_id": "66"},
            *("Omar", "+919000000227"),
            id="Webflow's first version",
        ),
        pytest.param(
            {"payload": '{"mobile": "9000000228", "your-name": "Asha"}'},
            *("Asha", "+919000000228"),
            id="JSON in a form field",
        ),
        pytest.param(
            {"data_json": '{"name": ["Vikas"], "phone_number": ["9000000229"]}', "page_name": "Offer"},
            *("Vikas", "+919000000229"),
            id="Unbounce through PHP",
        ),
        pytest.param(
            {
                "id": "1",
                "field_data": [
                    {"name": "full_name", "values": ["Asha"]},
                    {"name": "phone_number", "values": ["9000000230"]},
                ],
            },
            *("Asha", "+919000000230"),
            id="Meta's Graph API",
        ),
        pytest.param(
            {
                "fields": {"field_6f86": {"type": "tel", "title": "Reach you at", "value": "9000000231"}},
                "form": {"name": "New Form"},
            },
            *(None, "+919000000231"),
            id="Elementor's type alone",
        ),
        pytest.param(
            {
                "contact": {"name": "Asha", "phones": ["9000000232"]},
                "company": {"name": "Acme"},
                "product": {"name": "Pump"},
            },
            *("Asha", "+919000000232"),
            id="nested objects",
        ),
        pytest.param(
            {
                "event": "invitee.created",
                "payload": {
                    "uri": "u",
                    "name": "Meera",
                    "email": "m@example.com",
                    "scheduled_event": {"name": "Call", "location": {"location": "+91 90000 00233"}},
                },
            },
            *("Meera", "+919000000233"),
            id="Calendly's place of the call",
        ),
        pytest.param(
            {"rawRequest": '{"q3_name": {"first": "S", "last": "T"}, "q5_tel": {"area": "900", "phone": "000-0234"}}'},
            *("S T", "+919000000234"),
            id="JotForm's area code",
        ),
        pytest.param({"नाम": "आशा", "मोबाइल नंबर": "९००००००२३५"}, *("आशा", "+919000000235"), id="Hindi"),
    ],
)
def test_a_format_is_read_without_a_mapping(record: dict[str, Json], name: str | None, phone: str) -> None:
    draft = guess(record)

    assert (draft.name, draft.phone_number) == (name, phone)


def test_typeforms_contact_answers_are_read_by_type_and_others_by_their_question() -> None:
    answers: Json = [
        {"type": "choice", "choice": {"label": "Gate Valve"}, "field": {"id": "2"}},
        {"type": "text", "text": "Kiran", "field": {"id": "1"}},
        {"type": "phone_number", "phone_number": "9000000236", "field": {"id": "3"}},
    ]
    fields: Json = [{"id": "1", "title": "How may we call you? Your name"}, {"id": "2", "title": "Which product?"}]

    mapping = propose(
        {"form_response": {"token": "t", "definition": {"title": "x", "fields": fields}, "answers": answers}}
    )

    assert mapping["form_response.answers[type=phone_number].phone_number"] == "phoneNumber"
    assert mapping["form_response.answers[field.id=2].choice.label"] == "productName"
    assert mapping["form_response.token"] == "externalId"


def test_gravity_forms_check_boxes_are_no_address() -> None:
    boxes: dict[str, Json] = {f"6.{number}": f"Option {number}" for number in range(1, 8)}

    draft = guess({"1.3": "Deepa", "1.6": "Demo", "3": "(900) 000-0237", **boxes})

    assert (draft.name, draft.city, draft.country) == ("Deepa Demo", None, None)


@pytest.mark.parametrize(
    "record",
    [
        {"ip": "203.0.113.9", "remote": "203.113.119.219"},
        {"created": "1791801000", "ts": 1791801000, "when": "2026-10-12 10:30"},
        {"order_id": "9000000238", "invoice": "9000000238", "account": "9000000238123"},
        {"gst": "27AAAAA0000A1Z5", "ifsc": "SBIN0001234", "pan": "AAAAA0000A"},
        {"amount": 9000000238, "budget": "9,00,00,00,238", "total": "9000000238.00"},
        {
            "form": {"name": "9000000238"},
            "meta": {"phone": {"value": "9000000238"}},
            "headers": {"phone": "9000000238"},
        },
        {"receiver_mobile": "9999900000", "owner": {"phone": "9999900000"}},
        {"visitor": "91.65.178.123", "when": "2026-10-12 10", "then": "12/10/2026 10"},
        {"a": "2026-10-12", "b": "12/10/2026", "c": "1234567890123456"},
    ],
)
def test_what_only_looks_like_a_phone_is_not_one(record: dict[str, Json]) -> None:
    with pytest.raises(MissingPhone):
        guess(record)


def test_content_decides_where_no_label_does() -> None:
    draft = guess({"input_5": "98765 43210", "input_7": "asha@example.com", "order": "9000000239"})

    assert (draft.phone_number, draft.email) == ("+919876543210", "asha@example.com")


def test_a_label_goes_before_content() -> None:
    assert guess({"x": "9000000240", "phone": "9000000241"}).phone_number == "+919000000241"


@pytest.mark.parametrize(
    "record",
    [
        {"form_name": "New Form", "formTitle": "x", "page_name": "Offer", "sheet": "Form Responses 1"},
        {"form": {"name": "New Form"}},
        {"payload": {"name": "Contact Us Form", "siteId": "6", "data": {"x": "y"}}},
        {"product": {"name": "Pump"}, "campaign": {"name": "Diwali"}, "file_name": "a.pdf", "username": "root"},
    ],
)
def test_a_form_or_a_thing_gives_no_persons_name(record: dict[str, Json]) -> None:
    assert "name" not in propose({"phone": "9000000242", **record}).values()


@pytest.mark.parametrize(
    "record",
    [
        {"id": "1"},
        {"id": 7, "form_id": "3"},
        {"data": {"id": "x"}},
        {"uuid": "x"},
        {"submission_id": "5"},
        {"id": "l:x"},
    ],
)
def test_a_mere_id_is_never_the_external_id(record: dict[str, Json]) -> None:
    assert "externalId" not in propose({"phone": "9000000243", **record}).values()


def test_other_utm_parameters_stay_unmapped() -> None:
    mapping = propose({"phone": "9000000244", "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "Diwali"})

    assert mapping == {"phone": "phoneNumber", "utm_campaign": "campaign"}


def test_a_state_alone_may_be_a_status() -> None:
    assert "state" not in propose({"phone": "1", "state": "completed"})
    assert propose({"phone": "1", "state": "Gujarat", "city": "Surat"})["state"] == "state"


def test_proposals_are_ordinary_mappings() -> None:
    record: Json = {
        "phone": "9000000245",
        "a[b]": {"E-Mail.": "a@example.com", "Full Name ": "Asha"},
        " x ": {"city": "Pune"},
    }

    draft = process(record, compile_mapping(propose(record)), Profile())

    assert (draft.email, draft.name, draft.city) == ("a@example.com", "Asha", "Pune")


def test_nothing_is_proposed_for_what_is_no_object() -> None:
    assert [propose(record) for record in (None, 7, "x", [], {})] == [{}, {}, {}, {}, {}]


def test_flat_records_with_equal_keys_share_one_proposal() -> None:
    first = guessed({"phone": "9000000246", "email": "a@example.com", "x": "1"})

    assert guessed({"phone": "9000000247", "email": "", "x": "2"}) is first


def test_a_remembered_proposal_does_not_hide_what_values_say() -> None:
    assert guess({"phone": "9000000248", "who": "Asha"}).email is None
    assert guess({"phone": "9000000248", "who": "asha@example.com"}).email == "asha@example.com"
    assert guess({"phone": "9000000248", "who": '{"city": "Pune"}'}).city == "Pune"
    assert guess({"x": "9000000249", "y": "1"}).phone_number == "+919000000249"
    assert guess({"x": "1", "y": "9000000249"}).phone_number == "+919000000249"


def test_guessing_a_large_record_ends_soon() -> None:
    record: dict[str, Json] = {
        f"question {n}": {"title": "x" * 500, "items": [{"a": str(n)}] * 50} for n in range(3_000)
    }
    start = time.perf_counter()

    propose(record)

    assert time.perf_counter() - start < 2
