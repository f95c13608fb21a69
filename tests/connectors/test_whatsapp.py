"""WhatsApp: every sample as its documentation says, who the sender is, what is no enquiry, and what the test calls tell."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.connectors import registry
from connector_master.connectors.connector import Secrets
from connector_master.connectors.graph import appsecret_proof
from connector_master.connectors.whatsapp import (
    Credentials,
    Settings,
    acknowledge,
    challenge,
    connector,
    records,
    verify,
)
from connector_master.model.event import EventStatus, Outcome, Record
from connector_master.model.json import Json
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    ForbiddenChallenge,
    InvalidBody,
    InvalidSignature,
    MissingPhone,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.outbound.client import Answer
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import process
from connector_master.services.sources import profile_of
from tests.connectors.builders import push

SAMPLES = Path(__file__).parent.parent / "samples" / "whatsapp"
NUMBER, ACCOUNT = "106540352242922", "102290129340398"
MAPPING = compile_mapping(connector.mapping)
A, B, D = "+919999900101", "+919999900102", "+919999900104"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def split(body: Any) -> list[Record]:
    return list(records(body, push(), Settings()))


def lead(record: Record) -> LeadDraft:
    assert record.ignored is None
    return process(record.value, MAPPING, profile_of(connector, Settings()))


def leads(name: str) -> list[LeadDraft]:
    return [lead(record) for record in split(sample(name)) if record.ignored is None]


def ignored(name: str) -> list[str | None]:
    return [record.ignored for record in split(sample(name))]


def message(fields: Mapping[str, Json], **value: Any) -> Record:
    """The record of one message from A, with `fields` over what all messages have."""
    base: dict[str, Json] = {"from": A[1:], "id": "wamid.1", "timestamp": "1793436000", "type": "text"}
    contacts = [{"profile": {"name": "Asha"}, "wa_id": A[1:]}]
    whole: dict[str, Any] = {
        "metadata": {"display_phone_number": "919000000000", "phone_number_id": NUMBER},
        "contacts": contacts,
        "messages": [{name: one for name, one in (base | dict(fields)).items() if one is not None}],
    }
    (record,) = split(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": ACCOUNT, "changes": [{"field": "messages", "value": whole | value}]}],
        }
    )
    return record


def notes(**fields: Any) -> str | None:
    return lead(message(fields)).notes


# ---- the samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", [(A, "Test Person टेस्ट", "Hi, price for 50 units? Delivery to Pune कब तक?")]),
        ("image_with_caption", [(A, "Test Person", "Need this part, 20 pcs")]),
        ("media_without_text", [(A, "Test Person", "[audio: voice message]")]),
        ("button_template_reply", [(A, "Test Person", "Yes, interested")]),
        (
            "interactive_button_and_list_reply",
            [(A, "Test Person", "Talk to sales"), (B, "Second Person", "Water pumps")],
        ),
        ("interactive_flow_reply", [(A, "Flow Person", "requirement: 10 looms")]),
        ("ctwa_ad_referral", [(A, "Ad Clicker", "Hello! Can I get more info on this?")]),
        ("post_referral_without_clid", [(B, "Post Clicker", "Info please")]),
        (
            "location_and_shared_contacts",
            [
                (A, "Test Person", "Example Works\nMIDC, Pune, Maharashtra 411018"),
                (
                    B,
                    "Second Person",
                    "Shared contact: Shared Friend, Friend Co, +91 99999 00188, friend@example.com",
                ),
            ],
        ),
        (
            "order",
            [(A, "Test Person", "need by Friday\n3 x PUMP-1HP at 4500 INR\n10 x VALVE-2IN at 350 INR")],
        ),
        ("unsupported_first_message", [(B, "Ad Clicker Two", "[message content not available]")]),
        (
            "batch_everything",
            [
                (A, "Person A", "first"),
                (B, "Person B", "other person"),
                (A, "Person A", "second, same person"),
                (B, "Person B", "other person"),
                (D, "Person D", "for another business number"),
            ],
        ),
        ("contact_request_answer", [("+919999900105", "Hidden Number", "[phone number shared on request]")]),
        ("not_leads_reaction_revoke_edit_system", []),
        ("statuses_all", []),
        ("other_fields_ignored", []),
        ("dashboard_test_button", []),
        ("own_number_echo_in_messages", []),
    ],
)
def test_each_sample_yields_its_leads(name: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(one.phone_number, one.name, one.notes) for one in leads(name)] == expected


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("not_leads_reaction_revoke_edit_system", ["reaction", "reaction", "revoked", "edit", "system"]),
        ("statuses_all", ["status_update"] * 5),
        ("other_fields_ignored", ["echo", "history", "account_update", "user_preferences", "error"]),
        ("dashboard_test_button", ["test"]),
        ("own_number_echo_in_messages", ["echo"]),
        ("batch_everything", [None] * 4 + ["status_update", "template_status", None]),
    ],
)
def test_what_is_no_enquiry_is_ignored_with_its_reason_each_counted(name: str, reasons: list[str | None]) -> None:
    assert ignored(name) == reasons


def test_a_lead_knows_its_message_its_time_and_its_source() -> None:
    (found,) = leads("text")

    assert found.external_id == "wamid.HBgMOTE5OTk5OTAwMTAxFQIAEhgUM0E0QTY1OTlBRUUwMzgxMDE0RgA="
    assert found.enquired_at is not None
    assert found.enquired_at.isoformat() == "2026-10-31T08:40:00+00:00"
    assert found.source == "WhatsApp Business"
    assert found.attributes == {"messageType": "text", "whatsappUserId": "IN.13491208655302741918"}


def test_a_click_on_an_ad_is_kept_with_its_campaign() -> None:
    (found,) = leads("ctwa_ad_referral")

    assert found.campaign == "Diwali offer - pumps"
    assert found.attributes["referralSourceId"] == "120226305854810726"
    assert found.attributes["referralSourceType"] == "ad"
    assert found.attributes["ctwaClid"] == "Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4"


def test_a_post_without_a_headline_is_its_own_campaign() -> None:
    (found,) = leads("post_referral_without_clid")

    assert found.campaign == "1234567890123456"
    assert "ctwaClid" not in found.attributes


def test_a_forms_answers_fill_the_lead_and_are_kept_whole() -> None:
    (found,) = leads("interactive_flow_reply")

    assert (found.email, found.city) == ("flow@example.com", "Surat")
    assert found.attributes["answers"] == {
        "full_name": "Flow Person",
        "email": "flow@example.com",
        "city": "Surat",
        "requirement": "10 looms",
    }


def test_a_sender_who_hides_the_number_is_parked_and_shown_not_invented() -> None:
    (record,) = split(sample("username_only_no_phone"))

    assert record.ignored is None
    assert isinstance(record.value, dict)
    assert "phone" not in record.value
    assert (record.value["name"], record.value["country"]) == ("Hidden Number", "IN")
    assert record.value["userId"] == "IN.2081978709342942"
    with pytest.raises(MissingPhone):
        lead(record)


def test_the_answer_to_our_asking_brings_number_and_user_id_together() -> None:
    (found,) = leads("contact_request_answer")

    assert found.attributes["whatsappUserId"] == "IN.2081978709342942"
    assert found.attributes["whatsappUsername"] == "hidden.number"


def test_each_record_says_which_number_it_came_to() -> None:
    found = split(sample("batch_everything"))

    assert [one.account for one in found] == [NUMBER] * 5 + [None, "106540352249999"]
    assert [one.external_id for one in found if one.ignored is None][-1] == "wamid.BAT0004="


def test_receipts_have_no_id_of_ours_to_be_taken_for_a_message() -> None:
    assert {record.external_id for record in split(sample("statuses_all"))} == {None}


# ---- who the sender is ------------------------------------------------------------------------------


def test_the_name_is_the_senders_own_or_none_at_all() -> None:
    others = [{"profile": {"name": "Somebody else"}, "wa_id": "919999900199"}]

    assert lead(message({}, contacts=others)).name is None
    assert lead(message({}, contacts=[*others, {"profile": {"username": "asha.r"}, "wa_id": A[1:]}])).name == "asha.r"


def test_a_sender_known_by_user_id_alone_is_found_with_the_number_beside_it() -> None:
    contacts = [{"wa_id": B[1:], "user_id": "IN.7", "profile": {"name": "Bina"}}]

    found = lead(message({"from": None, "from_user_id": "IN.7"}, contacts=contacts))

    assert (found.phone_number, found.name) == (B, "Bina")


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ("15550783881", "+15550783881"),  # possible, but in no table of valid numbers
        ("447911123456", "+447911123456"),
        ("5215512345678", "+525512345678"),
        ("551187654321", "+5511987654321"),
        ("+919999900101", "+919999900101"),
    ],
)
def test_a_number_is_read_with_its_own_country_code_whatever_the_default_region(sent: str, number: str) -> None:
    assert lead(message({"from": sent}, contacts=[])).phone_number == number


@pytest.mark.parametrize("sent", ["IN.2081978709342942", "IN2081978709342942", "", "12", "9" * 16, "98765x3210"])
def test_what_is_no_number_gives_none(sent: str) -> None:
    with pytest.raises(Problem) as refused:
        lead(message({"from": sent, "from_user_id": "IN.7"}, contacts=[]))

    assert refused.value.code == "missing_phone"


def test_a_shared_card_never_gives_the_lead_its_number() -> None:
    cards = [{"phones": [{"phone": "+91 99999 00188", "wa_id": "919999900188"}]}]

    with pytest.raises(MissingPhone):
        lead(message({"from": None, "from_user_id": "IN.7", "type": "contacts", "contacts": cards}, contacts=[]))


@pytest.mark.parametrize(
    "card",
    [
        {"phones": [{"phone": "+91 99999 00105"}]},
        {"phones": [{"wa_id": "919999900105"}]},
        {"vcard": "BEGIN:VCARD\nTEL;type=CELL;waid=919999900105:+91 99999 00105\nEND:VCARD"},
    ],
)
def test_a_number_shared_on_request_is_found_wherever_it_is(card: Json) -> None:
    fields: dict[str, Json] = {"from": None, "type": "contacts", "origin": "contact_request", "contacts": [card]}

    assert lead(message(fields, contacts=[])).phone_number == "+919999900105"


# ---- what it says -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "document", "document": {"filename": "list.pdf"}}, "[document: list.pdf]"),
        ({"type": "sticker", "sticker": {"animated": True}}, "[sticker]"),
        ({"type": "video"}, "[video]"),
        ({"type": "image", "image": {}, "errors": [{"code": 131052}]}, "[image]"),
        ({"type": "interactive"}, "[interactive]"),
        ({"type": "interactive", "interactive": {"type": "button_reply"}}, "[button_reply]"),
        (
            {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": "{broken"}}},
            "{broken",
        ),
        (
            {
                "type": "interactive",
                "interactive": {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
            },
            "[call permission: accept]",
        ),
        ({"type": "location", "location": {"latitude": 18.5, "longitude": 73.0}}, "[location: 18.5, 73]"),
        ({"type": "contacts", "contacts": [{"phones": [{"phone": "+91 1"}]}]}, "Shared contact: +91 1"),
        ({"type": "unsupported", "unsupported": {"type": "poll"}}, "[message content not available: poll]"),
        ({"type": "unknown", "errors": [{"code": 131051}]}, "[message content not available]"),
        ({"type": "hologram"}, "[hologram]"),
        ({"type": "text", "text": {"body": " "}}, "[text]"),
        (
            {
                "text": {"body": "Price?"},
                "context": {"referred_product": {"product_retailer_id": "P1", "catalog_id": "9"}},
            },
            "Price?\nProduct: P1 (catalogue 9)",
        ),
    ],
)
def test_notes_say_what_a_person_would_read(fields: dict[str, Any], expected: str) -> None:
    assert notes(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "request_welcome"}, "chat_opened"),
        ({"group_id": "G1"}, "group"),
        ({"id": None}, "invalid_message"),
        ({"id": " "}, "invalid_message"),
        ({"from": "+919000000000"}, "echo"),
    ],
)
def test_messages_that_are_no_enquiry_say_why(fields: dict[str, Any], reason: str) -> None:
    assert message(fields).ignored == reason


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"object": "page", "entry": [{"id": "1", "changes": []}]},
        {"object": "whatsapp_business_account"},
        {"object": "whatsapp_business_account", "entry": []},
        {"object": "whatsapp_business_account", "entry": ["x"]},
        {"object": "whatsapp_business_account", "entry": [{"id": "1"}]},
        {"object": "whatsapp_business_account", "entry": [{"changes": [7]}]},
        {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": {}}]}]},
    ],
)
def test_what_nobody_knows_is_kept_as_one_ignored_record(body: Json) -> None:
    assert [record.ignored for record in split(body)] == ["unrecognized"]


@pytest.mark.parametrize("body", [None, 7, "text"])
def test_a_body_that_is_no_object_is_unreadable(body: Json) -> None:
    with pytest.raises(InvalidBody):
        split(body)


def test_one_broken_part_does_not_spoil_the_rest() -> None:
    body = sample("batch_everything")
    body["entry"][0]["changes"][0]["value"]["messages"].insert(1, 7)
    body["entry"].insert(0, None)

    assert [record.ignored for record in split(body)].count("unrecognized") == 2
    assert len([record for record in split(body) if record.ignored is None]) == 5


KEYS = ["from", "id", "type", "text", "body", "contacts", "interactive", "nfm_reply", "response_json"]
KEYS += ["order", "product_items", "context", "referral", "profile", "wa_id", "phones", "name"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
)


@given(JSON, JSON, JSON)
def test_any_message_whatever_is_one_record_and_a_lead_or_a_problem(one: Json, contacts: Json, kind: Json) -> None:
    fields = one if isinstance(one, dict) else {"text": one}
    whole: dict[str, Any] = {"messages": [{"id": "1", "type": kind, **fields}], "contacts": contacts}
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": whole}]}],
    }

    (record,) = split(body)
    if record.ignored is None:
        try:
            lead(record)
        except Problem as problem:
            assert problem.status == 400  # noqa: PT017


# ---- proofs -----------------------------------------------------------------------------------------

VECTORS = sample("signature_vectors")


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda one: one.get("note") or str(one["valid"]))
def test_the_documented_signatures_hold_over_the_raw_bytes_alone(vector: Any) -> None:
    headers = {"X-Hub-Signature-256": vector["header"]} if vector["header"] else {}
    what, secrets = push(vector["raw_body"].encode(), headers), Secrets((VECTORS["app_secret"],))

    for signature in ("required", "optional"):
        settings = Settings.model_validate({"signature": signature})
        if vector["valid"]:
            assert verify(what, secrets, settings).scheme == "x-hub-signature-256"
        else:
            with pytest.raises(InvalidSignature):
                verify(what, secrets, settings)


def test_without_the_app_secret_nothing_is_taken_unless_the_settings_say_so() -> None:
    signed = push(b"{}", {"X-Hub-Signature-256": "sha256=" + "0" * 64})
    lenient = Settings(signature="optional")

    for what in (push(), signed):
        with pytest.raises(InvalidSignature):
            verify(what, Secrets(), Settings())
        assert verify(what, Secrets(), lenient).scheme == "unsigned"
    with pytest.raises(InvalidSignature):
        verify(push(b"{}", {"X-Hub-Signature-256": "sha256=short"}), Secrets(), lenient)


def asked(**query: str) -> Any:
    whole = {"mode": "subscribe", "verify_token": "token", "challenge": "1158201444"} | query
    return challenge(
        push(query={f"hub.{name}": value for name, value in whole.items()}),
        Secrets(verify_tokens=("token", "older")),
        Settings(),
    )


def test_the_challenge_comes_back_as_it_was_sent() -> None:
    answer = asked()

    assert (answer.status, answer.body) == (200, "1158201444")
    assert answer.content_type.startswith("text/plain")
    assert asked(verify_token="older").body == "1158201444"


@pytest.mark.parametrize(
    "query",
    [
        {"verify_token": "other"},
        {"verify_token": ""},
        {"mode": "unsubscribe"},
        {"challenge": ""},
        {"challenge": "9" * 1_001},
    ],
)
def test_another_token_or_a_misshapen_request_gets_no_answer(query: dict[str, str]) -> None:
    with pytest.raises(ForbiddenChallenge):
        asked(**query)


def test_no_token_at_all_answers_nobody() -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "1"}
    with pytest.raises(ForbiddenChallenge):
        challenge(push(query=query), Secrets(), Settings())


def test_whatever_was_stored_is_answered_200() -> None:
    failed = Outcome(EventStatus.FAILED, UUID(int=1), problem_code="missing_phone", detail="none")

    alone, among = acknowledge([failed], False), acknowledge([failed, failed], True)

    assert (alone.status, among.status) == (200, 200)
    assert isinstance(alone.body, dict)
    assert isinstance(among.body, dict)
    assert (alone.body["status"], alone.body["code"]) == ("failed", "missing_phone")
    assert (among.body["status"], among.body["failed"]) == ("processed", 2)


# ---- facts ------------------------------------------------------------------------------------------


def test_the_registry_finds_it() -> None:
    assert registry()["whatsapp"] is connector
    assert connector.max_body_bytes == 4 * 1024 * 1024


def test_ids_may_come_as_numbers() -> None:
    given_ = Credentials.model_validate({"phoneNumberId": 106540352242922})

    assert given_.phone_number_id == NUMBER


@pytest.mark.parametrize("version", ["25.0", "v25", "v25.0/x", "latest"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="apiVersion"):
        Settings.model_validate({"apiVersion": version})


# ---- the connection test ----------------------------------------------------------------------------

CALLS = sample("graph_calls")
TOKEN, SECRET = "EAAtoken", "example_app_secret"
CREDENTIALS = Credentials(access_token=TOKEN, phone_number_id=NUMBER, business_account_id=ACCOUNT, app_secret=SECRET)
SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"]


class Graph:
    """Answers by path as Meta does; `answers` replaces some. Remembers what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answers: dict[str, Any] = {
            "number": CALLS["phone_number_ok"],
            "phone_numbers": CALLS["phone_numbers_of_waba"],
            "subscribed_apps": CALLS["subscribed_apps"],
            "debug_token": ok({"data": {"app_id": "12345", "expires_at": 0, "scopes": SCOPES}}),
        } | answers

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.asked.append((path, dict(query or {}), dict(headers or {})))
        name = path.rpartition("/")[2]
        answer = self.answers.get(name, self.answers["number"])
        if callable(answer):
            answer = answer(dict(query or {}))
        if isinstance(answer, Answer):
            return answer
        return Answer(answer["http_status"], json.dumps(answer["response"]).encode(), answer.get("headers", {}))

    async def post(self, path: str, query: Mapping[str, str] | None = None, **_: Any) -> Answer:
        raise AssertionError("a test changes nothing")


