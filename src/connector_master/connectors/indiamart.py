"""IndiaMART: buyers' enquiries, pushed by Lead Manager's Push API (docs/connectors/indiamart.md).

It can't sign, so the address is the secret. It switches Push off after about 48 hours of answers other than 200, so
whatever could be stored is answered 200, also a lead without a phone: the answer's body says what became of it.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone

from pydantic import Field

from connector_master.connectors.answers import one, several
from connector_master.connectors.connector import Connector, MappingTarget
from connector_master.connectors.forms import Form, LeadSettings, Secret
from connector_master.connectors.identity import bounded
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json
from connector_master.model.json_text import enter_text
from connector_master.model.problem import InvalidBody


class Settings(LeadSettings):
    """Nothing of its own yet."""


class Credentials(Form):
    """What the Pull API will need; Push works without."""

    glid: str | None = Field(
        default=None,
        max_length=40,
        title="GLID",
        description="Your seller number at IndiaMART, as Lead Manager shows it.",
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
        description="Only for the old Pull API: the mobile number of your IndiaMART account.",
    )


IST = timezone(timedelta(hours=5, minutes=30), "IST")

MAPPING: dict[str, MappingTarget] = {
    "SENDER_MOBILE": "phoneNumber",
    "SENDER_NAME": "name",
    "SENDER_EMAIL": "email",
    "SENDER_COMPANY": "businessName",
    "SENDER_ADDRESS": "addressLine1",
    "SENDER_CITY": "city",
    "SENDER_STATE": "state",
    "SENDER_PINCODE": "pincode",
    "SENDER_COUNTRY_ISO": "country",
    "PRODUCT_NAME": "productName",
    "QUERY_MESSAGE": "notes",
    "UNIQUE_QUERY_ID": "externalId",
    # What real pushes carry beyond SPEC.md; RECEIVER_MOBILE is the seller's own and never the buyer's phone.
    "SENDER_PHONE": "phoneNumber",
    "SENDER_MOBILE_ALT": "phoneNumber",
    "SENDER_PHONE_ALT": "phoneNumber",
    "SENDER_MOBILE_WAPP": "phoneNumber",
    "SENDER_EMAIL_ALT": "email",
    "SENDER_COMPANY_IM": "businessName",
    "QUERY_PRODUCT_NAME": "productName",
    "QUERY_MCAT_NAME": "productName",
    "SUBJECT": {"field": "notes", "combine": "first"},
    "QUERY_TIME": "enquiredAt",
    "QUERY_TYPE": "attributes.queryType",
    "QUERY_QUANTITY": "attributes.quantity",
    "CALL_DURATION": "attributes.callDuration",
}

_BLANK_IDS = frozenset({"", "null", "none"})


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return the enquiries of a push in any of the shapes seen; what is none becomes an ignored record, never nothing.

    Shapes: a list; RESPONSE with an object or a list (an empty one has no record); either of them inside `body`, as
    n8n passes it on; the flat object of SPEC.md.
    """
    if not isinstance(body, dict | list):
        raise InvalidBody("The body is neither an object nor a list of objects.")
    return list(_enquiries(body, unwraps=2))


def acknowledge(outcomes: Sequence[Outcome], is_list: bool) -> Answer:
    """Return 200 for whatever was stored, with IndiaMART's own words in front of ours."""
    body = one(outcomes[0]) if len(outcomes) == 1 and not is_list else several(outcomes)
    return Answer(200, {"CODE": 200, "STATUS": "SUCCESS", **body})


connector = Connector(
    type="indiamart",
    title="IndiaMART",
    summary="Buyers' enquiries from IndiaMART, as they come (Push API).",
    auth="none",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    door="indiamart",
    unsigned_by_nature=True,
    zone=IST,
)


def _enquiries(value: Json, unwraps: int) -> Iterator[Record]:
    """Yield the records of `value`, opening at most `unwraps` wrappers one inside the other."""
    inside = _inside(value) if unwraps else None
    if isinstance(value, list):
        for element in value:
            yield from [_element(element)] if _inside(element) is None else _enquiries(element, unwraps)
    elif isinstance(inside, list) or _inside(inside) is not None:
        yield from _enquiries(inside, unwraps - 1)
    elif isinstance(inside, dict) and inside:
        yield _enquiry(inside)
    elif isinstance(value, dict) and _is_enquiry(value):
        yield _enquiry(value)
    else:
        yield Record(value, ignored="unrecognized")


def _element(value: Json) -> Record:
    # In a list every object is a lead: one that lacks all we know fails visibly instead of being passed over.
    return _enquiry(value) if isinstance(value, dict) and value else Record(value, ignored="unrecognized")


def _enquiry(value: dict[str, Json]) -> Record:
    return Record(value, external_id=_external_id(value.get("UNIQUE_QUERY_ID")))


def _external_id(value: Json) -> str | None:
    """Return the id, sent as text or as a number, as text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return None if text.lower() in _BLANK_IDS else bounded(text)


def _inside(value: Json) -> Json:
    """Return what a wrapper wraps, None if `value` is no wrapper."""
    if not isinstance(value, dict):
        return None
    if isinstance(response := enter_text(value.get("RESPONSE")), dict | list):
        return response
    body = enter_text(value.get("body"))
    return (
        body
        if isinstance(body, list) or (isinstance(body, dict) and ("RESPONSE" in body or _is_enquiry(body)))
        else None
    )


def _is_enquiry(value: dict[str, Json]) -> bool:
    return "UNIQUE_QUERY_ID" in value or any(key.startswith("SENDER_") for key in value)
