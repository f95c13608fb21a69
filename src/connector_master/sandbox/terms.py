"""How a provider lets people agree to what an app may do: the facts in which one differs from another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from connector_master.sandbox.grants import Token

if TYPE_CHECKING:
    from connector_master.sandbox.consent import Consent

CONSENT_FAULTS = {
    "invalid_client": "does not know the app: its id or secret is wrong",
    "token_down": "fails when a token is asked for (HTTP 503)",
    "token_slow": "gives a token only after so many seconds",
    "token_html": "answers with a page in HTML when a token is asked for (HTTP 200)",
    "no_expiry": "does not say how long a token lives",
    "no_refresh_token": "gives no refresh token",
    "rotates": "gives a new refresh token with every renewal, and the old one dies",
    "scope_unticked": "lets people untick the first scope (or those of the setting unticked)",
    "wrong_issuer": "names another issuer when it sends people back",
    "wrong_state": "sends people back with another state",
}
"""What a stand-in that asks for consent adds to its `faults`."""

CONSENT_SETTINGS: dict[str, Any] = {
    "consents": "ask",
    "unticked": None,
    "person": None,
    "accounts": None,
    "clientId": None,
    "clientSecret": None,
    "redirectUris": None,
    "offeredScopes": None,
    "accessSeconds": None,
    "refreshSeconds": None,
}
"""What a stand-in that asks for consent adds to its `settings`.

`consents`: ask, allow, refuse, or partly (what is `unticked`, else the first scope, is not granted). `person` and `accounts`
(ids) are who agrees and what is chosen when nobody is asked. Without `clientId` and `clientSecret` those are known that
begin with `sandbox`. `offeredScopes` are the scopes that the app may ask for. The seconds are how long tokens live.
"""

CONSENT_ACTIONS = {
    "expire_access": "Expire access tokens",
    "revoke_all": "Revoke everything",
}
"""What a stand-in that asks for consent adds to its `actions`."""

CONSENT_ANSWERS = {
    "ask": "People are asked",
    "allow": "Everybody agrees at once",
    "partly": "Everybody agrees in part",
    "refuse": "Everybody refuses",
}
"""How the setting `consents` lets people answer."""

NO_STORE = {"Cache-Control": "no-store"}

GIVEN = "sandbox"
"""What begins the ids, secrets and tokens that are known without having been issued."""

Choice = tuple[str, str]
"""The id and the name of an account that a person may choose."""


def standard_error(error: str, description: str, status: int) -> Response:
    """Return an error as RFC 6749 writes it."""
    return JSONResponse({"error": error, "error_description": description}, status, NO_STORE)


def standard_introspection(token: Token) -> dict[str, Any]:
    """Return what RFC 7662 says of a token."""
    if not token.is_alive:
        return {"active": False}
    about = {"client_id": token.client, "scope": " ".join(sorted(token.scopes)), "iat": seconds(token.issued_at)}
    return {"active": True, **about} | ({"exp": seconds(token.expires_at)} if token.expires_at else {})


def seconds(at: datetime) -> int:
    """Return a moment as seconds since 1970."""
    return int(at.timestamp())


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How one provider lets people agree. Paths lie beneath the stand-in's own.

    `pkce` is none (ignored), known or required. Without `refresh_life` there are no refresh tokens; `refresh_ends` says that
    they die that long after consent, and that answers tell it. `offline`: they are only given for access_type=offline, and
    again only with prompt=consent. `repeats_refresh`: a renewal's answer names the refresh token again. `all_or_none`: a
    single scope can't be unticked. `always` is granted besides. `same_scopes`: consent to other scopes ends earlier tokens.
    `granted_separator` joins the scopes of an answer where it is not `scope_separator`; `says_scopes` is whether it names
    them at all, `returns_scopes` whether the way back does. `refusal` and `scope_refusal` are what the way back says then.
    `client` names the settings with the app's id and secret. `accounts` gives what a person (by name) can choose from.
    `more_grants` are other values of `grant_type`. `error` and `introspection` write answers.
    """

    title: str
    authorize_path: str
    token_path: str
    revoke_path: str | None = None
    introspect_path: str | None = None
    token_methods: tuple[str, ...] = ("POST",)
    scope_separator: str = " "
    granted_separator: str | None = None
    scopes: Mapping[str, str] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    all_or_none: bool = False
    same_scopes: bool = False
    says_scopes: bool = True
    returns_scopes: bool = False
    pkce: str = "known"
    issuer: str | None = None
    code_life: timedelta = timedelta(minutes=10)
    access_life: timedelta | None = timedelta(hours=1)
    refresh_life: timedelta | None = None
    has_refresh_tokens: bool = False
    repeats_refresh: bool = False
    rotates: bool = False
    offline: bool = False
    type_said: str | None = "Bearer"
    access_prefix: str = "access-"
    refresh_prefix: str = "refresh-"
    token_bytes: int = 32
    refuses_unknown_revocation: bool = False
    refusal: Mapping[str, str] = field(default_factory=lambda: {"error": "access_denied"})
    scope_refusal: str = "invalid_scope"
    client: tuple[str, str] = ("clientId", "clientSecret")
    persons: tuple[str, ...] = ("Asha Verma",)
    accounts: Callable[[str], Sequence[Choice]] | None = None
    more_grants: Mapping[str, Callable[["Consent", Mapping[str, str]], Response]] = field(default_factory=dict)
    error: Callable[[str, str, int], Response] = standard_error
    introspection: Callable[[Token], dict[str, Any]] = standard_introspection
