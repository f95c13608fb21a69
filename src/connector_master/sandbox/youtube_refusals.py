"""Why the stand-in for YouTube refuses a call, in YouTube's words, and what can be made to go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error. `parameter` names the one that is to blame, `detail` the reason that Google's front door gives besides."""

    http: int
    reason: str
    message: str
    domain: str = "global"
    status: str | None = None
    parameter: str | None = None
    detail: str | None = None

    def response(self) -> Response:
        """Return it as YouTube writes it."""
        one: dict[str, Any] = {"message": self.message, "domain": self.domain, "reason": self.reason}
        if self.parameter:
            one |= {"location": self.parameter, "locationType": "parameter"}
        error: dict[str, Any] = {"code": self.http, "message": self.message, "errors": [one]}
        if self.status:
            error["status"] = self.status
        if self.detail:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": kind, "reason": self.detail, "domain": "googleapis.com"}]
        return JSONResponse({"error": error}, self.http)


AUTH_ERROR = Refusal(
    401,
    "authError",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential.",
    status="UNAUTHENTICATED",
)
SCOPE_MISSING = Refusal(
    403,
    "insufficientPermissions",
    "Request had insufficient authentication scopes.",
    status="PERMISSION_DENIED",
    detail="ACCESS_TOKEN_SCOPE_INSUFFICIENT",
)
QUOTA_EXCEEDED = Refusal(
    403,
    "quotaExceeded",
    'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>.',
    "youtube.quota",
)
FORBIDDEN = Refusal(
    403,
    "forbidden",
    "One or more of the requested comment threads cannot be retrieved due to insufficient permissions. The request might "
    "not be properly authorized.",
    "youtube.commentThread",
)
COMMENTS_DISABLED = Refusal(
    403,
    "commentsDisabled",
    'The video identified by the <code><a href="/youtube/v3/docs/commentThreads/list#videoId">videoId</a></code> parameter '
    "has disabled comments.",
    "youtube.commentThread",
    parameter="videoId",
)
CHANNEL_NOT_FOUND = Refusal(
    404,
    "channelNotFound",
    "The channel identified by the allThreadsRelatedToChannelId parameter could not be found.",
    "youtube.commentThread",
    parameter="allThreadsRelatedToChannelId",
)
VIDEO_NOT_FOUND = Refusal(
    404,
    "videoNotFound",
    "The video identified by the videoId parameter could not be found.",
    "youtube.commentThread",
    parameter="videoId",
)
COMMENT_NOT_FOUND = Refusal(
    404,
    "commentNotFound",
    "One or more of the specified comments cannot be found.",
    "youtube.comment",
    parameter="parentId",
)
SUBSCRIPTION_FORBIDDEN = Refusal(
    403,
    "subscriptionForbidden",
    "The requester is not allowed to access the requested subscriptions.",
    "youtube.subscription",
)
INVALID_PAGE_TOKEN = Refusal(
    400,
    "invalidPageToken",
    "The request specifies an invalid page token.",
    "youtube.parameter",
    parameter="pageToken",
)


def missing(parameter: str, why: str) -> Refusal:
    """Return the refusal of a call that leaves out what is needed."""
    return Refusal(400, "missingRequiredParameter", why, "youtube.parameter", parameter=parameter)


def incompatible(names: str) -> Refusal:
    """Return the refusal of a call with parameters that exclude each other."""
    why = f"Incompatible parameters specified in the request: {names}"
    return Refusal(400, "incompatibleParameters", why, "youtube.parameter")


def invalid(parameter: str, value: str) -> Refusal:
    """Return the refusal of a value that a parameter does not take."""
    why = f"Invalid value '{value[:50]}' for {parameter}."
    return Refusal(400, "invalidParameter", why, status="INVALID_ARGUMENT", parameter=parameter)


def unexpected(parameter: str) -> Refusal:
    """Return the refusal of a parameter that a call does not know."""
    why = f"The request specifies an unexpected parameter: {parameter[:50]}"
    return Refusal(400, "unexpectedParameter", why, "youtube.parameter", parameter=parameter[:50])


REFUSALS: Mapping[str, Refusal] = {
    "token_refused": AUTH_ERROR,
    "scope_missing": SCOPE_MISSING,
    "quota": QUOTA_EXCEEDED,
    "daily_limit": Refusal(403, "dailyLimitExceeded", "Daily Limit Exceeded", "usageLimits"),
    "rate": Refusal(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "user_rate": Refusal(403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits"),
    "busy_minute": Refusal(
        429,
        "rateLimitExceeded",
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'.",
        status="RESOURCE_EXHAUSTED",
    ),
    "forbidden": FORBIDDEN,
    "account_closed": Refusal(
        403,
        "authenticatedUserAccountClosed",
        "The YouTube account of the authenticated user is closed.",
        "youtube.common",
    ),
    "account_suspended": Refusal(
        403, "accountSuspended", "The YouTube account of the authenticated user is suspended.", "youtube.common"
    ),
    "api_disabled": Refusal(
        403,
        "accessNotConfigured",
        "YouTube Data API v3 has not been used in project 123456789 before or it is disabled.",
        "usageLimits",
        status="PERMISSION_DENIED",
    ),
    "processing": Refusal(
        400,
        "processingFailure",
        "The API server failed to successfully process the request.",
        "youtube.commentThread",
    ),
    "internal": Refusal(500, "backendError", "Backend Error"),
    "unavailable": Refusal(503, "backendError", "Backend Error"),
}
"""Errors that every call can get while a fault of this name is on."""

FAULTS = {name: f"says {one.reason} (HTTP {one.http})" for name, one in REFUSALS.items()} | {
    "held_forbidden": "shows nobody the comments that are held for review (HTTP 403)",
    "subscribers_forbidden": "shows nobody who has subscribed (HTTP 403)",
    "channel_gone": "knows none of the channels any more (HTTP 404)",
    "bad_page_token": "forgets the tokens of pages",
    "empty_last_page": "ends lists with a token that leads to an empty page",
    "same_token": "gives the same page under the same token for ever",
    "out_of_order": "lists threads not quite by time",
    "html_text": "writes comments in HTML, however it is asked",
}
"""What this provider's own faults do."""