def ok(response: Json) -> Any:
    return {"http_status": 200, "response": response}


def error(code: int, subcode: int | None = None, message: str = "Meta's words", **more: Any) -> Any:
    fault = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    return {"http_status": 400, "response": {"error": fault | ({"error_subcode": subcode} if subcode else {})}} | more


async def check(graph: Graph, credentials: Credentials = CREDENTIALS, **settings: Any) -> Any:
    assert connector.test is not None
    return await connector.test(graph, credentials, Settings.model_validate(settings))


async def test_a_good_connection_is_named_with_its_number() -> None:
    graph = Graph()

    found = await check(graph, apiVersion="v26.0")

    assert found.is_ok
    assert found.message == "Connected to Example Traders (+91 90000 00000)."
    assert found.details["subscribed"] is True
    assert [path for path, _, _ in graph.asked] == [
        f"/v26.0/{NUMBER}",
        f"/v26.0/{ACCOUNT}/phone_numbers",
        "/v26.0/debug_token",
        f"/v26.0/{ACCOUNT}/subscribed_apps",
    ]
    for _, query, headers in graph.asked:
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert query["appsecret_proof"] == appsecret_proof(SECRET, TOKEN)


async def test_what_is_not_entered_is_named_before_any_call() -> None:
    graph = Graph()

    found = await check(graph, Credentials(access_token=TOKEN))

    assert not found.is_ok
    assert "the phone number ID and the WhatsApp Business account ID" in found.message
    assert graph.asked == []


