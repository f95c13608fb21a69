"""LinkedIn's OAuth 2.0: tokens of sixty days, which only approved partners can renew, and for one year at most."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_master.connectors.linkedin_errors import ADS_SCOPE, LEADS_SCOPE, PAGES_SCOPE
from connector_master.connectors.oauth import Address, App, Inspected, OAuth
from connector_master.connectors.words import tell
from connector_master.model.json import Json, as_object
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    BadProviderRequest,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.model.words import Words
from connector_master.outbound.client import Client

SCOPES = (LEADS_SCOPE, ADS_SCOPE, PAGES_SCOPE)

_SERVER = Address("https://www.linkedin.com", "LINKEDIN_OAUTH_URL")
_INSPECT_PATH = "/oauth/v2/introspectToken"
_LATEST = 253_402_300_799
_NOT_AGREED = frozenset({"user_cancelled_login", "user_cancelled_authorize", "access_denied"})
_NO_PRODUCT = frozenset({"unauthorized_scope_error", "invalid_scope", "invalid_scope_error"})
_WRONG_CLIENT = frozenset({"invalid_client", "invalid_client_id", "unauthorized_client"})
_WRONG_ADDRESS = frozenset({"invalid_redirect_uri", "redirect_uri_mismatch"})
_PASSING = frozenset({"server_error", "temporarily_unavailable"})


async def inspect(client: Client, app: App, settings: Any, token: str) -> Inspected:
    """Return what LinkedIn says of a token: that tells a dead one from a missing role. Raises what a refusal means."""
    form = {"client_id": app.id, "client_secret": app.secret, "token": token}
    answer = await client.post(_INSPECT_PATH, form=form)
    if answer.status == 429:
        raise ProviderLimited(
            "LinkedIn was asked too often about a token.", retry_after_seconds=answer.retry_after_seconds()
        )
    body = as_object(answer.json())
    error, description = body.get("error"), body.get("error_description")
    if isinstance(error, str) and (known := explain(error, description if isinstance(description, str) else "")):
        raise known
    active = body.get("active")
    if not isinstance(active, bool) or not 200 <= answer.status < 300:
        raise ProviderUnavailable(f"LinkedIn did not say whether a token lives (HTTP {answer.status}).")
    scope, status = body.get("scope"), body.get("status")
    return Inspected(
        is_alive=active,
        expires_at=_moment(body.get("expires_at")),
        scopes=frozenset(scope.replace(",", " ").split()) if isinstance(scope, str) else None,
        reason=None if active else f"LinkedIn says that the token is {status if isinstance(status, str) else 'dead'}.",
    )


def explain(error: str, description: str) -> Problem | None:
    """Return what LinkedIn's `error` means, from the browser's return or the token address; None for an unknown one."""

    def told(fact: str) -> str:
        return tell(f"{fact} ({error})", description)

    if error in _NOT_AGREED:
        return AuthorizationNeeded(
            told("Access was not granted at LinkedIn"),
            remedy="Choose Connect again, sign in at LinkedIn, and choose Allow.",
        )
    if error in _NO_PRODUCT:
        return AppRefused(
            told("The app at LinkedIn lacks a product, so it may not ask for this"),
            remedy=Words(
                "On the app's page Products at LinkedIn, apply for Lead Sync (for the scope %(leads)s) and the Advertising API "
                "(for %(ads)s), wait until they are added, then connect again.",
                leads=LEADS_SCOPE,
                ads=ADS_SCOPE,
            ),
        )
    if error == "invalid_grant":
        return _dead_grant(told)
    if error in _WRONG_CLIENT:
        return AppRefused(
            told("LinkedIn does not accept the client ID or the client secret"),
            remedy="Copy client ID and client secret again from the app's page Auth at LinkedIn.",
        )
    if error in _WRONG_ADDRESS:
        return AppRefused(
            told("The app at LinkedIn does not know our callback address"),
            remedy="Add the callback address that this connector's page shows, letter for letter, to the authorized redirect "
            "URLs on the app's page Auth, then connect again.",
        )
    if error in _PASSING:
        return ProviderUnavailable(told("LinkedIn's sign-in has a passing fault"))
    if error == "invalid_request":
        return BadProviderRequest(told("LinkedIn did not understand the sign-in"))
    return None


def _dead_grant(told: Callable[[str], str]) -> Problem:
    return TokenRefused(
        told("The connection to LinkedIn has ended, or its one-time code came too late"),
        remedy="Connect again. LinkedIn ends a connection when access is taken back, and a year after it was made at the "
        "latest; a code is good once, and for half an hour.",
    )


OAUTH = OAuth(
    browser=_SERVER,
    server=_SERVER,
    authorize_path="/oauth/v2/authorization",
    token_path="/oauth/v2/accessToken",  # noqa: S106 (an address, not a secret)
    # Always the same ones: asking for others would end the tokens that the person has given before.
    scopes=SCOPES,
    app_setting="LINKEDIN",
    uses_pkce=False,
    inspect=inspect,
    explain=explain,
    settles_in=timedelta(minutes=1),
    lasts_if="LinkedIn lets only approved partners renew a connection without a person, for a year; all others last 60 days.",
)


def _moment(value: Json) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return None
    return datetime.fromtimestamp(min(value, _LATEST), UTC)
