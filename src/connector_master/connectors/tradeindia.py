"""TradeIndia: buyers' inquiries, pulled from the My Inquiry API (docs/connectors/tradeindia.md).

The API knows days, not times, so every pull reads whole days again; the unique rfi_id makes that harmless. Its refusals
come in many forms, some under HTTP 200: whatever is no list of inquiries is an error, never "no inquiries".
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone

from pydantic import Field

from connector_master.connectors.answers import answer as acknowledge
from connector_master.connectors.connector import Check, Connector, MappingTarget
from connector_master.connectors.forms import Form, PullSettings, Secret
from connector_master.connectors.identity import digest_of, sent_id
from connector_master.connectors.pulling import Limits, Page, Window, start_of_day
from connector_master.connectors.tradeindia_message import phone_in, read_message
from connector_master.connectors.words import tell
from connector_master.model.event import Push, Record
from connector_master.model.json import Json
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    InvalidBody,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.model.words import Words
from connector_master.outbound.client import Answer, Client


class Settings(PullSettings):
    """Nothing of its own."""


class Credentials(Form):
    """What My Profile → Inquiries and Contacts → My Inquiry API shows."""

    user_id: str = Field(
        min_length=1, max_length=100, title="User ID", description="As TradeIndia's page My Inquiry API shows it."
    )
    profile_id: str = Field(
        min_length=1, max_length=100, title="Profile ID", description="As TradeIndia's page My Inquiry API shows it."
    )
    api_key: Secret = Field(title="API key", description="As TradeIndia's page My Inquiry API shows it.")


IST = timezone(timedelta(hours=5, minutes=30), "IST")

MAPPING: dict[str, MappingTarget] = {
    "sender_mobile": "phoneNumber",
    "sender_name": "name",
    "sender_email": "email",
    "sender_company": "businessName",
    "sender_address": "addressLine1",
    "sender_city": "city",
    "sender_state": "state",
    "sender_country": "country",
    "product_name": "productName",
    "inquiry_message": "notes",
    "rfi_id": "externalId",
    # What it really sends beyond SPEC.md; receiver_* is the seller and never the buyer.
    "sender_other_mobiles": "phoneNumber",
    "landline_number": "phoneNumber",
    "sender": {"field": "name", "combine": "first"},
    "sender_other_emails": "email",
    "sender_co": "businessName",
    "address": {"field": "addressLine1", "combine": "first"},
    "message": {"field": "notes", "combine": "first"},
    "subject": "notes",
    "inquiry_time": "enquiredAt",
    "source": "attributes.inquirySource",
    "inquiry_type": "attributes.inquiryType",
    "quantity": "attributes.quantity",
    "product_id": "attributes.productId",
    "product_source": "attributes.productSource",
    "sender_uid": "attributes.senderUid",
    "website": "attributes.website",
}

LIMITS = Limits(
    page_size=50,
    between_calls=timedelta(seconds=1.5),
    window=timedelta(days=7),
    history=timedelta(days=365),
    first=timedelta(days=30),
    overlap=timedelta(days=2),
    rests_after=timedelta(minutes=10),
)

_PATH = "/utils/my_inquiry.html"
_PAGES_A_DAY = 2_000
_LONGEST_READ = 20_000
_REST_SECONDS = 600
_IDS = ("rfi_id", "inquiry_id", "enquiry_id", "id", "unique_id", "oid")
_NO_ID = "__RFI_ID__"
_PHONES = ("sender_mobile", "sender_other_mobiles", "landline_number")
_EMAILS = ("sender_email", "sender_other_emails")
_LISTS = (
    *("data", "inquiries", "inquiry", "leads", "results", "result", "items", "records", "response", "RESPONSE"),
    "inquiry_list",
)
_CHANGING = frozenset({"ago_time", "view_status"})
_PLACEHOLDER = re.compile(r"[\w.-]*no-?reply@[\w.-]*tradeindia\.com", re.IGNORECASE)
# A ten-digit mobile behind the code of a city where it was never one of a landline.
_MOBILE_BEHIND_CITY = re.compile(r"\+?91-[0-9]{2,5}-([6-9][0-9]{9})")

_MISSING = re.compile(r"required\s+parameter", re.IGNORECASE)
_NONE = re.compile(r"no\s+(?:new\s+|more\s+)?(?:inquir|enquir|lead|record|data)", re.IGNORECASE)
_WRONG = re.compile(
    r"(?:invalid|incorrect|wrong|unknown|expired)\W+(?:\w+\W+)?(?:key|credential|user|profile|password)"
    r"|unauthori[sz]ed|not\s+authori[sz]ed|access\s+denied",
    re.IGNORECASE,
)
_TOO_MANY = re.compile(r"too\s+many|limit\s+(?:exceeded|reached)|crossed\s+this\s+limit", re.IGNORECASE)


async def pull(client: Client, credentials: Credentials, settings: Settings, window: Window) -> AsyncIterator[Page]:
    """Yield the window's inquiries page by page, the oldest day first, each inquiry once a day.

    What lies before a day is read once its first page is; the day itself once its last page is. Raises
    CredentialsRefused, ProviderLimited, BadProviderRequest or ProviderUnavailable.
    """
    for day in window.days(IST):
        async for records, is_last in _pages(client, credentials, day):
            reached = start_of_day(day + timedelta(days=1) if is_last else day, IST)
            yield Page(records, min(max(reached, window.start), window.end))


async def test(client: Client, credentials: Credentials, settings: Settings) -> Check:
    """Ask for today's first page. Raises as `pull` does."""
    now = datetime.now(UTC)
    async for page in pull(client, credentials, settings, Window(now, now)):
        found = len(page.records)
        return Check(
            True,
            Words("TradeIndia accepted the credentials; %(found)s inquiries on today's first page.", found=found),
            {"found": found},
        )
    raise ProviderUnavailable("TradeIndia was not asked.")


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return the inquiries in a body such as the API sends. Raises InvalidBody."""
    rows = _list_in(body)
    if rows is None:
        raise InvalidBody("The body is neither an inquiry nor a list of inquiries.")
    return [_record(row) for row in rows]


connector = Connector(
    type="tradeindia",
    title="TradeIndia",
    summary="Buyers' inquiries from TradeIndia, asked for on a schedule (My Inquiry API).",
    prepare=("User id, profile id and key from the My Inquiry API page.",),
    auth="api_key",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    base="https://www.tradeindia.com",
    base_setting="TRADEINDIA_URL",
    pull=pull,
    limits=LIMITS,
    limit_key=lambda credentials: credentials.api_key,
    pull_needs=("userId", "profileId", "apiKey"),
    test=test,
    zone=IST,
)


async def _pages(client: Client, credentials: Credentials, day: date) -> AsyncIterator[tuple[list[Record], bool]]:
    """Yield the new records of each page of a day, and whether it was the last one."""
    asked = {
        "userid": credentials.user_id,
        "profile_id": credentials.profile_id,
        "key": credentials.api_key,
        "from_date": day.isoformat(),
        "to_date": day.isoformat(),
        "limit": str(LIMITS.page_size),
    }
    seen: set[str | None] = set()
    for number in range(1, _PAGES_A_DAY + 1):
        rows = _rows(await client.get(_PATH, asked | {"page_no": str(number)}), credentials)
        fresh: dict[str | None, Record] = {}
        for record in map(_record, rows):
            if record.external_id not in seen:
                fresh.setdefault(record.external_id, record)
        seen |= fresh.keys()
        # A server that ignores page_no sends its first page for ever.
        is_last = len(rows) < LIMITS.page_size or not fresh
        yield list(fresh.values()), is_last
        if is_last:
            return
    raise ProviderUnavailable(f"TradeIndia's pages of {day} do not end: {_PAGES_A_DAY} were read.")


# ---- answers --------------------------------------------------------------------------------------------


def _rows(answer: Answer, credentials: Credentials) -> list[Json]:
    """Return the inquiries of an answer. Raises whatever else it says."""
    if not answer.body.strip():
        if answer.status in (200, 204):
            return []
        raise _problem(answer, "", credentials)
    try:
        body = answer.json()
    except ProviderUnavailable as error:
        raise _problem(answer, answer.text(), credentials) from error
    refusal = _refusal_in(body)
    rows = _list_in(body) if refusal is None and answer.status < 300 else None
    if rows is not None:
        return rows
    words = refusal if refusal is not None else _message_in(body)
    if answer.status == 200 and _NONE.search(words):
        return []
    raise _problem(answer, words, credentials)


def _refusal_in(body: Json) -> str | None:
    """Return what a refusal says, None for what is none."""
    for row in body if isinstance(body, list) else [body]:
        if isinstance(row, dict):
            if (message := row.get("Error_Message", row.get("error_message"))) is not None:
                return str(message)
            status = str(row.get("status", "")).lower()
            if row is body and (body.get("success") is False or status in ("error", "failure", "failed")):
                return _message_in(row)
    return None


def _message_in(body: Json) -> str:
    return str(body.get("message") or body.get("error") or "") if isinstance(body, dict) else ""


def _problem(answer: Answer, words: str, credentials: Credentials) -> Problem:
    """Return what an answer without inquiries means, by its words first: its status misleads."""
    words = words[:_LONGEST_READ]

    def told(fact: str) -> str:
        return tell(fact, words, credentials.api_key, credentials.user_id, credentials.profile_id)

    if _MISSING.search(words):
        # Under HTTP 429, though nothing was limited.
        return BadProviderRequest(
            told("TradeIndia misses a parameter"),
            remedy="Enter User ID, Profile ID and API key again, each in its own field.",
        )
    if answer.status in (401, 403):
        return CredentialsRefused(
            told(f"TradeIndia refused the credentials (HTTP {answer.status})"),
            remedy="Copy User ID, Profile ID and API key again from TradeIndia's page My Inquiry API. It answers wrong ones "
            "by claiming maintenance; should it be true, the next test will succeed.",
        )
    if answer.status == 429 or _TOO_MANY.search(words):
        seconds = max(_REST_SECONDS, answer.retry_after_seconds() or 0)
        return ProviderLimited(told("TradeIndia was called too often"), retry_after_seconds=seconds)
    if answer.status < 300 and len(words) < 500 and _WRONG.search(words):
        return CredentialsRefused(told("TradeIndia refused the credentials"))
    return ProviderUnavailable(told(f"TradeIndia sent no list of inquiries (HTTP {answer.status})"))


def _list_in(body: Json, unwraps: int = 2) -> list[Json] | None:
    """Return the list that is the body or lies in it, a single inquiry as a list of one; None for anything else."""
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        return None
    if _is_inquiry(body):
        return [body]
    for name in _LISTS:
        if unwraps and (found := _list_in(body.get(name), unwraps - 1)) is not None:
            return found
    return None


def _is_inquiry(row: Mapping[str, Json]) -> bool:
    return "rfi_id" in row or any(name in row for name in (*_PHONES, *_EMAILS))


# ---- records --------------------------------------------------------------------------------------------


def _record(row: Json) -> Record:
    if not isinstance(row, dict):
        return Record(row, external_id=digest_of(row), ignored="unrecognized")
    id_ = next((found for name in _IDS if (found := sent_id(row.get(name))) and found != _NO_ID), None)
    tidied = _tidied(row, id_)
    if id_ is not None:
        return Record(tidied, external_id=id_)
    has_contact = not all(_is_blank(tidied, name) for name in (*_PHONES, *_EMAILS))
    return Record(tidied, external_id=digest_of(row, _CHANGING), ignored=None if has_contact else "unrecognized")


def _tidied(row: dict[str, Json], id_: str | None) -> dict[str, Json]:
    """Return a row with what its message says moved to where it belongs; what was there is kept, and twice changes nothing."""
    tidied = dict(row)
    if _is_blank(row, "rfi_id") or row["rfi_id"] == _NO_ID:
        tidied["rfi_id"] = id_ or ""
    name = "inquiry_message" if _is_blank(row, "message") else "message"
    whole = _text(row, name)
    message = read_message(whole)
    if message.text != whole:
        tidied[name] = message.text
        tidied[f"{name}_as_sent"] = row[name]
    if all(_is_blank(row, one) for one in _PHONES):
        is_call = "PHONE" in f"{_text(row, 'source')} {_text(row, 'inquiry_type')}".upper()
        tidied["sender_mobile"] = message.phone or (phone_in(whole) if is_call else "")
    elif behind := _MOBILE_BEHIND_CITY.fullmatch(_text(row, "sender_mobile")):
        tidied["sender_mobile"] = f"+91{behind[1]}"
    if _PLACEHOLDER.fullmatch(_text(row, "sender_email")):
        tidied["sender_email"] = ""
    if all(_is_blank(tidied, one) for one in _EMAILS):
        tidied["sender_email"] = "" if _PLACEHOLDER.search(message.email) else message.email
    if _is_blank(row, "sender_name") and _is_blank(row, "sender") and message.name:
        tidied["sender_name"] = message.name
    if _is_blank(row, "inquiry_time") and (day := _text(row, "generated_date")):
        tidied["inquiry_time"] = f"{day} {_text(row, 'generated_time')}".strip()
    return tidied


def _is_blank(row: Mapping[str, Json], name: str) -> bool:
    value = row.get(name)
    return value is None or (isinstance(value, str) and _text(row, name) == "")


def _text(row: Mapping[str, Json], name: str) -> str:
    """Return a field's text, empty where it holds none."""
    value = row.get(name)
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() == "null" else text