async def test_a_field_that_the_token_may_not_read_costs_only_that_field() -> None:
    def number(query: dict[str, str]) -> Any:
        return error(100) if "platform_type" in query["fields"] else CALLS["phone_number_ok"]

    found = await check(Graph(number=number))

    assert found.is_ok


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (CALLS["bad_token"], CredentialsRefused, "it has expired"),
        (CALLS["wrong_id_or_no_permission"], BadProviderRequest, "knows no such id"),
        (CALLS["waba_rate_limit"], ProviderLimited, "too many calls"),
        (error(0), CredentialsRefused, "refused the access token"),
        (error(10), CredentialsRefused, "lacks a permission"),
        (error(200), CredentialsRefused, "lacks a permission"),
        (error(131005), CredentialsRefused, "lacks a permission"),
        (error(100, message="Invalid appsecret_proof provided"), CredentialsRefused, "app secret"),
        (error(33), BadProviderRequest, "no such id"),
        (error(368), BadProviderRequest, "restricted"),
        (error(131031), BadProviderRequest, "restricted"),
        (error(133010), BadProviderRequest, "not registered"),
        (error(4), ProviderLimited, "limit"),
        (error(130429), ProviderLimited, "limit"),
        (error(131000), ProviderUnavailable, "passing"),
        (error(2), ProviderUnavailable, "passing"),
        (error(9999), BadProviderRequest, "Meta's words"),
        (Answer(502, b"<html>"), ProviderUnavailable, "no JSON"),
        (Answer(200, b"[]"), ProviderUnavailable, "neither"),
        (Answer(500, b"{}"), ProviderUnavailable, "neither"),
    ],
)
async def test_an_error_of_graph_says_what_it_means_with_metas_own_words(
    answer: Any, kind: type[Problem], words: str
) -> None:
    with pytest.raises(kind) as refused:
        await check(Graph(number=answer))

    assert words in refused.value.detail
    assert refused.value.remedy


