"""Refusals of the YouTube Data API: what each means for the person who connected, and what happens next.

The `reason` of the first error decides, then what Google's front door says (ErrorInfo), then the HTTP status; domains and
messages vary.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from connector_master.connectors.words import tell
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import (
    AppRefused,
    BadProviderRequest,
    CredentialsRefused,
    DailyLimitReached,
    LeadNotFound,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer

SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"

_SOON_SECONDS = 5
_MINUTE_SECONDS = 60
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,80}")


class Gone(LeadNotFound):
    """A video, thread or comment is not there any more, or takes no comments: nothing comes of it."""


class Withheld(PermissionMissing):
    """These comments are shown to the owner of the channel alone."""


class SubscribersWithheld(PermissionMissing):
    """Who has subscribed is not shown to this account."""


class PageTokenRefused(ProviderUnavailable):
    """YouTube no longer knows the token of a page: the list has to be read again from its first page."""


class NotProcessed(ProviderUnavailable):
    """YouTube could not process a request that is in order; asked again it mostly can."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What one of YouTube's reasons means."""

    kind: type[Problem]
    fact: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class _Fault:
    """An error as YouTube tells it; `is_daily`: the front door names a limit that counts by the day."""

    status: int
    message: str
    reasons: tuple[str, ...] = ()
    is_daily: bool = False


_RECONNECT = "Connect again: open the connector and choose Connect."
_OWNER = (
    "Connect again with the Google account that owns the channel, and pick the channel itself (the brand account) in Google's "
    "dialog."
)
_OPEN_CHANNEL = (
    "Sign in at YouTube with the account that was connected and see what it says of the channel. Then connect again with an "
    "account whose channel is open."
)

