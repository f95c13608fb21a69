"""WhatsApp Business: what people write to a business number, pushed by the Cloud API (docs/connectors/whatsapp.md).

One body can hold messages of several people to several numbers, beside delivery receipts and much that is no enquiry.
Each message is a record of its own, and one person's later messages are touches of the first one's lead. Meta repeats for
days what was not answered 200, so whatever was stored is.
"""

from collections.abc import Iterator, Mapping, Sequence
from re import compile as pattern
from types import MappingProxyType
from typing import Literal

from pydantic import ConfigDict, Field

from connector_master.connectors import graph
from connector_master.connectors.answers import one, several
from connector_master.connectors.connector import Connector, MappingTarget, Secrets, Verified
from connector_master.connectors.forms import Form, LeadSettings, Secret
from connector_master.connectors.identity import bounded
from connector_master.connectors.meta_webhooks import answer_challenge, verify_signature
from connector_master.connectors.whatsapp_accounts import accounts, subscribe
from connector_master.connectors.whatsapp_check import check_connection
from connector_master.connectors.whatsapp_text import answers_of, known_answers, text_of_message
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import InvalidBody


class Settings(LeadSettings):
    """What is taken on trust, and which Graph is asked."""

    signature: Literal["optional", "required"] = Field(
        default="required",
        title="Signature",
        description="Whether pushes are refused while the app secret is not entered. Once it is, all have to be signed.",
    )
    api_version: str = Field(
        default=graph.DEFAULT_VERSION,
        pattern=graph.VERSION,
        title="Graph API version",
        description="The version of Meta's API that is called, such as v25.0.",
    )


class Credentials(Form):
    """What Meta's pages of the app and of the number show."""

    # Ids are numbers there, and come as such from scripts.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    access_token: Secret | None = Field(
        default=None,
        title="Access token",
        description="Of a system user, without an end, with whatsapp_business_messaging and whatsapp_business_management.",
        json_schema_extra={"secret": True},
    )
    phone_number_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        title="Phone number ID",
        description="Under WhatsApp, API setup. It is not the phone number itself.",
    )
    business_account_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        title="WhatsApp Business account ID",
        description="Beside the phone number ID. Its numbers can be chosen instead of entering one.",
    )
    app_secret: Secret | None = Field(
        default=None,
        title="App secret",
        description="Under App settings, Basic. Meta signs every push with it.",
        json_schema_extra={"secret": True},
    )


MAPPING: dict[str, MappingTarget] = {
    "phone": "phoneNumber",
    "name": "name",
    "email": "email",
    "company": "businessName",
    "city": "city",
    "state": "state",
    "pincode": "pincode",
    "country": "country",
    "text": "notes",
    "campaign": "campaign",
    "message.timestamp": "enquiredAt",
    "message.id": "externalId",
    "message.type": "attributes.messageType",
    "userId": "attributes.whatsappUserId",
    "username": "attributes.whatsappUsername",
    "answers": "attributes.answers",
    "message.referral.source_id": "attributes.referralSourceId",
    "message.referral.source_type": "attributes.referralSourceType",
    "message.referral.source_url": "attributes.referralSourceUrl",
    "message.referral.ctwa_clid": "attributes.ctwaClid",
}

_OBJECT = "whatsapp_business_account"
_TEST_ENTRY = "0"
"""The account in what the dashboard's Test button sends."""

_NO_ENQUIRIES: Mapping[str, str] = MappingProxyType(
    {
        "reaction": "reaction",
        "edit": "edit",
        "revoke": "revoked",
        "system": "system",
        "request_welcome": "chat_opened",
    }
)
_OTHER_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "message_template_status_update": "template_status",
        "message_template_quality_update": "template_status",
        "message_template_components_update": "template_status",
        "template_category_update": "template_status",
        "account_update": "account_update",
        "account_alerts": "account_update",
        "account_review_update": "account_update",
        "phone_number_quality_update": "account_update",
        "phone_number_name_update": "account_update",
        "business_capability_update": "account_update",
        "smb_message_echoes": "echo",
        "message_echoes": "echo",
        "history": "history",
        "smb_app_state_sync": "history",
        "user_preferences": "user_preferences",
        "user_id_update": "user_id_update",
        "calls": "call",
        "standby": "standby",
    }
)
_DIGITS = pattern(r"[0-9]{5,15}")
_BEYOND_DIGITS = pattern(r"[^0-9]")
_USER_ID = pattern(r"([A-Z]{2})\.[A-Za-z0-9.]{1,300}")
_PHONE = pattern(r"\+[0-9 ().\-]{6,30}")
_WHATSAPP_ID_IN_CARD = pattern(r"(?i)waid=([0-9]{5,15})")
# WhatsApp keeps old spellings of these numbers: Mexico's with a 1 that is gone, Brazil's mobiles without their ninth digit.
_MEXICAN = pattern(r"521([0-9]{10})")
_BRAZILIAN = pattern(r"(55[1-9][0-9])([6-9][0-9]{7})")


