"""IndiaMART's Pull API in both versions: asking it, and understanding its refusals (docs/connectors/indiamart.md).

What it means stands in the body (CODE, or an Error_Message), mostly under HTTP 200, so the body is asked first. It knows
times in IST only, and to the second; what lies between two seconds the overlap brings.
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

from pydantic import Field

from connector_master.connectors.connector import Check
from connector_master.connectors.forms import Form, LeadSettings, Secret
from connector_master.connectors.identity import digest_of, sent_id
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.connectors.words import tell
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.json_text import enter_text
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.model.words import Words
from connector_master.outbound.client import Answer, Client, SecretPath


class Credentials(Form):
    """What the Pull API needs; Push works without."""

    glid: str | None = Field(
        default=None,
        max_length=40,
        title="GLID",
        description="Your seller number at IndiaMART, as Lead Manager shows it. A label only: nothing needs it.",
    )
    mobile_key: Secret | None = Field(
        default=None,
        title="Mobile Key",
        description="The CRM key from Lead Manager, for pulling enquiries that a push has missed.",
        json_schema_extra={"secret": True},
    )
    mobile: str | None = Field(
        default=None,
        max_length=40,
        title="Registered mobile number",
        description="Only for a key of the old Pull API (version 1): the mobile number of your IndiaMART account. "
        "Otherwise leave it empty.",
    )


IST = timezone(timedelta(hours=5, minutes=30), "IST")
BASE = "https://mapi.indiamart.com"

# A few seconds more than it asks for: called at the very second, it still says "too soon".
LIMITS = Limits(
    between_calls=timedelta(minutes=5, seconds=5),
    window=timedelta(days=7),
    history=timedelta(days=365),
    first=timedelta(days=7),
    overlap=timedelta(minutes=5),
    rests_after=timedelta(minutes=5),
)
LIMITS_V1 = Limits(
    between_calls=timedelta(minutes=15, seconds=5),
    window=LIMITS.window,
    history=LIMITS.history,
    first=LIMITS.first,
    overlap=LIMITS.overlap,
    rests_after=timedelta(minutes=15),
)

_PATH = "/wservce/crm/crmListing/v2/"
_PATH_V1 = "/wservce/enquiry/listing/GLUSR_MOBILE/{}/GLUSR_MOBILE_KEY/{}/Start_Time/{}/End_Time/{}/"
_LABEL_V1 = "/wservce/enquiry/listing/…"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SOON_SECONDS = 300
_BLOCKED_SECONDS = 900

_V2_NAMES = {
    "QUERY_ID": "UNIQUE_QUERY_ID",
    "QTYPE": "QUERY_TYPE",
    "SENDERNAME": "SENDER_NAME",
    "SENDEREMAIL": "SENDER_EMAIL",
    "MOB": "SENDER_MOBILE",
    "EMAIL_ALT": "SENDER_EMAIL_ALT",
    "MOBILE_ALT": "SENDER_MOBILE_ALT",
    "PHONE": "SENDER_PHONE",
    "PHONE_ALT": "SENDER_PHONE_ALT",
    "GLUSR_USR_COMPANYNAME": "SENDER_COMPANY",
    "ENQ_ADDRESS": "SENDER_ADDRESS",
    "ENQ_CITY": "SENDER_CITY",
    "ENQ_STATE": "SENDER_STATE",
    "COUNTRY_ISO": "SENDER_COUNTRY_ISO",
    "ENQ_MESSAGE": "QUERY_MESSAGE",
    "PRODUCT_NAME": "QUERY_PRODUCT_NAME",
    "ENQ_CALL_DURATION": "CALL_DURATION",
    "ENQ_RECEIVER_MOB": "RECEIVER_MOBILE",
}
_LOG_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_NO_LEADS = re.compile(r"no (?:new )?(?:leads?|enquir|inquir)", re.IGNORECASE)
_AFTER_A_DAY = re.compile(r"24\s*(?:hours?|hrs?)", re.IGNORECASE)
_TOO_SOON = re.compile(r"\d+ minutes|crossed this limit|too many", re.IGNORECASE)
_TOO_MANY = re.compile(r"too\s+many", re.IGNORECASE)
_WRONG_KEY = re.compile(r"\bkey\b|incorrect|invalid|expired|not registered|unauthori[sz]ed", re.IGNORECASE)
_KEY_OF_V1 = re.compile(rb"\d+(?:\.\d+)?#\d+")


class _KnownKeyLimited(ProviderLimited):
    """The limit was told in IndiaMART's own form: it knows the key."""


