"""LinkedIn Lead Gen Forms: what its notices announce, whom its door believes and answers, and what answers become."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector_master.connectors import linkedin_lead, registry
from connector_master.connectors.connector import Secrets
from connector_master.connectors.linkedin import Settings, acknowledge, challenge, connector, records, verify
from connector_master.connectors.linkedin_lead import MAPPING
from connector_master.connectors.linkedin_restli import address
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import InvalidBody, InvalidChallenge, InvalidSignature, MissingPhone
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile, process
from tests.connectors.builders import push

SAMPLES = Path(__file__).parent.parent / "samples" / "linkedin"
COMPILED = compile_mapping(MAPPING)
ACCOUNT, PAGE = "urn:li:sponsoredAccount:510000001", "urn:li:organization:31000001"
DOOR = push(headers={"Content-Type": "application/json"})
TRIAL = push()
SETTINGS = Settings()


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def split(body: Json) -> list[Record]:
    """What comes of a body at the door."""
    return list(records(body, DOOR, SETTINGS))


def told(body: Json) -> list[tuple[str | None, str | None]]:
    """The ids announced by a body, and why the rest is ignored."""
    return [(record.external_id, record.ignored) for record in split(body)]


def reading(given: Any, form: Any) -> Record:
    """The record of a lead that LinkedIn gave so."""
    return linkedin_lead.lead_record(given, form)


def lead(record: Record, region: str = "IN") -> LeadDraft:
    assert record.ignored is None
    return process(record.value, COMPILED, Profile(default_region=region))


def fetched(name: str, form: str | None = None) -> LeadDraft:
    given = sample(name)
    return lead(reading(given, sample(form) if form else given.get("form", {})))


def question(id_: int, label: str, field: str | None = None, options: list[str] | None = None) -> dict[str, Any]:
    asked: dict[str, Any] = {"questionId": id_, "name": f"Custom {id_}", "question": {"localized": {"en_US": label}}}
    if options is not None:
        shown = [{"id": n, "text": {"localized": {"en_US": text}}} for n, text in enumerate(options)]
        asked["questionDetails"] = {"multipleChoiceQuestionDetails": {"options": shown}}
    return asked | ({"predefinedField": field} if field else {})


def typed(id_: Any, text: Any) -> dict[str, Any]:
    return {"questionId": id_, "answerDetails": {"textQuestionAnswer": {"answer": text}}}


def form_of(*questions: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = [question(1, "Phone", "PHONE_NUMBER"), *questions]
    return {
        "id": 7,
        "name": "F",
        "creationLocale": {"language": "en", "country": "US"},
        "content": {"questions": asked},
    } | more


def answered(form: dict[str, Any], *answers: Any, **more: Any) -> LeadDraft:
    """The lead of somebody who answered so, beside a phone number."""
    given = {"id": "a-1", "submittedAt": 1793436060000, "owner": {"sponsoredAccount": ACCOUNT}, "leadType": "SPONSORED"}
    response = {"answers": [typed(1, "+919000000199"), *answers]}
    return lead(reading(given | {"formResponse": response} | more, form))


# ---- what is announced ----------------------------------------------------------------------------------


def test_the_registry_finds_it() -> None:
    assert registry()["linkedin"] is connector
    assert (connector.pushes, connector.pulls, connector.needs_grant, connector.reconciles) == (True, True, True, True)
    assert [one.setting for one in connector.addresses] == [
        "LINKEDIN_API_URL",
        "LINKEDIN_OAUTH_URL",
        "LINKEDIN_OAUTH_URL",
    ]


def test_a_lead_is_announced_by_what_follows_in_its_urn() -> None:
    (record,) = split(sample("notification_created"))

    assert (record.external_id, record.account) == ("0f6c1a52-1111-4aaa-8b00-000000000001-3", ACCOUNT)
    assert (record.is_announced, record.is_erased, record.ignored) == (True, False, None)


def test_a_withdrawn_lead_is_erased_under_the_id_that_announced_it() -> None:
    (record,) = split(sample("notification_event_deleted"))

    assert (record.external_id, record.account, record.value) == ("5b1d2c-7", PAGE, {})
    assert (record.is_announced, record.is_erased) == (False, True)


def test_other_types_and_actions_are_no_leads() -> None:
    assert [told(body) for body in sample("notification_others_ignored")["bodies"]] == [
        [(None, "other_type")],
        [(None, "other_action")],
    ]


def test_what_says_neither_type_nor_action_announces_a_lead_all_the_same() -> None:
    (record,) = split({"leadGenFormResponse": " urn:li:leadGenFormResponse:abc-1 "})

    assert (record.external_id, record.account, record.is_announced) == ("abc-1", None, True)


def test_a_list_announces_each_of_its_leads() -> None:
    body = [sample("notification_created"), sample("notification_event_deleted"), 7]

    assert told(body) == [
        ("0f6c1a52-1111-4aaa-8b00-000000000001-3", None),
        ("5b1d2c-7", None),
        (None, "unrecognized"),
    ]


def test_a_type_of_lead_that_nobody_wants_is_ignored() -> None:
    body = sample("notification_created") | {"leadType": "COMPANY"}
    (record,) = records(body, DOOR, Settings(lead_types=("SPONSORED", "EVENT")))

    assert (record.ignored, record.is_announced) == ("other_lead_type", False)


@pytest.mark.parametrize("urn", [None, 7, "", "urn:li:leadGenFormResponse:", "urn:li:person:x", "abc", ["x"]])
def test_a_notice_without_a_lead_is_not_recognized(urn: Any) -> None:
    assert told({"type": "LEAD_ACTION", "leadAction": "CREATED", "leadGenFormResponse": urn}) == [
        (None, "unrecognized")
    ]


def test_answers_that_come_with_a_push_are_not_believed() -> None:
    (beside,) = split(sample("notification_created") | {"formResponse": {"answers": [typed(1, "+919000000666")]}})

    assert "9000000666" not in json.dumps(beside.value)
    assert told(sample("lead_full_sponsored")) == [(None, "unrecognized")]


def test_a_body_that_holds_no_object_is_refused() -> None:
    with pytest.raises(InvalidBody):
        split("text")


def test_whatever_was_stored_is_answered_200() -> None:
    assert acknowledge([], True).status == 200


# ---- the challenge --------------------------------------------------------------------------------------


def secrets_of(name: str) -> Secrets:
    return Secrets((sample(name)["client_secret"],))


def query_of(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


@pytest.mark.parametrize("vector", sample("challenge_vectors")["answered"], ids=lambda one: one["query"])
def test_a_code_is_signed_with_the_client_secret(vector: Any) -> None:
    answer = challenge(push(query=query_of(vector["query"])), secrets_of("challenge_vectors"), SETTINGS)

    assert (answer.status, answer.body, answer.content_type) == (200, vector["body"], "application/json")


@pytest.mark.parametrize("vector", sample("challenge_vectors")["refused"], ids=lambda one: one["why"])
def test_nothing_else_is_ever_signed(vector: Any) -> None:
    with pytest.raises(InvalidChallenge) as refused:
        challenge(push(query=query_of(vector["query"])), secrets_of("challenge_vectors"), SETTINGS)

    assert refused.value.status == 400


@given(st.text(max_size=80))
def test_whatever_is_signed_could_not_be_a_push(text: str) -> None:
    secrets = secrets_of("challenge_vectors")
    try:
        answer = challenge(push(query={"challengeCode": text}), secrets, SETTINGS)
    except InvalidChallenge:
        return
    assert isinstance(answer.body, dict)
    headers = {"X-LI-Signature": str(answer.body["challengeResponse"])}
    for body in (text, f"hmacsha256={text}"):
        with pytest.raises(InvalidSignature):
            verify(push(body.encode(), headers), secrets, SETTINGS)


@pytest.mark.parametrize("body", [b"12345678", b"00000000-0000-4000-8000-000000000000"])
def test_what_the_challenge_signs_proves_no_body(body: bytes) -> None:
    secrets = secrets_of("challenge_vectors")
    answer = challenge(push(query={"challengeCode": body.decode()}), secrets, SETTINGS)

    assert isinstance(answer.body, dict)
    with pytest.raises(InvalidSignature):
        verify(push(body, {"X-LI-Signature": str(answer.body["challengeResponse"])}), secrets, SETTINGS)


def test_without_the_client_secret_no_challenge_is_answered() -> None:
    with pytest.raises(InvalidChallenge) as refused:
        challenge(push(query={"challengeCode": "3f0d7e9a-52c4-4b1e-9a77-0c5d1e2f3a4b"}), Secrets(), SETTINGS)

    assert "client secret" in refused.value.detail


# ---- the signature --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", sample("signature_vectors")["vectors"], ids=lambda one: one.get("note", "wrong"))
def test_each_signature_counts_over_the_bytes_as_they_came(vector: Any) -> None:
    headers = {} if vector["header"] is None else {"X-LI-Signature": vector["header"]}
    sent = push(vector["raw_body"].encode(), headers)
    if vector["valid"]:
        assert verify(sent, secrets_of("signature_vectors"), SETTINGS).scheme.startswith("x-li-signature")
    else:
        with pytest.raises(InvalidSignature):
            verify(sent, secrets_of("signature_vectors"), SETTINGS)


def test_it_is_told_which_of_two_readings_of_the_documents_a_signature_follows() -> None:
    body, secret = b'{"type":"LEAD_ACTION"}', "s"
    bare = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    documented = hmac.new(secret.encode(), b"hmacsha256=" + body, hashlib.sha256).hexdigest()

    schemes = [
        verify(push(body, {"X-LI-Signature": f"  {signature} "}), Secrets((secret,)), SETTINGS).scheme
        for signature in (documented, bare)
    ]

    assert schemes == ["x-li-signature", "x-li-signature of the bare body"]


def test_while_no_secret_is_known_the_setting_decides() -> None:
    assert verify(DOOR, Secrets(), Settings(signature="optional")).scheme == "unsigned"
    with pytest.raises(InvalidSignature):
        verify(DOOR, Secrets(), SETTINGS)
    with pytest.raises(InvalidSignature):
        verify(push(headers={"X-LI-Signature": "no digest"}), Secrets(), Settings(signature="optional"))


# ---- what a lead holds ----------------------------------------------------------------------------------


def test_a_full_lead_fills_every_field() -> None:
    draft = fetched("lead_full_sponsored")

    assert (draft.phone_number, draft.name, draft.email) == ("+919000000101", "Asha Example", "asha.one@example.com")
    assert (draft.business_name, draft.city, draft.state) == ("Example Traders Pvt Ltd", "Pune", "Maharashtra")
    assert (draft.country, draft.pincode, draft.campaign) == ("IN", "411001", "Diwali B2B 2026")
    assert (draft.source, draft.external_id) == ("linkedin", "0f6c1a52-1111-4aaa-8b00-000000000001-3")
    assert draft.enquired_at is not None
    assert draft.enquired_at.isoformat() == "2026-10-31T08:41:00+00:00"
    assert {name: draft.attributes[name] for name in ("jobTitle", "companySize", "industry")} == {
        "jobTitle": "Purchase Manager",
        "companySize": "51-200",
        "industry": "Machinery Manufacturing",
    }
    assert draft.attributes["linkedinProfileLink"] == "https://www.linkedin.com/in/example-not-real"
    assert (draft.attributes["creativeName"], draft.attributes["ownerName"]) == (
        "Carousel A",
        "Example Traders - India",
    )
    assert draft.attributes["hidden"] == {"utm_source": "linkedin", "product_line": "pumps-2026"}
    assert (draft.notes, draft.warnings) == (None, ())


def test_answers_to_questions_of_its_own_and_consents_are_told_in_the_forms_words() -> None:
    draft = fetched("lead_custom_multichoice")

    assert draft.phone_number == "+919000000102"
    assert draft.notes == (
        "Which products do you need?: Pumps, Motors\nWhen do you plan to buy?: Within 3 months; need 40 units <= 5 HP"
    )
    assert draft.email == "bhavna@works.example.com"
    assert draft.attributes["consents"] == [
        {"id": 0, "text": "You may call me about this enquiry", "accepted": True},
        {"id": 1, "text": "Send me the newsletter", "accepted": False},
    ]


def test_a_lead_without_its_form_is_read_with_the_form_that_was_fetched() -> None:
    draft = fetched("lead_plain_no_decoration", "form_definition")

    assert (draft.phone_number, draft.name, draft.business_name) == ("+919000000103", "Deepa Sample", "Sample Works")
    assert draft.campaign == "410000001"


def test_a_lead_of_an_event_has_no_campaign() -> None:
    draft = fetched("lead_event_organic")

    assert (draft.phone_number, draft.name, draft.campaign) == ("+12025550109", "Erin Visitor", None)
    assert (draft.attributes["leadType"], draft.attributes["eventId"]) == ("EVENT", "7300000000000000009")


def test_a_lead_without_a_phone_says_so() -> None:
    with pytest.raises(MissingPhone):
        fetched("lead_missing_phone", "form_definition")


def test_a_test_lead_is_no_lead() -> None:
    record = reading(sample("lead_test"), sample("form_definition"))

    assert (record.ignored, record.external_id) == ("test", "0f6c1a52-1111-4aaa-8b00-000000000008-3")


def test_without_its_form_what_can_be_told_is_told() -> None:
    given = sample("lead_plain_no_decoration")
    given["formResponse"]["answers"].append(typed(99, "deepa@sample.example.com"))
    draft = lead(reading(given, {}))

    assert (draft.phone_number, draft.email, draft.name) == ("+919000000103", "deepa@sample.example.com", None)
    assert draft.notes is not None
    assert "Question 10117300001: Deepa" in draft.notes.splitlines()


def test_the_same_id_at_another_time_is_a_later_text_of_the_record() -> None:
    given = sample("lead_full_sponsored")
    first, second = (reading(given | {"submittedAt": at}, given["form"]) for at in (1793436060000, 1793436999000))

    assert first.external_id == second.external_id
    assert (first.version, second.version) == ("1793436060000", "1793436999000")


def test_a_campaigns_name_replaces_the_id_that_stood_for_it() -> None:
    named, plain = (sample(name) for name in ("lead_full_sponsored", "lead_plain_no_decoration"))

    assert reading(named, named["form"]).stands_for == {"campaign": "410000001"}
    assert reading(plain, {}).stands_for is None


def test_a_record_joined_once_stays_as_it_is() -> None:
    for name in ("lead_full_sponsored", "lead_event_organic", "lead_custom_multichoice"):
        given = sample(name)
        record = reading(given, given["form"])
        assert reading(json.loads(json.dumps(record.value)), {}) == record


def test_whoever_tries_it_out_may_paste_a_lead_as_linkedin_gives_it() -> None:
    whole, plain, form = (
        sample(name) for name in ("lead_full_sponsored", "lead_plain_no_decoration", "form_definition")
    )

    bodies: list[Json] = [whole, {"lead": plain, "form": form}, {"elements": [whole, plain]}]
    pasted = [records(body, TRIAL, SETTINGS) for body in (*bodies, sample("notification_created"))]

    assert [lead(one[0]).phone_number for one in pasted[:3]] == ["+919000000101", "+919000000103", "+919000000101"]
    assert len(pasted[2]) == 2
    assert pasted[3][0].is_announced


def test_the_work_phone_counts_where_there_is_no_other_and_else_is_kept() -> None:
    form = form_of(question(2, "Work phone", "WORK_PHONE_NUMBER"))

    assert answered(form, typed(2, "+1 202-555-0104")).attributes["otherPhones"] == ["+12025550104"]
    # Where the first one is no number, the second one counts.
    given = {"id": "a", "formResponse": {"answers": [typed(1, "call me"), typed(2, "+1 202-555-0104")]}}
    assert lead(reading(given, form)).phone_number == "+12025550104"


@pytest.mark.parametrize("label", ["Your WhatsApp number", "Mobile", "Phone (direct)"])
def test_a_question_of_the_forms_own_may_give_the_phone(label: str) -> None:
    form = form_of(question(2, label), question(3, "Order number"))
    given = {"id": "a", "formResponse": {"answers": [typed(3, "98765 43210"), typed(2, "90000 00155")]}}

    draft = lead(reading(given, form))

    assert draft.phone_number == "+919000000155"
    assert draft.notes == f"Order number: 98765 43210\n{label}: 90000 00155"


def test_of_two_e_mails_the_second_is_kept() -> None:
    form = form_of(question(2, "Email", "EMAIL"), question(3, "Work email", "WORK_EMAIL"))
    both = answered(form, typed(3, "a@works.example.com"), typed(2, "a@example.com"))
    same = answered(form, typed(3, "A@Example.com"), typed(2, "a@example.com"))

    assert (both.email, both.attributes["workEmail"]) == ("a@example.com", "a@works.example.com")
    assert "workEmail" not in same.attributes


@pytest.mark.parametrize(
    ("field", "attribute", "value"),
    [
        ("POSTAL_CODE", "pincode", "411001"),
        ("postalCode", "pincode", "411001"),
        ("Country/Region", "country", "IN"),
        ("company name", "business_name", "India"),
    ],
)
def test_predefined_fields_are_known_by_their_letters(field: str, attribute: str, value: str) -> None:
    given = "411001" if attribute == "pincode" else "India"

    assert getattr(answered(form_of(question(2, "?", field)), typed(2, given)), attribute) == value


def test_a_predefined_field_that_nobody_knows_is_kept_beside_the_lead() -> None:
    draft = answered(form_of(question(2, "Years", "YEARS_OF_EXPERIENCE")), typed(2, 7))

    assert draft.attributes["otherAnswers"] == {"yearsOfExperience": "7"}


def test_neither_label_nor_name_makes_a_field() -> None:
    draft = answered(form_of(question(2, "First name")), typed(2, "Asha"))

    assert (draft.name, draft.notes) == (None, "First name: Asha")


def test_what_the_form_does_not_know_is_told_by_its_id() -> None:
    form = form_of(question(2, "Products", options=["Pumps", "Valves"]))
    chosen = {"questionId": 2, "answerDetails": {"multipleChoiceAnswer": {"options": [0, 7]}}}

    assert answered(form, chosen, typed(999, "Asked by a form that is gone")).notes == (
        "Products: Pumps, 7\nQuestion 999: Asked by a form that is gone"
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"questionId": 2, "answerDetails": None},
        {"questionId": 2},
        typed(2, ""),
        typed(2, "   "),
        typed(2, None),
        typed(None, "text"),
        typed({"a": 1}, "text"),
        {"questionId": 2, "answerDetails": {"multipleChoiceAnswer": {"options": []}}},
        {"questionId": 2, "answerDetails": {"multipleChoiceAnswer": {"options": None}}},
        {"questionId": 2, "answerDetails": {"multipleChoiceAnswer": {"options": [None, True]}}},
        7,
        None,
    ],
)
def test_an_answer_that_says_nothing_is_left_out(odd: Any) -> None:
    assert answered(form_of(question(2, "Anything else?")), odd).notes is None


def test_a_question_that_was_answered_twice_is_told_once() -> None:
    form = form_of(question(2, "Colours"), question(3, "First name", "FIRST_NAME"))
    draft = answered(form, typed(2, "red"), typed(2, "blue"), typed(2, "red"), typed("3", "Asha"), typed(3, "Asha"))

    assert (draft.notes, draft.name) == ("Colours: red, blue", "Asha")


def test_labels_are_in_the_forms_own_language_else_in_the_first() -> None:
    asked = question(2, "First name")
    asked["question"]["localized"] = {"en_US": "When?", "hi_IN": "कब?"}
    hindi = form_of(asked, creationLocale={"language": "hi", "country": "IN"})
    other = form_of(asked, creationLocale={"language": "fr", "country": "FR"})

    assert [answered(form, typed(2, "soon")).notes for form in (hindi, other)] == ["कब?: soon", "When?: soon"]


def test_an_id_of_nineteen_digits_stays_exact() -> None:
    second = sample("forms_page")["elements"][1]
    draft = answered(second | {"content": form_of()["content"]})

    assert draft.attributes["formId"] == "6955637458260688001"


def test_the_country_that_was_answered_reads_the_phone_and_one_that_is_none_does_not() -> None:
    form = form_of(question(2, "Country", "COUNTRY"))
    given = {"id": "a", "formResponse": {"answers": [typed(1, "202-555-0104"), typed(2, "United States")]}}
    odd = {"id": "a", "formResponse": {"answers": [typed(1, "90000 00106"), typed(2, "EMEA")]}}

    assert lead(reading(given, form)).phone_number == "+12025550104"
    assert lead(reading(odd, form)).phone_number == "+919000000106"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, json_values, json_values, json_values)
def test_whatever_a_lead_and_its_form_hold_becomes_a_record(
    answers: Any, questions: Any, info: Any, locale: Any
) -> None:
    given = {
        "id": "a",
        "formResponse": {"answers": answers, "consentResponses": info},
        "leadMetadataInfo": info,
        "associatedEntityInfo": info,
        "owner": info,
        "submittedAt": locale,
    }
    form = {"content": {"questions": questions, "legalInfo": info}, "hiddenFields": answers, "creationLocale": locale}

    assert reading(given, form).external_id == "a"


# ---- queries --------------------------------------------------------------------------------------------


def test_a_querys_structure_stays_raw_and_what_is_inside_is_encoded_once() -> None:
    asked: dict[str, Json] = {
        "q": "owner",
        "owner": {"sponsoredAccount": ACCOUNT},
        "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7300001,2)",
        "search": {"status": {"values": ["ACTIVE"]}, "test": False},
        "submittedAtTimeRange": {"start": 1, "end": 2},
    }

    assert address("leadFormResponses", asked, "id,form:(name)") == (
        "/rest/leadFormResponses?q=owner&owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A510000001)"
        "&versionedLeadGenFormUrn=urn%3Ali%3AversionedLeadGenForm%3A%28urn%3Ali%3AleadGenForm%3A7300001%2C2%29"
        "&search=(status:(values:List(ACTIVE)),test:false)&submittedAtTimeRange=(start:1,end:2)&fields=id,form:(name)"
    )


@pytest.mark.parametrize("version", ["202512", "202613", "2026", "v25.0", "20260901"])
def test_a_version_that_never_was_can_not_be_set(version: str) -> None:
    with pytest.raises(ValidationError):
        Settings(api_version=version)