def verify(push: Push, secrets: Secrets, settings: Settings) -> Verified:
    """Return how the push was verified; raises InvalidSignature."""
    return verify_signature(push, secrets, is_required=settings.signature == "required")


def challenge(push: Push, secrets: Secrets, settings: Settings) -> Answer:
    """Return the answer to Meta's verification request; raises ForbiddenChallenge."""
    return answer_challenge(push, secrets)


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return one record for each message, receipt and other notice in the body, in its order.

    What is no enquiry is ignored with the reason; nothing is left out. Raises InvalidBody.
    """
    if not isinstance(body, dict | list):
        raise InvalidBody("The body is neither an object nor a list of objects.")
    # Meta sends one object; whoever keeps bodies and sends them later makes a list of them.
    return [record for one in (body if isinstance(body, list) else [body]) for record in _body(one)]


def acknowledge(outcomes: Sequence[Outcome], is_list: bool) -> Answer:
    """Return 200 for whatever was stored, also for what could not become a lead."""
    return Answer(200, one(outcomes[0]) if len(outcomes) == 1 and not is_list else several(outcomes))


connector = Connector(
    type="whatsapp",
    title="WhatsApp Business",
    summary="Messages to your WhatsApp Business number, as they come (Cloud API).",
    prepare=(
        "A WhatsApp Business number on the Cloud API.",
        "The access token and the app secret from Meta for Developers.",
        "The ids of the number and of the business account.",
    ),
    auth="api_key",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    verify=verify,
    challenge=challenge,
    signs_with="appSecret",
    makes_secret=False,
    needs_verify_token=True,
    account="phoneNumberId",
    accounts=accounts,
    account_kinds=("number", "numbers"),
    subscribe=subscribe,
    trusts_phones=True,
    base=graph.BASE,
    base_setting="WHATSAPP_GRAPH_URL",
    test=check_connection,
    door="whatsapp",
    max_body_bytes=4 * 1024 * 1024,
)


def _body(body: Json) -> Iterator[Record]:
    entries = as_list(as_object(body).get("entry"))
    if not entries or as_object(body).get("object") != _OBJECT:
        yield _unrecognized(body)
        return
    for entry in entries:
        yield from _entry(entry)


def _entry(entry: Json) -> Iterator[Record]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(changes, list) or not changes:
        yield _unrecognized(entry)
        return
    account_id = _string(entry.get("id"))
    for change in changes:
        if isinstance(change, dict) and isinstance(value := change.get("value"), dict):
            yield from _change(account_id, change, value)
        else:
            yield _unrecognized(change)


def _change(account_id: str | None, change: dict[str, Json], value: dict[str, Json]) -> Iterator[Record]:
    number_id = _string(as_object(value.get("metadata")).get("phone_number_id"))
    field = change.get("field")
    if field != "messages":
        reason = _OTHER_FIELDS.get(field, "other_field") if isinstance(field, str) else "unrecognized"
        yield Record(change, ignored=reason, account=number_id)
        return
    is_empty = True
    for message in as_list(value.get("messages")):
        is_empty = False
        yield _message(account_id, number_id, value, message)
    for status in as_list(value.get("statuses")):
        is_empty = False
        # Its id is that of a message of ours: as an idempotency key it would be taken for an inbound one's.
        yield Record({"metadata": value.get("metadata"), "status": status}, ignored="status_update", account=number_id)
    if is_empty:
        yield Record(change, ignored="error" if value.get("errors") else "unrecognized", account=number_id)


def _message(account_id: str | None, number_id: str | None, value: Mapping[str, Json], message: Json) -> Record:
    if not isinstance(message, dict):
        return _unrecognized(message)
    contact = _sender(message, value)
    phone = _phone(message, contact)
    answers = answers_of(message)
    profile = as_object(contact.get("profile"))
    username = _string(profile.get("username"))
    user_id = _string(contact.get("user_id")) or _string(message.get("from_user_id"))
    referral = as_object(message.get("referral"))
    parts: dict[str, Json] = {
        "phone": phone,
        "name": _string(profile.get("name")) or username,
        "text": text_of_message(message),
        "campaign": _string(referral.get("headline")) or _string(referral.get("source_id")),
        "country": None if _digits_of(message, contact) else _country(user_id),
        "userId": user_id,
        "username": username,
        "wabaId": account_id,
        "answers": answers,
        "metadata": value.get("metadata"),
        "contact": contact,
        "message": message,
        **known_answers(answers),
    }
    return Record(
        {name: part for name, part in parts.items() if part not in (None, "", {})},
        external_id=_message_id(message),
        ignored=_reason_to_ignore(account_id, value, message, has_sender=bool(phone or user_id)),
        account=number_id,
    )


def _reason_to_ignore(
    account_id: str | None, value: Mapping[str, Json], message: Mapping[str, Json], *, has_sender: bool
) -> str | None:
    kind = message.get("type")
    own_number = _BEYOND_DIGITS.sub("", _string(as_object(value.get("metadata")).get("display_phone_number")) or "")
    if account_id == _TEST_ENTRY:
        return "test"
    if isinstance(kind, str) and kind in _NO_ENQUIRIES:
        return _NO_ENQUIRIES[kind]
    if own_number and _BEYOND_DIGITS.sub("", _string(message.get("from")) or "") == own_number:
        return "echo"
    if message.get("group_id"):
        return "group"
    if _message_id(message) is None or not (has_sender or isinstance(kind, str)):
        return "invalid_message"
    return None


def _sender(message: Mapping[str, Json], value: Mapping[str, Json]) -> dict[str, Json]:
    """Return the contact that sent the message, empty when none of them did: another's name would be worse than none."""
    contacts = [one for one in as_list(value.get("contacts")) if isinstance(one, dict)]
    for ours, theirs in (("from", "wa_id"), ("from_user_id", "user_id")):
        if wanted := _string(message.get(ours)):
            for contact in contacts:
                if _string(contact.get(theirs)) == wanted:
                    return contact
    return {}