def limits_for(credentials: Credentials) -> Limits:
    """Return the limits of the version that these credentials are for."""
    return LIMITS_V1 if credentials.mobile else LIMITS


async def pull(client: Client, credentials: Credentials, settings: LeadSettings, window: Window) -> AsyncIterator[Page]:
    """Yield the window's enquiries as one page: there is no paging.

    Raises CredentialsRefused, ProviderLimited, BadProviderRequest or ProviderUnavailable.
    """
    key = credentials.mobile_key
    if key is None:
        raise CredentialsRefused("There is no Mobile Key to pull with.", field="mobileKey")
    start, end = ist_time(window.start), ist_time(window.end)
    if credentials.mobile:
        parts = (_digits(credentials.mobile), key, _spaced(start), _spaced(end))
        path = _PATH_V1.format(*(quote(part, safe="") for part in parts))
        rows = _rows_v1(await client.get(SecretPath(path, _LABEL_V1)), credentials)
    else:
        query = {"glusr_crm_key": key, "start_time": start, "end_time": end}
        rows = _rows(await client.get(_PATH, query), credentials)
    yield Page([_pulled(row) for row in rows], window.end)


async def test(client: Client, credentials: Credentials, settings: LeadSettings) -> Check:
    """Ask for the last ten minutes. A key that is told to wait is a key that is known. Raises as `pull` does."""
    now = datetime.now(UTC)
    found = 0
    try:
        async for page in pull(client, credentials, settings, Window(now - timedelta(minutes=10), now)):
            found += len(page.records)
    except _KnownKeyLimited as limited:
        minutes = max(1, (limited.retry_after_seconds or _SOON_SECONDS) // 60)
        message = Words(
            "IndiaMART knows the key. It was asked a short while ago, and wants %(minutes)s minutes between two calls.",
            minutes=minutes,
        )
        return Check(True, message, {"waitMinutes": minutes})
    message = Words("IndiaMART accepted the key; %(found)s enquiries in the last ten minutes.", found=found)
    return Check(True, message, {"found": found})


def enquiry(value: dict[str, Json]) -> Record:
    """Return an enquiry under the id that IndiaMART gave it, the same by push and by pull."""
    return Record(value, external_id=sent_id(value.get("UNIQUE_QUERY_ID")))


def ist_time(moment: datetime) -> str:
    """Return a moment as IndiaMART takes it, whatever the locale.

    >>> ist_time(datetime(2026, 10, 9, 18, 30, tzinfo=UTC))
    '10-Oct-202600:00:00'
    """
    there = moment.astimezone(IST)
    return f"{there.day:02d}-{_MONTHS[there.month - 1]}-{there.year:04d}{there:%H:%M:%S}"


def _spaced(time: str) -> str:
    return f"{time[:11]} {time[11:]}"


def _digits(mobile: str) -> str:
    """Return a registered mobile number as ten digits.

    >>> _digits("+91-98765 43210")
    '9876543210'
    """
    digits = re.sub(r"[^0-9]", "", mobile)
    return digits[-10:] if len(digits) > 10 and digits.startswith(("0", "91")) else digits


def _pulled(row: Json) -> Record:
    if not isinstance(row, dict) or not row:
        return Record(row, external_id=digest_of(row), ignored="unrecognized")
    record = enquiry(row)
    return record if record.external_id is not None else Record(row, external_id=digest_of(row))


# ---- version 2 ------------------------------------------------------------------------------------------


def _rows(answer: Answer, credentials: Credentials) -> Sequence[Json]:
    """Return the enquiries of an answer of version 2. Raises whatever else it says."""
    body = _body(answer)
    if not isinstance(body, dict):
        raise _by_status(answer)
    code, message = sent_id(body.get("CODE")), str(body.get("MESSAGE") or "")
    if code == "200":
        return _response(body)
    if code == "204":
        if _AFTER_A_DAY.search(message):
            # Only history is held back, and "no leads" would be remembered as read.
            raise ProviderUnavailable(
                _tell("IndiaMART does not give out this period yet", message, credentials),
                remedy="Nothing to do: a new key reads older enquiries only after 24 hours, and they are asked for again.",
            )
        return ()
    if code == "429":
        seconds = _BLOCKED_SECONDS if _TOO_MANY.search(message) else _SOON_SECONDS
        raise _KnownKeyLimited(
            _tell("IndiaMART was called too often", message, credentials),
            retry_after_seconds=max(seconds, answer.retry_after_seconds() or 0),
        )
    if code == "401":
        raise _refused(message, credentials)
    if code == "400":
        raise BadProviderRequest(_tell("IndiaMART refused the period asked for", message, credentials))
    if code is None:
        raise _by_status(answer)
    raise ProviderUnavailable(_tell(f"IndiaMART failed (CODE {code[:10]})", message, credentials))


def _response(body: Mapping[str, Json]) -> Sequence[Json]:
    response = enter_text(body.get("RESPONSE"))
    if isinstance(response, list):
        return response
    if isinstance(response, dict):
        return [response] if response else ()
    if response in (None, "") and str(body.get("TOTAL_RECORDS") or 0).strip() == "0":
        return ()
    raise ProviderUnavailable("IndiaMART said that all is well, but sent no list of enquiries.")


def _body(answer: Answer) -> Json:
    try:
        return answer.json()
    except ProviderUnavailable as error:
        raise _by_status(answer) from error


def _by_status(answer: Answer) -> Problem:
    """Return what an answer in no form of IndiaMART's means, such as a gateway's."""
    if answer.status == 429:
        return ProviderLimited(
            "IndiaMART was called too often (HTTP 429).",
            retry_after_seconds=max(_BLOCKED_SECONDS, answer.retry_after_seconds() or 0),
        )
    if answer.status == 401:
        return CredentialsRefused("IndiaMART refused the key (HTTP 401).")
    return ProviderUnavailable(f"IndiaMART sent no answer that it documents (HTTP {answer.status}).")


def _refused(message: str, credentials: Credentials) -> CredentialsRefused:
    remedy = Words("Copy the key again from Lead Manager: making a new one ends the old one, and so does not using it.")
    if credentials.mobile:
        remedy = Words(
            "%(what)s A key of the Pull API version 2 needs no registered mobile number: leave that empty.", what=remedy
        )
    elif _is_key_of_v1(credentials.mobile_key or ""):
        remedy = Words(
            "This looks like a key of the old Pull API: enter the registered mobile number too, or make a new key."
        )
    detail = _tell("IndiaMART refused the key", message, credentials)
    return CredentialsRefused(detail, field="mobileKey", remedy=remedy)


def _tell(fact: str, message: str, credentials: Credentials) -> str:
    return tell(fact, message, credentials.mobile_key, credentials.mobile)


def _is_key_of_v1(key: str) -> bool:
    """Return whether a key is base64 of `<unix time>#<GLID>`, as those of version 1 are."""
    try:
        return _KEY_OF_V1.fullmatch(base64.b64decode(key, validate=True)) is not None
    except (binascii.Error, ValueError):
        return False


# ---- version 1 ------------------------------------------------------------------------------------------


def _rows_v1(answer: Answer, credentials: Credentials) -> Sequence[Json]:
    """Return the enquiries of an answer of version 1, in the names of version 2. Raises whatever else it says."""
    body = _body(answer)
    if isinstance(body, dict) and "Error_Message" not in body:
        return _rows(answer, credentials)
    rows = body if isinstance(body, list) else [body]
    messages = [str(row["Error_Message"]) for row in rows if isinstance(row, dict) and "Error_Message" in row]
    if not messages:
        if not isinstance(body, list):
            raise _by_status(answer)
        return [_in_v2(row) if isinstance(row, dict) else row for row in rows]
    message = messages[0]
    if _NO_LEADS.search(message) and len(rows) == 1:
        return ()
    if _TOO_SOON.search(message):
        raise _KnownKeyLimited(
            _tell("IndiaMART was called too often", message, credentials),
            retry_after_seconds=max(_BLOCKED_SECONDS, answer.retry_after_seconds() or 0),
        )
    if _WRONG_KEY.search(message):
        raise _refused(message, credentials)
    raise ProviderUnavailable(_tell("IndiaMART failed", message, credentials))


def _in_v2(row: dict[str, Json]) -> Json:
    """Return a row of version 1 under the names of version 2, so that one mapping serves both."""
    named = {_V2_NAMES.get(name, name): value for name, value in row.items()}
    if not named.get("QUERY_TIME"):
        logged = _LOG_TIME.fullmatch(str(row.get("LOG_TIME") or "").strip())
        named["QUERY_TIME"] = "{}-{}-{} {}:{}:{}".format(*logged.groups()) if logged else row.get("DATE_TIME_RE")
    return named
