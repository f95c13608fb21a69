"""A lead of a Google lead form: the webhook's shape made tidy, so that one mapping serves pushes and pulls.

Answers are found by `column_id`, never by their position; those that no field takes become `answers`. The key that proves
the sender is left out.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType

from connector_master.connectors.connector import MappingTarget
from connector_master.connectors.identity import digest_of, sent_id
from connector_master.connectors.phone_questions import FEWEST_DIGITS, digits_in, gives_phone
from connector_master.model.event import Record
from connector_master.model.json import Json, as_list
from connector_master.model.json_text import enter_text

KEY = "google_key"
SOURCE = "google"

_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "PHONE_NUMBER": "phoneNumber",
        "WORK_PHONE": "phoneNumber",
        "WORK_PHONE_NUMBER": "phoneNumber",
        "FULL_NAME": "name",
        "FIRST_NAME": "name",
        "GIVEN_NAME": "name",
        "LAST_NAME": "name",
        "FAMILY_NAME": "name",
        "EMAIL": "email",
        "WORK_EMAIL": "email",
        "COMPANY_NAME": "businessName",
        "STREET_ADDRESS": "addressLine1",
        "CITY": "city",
        "REGION": "state",
        "COUNTRY": "country",
        "POSTAL_CODE": "pincode",
    }
)
"""The columns that a field of a lead takes, in the order in which they are tried."""

MAPPING: dict[str, MappingTarget] = {
    **{f"user_column_data[column_id={id_}].string_value": field for id_, field in _FIELDS.items()},
    "phone_answers": "phoneNumber",
    "answers": "notes",
    "source": "source",
    "lead_id": "externalId",
    "campaign_name": "campaign",
    "campaign_id": "campaign",
    # The same place in other words, for the id is kept beside the name.
    '["campaign_id"]': "attributes.campaignId",
    "lead_submit_time": "enquiredAt",
    "other_email": "attributes.otherEmail",
    "government_ids": "attributes.governmentIds",
    "customer_id": "attributes.customerId",
    "form_id": "attributes.formId",
    "form_name": "attributes.formName",
    "asset_id": "attributes.assetId",
    "adgroup_id": "attributes.adgroupId",
    "adgroup_name": "attributes.adgroupName",
    "creative_id": "attributes.creativeId",
    "asset_group_id": "attributes.assetGroupId",
    "gcl_id": "attributes.gclid",
    "lead_stage": "attributes.leadStage",
    "lead_source": "attributes.leadSource",
}

_IDS = ("form_id", "asset_id", "campaign_id", "adgroup_id", "creative_id", "asset_group_id")
_MADE = ("answers", "phone_answers", "other_email", "government_ids", "source")
_PHONES = ("PHONE_NUMBER", "WORK_PHONE", "WORK_PHONE_NUMBER")
_EMAILS = ("EMAIL", "WORK_EMAIL")
_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "USER_PHONE": "PHONE_NUMBER",
        "PHONE": "PHONE_NUMBER",
        "USER_EMAIL": "EMAIL",
        "NAME": "FULL_NAME",
        "ZIP_CODE": "POSTAL_CODE",
    }
)
"""What the old schema's names become that are not simply an id with blanks."""
_GOVERNMENT = "GOVERNMENT_ISSUED_ID"
_LONGEST_ANSWER = 2_000
_LONGEST_LABEL = 300
_ENUM = re.compile(r"[A-Z][A-Z0-9_]*")
_BLANKS = re.compile(r"[\s_]+")
_TWIN_DIGITS = 8


def push_record(body: Mapping[str, Json]) -> Record:
    """Return the record of one lead in the webhook's shape. Tidied once more, it stays as it is."""
    value = tidied(body)
    return Record(
        value, external_id=sent_id(value.get("lead_id")), ignored="test" if is_test(body) else None, twin=twin_of(value)
    )


def pull_record(body: Mapping[str, Json]) -> Record:
    """Return the record of one pulled lead, brought into the webhook's shape before."""
    value = tidied(body)
    campaign_id = value.get("campaign_id")
    # A push knows the campaign by its id only; the name that came late takes the id's place.
    replaces = {"campaign": campaign_id} if isinstance(campaign_id, str) and value.get("campaign_name") else None
    return Record(
        value,
        external_id=sent_id(value.get("lead_id")) or digest_of(value),
        twin=twin_of(value),
        stands_for=replaces,
    )


def is_test(body: Mapping[str, Json]) -> bool:
    """Return whether Google says that a lead is a test. Neither its id nor its name or e-mail tell."""
    said = body.get("is_test")
    return said is True or (isinstance(said, str) and said.strip().lower() == "true")


