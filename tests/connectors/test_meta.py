"""Meta Lead Ads: what its notices announce, and what a lead's answers become in any language."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.connectors import registry
from connector_master.connectors.connector import Secrets
from connector_master.connectors.meta import MAPPING, Settings, challenge, connector, records, verify
from connector_master.connectors.meta_lead import lead_record
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import ForbiddenChallenge, InvalidBody, InvalidSignature
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile, process
from tests.connectors.builders import push

SAMPLES = Path(__file__).parent.parent / "samples" / "meta"
COMPILED = compile_mapping(MAPPING)
PAGE = "104857600112233"
DOOR = push(headers={"Content-Type": "application/json"})
TRIAL = push()


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def split(body: Json) -> list[Record]:
    """What comes of a body at the door."""
    return list(records(body, DOOR, Settings()))


def told(body: Json) -> list[tuple[str | None, str | None]]:
    """The ids announced by a body, and why the rest is ignored."""
    return [(record.external_id, record.ignored) for record in split(body)]


def notice(**value: Any) -> dict[str, Any]:
    return {"object": "page", "entry": [{"id": PAGE, "time": 1, "changes": [{"field": "leadgen", "value": value}]}]}


def reading(given: Any, form: Any, page_id: str | None) -> Record:
    """The record of a lead that Graph gave so."""
    return lead_record(given, form, page_id)


def lead(record: Record) -> LeadDraft:
    assert record.ignored is None
    return process(record.value, COMPILED, Profile(source="meta"))


def fetched(name: str, form: str | None = None) -> LeadDraft:
    return lead(reading(sample(name), sample(form) if form else {}, PAGE))


def answered(*pairs: tuple[str, Any], form: dict[str, Any] | None = None, **fields: Any) -> LeadDraft:
    """The lead of somebody who answered so, beside a phone number."""
    data: list[Any] = [{"name": "phone_number", "values": ["+919999900001"]}]
    data += [{"name": name, "values": values if isinstance(values, list) else [values]} for name, values in pairs]
    return lead(reading({"id": "1", "field_data": data, **fields}, form or {}, PAGE))


# ---- what is announced ----------------------------------------------------------------------------------


def test_the_registry_finds_it() -> None:
    assert registry()["meta"] is connector
    assert (connector.pushes, connector.pulls, connector.needs_grant, connector.reconciles) == (True, True, True, True)


def test_one_lead_is_announced_by_its_id_and_page() -> None:
    (record,) = split(sample("webhook_single"))

    assert (record.external_id, record.account, record.is_announced) == ("1312000000000001", PAGE, True)
    assert record.ignored is None


def test_a_batch_announces_each_of_its_leads_to_its_page() -> None:
    found = split(sample("webhook_batch_mixed"))

    assert [(one.external_id, one.account) for one in found if one.is_announced] == [
        ("1312000000000002", PAGE),
        ("1312000000000003", PAGE),
        ("1312000000000002", PAGE),
        ("1312000000000004", "209999900044556"),
    ]
    assert [one.ignored for one in found if not one.is_announced] == ["other_field"]


def test_ids_that_came_as_numbers_are_kept_as_digits() -> None:
    (record,) = split(sample("webhook_numeric_ids"))

    assert record.external_id == "1312000000000005"
    assert record.account == PAGE
    assert isinstance(record.value, dict)
    assert record.value["ad_id"] == "120210000000010001"


@pytest.mark.parametrize("id_", [1.312e15, True, None, "", "lead", [], {"id": 1}, -5, "12 34"])
def test_what_is_no_id_spoils_only_its_own_change(id_: Any) -> None:
    body = notice(leadgen_id=id_, page_id=PAGE)
    body["entry"][0]["changes"] += sample("webhook_single")["entry"][0]["changes"]

    assert told(body) == [(None, "invalid_lead"), ("1312000000000001", None)]


def test_an_organic_lead_is_announced_without_ad_ids() -> None:
    (record,) = split(sample("webhook_organic_minimal"))

    assert record.external_id == "1312000000000006"
    assert isinstance(record.value, dict)
    assert "ad_id" not in record.value


def test_the_dashboards_test_button_announces_nothing_however_often_it_is_pressed() -> None:
    zero = notice(leadgen_id="444444444444", page_id="0", form_id="0")

    assert told(sample("webhook_dashboard_test_button")) == [(None, "test")]
    assert told(zero) == [(None, "test")]


def test_the_page_is_that_of_the_entry_where_the_change_names_none() -> None:
    (record,) = split(notice(leadgen_id="1312"))

    assert record.account == PAGE


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (sample("webhook_instagram_object"), "instagram"),
        (sample("webhook_leadgen_update_ignored"), "lead_update"),
        ({"object": "page", "entry": [{"id": PAGE, "messaging": [{"message": {"text": "hi"}}]}]}, "messenger"),
        ({"object": "page", "entry": [{"id": PAGE}]}, "unrecognized"),
        ({"object": "page", "entry": [{"id": PAGE, "changes": ["x"]}]}, "unrecognized"),
        ({"object": "page", "entry": [7]}, "unrecognized"),
        ({"object": "page"}, "unrecognized"),
        ({"object": "user", "entry": [{"id": "1"}]}, "other_object"),
        ({"phone": "+919999900001"}, "unrecognized"),
    ],
)
def test_what_is_no_lead_is_kept_with_the_reason(body: Any, reason: str) -> None:
    assert told(body) == [(None, reason)]


def test_answers_that_come_with_a_push_are_not_believed() -> None:
    (record,) = split(notice(leadgen_id="1312", field_data=[{"name": "phone_number", "values": ["+919999900009"]}]))

    assert record.is_announced
    assert "9999900009" not in json.dumps(record.value)
    assert told(sample("lead_full_facebook")) == [(None, "unrecognized")]


def test_a_body_that_holds_no_object_is_refused() -> None:
    with pytest.raises(InvalidBody):
        split("text")


def test_each_signature_counts_over_the_bytes_as_they_came() -> None:
    vectors = sample("signature_vectors")
    secrets = Secrets((vectors["app_secret"],))
    for vector in vectors["vectors"]:
        headers = {} if vector["header"] is None else {"X-Hub-Signature-256": vector["header"]}
        sent = push(vector["raw_body"].encode(), headers)
        if vector["valid"]:
            assert verify(sent, secrets, Settings()).scheme == "x-hub-signature-256"
        else:
            with pytest.raises(InvalidSignature):
                verify(sent, secrets, Settings())


def test_while_no_secret_is_known_the_setting_decides() -> None:
    assert verify(DOOR, Secrets(), Settings(signature="optional")).scheme == "unsigned"
    with pytest.raises(InvalidSignature):
        verify(DOOR, Secrets(), Settings())


def test_a_challenge_is_answered_as_it_came_and_only_for_the_own_token() -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "ours"}
    secrets = Secrets(verify_tokens=("ours",))
    answer = challenge(push(query=query), secrets, Settings())

    assert (answer.status, answer.body, answer.content_type.split(";")[0]) == (200, "1158201444", "text/plain")
    for wrong in ({"hub.verify_token": "another"}, {"hub.mode": "unsubscribe"}, {"hub.challenge": ""}):
        with pytest.raises(ForbiddenChallenge):
            challenge(push(query=query | wrong), secrets, Settings())


# ---- what a lead holds ----------------------------------------------------------------------------------


def test_a_full_lead_fills_every_field() -> None:
    draft = fetched("lead_full_facebook")

    assert (draft.phone_number, draft.name, draft.email) == ("+919999900001", "Test Person One", "test.one@example.com")
    assert (draft.business_name, draft.city, draft.state) == ("Example Traders Pvt Ltd", "Pune", "Maharashtra")
    assert (draft.country, draft.pincode, draft.campaign) == ("IN", "411001", "Diwali Lead Gen 2026")
    assert (draft.external_id, draft.source) == ("1312000000000001", "Carousel - Hindi - Oct")
    assert draft.notes == "job_title: Owner"
    assert draft.enquired_at is not None
    assert draft.enquired_at.isoformat() == "2026-10-31T08:40:00+00:00"
    assert draft.attributes["adSetName"] == "Lookalike 2% Pune"
    assert draft.attributes["platform"] == "fb"


def test_an_instagram_lead_is_told_apart_and_its_names_are_joined() -> None:
    draft = fetched("lead_instagram_split_name")

    assert (draft.name, draft.phone_number, draft.email) == ("Asha Example", "+919999900002", "asha@example.org")
    assert (draft.pincode, draft.attributes["platform"]) == ("560001", "ig")


def test_an_organic_lead_has_no_campaign_even_where_the_form_is_known() -> None:
    organic = reading(sample("lead_organic_no_ad_fields"), {"id": "771234567890123", "name": "Diwali enquiry"}, PAGE)

    assert fetched("lead_organic_no_ad_fields").campaign is None
    assert (lead(organic).campaign, lead(organic).attributes["formName"]) == (None, "Diwali enquiry")


def test_a_paid_lead_without_a_campaigns_name_has_the_ads_or_the_forms() -> None:
    form = {"name": "Diwali enquiry"}

    assert answered(is_organic=False, ad_name="Carousel", form=form).campaign == "Carousel"
    assert answered(is_organic=False, form=form).campaign == "Diwali enquiry"
    assert answered(form=form).campaign is None


def test_custom_questions_are_told_in_the_notes_in_their_own_words() -> None:
    draft = fetched("lead_custom_questions", "form_custom_questions")

    assert draft.phone_number == "+919999900004"
    assert (draft.notes or "").splitlines() == [
        "What is your monthly requirement?: 100 to 500 units",
        "Products of interest: Pumps, Valves, Motors",
        "Which city are you from?: Nashik",
    ]
    assert draft.attributes["consents"] == {"optional_1": True, "optional_2": False}
    assert draft.attributes["formName"] == "Machinery enquiry v3"


def test_questions_in_another_language_are_known_by_their_type() -> None:
    draft = fetched("lead_localized_keys", "form_localized_questions")

    assert (draft.name, draft.phone_number) == ("José Exemplo", "+5511999990001")
    assert (draft.email, draft.city, draft.notes) == ("jose@example.com", "São Paulo", None)


def test_keys_that_mean_nothing_are_known_by_their_type_alone() -> None:
    questions = [
        {"key": "q1", "label": "पूरा नाम", "type": "FULL_NAME"},
        {"key": "q2", "label": "दूरभाष", "type": "phone number"},
        {"key": "email", "label": "Email of your boss?", "type": "CUSTOM"},
        {"key": "q3", "label": "ई-मेल", "type": "EMAIL"},
    ]
    data = [("q1", "आशा"), ("q2", "+919999900002"), ("email", "boss@example.com"), ("q3", "asha@example.com")]
    values = [{"name": name, "values": [value]} for name, value in data]
    record = reading({"id": "1", "field_data": values}, {"questions": questions}, PAGE)

    # The mapping beyond SPEC.md's own three lines, which go by keys.
    ours = compile_mapping({name: field for name, field in MAPPING.items() if not name.startswith("field_data")})
    draft = process(record.value, ours, Profile())
    assert (draft.name, draft.phone_number, draft.email) == ("आशा", "+919999900002", "asha@example.com")
    assert draft.notes == "Email of your boss?: boss@example.com"


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("work_email", "email", "a@example.com"),
        ("Email Address", "email", "a@example.com"),
        ("business_name", "business_name", "Example & Sons"),
        ("organisation", "business_name", "Example & Sons"),
        ("city_0", "city", "Nashik"),
        ("province", "state", "Kerala"),
        ("post_code", "pincode", "560001"),
        ("Nombre_completo?", "name", "Ana Ejemplo"),
    ],
)
def test_without_a_form_the_key_says_what_an_answer_is(key: str, field: str, value: str) -> None:
    draft = answered((key, value))

    assert getattr(draft, field) == value
    assert draft.notes is None


@pytest.mark.parametrize("key", ["whatsapp_number", "mobile", "mobile_number", "phone", "telefone", "celular"])
def test_a_phone_under_another_key_is_found_where_there_is_none(key: str) -> None:
    record = reading({"id": "1", "field_data": [{"name": key, "values": ["099999 00007"]}]}, {}, PAGE)

    assert lead(record).phone_number == "+919999900007"


def test_a_second_phone_is_used_where_the_first_is_none_and_else_kept() -> None:
    wrong = [{"name": "phone_number", "values": ["12"]}, {"name": "whatsapp_number", "values": ["+919999900008"]}]

    assert lead(reading({"id": "1", "field_data": wrong}, {}, PAGE)).phone_number == "+919999900008"
    both = answered(("whatsapp_number", "+919999900008"))
    assert (both.phone_number, both.attributes["otherPhones"]) == ("+919999900001", ["+919999900008"])


def test_the_work_address_counts_only_without_another_and_is_else_told() -> None:
    draft = answered(("work_email", "work@example.com"), ("email", "home@example.com"))

    assert (draft.email, draft.notes) == ("home@example.com", "work_email: work@example.com")


def test_a_street_is_an_address_and_told() -> None:
    draft = answered(("street_address", "22 Sample Nagar"))

    assert (draft.address_line1, draft.notes) == ("22 Sample Nagar", "street_address: 22 Sample Nagar")


def test_values_that_are_missing_or_odd_spoil_only_themselves() -> None:
    data = [
        {"name": "a"},
        {"name": "b", "values": []},
        {"name": "c", "values": None},
        {"name": "d", "values": "one"},
        {"name": "e", "values": [None, 5, {"x": 1}, " ", "six"]},
        {"values": ["nameless"]},
        7,
        {"name": "phone_number", "values": ["+919999900001"]},
    ]

    draft = lead(reading({"id": 13, "field_data": data}, {"questions": "none"}, PAGE))

    assert (draft.external_id, draft.notes) == ("13", "d: one\ne: 5, six\nanswer: nameless")


def test_consents_may_come_as_texts_or_booleans() -> None:
    given_ = [
        {"checkbox_key": key, "is_checked": value} for key, value in (("a", True), ("b", "1"), ("c", False), ("d", ""))
    ]

    assert answered(custom_disclaimer_responses=given_).attributes["consents"] == {
        "a": True,
        "b": True,
        "c": False,
        "d": False,
    }


@pytest.mark.parametrize(
    "data",
    [
        sample("lead_testing_tool_dummy")["field_data"],
        [{"name": "nome", "values": ["<TEST LEAD: dummy data for nome>"]}],
    ],
)
def test_a_lead_of_the_testing_tool_is_a_test_in_any_field(data: Any) -> None:
    record = reading({"id": "1312", "field_data": data}, {}, PAGE)

    assert (record.ignored, record.external_id) == ("test", "1312")


def test_a_mapping_of_ones_own_reaches_every_answer() -> None:
    record = reading(sample("lead_custom_questions"), sample("form_custom_questions"), PAGE)
    own = compile_mapping(
        {
            "field_data.phone_number": "phoneNumber",
            "answers.full_name": "name",
            "field_data.which_city_are_you_from_0": "city",
            "answers.products_of_interest": "productName",
        }
    )

    draft = process(record.value, own, Profile())

    assert (draft.phone_number, draft.name) == ("+919999900004", "Custom Example अमित")
    assert (draft.city, draft.product_name) == ("Nashik", "Pumps, Valves, Motors")


# ---- what a person tries out ----------------------------------------------------------------------------


def test_a_pasted_lead_is_shown_as_the_lead_that_it_would_become() -> None:
    pasted = sample("lead_custom_questions")
    alone, *none = records(pasted, TRIAL, Settings())
    (with_form,) = records({"lead": pasted, "form": sample("form_custom_questions")}, TRIAL, Settings())
    listed = records(sample("leads_bulk_page1"), TRIAL, Settings())

    assert not none
    assert lead(alone).phone_number == "+919999900004"
    assert "What is your monthly requirement?: 100 to 500 units" in (lead(with_form).notes or "")
    assert [lead(one).name for one in listed] == ["Bulk Five", "Bulk Four"]


def test_what_was_read_once_reads_the_same_again() -> None:
    first = reading(sample("lead_custom_questions"), sample("form_custom_questions"), PAGE)

    (again,) = records(first.value, TRIAL, Settings())

    assert again.value == first.value
    assert (again.external_id, again.account) == (first.external_id, PAGE)


def test_a_notice_that_was_kept_apart_from_its_batch_announces_again() -> None:
    first, *_ = split(sample("webhook_batch_mixed"))

    assert split(first.value) == [first]


# ---- anything at all ------------------------------------------------------------------------------------

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def _with(body: Any, path: list[int], value: Any) -> Any:
    """Put a value at some place of a body."""
    if not path or not isinstance(body, dict | list) or not body:
        return value
    keys: Any = list(body) if isinstance(body, dict) else range(len(body))
    key = keys[path[0] % len(keys)]
    changed = dict(body) if isinstance(body, dict) else list(body)
    changed[key] = _with(body[key], path[1:], value)
    return changed


@given(st.lists(st.integers(0, 20), max_size=7), _ANYTHING)
def test_anything_at_any_place_of_a_notice_is_a_record_or_refused(path: list[int], value: Any) -> None:
    body = _with(sample("webhook_batch_mixed"), path, value)
    for sent in (DOOR, TRIAL):
        try:
            found = records(body, sent, Settings())
        except InvalidBody:
            continue
        assert all(one.is_announced or one.ignored or sent is TRIAL for one in found)


@given(st.lists(st.integers(0, 20), max_size=6), st.lists(st.integers(0, 20), max_size=6), _ANYTHING)
def test_anything_at_any_place_of_a_lead_or_form_is_a_record(a: list[int], b: list[int], value: Any) -> None:
    changed = _with(sample("lead_custom_questions"), a, value)
    form = _with(sample("form_custom_questions"), b, value)

    record = reading(changed, form if isinstance(form, dict) else {}, PAGE)

    assert record.external_id
