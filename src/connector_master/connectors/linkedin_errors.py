"""Refusals of LinkedIn's API: what each means for the person who connected, and what happens next (docs/connectors/linkedin.md).

The HTTP status decides, then LinkedIn's code. Older errors have only a number, newer ones list what is wrong with the request.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from connector_master.connectors.words import tell
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import (
    ApiVersionEnded,
    BadProviderRequest,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.model.words import Words
from connector_master.outbound.client import Answer

LEADS_SCOPE, ADS_SCOPE, PAGES_SCOPE = "r_marketing_leadgen_automation", "r_ads", "r_organization_admin"

_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9+/=_-]{1,60}")
_CHALLENGE = re.compile(r"security challenge", re.IGNORECASE)
_NO_TOKEN = re.compile(r"\bempty\b.*token", re.IGNORECASE)
_OF_THE_DAY = re.compile(r"\bday\b", re.IGNORECASE)
_WHY_DEAD = {
    65600: "The access token is not valid",
    65601: "Access was taken back at LinkedIn",
    65602: "The access token has expired",
}
_EMPTY_TOKEN = 65604
_SCOPES = {
    "adAccounts": (ADS_SCOPE, Words("any role on the ad account")),
    "organizationAcls": (PAGES_SCOPE, Words("a role on the company page")),
    "organizations": (PAGES_SCOPE, Words("a role on the company page")),
}
_LEAD_ROLES = Words(
    "for leads of ads any role on the ad account and one on its company page, such as ADMINISTRATOR or "
    "LEAD_GEN_FORMS_MANAGER; for leads of events ADMINISTRATOR or CONTENT_ADMINISTRATOR of the page"
)


class NotThere(BadProviderRequest):
    """LinkedIn shows no such thing: it is not there (yet), or not for the person who agreed."""

    remedy = (
        "See at LinkedIn whether the person who connected still has a role on the ad account and on its company page, and "
        "choose the accounts again."
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as LinkedIn tells it. `number` is its serviceErrorCode; `request_id` is its own name for the call."""

    status: int
    message: str
    code: str = ""
    number: int | None = None
    rests_seconds: int | None = None
    request_id: str | None = None

    @property
    def is_limit(self) -> bool:
        """Return whether too much was asked."""
        return self.status == 429

    @property
    def is_of_the_day(self) -> bool:
        """Return whether the calls of a whole day are used up."""
        return self.is_limit and _OF_THE_DAY.search(self.message) is not None


def fault_in(answer: Answer) -> Fault | None:
    """Return the error that an answer tells, None for a good answer."""
    if 200 <= answer.status < 300:
        return None
    try:
        body = as_object(answer.json())
    except ProviderUnavailable:
        body = {"message": answer.text()}
    code, number = body.get("code"), body.get("serviceErrorCode")
    request_id = answer.headers.get("x-li-uuid", "")
    return Fault(
        answer.status,
        _message(body),
        code if isinstance(code, str) and _CODE.fullmatch(code) else "",
        number if isinstance(number, int) and not isinstance(number, bool) else None,
        answer.retry_after_seconds(),
        request_id if _REQUEST_ID.fullmatch(request_id) else None,
    )


def problem_of(
    fault: Fault, resource: str, version: str, *secrets: str | None, rests_seconds: int | None = None
) -> Problem:
    """Return what an error means. `resource` is what was asked for, `rests_seconds` how long it is left alone after a limit.

    `secrets` never appear in it.
    """

    def told(fact: str) -> str:
        return tell(f"{fact} ({fault.code or f'HTTP {fault.status}'})", fault.message, *secrets)

    if fault.status == 426 or fault.code == "NONEXISTENT_VERSION":
        return ApiVersionEnded(
            told(f"LinkedIn no longer serves version {version} of its API"),
            remedy="Raise the API version (apiVersion) in the settings to one that LinkedIn serves, such as the default. "
            "Connecting again does not help. What was announced is kept, and fetched afterwards.",
        )
    if fault.is_limit:
        limit = "LinkedIn's calls of the day are used up" if fault.is_of_the_day else "LinkedIn was asked too often"
        return ProviderLimited(told(limit), retry_after_seconds=rests_seconds or fault.rests_seconds)
    if fault.status == 401:
        return _of_token(fault, told)
    if fault.status == 403:
        return _forbidden(resource, told)
    if fault.status == 404:
        return NotThere(told("LinkedIn shows nothing there"))
    if fault.status >= 500 or fault.status in (408, 425):
        return ProviderUnavailable(told("LinkedIn can't answer at the moment"))
    return _refused(fault, told)


def _message(body: dict[str, Json]) -> str:
    inputs = as_list(as_object(body.get("errorDetails")).get("inputErrors"))
    described = [text for one in inputs if isinstance(text := as_object(one).get("description"), str) and text.strip()]
    message = body.get("message")
    texts = [*([message] if isinstance(message, str) else []), *described]
    return "; ".join(dict.fromkeys(texts))


def _of_token(fault: Fault, told: Callable[[str], str]) -> Problem:
    is_missing = fault.code == "EMPTY_ACCESS_TOKEN" or fault.number == _EMPTY_TOKEN or _NO_TOKEN.search(fault.message)
    if is_missing:
        # The token is as good as it was: connecting again would mend nothing.
        return BadProviderRequest(
            told("LinkedIn saw no access token in the call"),
            remedy="Look whether a proxy at LINKEDIN_API_URL takes the header Authorization away. If there is none, it is a "
            "fault of ours: report it with this text.",
        )
    return TokenRefused(
        told(_WHY_DEAD.get(fault.number or 0, "LinkedIn did not accept the access token")),
        remedy="Connect again; where the token was entered by hand, make a new one at LinkedIn and enter it.",
    )


def _forbidden(resource: str, told: Callable[[str], str]) -> Problem:
    scope, role = _SCOPES.get(resource.partition("/")[0], (LEADS_SCOPE, _LEAD_ROLES))
    return PermissionMissing(
        told(f"Whoever connected may not read this at LinkedIn: the scope {scope} or a role is missing"),
        remedy=Words(
            "See that the app has LinkedIn's product for %(scope)s (Lead Sync for leads), that it was agreed to, and that the "
            "person who connected has the role that is needed: %(role)s. Then connect again. What was announced is kept.",
            scope=scope,
            role=role,
        ),
    )


def _refused(fault: Fault, told: Callable[[str], str]) -> Problem:
    if _CHALLENGE.search(fault.message):
        return BadProviderRequest(
            told("LinkedIn asked our address for its proof, and did not get it"),
            remedy="LinkedIn calls the address at once, from outside: see that PUBLIC_URL is the hub's public https:// "
            "address and that the client secret is that of the app that you connected with, then choose the accounts again.",
        )
    return BadProviderRequest(
        told("LinkedIn refused the request"),
        remedy="Check the API version in the settings. If it is one that LinkedIn serves, it is a fault of ours: report it "
        "with this text.",
    )
