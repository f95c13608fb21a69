"""Problems: what can go wrong, whether it passes by itself, and what a person can do about it.

The class says what happens next, `code` tells programs, `remedy` tells people. `detail` never quotes
personal data or secrets, so a problem may be logged and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from connector_master.model.json import Json


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in an input: the field's path as the caller wrote it, and what is wrong with it."""

    field: str
    message: str


class Problem(Exception):
    """Base of every expected failure. `status` is the HTTP status that a caller gets for it."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    remedy: str = "Try again; if it stays, look for the error's id in the log."

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        errors: Sequence[FieldError] = (),
        remedy: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.errors = tuple(errors) or ((FieldError(field, detail),) if field else ())
        self.retry_after_seconds = retry_after_seconds
        if remedy is not None:
            self.remedy = remedy

    def at(self, place: str) -> Self:
        """Return the same problem with its place in front, such as which of several accounts it is about."""
        return type(self)(
            f"{place}: {self.detail}",
            errors=self.errors,
            remedy=self.remedy,
            retry_after_seconds=self.retry_after_seconds,
        )

    def as_details(self) -> dict[str, Json]:
        """Return the problem as problem details (RFC 9457), with our stable `code` and what to do about it."""
        details: dict[str, Json] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "remedy": self.remedy,
        }
        if self.errors:
            details["errors"] = [{"field": one.field, "message": one.message} for one in self.errors]
        return details


class Transient(Problem):
    """Passes by itself: tried again on the schedule."""


class Permanent(Problem):
    """Stays until a person changes something."""


# ---- what a record can lack -------------------------------------------------------------------------


class MissingPhone(Permanent):
    """Nothing was found in the fields that are mapped to phoneNumber."""

    code = "missing_phone"
    title = "Phone number missing"
    status = 400
    remedy = "Map a field that holds a phone number to phoneNumber, then retry the event."


class InvalidPhone(Permanent):
    """No valid number in the field mapped to phoneNumber."""

    code = "invalid_phone"
    title = "Phone number invalid"
    status = 400
    remedy = "Map a field that holds a whole phone number, or set the connector's default region, then retry the event."


class InvalidBody(Permanent):
    """The body can't be read as what its content type says it is."""

    code = "invalid_body"
    title = "Body unreadable"
    status = 400
    remedy = "Send JSON, a form, or newline-delimited JSON, and say which in Content-Type."


class InvalidRecord(Permanent):
    """A record is not an object with fields."""

    code = "invalid_record"
    title = "Record unreadable"
    status = 400
    remedy = "Send one JSON object per lead."


class TransformFailed(Permanent):
    """A mapping's expression could not be evaluated for this record."""

    code = "transform_failed"
    title = "Transform failed"
    status = 400
    remedy = "Try the mapping with this event's payload, mend the expression, then retry the event."


class StorageRefused(Permanent):
    """The database refused the lead made of this record; its raw payload is kept."""

    code = "storage_refused"
    title = "Record could not be stored as a lead"
    status = 400
    remedy = "Look at the raw payload, mend the mapping, then retry the event."


# ---- the door ---------------------------------------------------------------------------------------


class ConnectorNotFound(Permanent):
    """No connector has this address."""

    code = "connector_not_found"
    title = "Connector not found"
    status = 404
    remedy = "Copy the webhook URL again from the connector's page."


class InvalidSignature(Permanent):
    """The signature or token is wrong, or missing where one is required."""

    code = "invalid_signature"
    title = "Invalid signature"
    status = 401
    remedy = "Sign the exact bytes of the body with this connector's webhook secret."


class MethodNotAllowed(Permanent):
    """This address knows no such method."""

    code = "method_not_allowed"
    title = "Method not allowed"
    status = 405
    remedy = "Use a method named in the Allow header."