async def test_a_wait_that_the_usage_header_names_is_kept() -> None:
    usage = json.dumps({ACCOUNT: [{"type": "whatsapp", "estimated_time_to_regain_access": 7}]})

    with pytest.raises(ProviderLimited) as limited:
        await check(Graph(number=error(80007, headers={"x-business-use-case-usage": usage})))

    assert limited.value.retry_after_seconds == 420


async def test_no_token_is_ever_quoted() -> None:
    quoted = f"Malformed access token {TOKEN} and EAABwzLixnjYBAKabcdefgh123456 of {SECRET}"

    with pytest.raises(CredentialsRefused) as refused:
        await check(Graph(number=error(190, message=quoted)))

    assert "Malformed access token" in refused.value.detail
    for secret in (TOKEN, SECRET, "EAABwz"):
        assert secret not in refused.value.detail


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"phone_numbers": ok({"data": [{"id": "1"}], "paging": {"cursors": {"after": "x"}}})}, "another account"),
        ({"phone_numbers": error(100, 33)}, "no such id"),
        ({"subscribed_apps": ok({"data": []})}, "not subscribed"),
        (
            {"subscribed_apps": ok({"data": [{"whatsapp_business_api_data": {"id": "999"}}]})},
            "not subscribed",
        ),
        (
            {"debug_token": ok({"data": {"app_id": "12345", "scopes": SCOPES[:1]}})},
            "lacks whatsapp_business_management",
        ),
        ({"number": ok({"id": NUMBER, "platform_type": "NOT_APPLICABLE"})}, "not registered"),
        ({"number": ok({"id": NUMBER, "status": "BANNED"})}, "status is BANNED"),
    ],
)
async def test_what_keeps_messages_away_is_told(answers: dict[str, Any], words: str) -> None:
    found = await check(Graph(**answers))

    assert not found.is_ok
    assert words in found.message


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"debug_token": ok({"data": {"app_id": "12345", "expires_at": 1793436000, "scopes": SCOPES}})}, "2026-10-31"),
        ({"number": ok({"id": NUMBER, "account_mode": "SANDBOX"})}, "test number"),
        ({"number": ok({"id": NUMBER, "code_verification_status": "EXPIRED"})}, "verification"),
    ],
)
async def test_what_may_keep_them_away_one_day_is_told_too(answers: dict[str, Any], words: str) -> None:
    found = await check(Graph(**answers))

    assert found.is_ok
    assert words in found.message


async def test_a_token_that_may_not_be_looked_at_is_not_held_against_it() -> None:
    assert (await check(Graph(debug_token=error(100)))).is_ok


async def test_a_number_on_a_later_page_is_found_and_pages_end() -> None:
    def page(query: dict[str, str]) -> Any:
        cursor = {"cursors": {"after": "x"}, "next": "https://graph.example/x"}
        return ok({"data": [{"id": NUMBER if "after" in query else "1"}], "paging": cursor})

    endless = ok({"data": [], "paging": {"cursors": {"after": "x"}, "next": "https://graph.example/x"}})

    assert (await check(Graph(phone_numbers=page))).is_ok
    assert not (await check(Graph(phone_numbers=endless))).is_ok


async def test_a_missing_app_secret_is_told_as_what_it_costs() -> None:
    without = CREDENTIALS.model_copy(update={"app_secret": None})

    strict, lenient = await check(Graph(), without), await check(Graph(), without, signature="optional")

    assert (strict.is_ok, lenient.is_ok) == (False, True)
    assert "all are refused" in strict.message
    assert "app secret" in lenient.message