_GENERAL = ("forbidden", "PERMISSION_DENIED")
_TOKEN = ("authError", "invalidCredentials", "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED")
_NO_SCOPE = ("insufficientPermissions", "insufficientScopes", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
_DAILY = ("quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg")
_RATE = ("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED")
_GONE = ("videoNotFound", "commentThreadNotFound", "commentNotFound", "parentCommentNotFound")
_ACCOUNT = {
    "accountClosed": "The YouTube account is closed",
    "authenticatedUserAccountClosed": "The YouTube account that agreed is closed",
    "accountSuspended": "YouTube has suspended the account",
    "authenticatedUserAccountSuspended": "YouTube has suspended the account that agreed",
    "channelClosed": "The channel is closed",
    "channelSuspended": "YouTube has suspended the channel",
    "channelNotFound": "YouTube knows no such channel any more",
    "youtubeSignupRequired": "The account that agreed has no channel",
}
_API_OFF = ("accessNotConfigured", "SERVICE_DISABLED", "CONSUMER_INVALID", "PROJECT_DISABLED")
_PASSING = ("backendError", "internalError", "INTERNAL", "UNAVAILABLE", "SERVICE_UNAVAILABLE")

_MEANINGS: Mapping[str, _Meaning] = MappingProxyType(
    {
        **{one: _Meaning(TokenRefused, "YouTube did not accept the access token", _RECONNECT) for one in _TOKEN},
        **{
            one: _Meaning(
                PermissionMissing,
                f"The scope {SCOPE} was not granted",
                "Connect again, and leave the box for YouTube ticked on Google's page. Comments can be read with this scope "
                "alone; nothing is written with it.",
            )
            for one in _NO_SCOPE
        },
        **{one: _Meaning(Gone, "YouTube does not have it any more") for one in _GONE},
        **{one: _Meaning(CredentialsRefused, fact, _OPEN_CHANNEL) for one, fact in _ACCOUNT.items()},
        **{
            one: _Meaning(
                AppRefused,
                "The YouTube Data API is not enabled in the Google Cloud project",
                "In Google Cloud, open the project that owns the OAuth client, and enable the YouTube Data API v3 under APIs "
                "& Services. It takes some minutes to count.",
            )
            for one in _API_OFF
        },
        **{one: _Meaning(ProviderUnavailable, "YouTube has a passing fault") for one in _PASSING},
        "commentsDisabled": _Meaning(Gone, "Comments are turned off there"),
        **{one: _Meaning(Withheld, "Whoever agreed may not see this", _OWNER) for one in _GENERAL},
        "subscriptionForbidden": _Meaning(SubscribersWithheld, "Whoever agreed may not see who has subscribed", _OWNER),
        "invalidPageToken": _Meaning(PageTokenRefused, "YouTube no longer knew the next page; it is read anew"),
        "processingFailure": _Meaning(NotProcessed, "YouTube could not process the request"),
    }
)


def problem_in(answer: Answer, *secrets: str | None) -> Problem | None:
    """Return what a refusal means, None for a good answer. `secrets` never appear in it.

    Raises ProviderUnavailable for what should be an answer and is no JSON.
    """
    fault = _fault_in(answer)
    if fault is None:
        return None
    reason = _telling(fault.reasons)

    def told(fact: str) -> str:
        named = f"{fact} ({reason})" if reason else f"{fact} (HTTP {fault.status})"
        return tell(named, fault.message, *secrets)

    if reason in _DAILY or fault.is_daily:
        return DailyLimitReached(
            told("The Google Cloud project has used up its quota of the day"),
            remedy="Nothing to do: it goes on by itself at midnight Pacific time. With many channels sync less often, ask "
            "Google for a larger quota, or give connectors OAuth clients of projects of their own.",
        )
    if reason in _RATE or (fault.status == 429 and reason not in _MEANINGS):
        at_least = _MINUTE_SECONDS if fault.status == 429 else _SOON_SECONDS
        rests = max(at_least, answer.retry_after_seconds() or 0)
        return ProviderLimited(told("YouTube was asked too often"), retry_after_seconds=rests)
    meaning = _MEANINGS.get(reason)
    if meaning is not None:
        return meaning.kind(told(meaning.fact), remedy=meaning.remedy)
    return _by_status(fault.status, told)


def _telling(reasons: Sequence[str]) -> str:
    """Return the reason that says most: the first known one, a general one only where there is no other."""
    known = [one for one in reasons if one in _MEANINGS or one in _DAILY or one in _RATE]
    return next((one for one in known if one not in _GENERAL), (known or reasons or [""])[0])


def _by_status(status: int, told: Callable[[str], str]) -> Problem:
    if status == 401:
        return TokenRefused(told("YouTube did not accept the access token"), remedy=_RECONNECT)
    if status == 403:
        return PermissionMissing(told("YouTube does not allow this"), remedy=_OWNER)
    if status >= 500 or status in (408, 425):
        return ProviderUnavailable(told("YouTube can't answer at the moment"))
    if 400 <= status < 500:
        return BadProviderRequest(
            told("YouTube refused the request"),
            remedy="Choose the channel again. If that does not help, it is a fault of ours: report it with this text.",
        )
    return ProviderUnavailable(told("YouTube sent no answer that it documents"))


def _fault_in(answer: Answer) -> _Fault | None:
    is_good = 200 <= answer.status < 300
    try:
        body = answer.json()
    except ProviderUnavailable:
        if is_good:
            raise
        return _Fault(answer.status, answer.text())
    error = body.get("error") if isinstance(body, dict) else None
    if error is None:
        return None if is_good else _Fault(answer.status, "")
    if not isinstance(error, dict):
        # The token address's form of an error, or a proxy's.
        return _Fault(answer.status, error if isinstance(error, str) else "")
    message, code = error.get("message"), error.get("code")
    is_status = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
    return _Fault(
        code if is_good and isinstance(code, int) and is_status else answer.status,
        message if isinstance(message, str) else "",
        tuple(one for one in _reasons(error) if isinstance(one, str) and _REASON.fullmatch(one)),
        any(_counts_by_day(detail) for detail in map(as_object, as_list(error.get("details")))),
    )


def _reasons(error: Mapping[str, Json]) -> Iterator[Json]:
    yield from (as_object(one).get("reason") for one in as_list(error.get("errors")))
    yield from (as_object(one).get("reason") for one in as_list(error.get("details")))
    yield error.get("status")


def _counts_by_day(detail: Mapping[str, Json]) -> bool:
    """Return whether an ErrorInfo names a quota of the day, such as `1/d/{project}`."""
    unit = as_object(detail.get("metadata")).get("quota_unit")
    return isinstance(unit, str) and unit.startswith("1/d/")