class ForbiddenChallenge(Permanent):
    """A verification request carries a token that is not this connector's."""

    code = "invalid_verify_token"
    title = "Verify token wrong"
    status = 403
    remedy = "Enter this connector's own verify token at the provider."


class InvalidChallenge(Permanent):
    """A verification request asks for a proof that is not given: what it wants signed is no code, or there is no key."""

    code = "invalid_challenge"
    title = "Challenge can't be answered"
    status = 400
    remedy = "Enter the credential that the provider signs with, then have the provider ask again."


class BodyTooLarge(Permanent):
    """The body is larger than this address accepts."""

    code = "body_too_large"
    title = "Body too large"
    status = 413
    remedy = "Send fewer records per request."


class UnsupportedMediaType(Permanent):
    """The body's type or encoding is none that this address reads."""

    code = "unsupported_media_type"
    title = "Unsupported content type"
    status = 415
    remedy = (
        "Send application/json, application/x-www-form-urlencoded, multipart/form-data or application/x-ndjson, "
        "not compressed."
    )


class RateLimited(Transient):
    """More requests than this connector's limit allows."""

    code = "rate_limited"
    title = "Too many requests"
    status = 429
    remedy = "Wait as long as Retry-After says."


class ProviderLimited(RateLimited):
    """A provider says "too many calls", or its pace does; `retry_after_seconds` says until when, if that is known."""

    title = "Provider's limit reached"
    remedy = "Nothing to do: the next run waits as long as the provider asks."


class DailyLimitReached(ProviderLimited):
    """A provider's calls of the day are used up: nothing is asked with this key before it counts anew."""

    code = "daily_limit_reached"
    title = "The day's calls are used up"
    remedy = (
        "Nothing to do: it goes on by itself when the provider counts anew. For more calls a day, ask the provider for a "
        "larger quota, give connectors apps of their own, or let them sync less often."
    )


class ProviderUnavailable(Transient):
    """A provider can't be reached, failed, or answered something that its documentation does not know."""

    code = "provider_unavailable"
    title = "Provider unavailable"
    status = 502
    remedy = "Nothing to do at first: it is tried again. If it stays, look at the provider's status page."


class ApiVersionEnded(ProviderUnavailable):
    """A provider no longer serves the version of its API that is called. Nothing is lost until a person raises it."""

    code = "api_version_ended"
    title = "API version ended"
    remedy = "Raise the API version (apiVersion) in the connector's settings."


class CredentialsRefused(Permanent):
    """A provider refused the credentials."""

    code = "credentials_refused"
    title = "Credentials refused"
    status = 400
    remedy = "Enter the credentials again as the provider shows them now, then test the connection."


class TokenRefused(CredentialsRefused):
    """A provider refused the token itself: another one, or a person's new consent, may help."""

    code = "token_refused"
    title = "Token refused"
    remedy = "Connect again: open the connector and choose Connect."


class AuthorizationNeeded(CredentialsRefused):
    """Nobody has agreed at the provider yet, or the agreement has ended."""

    code = "authorization_needed"
    title = "Not connected"
    remedy = "Connect: open the connector and choose Connect, or enter a token that was made elsewhere."


class AppRefused(CredentialsRefused):
    """A provider does not accept the app's id or secret, or the app lacks what it needs."""

    code = "app_refused"
    title = "App refused by the provider"
    remedy = "Compare the app's id and secret with the provider's page of the app, and enter them again."


class PermissionMissing(CredentialsRefused):
    """The token is good, but it may not do this: a permission, a role or a product is missing."""

    code = "permission_missing"
    title = "Permission missing"
    remedy = "Give what is named here at the provider, then connect again."


class LeadNotFound(Transient):
    """The provider does not (yet) know the lead that it announced."""

    code = "lead_not_found"
    title = "Lead not found at the provider"
    status = 404
    remedy = "Nothing to do at first: it is tried for a day, for some providers show a lead a little late."


