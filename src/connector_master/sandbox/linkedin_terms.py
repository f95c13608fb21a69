"""How the stand-in for LinkedIn lets people agree, which accounts and pages there are, and what can be made to go wrong."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import JSONResponse, Response

from connector_master.sandbox.grants import Token
from connector_master.sandbox.terms import NO_STORE, Terms, seconds

LEADS, ADS, PAGES, PAGES_WRITTEN = (
    "r_marketing_leadgen_automation",
    "r_ads",
    "r_organization_admin",
    "rw_organization_admin",
)

ORGANIZATIONS = {31000001: "Example Traders", 31000002: "Example Exports", 31000003: "Former Client"}
"""The company pages, by id."""

ROLES = {"31000001": "LEAD_GEN_FORMS_MANAGER", "31000002": "ADMINISTRATOR"}
"""The person's role on each page; on the third there is none."""

AD_ACCOUNTS: list[dict[str, Any]] = [
    {"id": 510000001, "name": "Example Traders - India", "organization": 31000001},
    {"id": 510000002, "name": "Unlinked account"},
    {"id": 510000003, "name": "Example Exports", "organization": 31000002},
    {"id": 510000004, "name": "Former client", "organization": 31000003},
    {"id": 510000005, "name": "Closed account", "organization": 31000001, "status": "CANCELED"},
    {"id": 510000006, "name": "Trial account", "organization": 31000001, "test": True},
]
"""The ad accounts on which the person has a role: one has no page, on the page of another the person has no role."""

CAMPAIGNS = ((410000001, "Diwali B2B 2026"), (410000002, "Monsoon pumps"))
CREATIVES = ((610000001, "Carousel A"), (610000002, "Video B"))

VERSIONS = tuple(f"2026{month:02d}" for month in range(1, 12))
"""The versions that are served; 202511 was the last to end, and there was no 202512."""

EVENT_ROLES = frozenset({"ADMINISTRATOR", "CONTENT_ADMINISTRATOR"})
"""The roles of those who may read the leads of a page's events."""

LEAD_TYPES = ("SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT")

Refusal = tuple[int, int | None, str | None, str]
"""HTTP status, serviceErrorCode, code and message of an error; old ones have no code, newer ones often no number."""

REFUSALS: Mapping[str, Refusal] = {
    "token_expired": (401, 65602, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
    "token_revoked": (401, 65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user"),
    "token_invalid": (401, 65600, None, "Invalid access token"),
    "rate_limit": (429, 101, None, "Resource level throttle limit for calls to this resource is reached."),
    "day_limit": (
        429,
        None,
        "TOO_MANY_REQUESTS",
        "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.",
    ),
    "bad_request": (400, None, "ILLEGAL_ARGUMENT", "Invalid query parameters passed to request"),
    "not_found": (404, None, "NOT_FOUND", "Not Found"),
    "internal": (500, None, None, "Internal Server Error"),
}
"""Errors that every call can get."""

FAULTS = {
    "late": "shows a lead only so many seconds after it has announced it",
    **{name: f"says {code or message} (HTTP {status})" for name, (status, _, code, message) in REFUSALS.items()},
    "access_denied": "says that permissions are missing (HTTP 403)",
    "role_hidden": "refuses leads as if the token were wrong, where only a role is missing (HTTP 401)",
    "version_gone": "serves no version any more (HTTP 426)",
    "plain": "gives leads without names and without their form, also where those are asked for",
    "no_forms": "lets nobody read forms (HTTP 403)",
    "odd_answers": "adds answers to unknown questions, with unknown options, and without content",
    "no_total": "lists without saying how many there are and whether more follow",
    "page_tokens": "lists ad accounts by tokens of pages, also where it is asked by number",
    "endless": "gives the same page of leads for ever",
    "dropped_pushes": "sends nothing",
    "duplicates": "announces every lead twice",
    "wrong_signature": "signs with another secret",
    "unsigned": "does not sign",
    "bare_signature": "signs the body alone",
    "prefixed_signature": "writes hmacsha256= before the signature",
}
"""What this provider's own faults do."""


def _error(error: str, description: str, status: int) -> Response:
    """Return an error of the token address in LinkedIn's words."""
    said = {
        "invalid_client": "Client authentication failed",
        "invalid_grant": "The provided authorization grant or refresh token is invalid, expired or revoked.",
    }.get(error, description)
    return JSONResponse({"error": error, "error_description": said}, status, NO_STORE)


def _introspection(token: Token) -> dict[str, Any]:
    if token.grant is None:
        return {"active": False}
    if not token.is_alive:
        return {"active": False, "status": token.why_dead}
    return {
        "active": True,
        "client_id": token.client,
        "authorized_at": seconds(token.grant.began_at),
        "created_at": seconds(token.issued_at),
        "status": "active",
        "scope": ",".join(sorted(token.scopes)),
        "auth_type": "3L",
    } | ({"expires_at": seconds(token.expires_at)} if token.expires_at else {})


TERMS = Terms(
    title="LinkedIn",
    authorize_path="/oauth/v2/authorization",
    token_path="/oauth/v2/accessToken",  # noqa: S106 (an address, not a secret)
    introspect_path="/oauth/v2/introspectToken",
    granted_separator=",",
    scopes={
        LEADS: "Read your leads and the forms that they come from",
        ADS: "Read your ad accounts and campaigns",
        PAGES: "See which pages you have a role on",
        PAGES_WRITTEN: "Manage the pages that you have a role on",
    },
    all_or_none=True,
    same_scopes=True,
    pkce="none",
    code_life=timedelta(minutes=30),
    access_life=timedelta(days=60),
    refresh_life=timedelta(days=365),
    has_refresh_tokens=True,
    repeats_refresh=True,
    access_prefix="AQV",
    refresh_prefix="AQW",
    token_bytes=700,
    refusal={
        "error": "user_cancelled_authorize",
        "error_description": "The user cancelled the authorization",
    },
    scope_refusal="unauthorized_scope_error",
    error=_error,
    introspection=_introspection,
)
