"""IndiaMART: buyers' enquiries, pushed by Lead Manager's Push API, or pulled (docs/connectors/indiamart.md).

It can't sign, so the address is the secret. It switches Push off after about 48 hours of answers other than 200, so
whatever could be stored is answered 200, also a lead without a phone: the answer's body says what became of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from connector_master.connectors.answers import one, several
from connector_master.connectors.connector import Connector, MappingTarget
from connector_master.connectors.forms import PullSettings
from connector_master.connectors.indiamart_pull import BASE, IST, LIMITS, Credentials, enquiry, limits_for, pull, test
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json
from connector_master.model.json_text import enter_text
from connector_master.model.problem import InvalidBody


class Settings(PullSettings):
    """When the Pull API is asked for what Push may have missed. It needs the Mobile Key."""

    pull_fallback: bool = Field(
        default=False,
        title="Pull as well",
        description="Also ask IndiaMART for enquiries on a schedule, besides receiving its pushes.",
    )
    catch_up_after_hours: int | None = Field(
        default=24,
        ge=1,
        le=720,
        title="Catch up after hours of silence",
        description="When nothing was pushed for this many hours, ask IndiaMART until pushes come again. Empty: never.",
    )


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


def pulls_when(settings: Settings, created_at: datetime, last_push: datetime | None, now: datetime) -> bool:
    """Return whether to ask as well: always where that is set, else once pushes have stopped for too long."""
    if settings.pull_fallback:
        return True
    if settings.catch_up_after_hours is None:
        return False
    return now - (last_push or created_at) >= timedelta(hours=settings.catch_up_after_hours)


connector = Connector(
    type="indiamart",
    title="IndiaMART",
    summary="Buyers' enquiries from IndiaMART, as they come (Push API), and what pushes miss (Pull API).",
    prepare=("The Push API switched on in the seller panel, or your CRM key.",),
    auth="none",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    base=BASE,
    base_setting="INDIAMART_URL",
    pull=pull,
    limits=LIMITS,
    limits_for=limits_for,
    limit_key=lambda credentials: credentials.mobile_key or "",
    pull_needs=("mobileKey",),
    pulls_when=pulls_when,
    test=test,
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
        yield enquiry(inside)
    elif isinstance(value, dict) and _is_enquiry(value):
        yield enquiry(value)
    else:
        yield Record(value, ignored="unrecognized")


def _element(value: Json) -> Record:
    # In a list every object is a lead: one that lacks all we know fails visibly instead of being passed over.
    return enquiry(value) if isinstance(value, dict) and value else Record(value, ignored="unrecognized")


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