def tidied(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return a lead without its key, with ids as text, only answers that say something, and what no field takes of them."""
    tidy = {name: value for name, value in body.items() if name != KEY and name not in _MADE}
    for name in _IDS:
        if name in tidy and (id_ := sent_id(tidy[name])) is not None:
            tidy[name] = id_
    columns = list(_columns(body.get("user_column_data")))
    if columns:
        tidy["user_column_data"] = [column for _, column, _ in columns]
    known = {id_: answer for id_, _, answer in reversed(columns)}
    has_phone = any(id_ in known for id_ in _PHONES)
    notes: list[str] = []
    phones: list[Json] = []
    government: dict[str, Json] = {}
    for id_, column, answer in columns:
        if id_.startswith(_GOVERNMENT):
            government[id_.removeprefix(_GOVERNMENT).strip("_") or "ID"] = answer
        elif id_ not in _FIELDS:
            if not has_phone and _is_phone(id_, column, answer):
                phones.append(answer)
            else:
                notes.append(f"{_label(id_, column)}: {answer}")
    emails = [known[id_] for id_ in _EMAILS if id_ in known]
    made: dict[str, Json] = {
        "answers": "\n".join(notes),
        "phone_answers": phones,
        "other_email": emails[1] if len(emails) > 1 and emails[1].lower() != emails[0].lower() else None,
        "government_ids": government,
        "source": SOURCE,
    }
    return tidy | {name: value for name, value in made.items() if value}


def twin_of(value: Mapping[str, Json]) -> str | None:
    """Return what is equal in a push and a pull of one lead should their ids differ: its click and its phone, hashed."""
    click = value.get("gcl_id")
    columns = [(id_, answer) for id_, _, answer in _columns(value.get("user_column_data"))]
    phone = next((answer for one in _PHONES for id_, answer in columns if id_ == one), None)
    phone = phone or next((one for one in as_list(value.get("phone_answers")) if isinstance(one, str)), "")
    digits = digits_in(phone)
    if not isinstance(click, str) or not click.strip() or len(digits) < FEWEST_DIGITS:
        return None
    # One way may write the country code that the other leaves out.
    text = f"{click.strip()}|{digits[-_TWIN_DIGITS:]}"
    return "gclid:" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _columns(value: Json) -> Iterator[tuple[str, dict[str, Json], str]]:
    """Yield each answer that says something: its column's id in upper case, the column as sent with an id, its text."""
    for column in as_list(enter_text(value)):
        if isinstance(column, dict) and (answer := _text(column.get("string_value"))):
            sent = column.get("column_id")
            is_given = isinstance(sent, str) and bool(sent.strip())
            id_ = _id_of(sent) if is_given else _id_from(column.get("column_name"))
            yield id_, column if is_given and id_ not in _FIELDS else {**column, "column_id": id_}, answer


def _id_of(text: Json) -> str:
    return _BLANKS.sub("_", text.strip()).upper() if isinstance(text, str) else ""


def _id_from(name: Json) -> str:
    """Return the id that the old schema's `column_name` stands for.

    >>> _id_from("User Phone"), _id_from("Postal Code"), _id_from("Zip code"), _id_from(None)
    ('PHONE_NUMBER', 'POSTAL_CODE', 'POSTAL_CODE', 'UNKNOWN')
    """
    id_ = _id_of(name)
    return _ALIASES.get(id_, id_) or "UNKNOWN"


def _label(id_: str, column: Mapping[str, Json]) -> str:
    if id_ == "JOB_TITLE":
        return "Job title"
    name = column.get("column_name")
    if isinstance(name, str) and name.strip():
        return " ".join(name.split())[:_LONGEST_LABEL].rstrip(":")
    sent = column.get("column_id")
    text = sent.strip() if isinstance(sent, str) else id_
    words = text.replace("_", " ").strip()[:_LONGEST_LABEL].rstrip(":")
    return words.capitalize() if _ENUM.fullmatch(text) else words


def _is_phone(id_: str, column: Mapping[str, Json], answer: str) -> bool:
    """Return whether a question asks for a phone, and is answered with what looks like one."""
    name = column.get("column_name")
    asked = f"{id_} {name if isinstance(name, str) else ''}"[: 2 * _LONGEST_LABEL].replace("_", " ")
    return gives_phone(asked, answer)


def _text(value: Json) -> str:
    """Return an answer as text, empty where it says nothing."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, str):
        text = value.strip()
        return "" if text.lower() == "null" else text[:_LONGEST_ANSWER]
    if isinstance(value, int):
        return str(value) if value.bit_length() < 1_000 else ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value[:100])))[:_LONGEST_ANSWER]
    return ""