def _phone(message: Mapping[str, Json], contact: Mapping[str, Json]) -> str | None:
    """Return the sender's number with its country code, None for one who hides it. A user id's digits are no number."""
    if digits := _digits_of(message, contact):
        if mexican := _MEXICAN.fullmatch(digits):
            return f"+52{mexican[1]}"
        if brazilian := _BRAZILIAN.fullmatch(digits):
            return f"+{brazilian[1]}9{brazilian[2]}"
        return f"+{digits}"
    # A shared card describes somebody else, unless it is the answer to our asking for the sender's own.
    if message.get("type") != "contacts" or message.get("origin") != "contact_request":
        return None
    for card in as_list(message.get("contacts")):
        for entry in as_list(as_object(card).get("phones")):
            if (digits := _string(as_object(entry).get("wa_id")) or "") and _DIGITS.fullmatch(digits):
                return f"+{digits}"
            if (phone := _string(as_object(entry).get("phone")) or "") and _PHONE.fullmatch(phone):
                return phone
        if found := _WHATSAPP_ID_IN_CARD.search(_string(as_object(card).get("vcard")) or ""):
            return f"+{found[1]}"
    return None


def _digits_of(message: Mapping[str, Json], contact: Mapping[str, Json]) -> str | None:
    for sent in (message.get("from"), contact.get("wa_id")):
        digits = (_string(sent) or "").removeprefix("+")
        if _DIGITS.fullmatch(digits):
            return digits
    return None


def _country(user_id: str | None) -> str | None:
    found = _USER_ID.fullmatch(user_id or "")
    return found[1] if found else None


def _message_id(message: Mapping[str, Json]) -> str | None:
    return bounded(_string(message.get("id")) or "")


def _unrecognized(value: Json) -> Record:
    return Record(value, ignored="unrecognized")


def _string(value: Json) -> str | None:
    """Return a text, or a whole number as text; None for a blank one and for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None
