"""Refusals of the Google Ads API: what each means for the person who connected, and what happens next.

An `errorCode` decides, then what Google's front door says (ErrorInfo), then the HTTP status. A page in HTML comes where the
version in the path is gone.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from connector_master.connectors.words import tell
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import (
    AppRefused,
    BadProviderRequest,
    CredentialsRefused,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer

SCOPE = "https://www.googleapis.com/auth/adwords"

_SOON_SECONDS = 5
_DAILY_REST_SECONDS = 3 * 3_600
_LONGEST_REST = 86_400
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_DELAY = re.compile(r"([0-9]{1,7})(?:\.[0-9]+)?s")
_RETRY_IN = re.compile(r"retry in ([0-9]{1,7}) seconds", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
_RECONNECT = "Connect again: open the connector and choose Connect."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What one of Google's codes means."""

    kind: type[Problem]
    fact: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as Google tells it. `codes` are its error codes in order, `families` what kind of error each is."""

    status: int
    message: str
    codes: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    rests_seconds: int | None = None
    request_id: str | None = None
    is_page: bool = False


_WRONG_ACCOUNT = (
    "Compare the customer ID with the account that owns the lead forms, and choose an account that is open."
)
_APP_LEVEL = (
    "In Google Cloud, open the project that owns the OAuth client, and ask for Explorer or Basic access to the Google Ads "
    "API (API Center). Connecting again does not help."
)
_OTHER_PERSON = "Connect again with a Google account that is a user of the Google Ads account."

_TOKEN = {
    "OAUTH_TOKEN_EXPIRED": "The access token has expired",
    "OAUTH_TOKEN_REVOKED": "Access was taken back at Google",
    "OAUTH_TOKEN_INVALID": "The access token is not valid",
    "OAUTH_TOKEN_HEADER_INVALID": "The access token is not valid",
    "OAUTH_TOKEN_DISABLED": "The access token was disabled",
    "GOOGLE_ACCOUNT_DELETED": "The Google account that agreed was deleted",
    "GOOGLE_ACCOUNT_AUTHENTICATION_FAILED": "Google could not sign the account in",
    "GOOGLE_ACCOUNT_COOKIE_INVALID": "Google could not sign the account in",
    "LOGIN_COOKIE_REQUIRED": "Google could not sign the account in",
    "AUTHENTICATION_ERROR": "Google did not accept the access token",
    "UNAUTHENTICATED": "Google did not accept the access token",
    "ACCESS_TOKEN_EXPIRED": "The access token has expired",
    "CREDENTIALS_MISSING": "Google did not see an access token",
}
_ACCOUNT = {
    "CUSTOMER_NOT_ENABLED": "The Google Ads account is closed, or not yet open",
    "CUSTOMER_NOT_FOUND": "Google Ads knows no such account",
    "ACCESS_DENIED_FOR_ACCOUNT_TYPE": "This kind of Google Ads account can't be asked for leads",
    "INVALID_CUSTOMER_ID": "The customer ID is not a number of ten digits",
    "CLIENT_CUSTOMER_ID_INVALID": "The customer ID is not a number of ten digits",
    "CLIENT_CUSTOMER_ID_IS_REQUIRED": "The customer ID is missing",
    "MISSING_TOS": "Nobody has accepted Google's terms for this account",
    "REQUESTED_METRICS_FOR_MANAGER": "This is a manager account; it holds no leads",
}
_APP = {
    "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": "The Google Cloud project may only ask test accounts",
    "DEVELOPER_TOKEN_NOT_APPROVED": "The developer token may only ask test accounts",
    "DEVELOPER_TOKEN_INVALID": "The developer token is not valid",
    "DEVELOPER_TOKEN_PROHIBITED": "The developer token belongs to another Google Cloud project",
    "DEVELOPER_TOKEN_PARAMETER_MISSING": "This version of the API wants a developer token",
    "NOT_WHITELISTED": "The app may not use this part of the API",
    "INCOMPLETE_SIGNUP": "The sign-up for the Google Ads API is not complete",
}
_API_OFF = {
    "SERVICE_DISABLED": "The Google Ads API is not enabled in the Google Cloud project",
    "PROJECT_DISABLED": "The Google Cloud project is disabled",
    "CONSUMER_INVALID": "Google does not know the app's Google Cloud project",
    "BILLING_DISABLED": "Billing is off in the Google Cloud project",
}
_PASSING = ("TRANSIENT_ERROR", "INTERNAL_ERROR", "DEADLINE_EXCEEDED", "UNAVAILABLE", "CONCURRENT_MODIFICATION")
_BRIEFLY_LIMITED = (
    "RESOURCE_TEMPORARILY_EXHAUSTED",
    "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION",
    "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION",
)

_MEANINGS: Mapping[str, _Meaning] = MappingProxyType(
    {
        **{code: _Meaning(TokenRefused, fact, _RECONNECT) for code, fact in _TOKEN.items()},
        **{code: _Meaning(CredentialsRefused, fact, _WRONG_ACCOUNT) for code, fact in _ACCOUNT.items()},
        **{code: _Meaning(AppRefused, fact, _APP_LEVEL) for code, fact in _APP.items()},
        **{
            code: _Meaning(
                AppRefused,
                fact,
                "In Google Cloud, open the project that owns the OAuth client, and enable the Google Ads API under APIs & "
                "Services. It takes some minutes to count.",
            )
            for code, fact in _API_OFF.items()
        },
        **{code: _Meaning(ProviderUnavailable, "Google Ads has a passing fault") for code in _PASSING},
        "TWO_STEP_VERIFICATION_NOT_ENROLLED": _Meaning(
            TokenRefused,
            "The Google Ads account asks for 2-step verification, and the person who agreed has not turned it on",
            "Turn on 2-step verification for that Google account (myaccount.google.com, Security), then connect again.",
        ),
        "ADVANCED_PROTECTION_NOT_ENROLLED": _Meaning(
            TokenRefused,
            "The Google Ads account asks for the Advanced Protection Program, and the person who agreed is not in it",
            "Enrol that Google account in the Advanced Protection Program, then connect again.",
        ),
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _Meaning(
            PermissionMissing,
            f"The scope {SCOPE} was not granted",
            "Connect again, and leave the box for Google Ads ticked on Google's page.",
        ),
        "USER_PERMISSION_DENIED": _Meaning(
            CredentialsRefused,
            "Whoever agreed may not see this Google Ads account, or sees it only through a manager account",
            "If the account belongs to a manager account, enter the manager's ID as the login customer ID (loginCustomerId) "
            "or choose the account from the list again. Otherwise connect with a user of the account.",
        ),
        "INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION": _Meaning(
            CredentialsRefused,
            "The login customer ID is not a manager of this account",
            "Enter the ID of the manager account through which the account is reached as the login customer ID "
            "(loginCustomerId), or leave it empty.",
        ),
        "INVALID_LOGIN_CUSTOMER_ID": _Meaning(
            CredentialsRefused,
            "The login customer ID is not an account's number",
            "Enter the manager account's ID, ten digits, as the login customer ID (loginCustomerId), or leave it empty.",
        ),
        "NOT_ADS_USER": _Meaning(
            PermissionMissing, "The Google account that agreed belongs to no Google Ads account", _OTHER_PERSON
        ),
        "GOOGLE_ACCOUNT_USER_AND_ADS_USER_MISMATCH": _Meaning(
            TokenRefused, "The Google account that agreed is not the account's user any more", _OTHER_PERSON
        ),
        "ACTION_NOT_PERMITTED": _Meaning(
            PermissionMissing, "Whoever agreed may not read leads in this Google Ads account", _OTHER_PERSON
        ),
        "UNSUPPORTED_VERSION": _Meaning(BadProviderRequest, "gone"),
    }
)

_BY_FAMILY: Mapping[str, str] = MappingProxyType(
    {"authenticationError": "UNAUTHENTICATED", "internalError": "INTERNAL_ERROR"}
)


def fault_in(answer: Answer) -> Fault | None:
    """Return the error that an answer tells, also inside an array, as searchStream wraps it; None for a good answer."""
    try:
        body = answer.json()
    except ProviderUnavailable:
        if 200 <= answer.status < 300:
            raise
        text = answer.text()
        return Fault(answer.status, text, is_page="<" in text, rests_seconds=answer.retry_after_seconds())
    for one in body if isinstance(body, list) else [body]:
        error = one.get("error") if isinstance(one, dict) else None
        if error is not None:
            fault = _fault(answer, error)
            # Google's support asks for this id, and nobody else needs it.
            log.info("google_ads_refused", status=fault.status, codes=fault.codes, request_id=fault.request_id)
            return fault
    return None if 200 <= answer.status < 300 else Fault(answer.status, "", rests_seconds=answer.retry_after_seconds())


def problem_of(fault: Fault, version: str, *secrets: str | None) -> Problem:
    """Return what a fault means. `secrets` never appear in it."""
    code = next((one for one in fault.codes if _is_known(one)), fault.codes[0] if fault.codes else "")

    def told(fact: str) -> str:
        named = f"{fact} ({code})" if code else f"{fact} (HTTP {fault.status})"
        return tell(named, fault.message, *secrets)

    if _is_limit(fault, code):
        return _limited(fault, code, told)
    meaning = _MEANINGS.get(code) or next(
        (_MEANINGS[_BY_FAMILY[family]] for family in fault.families if family in _BY_FAMILY), None
    )
    if code == "UNSUPPORTED_VERSION" or (fault.status == 404 and not fault.codes and fault.is_page):
        return BadProviderRequest(
            told(f"Google no longer knows version {version} of the Google Ads API"),
            remedy="Set a version that still lives as the API version (apiVersion), such as the default.",
        )
    if meaning is not None:
        return meaning.kind(told(meaning.fact), remedy=meaning.remedy)
    return _by_status(fault, told)


def _is_known(code: str) -> bool:
    return code in _MEANINGS or code in _BRIEFLY_LIMITED or code == "RESOURCE_EXHAUSTED"


def _is_limit(fault: Fault, code: str) -> bool:
    if code in _MEANINGS:
        return False
    return (
        fault.status == 429
        or "quotaError" in fault.families
        or code in _BRIEFLY_LIMITED
        or code in ("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")
        or (code.startswith("EXCESSIVE_") and code.endswith("_QUERY_RESOURCE_CONSUMPTION"))
    )


def _limited(fault: Fault, code: str, told: Callable[[str], str]) -> ProviderLimited:
    if code == "RESOURCE_EXHAUSTED" and "quotaError" in fault.families:
        return ProviderLimited(
            told("The Google Cloud project has used up its operations"),
            retry_after_seconds=fault.rests_seconds or _DAILY_REST_SECONDS,
            remedy="Nothing to do: the next run waits as long as Google asks. If it happens often, ask for Basic access to "
            "the Google Ads API, or let the connector sync less often.",
        )
    return ProviderLimited(
        told("Google Ads was asked too often"), retry_after_seconds=max(_SOON_SECONDS, fault.rests_seconds or 0)
    )


def _by_status(fault: Fault, told: Callable[[str], str]) -> Problem:
    if fault.status == 401:
        return TokenRefused(told("Google did not accept the access token"), remedy=_RECONNECT)
    if fault.status == 403:
        return CredentialsRefused(told("Google Ads does not allow this"), remedy=_OTHER_PERSON)
    if fault.status >= 500 or fault.status in (408, 425):
        return ProviderUnavailable(told("Google Ads can't answer at the moment"))
    if 400 <= fault.status < 500:
        # What a query asks for is ours alone, so its number in Google's books is for whoever mends it.
        asked = f", request {fault.request_id}" if fault.request_id else ""
        return BadProviderRequest(
            told(f"Google Ads refused the request{asked}"),
            remedy="Check customer ID and API version. If they are right, it is a fault of ours: report it with this text.",
        )
    return ProviderUnavailable(told("Google sent no answer that it documents"))


def _fault(answer: Answer, error: Json) -> Fault:
    if not isinstance(error, dict):
        # The token address's form of an error, or a proxy's.
        said = error if isinstance(error, str) else ""
        return Fault(answer.status, said, rests_seconds=answer.retry_after_seconds())
    pairs: list[tuple[str, str]] = []
    messages: list[str] = []
    rests = answer.retry_after_seconds()
    request_id: Json = answer.headers.get("request-id")
    for detail in map(as_object, as_list(error.get("details"))):
        request_id = detail.get("requestId") or request_id
        if isinstance(reason := detail.get("reason"), str) and _CODE.fullmatch(reason):
            pairs.append(("", reason))
        rests = _delay(detail.get("retryDelay")) or rests
        for one in map(as_object, as_list(detail.get("errors"))):
            pairs += _codes_in(one)
            if isinstance(message := one.get("message"), str):
                messages.append(message)
            quota = as_object(as_object(one.get("details")).get("quotaErrorDetails"))
            rests = _delay(quota.get("retryDelay")) or rests
    message = error.get("message")
    text = next((one for one in messages if one.strip()), message if isinstance(message, str) else "")
    if rests is None and (found := _RETRY_IN.search(text[:1_000])):
        rests = min(int(found[1]), _LONGEST_REST)
    status = error.get("code")
    # A stream that breaks off has begun with HTTP 200.
    is_status = isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600
    return Fault(
        status if 200 <= answer.status < 300 and isinstance(status, int) and is_status else answer.status,
        text,
        tuple(code for _, code in pairs),
        tuple(family for family, _ in pairs if family),
        rests,
        request_id if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id) else None,
    )


def _codes_in(error: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for family, code in as_object(error.get("errorCode")).items():
        if isinstance(code, str) and _CODE.fullmatch(code):
            yield family, code


def _delay(text: Json) -> int | None:
    found = _DELAY.fullmatch(text.strip()) if isinstance(text, str) else None
    return min(int(found[1]), _LONGEST_REST) if found else None
