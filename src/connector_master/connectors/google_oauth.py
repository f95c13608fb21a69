"""Google's OAuth 2.0, the same for every API of Google's (docs/connectors/google.md, docs/connectors/youtube.md).

A refresh token comes only with both `access_type=offline` and `prompt=consent`: without the second one, whoever agreed
before gets none. While the app is in publishing status "Testing", it dies after seven days.
"""

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from connector_master.connectors.oauth import Address, App, OAuth, Tokens
from connector_master.connectors.words import tell
from connector_master.model.json import as_object
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    BadProviderRequest,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer, Client

_REVOKE_PATH = "/revoke"
_ASKS = MappingProxyType({"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"})
_PASSING = frozenset({"server_error", "temporarily_unavailable", "internal_failure", "backend_error"})
_LIMITED = frozenset({"rate_limit_exceeded", "slow_down"})
_WRONG_CLIENT = frozenset({"invalid_client", "unauthorized_client", "deleted_client", "disabled_client"})
_NOT_AGREED = frozenset({"interaction_required", "login_required", "consent_required", "account_selection_required"})
_AFTER_A_CHECK = re.compile(r"rapt|reauth", re.IGNORECASE)
_KIND = re.compile(r"[a-z_]{1,60}")


def google_oauth(*scopes: str) -> OAuth:
    """Return how Google is asked to agree to these scopes."""
    return OAuth(
        browser=Address("https://accounts.google.com", "GOOGLE_OAUTH_URL"),
        server=Address("https://oauth2.googleapis.com", "GOOGLE_TOKEN_URL"),
        authorize_path="/o/oauth2/v2/auth",
        token_path="/token",  # noqa: S106 (an address, not a secret)
        scopes=scopes,
        app_setting="GOOGLE",
        asks=_ASKS,
        needs_refresh_token=True,
        issuers=("https://accounts.google.com",),
        revoke=revoke,
        explain=explain,
        lasts_if="Google ends connections after seven days while the app's publishing status is Testing: publish the app on "
        "the page Audience in Google Cloud, then connect again.",
    )


async def revoke(client: Client, app: App | None, settings: Any, tokens: Tokens) -> None:
    """Take the whole grant back: with one of its tokens all of them die. One that is dead already is no problem.

    Raises what Google's refusal means.
    """
    answer = await client.post(_REVOKE_PATH, form={"token": tokens.refresh_token or tokens.access_token})
    if 200 <= answer.status < 300:
        return
    error, description = _error_in(answer)
    if error in ("invalid_token", "invalid_grant"):
        return
    if answer.status == 429:
        raise ProviderLimited(
            "Google was asked too often to take a grant back.", retry_after_seconds=answer.retry_after_seconds()
        )
    raise (
        explain(error, description)
        or ProviderUnavailable(
            f"Google did not take the grant back (HTTP {answer.status}, {error or 'no reason given'})."
        )
    )


def explain(error: str, description: str) -> Problem | None:
    """Return what Google's `error` means, from the browser's return or from the token address; None for an unknown one."""

    def told(fact: str) -> str:
        return tell(f"{fact} ({error})", description)

    if error == "access_denied":
        return AuthorizationNeeded(
            told("Access was not granted at Google"),
            remedy="Choose Connect again and agree to everything that is asked. If Google says that the app is being "
            "tested, add the person as a test user on the app's page Audience in Google Cloud, or publish the app there.",
        )
    if error == "invalid_grant":
        return _dead_grant(told, description)
    if error in _WRONG_CLIENT:
        return AppRefused(
            told("Google does not accept the client ID or the client secret"),
            remedy="Compare client ID and client secret with the OAuth client (type: web application) on the page Clients "
            "in Google Cloud, and enter them again. A deleted client has to be made anew, and connected with anew.",
        )
    if error == "redirect_uri_mismatch":
        return AppRefused(
            told("The OAuth client at Google does not know our callback address"),
            remedy="Add the callback address that this connector's page shows, letter for letter, to the authorized "
            "redirect URIs of the OAuth client in Google Cloud, then connect again.",
        )
    if error == "admin_policy_enforced":
        return PermissionMissing(
            told("The administrator of the Google Workspace does not allow this app"),
            remedy="Ask the Workspace administrator to trust the app's client ID for the scopes asked for (Admin console: "
            "Security, API controls), then connect again. Or connect with an account outside that Workspace.",
        )
    if error == "org_internal":
        return PermissionMissing(
            told("The app is open only to the organization that owns it"),
            remedy="Connect with an account of that organization, or set the app's user type to External on the page "
            "Audience in Google Cloud.",
        )
    if error == "invalid_scope":
        return AppRefused(
            told("The app may not ask for this scope"),
            remedy="Enable the API in the app's Google Cloud project, add the scope on the page Data Access, then connect "
            "again.",
        )
    if error in _NOT_AGREED:
        return AuthorizationNeeded(told("Google wants to ask a person first"))
    if error in _PASSING:
        return ProviderUnavailable(told("Google's sign-in has a passing fault"))
    if error in _LIMITED:
        return ProviderLimited(told("Google's sign-in was asked too often"))
    if error in ("invalid_request", "unsupported_grant_type", "unsupported_response_type"):
        return BadProviderRequest(told("Google did not understand the sign-in"))
    return None


def _dead_grant(told: Callable[[str], str], description: str) -> Problem:
    if _AFTER_A_CHECK.search(description):
        return TokenRefused(
            told("The Google Workspace ends connections after some time, and wants the person to sign in again"),
            remedy="Connect again. So that it lasts, ask the Workspace administrator to exempt this app from the session "
            "length for Google Cloud (Admin console: Security, Google session control).",
        )
    return TokenRefused(
        told("The connection to Google has ended"),
        remedy="Connect again. Google ends a connection when access is taken back, the password changes, it is unused for "
        "six months, or after seven days while the app's publishing status is Testing: then publish the app on the page "
        "Audience in Google Cloud.",
    )


def _error_in(answer: Answer) -> tuple[str, str]:
    try:
        body = as_object(answer.json())
    except ProviderUnavailable:
        return "", ""
    error, description = body.get("error"), body.get("error_description")
    kind = error if isinstance(error, str) and _KIND.fullmatch(error) else ""
    return kind, description if isinstance(description, str) else ""
