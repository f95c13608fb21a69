"""How the stand-in for Meta lets people agree, whose pages there are, and what can be made to go wrong."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import JSONResponse, Response

from connector_master.sandbox.consent import Consent
from connector_master.sandbox.terms import Choice, Terms

_LONG_LIFE = timedelta(days=60)

PAGES: list[dict[str, Any]] = [
    {
        "id": "104857600112233",
        "name": "Example Traders",
        "category": "Industrial company",
        "tasks": ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MANAGE"],
        "instagram_business_account": {"id": "17841400000000001", "username": "example_traders"},
    },
    {"id": "209999900044556", "name": "Example Outlet", "category": "Shop", "tasks": ["ANALYZE"]},
]

SCOPES = {
    "leads_retrieval": "Read the answers of leads",
    "pages_show_list": "List your pages",
    "pages_manage_metadata": "Subscribe your pages to webhooks",
    "pages_read_engagement": "Read your pages' forms",
    "ads_management": "Read campaigns, ad sets and ads",
    "pages_manage_ads": "Manage the pages' lead ads",
    "business_management": "See pages that a business owns",
}

REFUSALS: Mapping[str, tuple[int, int, int, str]] = {
    "token_expired": (190, 463, 400, "Error validating access token: Session has expired."),
    "app_removed": (190, 458, 400, "Error validating access token: The user has not authorized application 12345."),
    "permission_missing": (10, 0, 403, "(#10) Application does not have permission for this action"),
    "app_limit": (4, 0, 403, "(#4) Application request limit reached"),
    "page_limit": (32, 0, 400, "(#32) Page request limit reached"),
    "leads_limit": (80005, 0, 400, "(#80005) There have been too many leadgen api calls from this Page account."),
    "blocked": (368, 0, 400, "(#368) The action attempted has been deemed abusive or is otherwise disallowed"),
    "passing": (2, 0, 500, "An unexpected error has occurred. Please retry your request later."),
}
"""Errors that every call can get: code, subcode, HTTP status, message."""

FAULTS = {
    "late": "shows a lead only so many seconds after it has announced it",
    "token_expired": "refuses every token as expired (code 190, subcode 463)",
    "app_removed": "says that the person has removed the app (code 190, subcode 458)",
    "permission_missing": "says that a permission is missing (code 10)",
    "leads_access": "says that Leads Access Manager keeps the app from leads (code 10)",
    "app_limit": "says that the app has called too often (code 4)",
    "page_limit": "says that the page was asked too often (code 32)",
    "leads_limit": "says that leads were asked for too often, for 17 minutes (code 80005)",
    "blocked": "says that the app is blocked for a while (code 368)",
    "passing": "fails for a moment (code 2, HTTP 500)",
    "few_fields": "lets a token read only few fields (code 100)",
    "no_questions": "lists forms without their questions",
    "endless": "gives the same page of leads for ever",
    "text_success": 'writes success as the text "true"',
    "dropped_pushes": "sends nothing",
    "duplicates": "announces every lead twice in one body",
    "wrong_signature": "signs with another secret",
    "unsigned": "does not sign",
}
"""What this provider's own faults do."""


def _error(error: str, description: str, status: int) -> Response:
    """Return an error of the token address as Graph writes it."""
    code, message = {
        "invalid_client": (1, "Error validating client secret."),
        "invalid_grant": (100, f"Error validating verification code. {description}"),
        "internal_failure": (2, "Service temporarily unavailable"),
    }.get(error, (100, description))
    told = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "ASandbox"}
    return JSONResponse({"error": told}, 500 if status >= 500 else 400)


def _exchange(consent: Consent, asked: Mapping[str, str]) -> Response:
    """Change a token that is alive for one of sixty days."""
    token = consent.find(asked.get("fb_exchange_token", ""))
    if token.grant is None or not token.is_alive:
        told = {"message": "Error validating access token: Session has expired.", "type": "OAuthException", "code": 190}
        return JSONResponse({"error": told | {"error_subcode": 463}}, 400)
    return consent.answer(consent.issue(token.grant, _LONG_LIFE))


def _choices(person: str) -> list[Choice]:
    return [(page["id"], page["name"]) for page in PAGES]


TERMS = Terms(
    title="Facebook",
    authorize_path="/v{version}/dialog/oauth",
    token_path="/v{version}/oauth/access_token",  # noqa: S106 (an address, not a secret)
    token_methods=("GET", "POST"),
    scope_separator=",",
    scopes=SCOPES,
    says_scopes=False,
    pkce="none",
    type_said="bearer",
    access_life=timedelta(seconds=5_100),
    access_prefix="EAAsandbox",
    refusal={
        "error": "access_denied",
        "error_code": "200",
        "error_reason": "user_denied",
        "error_description": "Permissions error",
    },
    client=("appId", "appSecret"),
    accounts=_choices,
    more_grants={"fb_exchange_token": _exchange},
    error=_error,
)