class BadProviderRequest(Permanent):
    """A provider refused what was asked for, not who asked."""

    code = "bad_request"
    title = "Request refused by the provider"
    status = 400
    remedy = "Check the connector's settings and the dates asked for."


class AddressRefused(Permanent):
    """An outgoing call would have gone to a private, local or reserved address."""

    code = "address_refused"
    title = "Address not allowed"
    status = 400
    remedy = "Use a public address, or let an administrator add its network to OUTBOUND_ALLOW."


class StorageUnavailable(Transient):
    """The database can't be reached or the queue is full; nothing was acknowledged."""

    code = "storage_unavailable"
    title = "Storage unavailable"
    status = 503
    remedy = "Send the same request again after the time in Retry-After."


# ---- destinations -----------------------------------------------------------------------------------


class ReceiverUnavailable(Transient):
    """A destination can't be reached, gave no whole answer in time, or failed."""

    code = "receiver_unavailable"
    title = "Receiver unavailable"
    status = 502
    remedy = "Nothing to do at first: it is tried again. If it stays, look whether the receiving system runs."


class ReceiverLimited(Transient):
    """A destination says "too many calls"; `retry_after_seconds` says until when, if that is known."""

    code = "receiver_limited"
    title = "Receiver's limit reached"
    status = 429
    remedy = "Nothing to do: it waits as long as the receiver asks. To stay below the limit, set calls per minute."


class UnexpectedAnswer(Transient):
    """A destination answered, and by the destination's own rule that is no success."""

    code = "unexpected_answer"
    title = "Answer is no success"
    status = 502
    remedy = "Look at the answer of the last attempt; mend what it complains of, or the rule for success."


class LeadRefused(Permanent):
    """A destination does not take this lead in this form; others it may take."""

    code = "lead_refused"
    title = "Lead refused by the receiver"
    status = 400
    remedy = (
        "Look at the answer of the last attempt, mend the destination's template or the lead, then retry the delivery."
    )


class LeadErased(Permanent):
    """The lead was erased before it was sent."""

    code = "lead_erased"
    title = "Lead erased"
    status = 409
    remedy = "Nothing: there is nothing to send any more."


class DestinationRefused(Permanent):
    """A destination refuses every call: its address, its credentials or our rights there are wrong."""

    code = "destination_refused"
    title = "Refused by the receiver"
    status = 400
    remedy = "Check the destination's address and credentials, then test it. What waits goes out once it works."


class ReceiverGone(Permanent):
    """A destination says that nothing is to be sent there any more (HTTP 410)."""

    code = "receiver_gone"
    title = "Receiver gone"
    status = 400
    remedy = "Enter the receiver's new address and resume the destination, or delete it."


# ---- the API ----------------------------------------------------------------------------------------


class InvalidRequest(Permanent):
    """Fields of the request are wrong; `errors` names each."""

    code = "validation_failed"
    title = "Request invalid"
    status = 422
    remedy = "Mend the fields named in errors."


class InvalidCursor(Permanent):
    """A paging cursor that this list did not give out."""

    code = "invalid_cursor"
    title = "Cursor invalid"
    status = 400
    remedy = "Start again without a cursor."


class Unauthenticated(Permanent):
    """No valid API key or session came with the request."""

    code = "unauthenticated"
    title = "Sign-in required"
    status = 401
    remedy = "Send a valid API key as Authorization: Bearer <key>."


class Forbidden(Permanent):
    """The caller's role does not allow this."""

    code = "forbidden"
    title = "Not allowed"
    status = 403
    remedy = "Ask an administrator for a role that may do this."


class NotFound(Permanent):
    """Nothing here has this id, or it lies in another workspace."""

    code = "not_found"
    title = "Not found"
    status = 404
    remedy = "Check the id; the list shows what there is."


class Conflict(Permanent):
    """The request does not fit the present state."""

    code = "conflict"
    title = "Conflict"
    status = 409
    remedy = "Read the present state, then decide again."
