"""What Google Ads says: a lead as its webhook and as its API write it, and refusals as the API writes them."""

from datetime import datetime, timedelta, timezone
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from connector_master.sandbox.enquiries import Enquiry, spell_phone

ZONE = timezone(timedelta(hours=5, minutes=30))
"""The zone of every account here: days in queries are read in it."""

MANAGER, MANAGED, DIRECT, CLOSED = "1234567890", "5556667778", "2223334445", "5556667779"
CAMPAIGNS = (
    (20660009001, "Search: valves and pumps"),
    (20660009002, "Autumn offers"),
    (20660009006, "Performance Max"),
)
FORMS = ((46210009001, "Quote form"), (46210009002, "Call me back"))
AD_GROUPS = ((153210009001, "Valves"), (153210009002, "Pumps"))
_ADS = (690010009001, 690010009002)
_QUESTION = "What is your monthly requirement?"
_ASSET_GROUP = 6480009001
_CLIENTS = (
    (MANAGER, "Sandbox Agency", True, "ENABLED"),
    (MANAGED, "Sandbox Traders", False, "ENABLED"),
    (CLOSED, "Sandbox Former Client", False, "CANCELED"),
)


def lead_id(number: int) -> str:
    """Return the id of a lead, long as Google's are."""
    return f"Cj0KCQiA-sandbox-lead-{number:06d}-EAIaIQobChMI-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_EAAYASAAEgL0"


def answers_of(one: Enquiry) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """Return what the form's own columns hold (id, name, answer), and the answers to custom questions."""
    first, _, last = " ".join(one.name.split()).partition(" ")
    named = (
        [("FIRST_NAME", "First Name", first), ("LAST_NAME", "Last Name", last)]
        if one.number % 3 == 0 and last
        else [("FULL_NAME", "Full Name", one.name)]
    )
    phone = ("WORK_PHONE", "Work Phone") if one.number % 5 == 0 else ("PHONE_NUMBER", "User Phone")
    email = ("WORK_EMAIL", "Work Email") if one.number % 4 == 0 else ("EMAIL", "User Email")
    columns = [
        *named,
        (*phone, one.phone if one.number % 2 else spell_phone(one.phone, one.number)),
        (*email, one.email),
        ("COMPANY_NAME", "Company Name", one.company),
        ("CITY", "City", one.city),
        ("REGION", "Region", one.state),
        ("COUNTRY", "Country", one.country),
        ("POSTAL_CODE", "Postal Code", one.pincode),
    ]
    custom = [("Which product?", one.product), (_QUESTION, one.quantity)]
    return [column for column in columns if column[2]], [pair for pair in custom if pair[1]]


def pushed(one: Enquiry, at: datetime, *, id_: str, key: str | None, is_test: bool) -> dict[str, Any]:
    """Return a lead as the webhook sends it."""
    columns, custom = answers_of(one)
    shown: list[dict[str, str]] = [
        {"column_name": name, "string_value": text, "column_id": id_} for id_, name, text in columns
    ]
    shown += [
        {"column_name": question, "string_value": text, "column_id": question.lower().replace(" ", "_")}
        for question, text in custom
    ]
    campaign, form, ad_group, ad = _came_by(one.number)
    body: dict[str, Any] = {
        "lead_id": id_,
        "user_column_data": shown,
        "api_version": "1.0",
        "form_id": form,
        "campaign_id": campaign,
        "google_key": key,
        "is_test": is_test,
        "gcl_id": _click(one.number),
        "lead_stage": "RAW",
        "lead_submit_time": f"{at:%Y-%m-%dT%H:%M:%S}Z",
    }
    if ad_group is None:
        body["asset_group_id"] = _ASSET_GROUP
    else:
        body |= {"adgroup_id": ad_group, "creative_id": ad}
    return {name: value for name, value in body.items() if value is not None}


def row(one: Enquiry, at: datetime, *, id_: str, customer: str) -> dict[str, Any]:
    """Return a lead as a row of lead_form_submission_data."""
    columns, custom = answers_of(one)
    campaign, form, ad_group, ad = _came_by(one.number)
    local = at.astimezone(ZONE)
    own = f"customers/{customer}"
    lead: dict[str, Any] = {
        "resourceName": f"{own}/leadFormSubmissionData/{id_}",
        "id": id_,
        "asset": f"{own}/assets/{form}",
        "campaign": f"{own}/campaigns/{campaign}",
        "leadFormSubmissionFields": [{"fieldType": column, "fieldValue": text} for column, _, text in columns],
        "customLeadFormSubmissionFields": [{"questionText": name, "fieldValue": text} for name, text in custom],
        "submissionDateTime": f"{local:%Y-%m-%d %H:%M:%S}+05:30",
        "gclid": _click(one.number),
    }
    if ad_group is not None:
        lead |= {"adGroup": f"{own}/adGroups/{ad_group}", "adGroupAd": f"{own}/adGroupAds/{ad_group}~{ad}"}
    name = dict(CAMPAIGNS)[campaign]
    return {
        "leadFormSubmissionData": lead,
        "campaign": {"resourceName": f"{own}/campaigns/{campaign}", "id": str(campaign), "name": name},
    }


def clients_of(customer: str) -> list[dict[str, Any]]:
    """Return an account and what lies beneath it, as rows of customer_client."""
    known = _CLIENTS if customer == MANAGER else ((customer, "Sandbox Own Account", False, "ENABLED"),)
    return [
        {
            "customerClient": {
                "resourceName": f"customers/{customer}/customerClients/{id_}",
                "id": id_,
                "descriptiveName": name,
                "manager": is_manager,
                "level": "0" if id_ == customer else "1",
                "status": status,
                "timeZone": "Asia/Kolkata",
                "testAccount": False,
            }
        }
        for id_, name, is_manager, status in known
    ]


def refusal(
    status: int, family: str, code: str, message: str, version: str, details: dict[str, Any] | None = None
) -> Response:
    """Return a refusal as the API writes it, with the code that decides what it means."""
    one: dict[str, Any] = {"errorCode": {family: code}, "message": message} | ({"details": details} if details else {})
    failure = {
        "@type": f"type.googleapis.com/google.ads.googleads.{version}.errors.GoogleAdsFailure",
        "errors": [one],
        "requestId": "sandboxRequest01",
    }
    return front_door(status, message, [failure])


def front_door(status: int, message: str, details: list[dict[str, Any]] | None = None) -> Response:
    """Return an error as every API of Google's frames it."""
    error: dict[str, Any] = {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}
    body = {"error": error | ({"details": details} if details else {})}
    return JSONResponse(body, status, {"request-id": "sandboxRequest01"})


def error_info(status: int, reason: str, message: str) -> Response:
    """Return a refusal that comes before the API itself."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return front_door(status, message, [info])


def not_found_page() -> Response:
    """Return the page that stands where a version is gone."""
    return HTMLResponse("<!DOCTYPE html><html><title>Error 404 (Not Found)!!1</title></html>", 404)


_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def _came_by(number: int) -> tuple[int, int, int | None, int | None]:
    """Return campaign, form, ad group and ad of a lead; Performance Max has no ad groups."""
    campaign = CAMPAIGNS[number % len(CAMPAIGNS)][0]
    form = FORMS[number % len(FORMS)][0]
    if campaign == CAMPAIGNS[-1][0]:
        return campaign, form, None, None
    place = number % len(AD_GROUPS)
    return campaign, form, AD_GROUPS[place][0], _ADS[place]


def _click(number: int) -> str:
    return f"CjwKCAiA-sandbox-{number:06d}"
