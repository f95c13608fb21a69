"""OAuth 2.0 as a source tells it: where consent is asked for, where tokens come from, and what its provider does in its own way.

The protocol itself lives in connections/; here is what differs from provider to provider, and the values that both share.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from connector_master.connectors.forms import Form
from connector_master.model.json import Json
from connector_master.model.problem import Problem
from connector_master.outbound.client import Client
from connector_master.outbound.memory import Memory

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Address:
    """A provider's address (scheme, host, port), which the setting named here (without our prefix) may replace."""

    base: str
    setting: str


@dataclass(frozen=True, slots=True)
class App:
    """The app at the provider to which people agree: the customer's own, or the installation's."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a grant gives. Times are aware, in UTC; None where the provider does not tell.

    `expires_at` is the end of the access token, `ends_at` the moment from which only a person can help: the end of the
    refresh token, or of an access token that can't be renewed. `scopes` None: the answer did not say. `person` is who agreed,
    as the provider's app knows them, where it tells.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    scopes: frozenset[str] | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a provider says of a token; `reason` is why it is dead, in its own words, `person` who agreed to it."""

    is_alive: bool
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    scopes: frozenset[str] | None = None
    reason: str | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Renounced:
    """How a provider tells that a person takes the app away: whom a form names, and whether an app's secret signed it."""

    person_in: Callable[[Mapping[str, str]], str | None]
    is_signed: Callable[[Mapping[str, str], str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Something that one grant reaches: a page, a customer, a channel. `id` is the provider's own.

    One that is not `is_selectable` says why in `reason`. `token` is its own token, where the provider gives one;
    `details` is JSON without secrets.
    """

    id: str
    name: str
    kind: str
    is_selectable: bool = True
    reason: str | None = None
    token: str | None = field(default=None, repr=False)
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a source behind OAuth is called with. `accounts` are the chosen ones, none while nothing is chosen.

    `credentials` is the connector's form as it was entered; `app` is None where no app is known, with a token that was
    made elsewhere. `memory` keeps for a while what is asked for again and again, such as forms.
    """

    credentials: Any
    access_token: str = field(repr=False)
    app: App | None = None
    scopes: frozenset[str] = frozenset()
    accounts: tuple[Account, ...] = ()
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    def account(self, id_: str | None) -> Account | None:
        """Return the chosen account with this id, None when it is not chosen."""
        return next((one for one in self.accounts if one.id == id_), None)


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the provider is to send: our public address for this connector, and the token its challenge has to show.

    `webhook_ids` is what ends the addresses at which connectors of its type are reached, this one among them: for a
    provider that keeps one address for all of them. None where it is not known.
    """

    url: str
    verify_token: str | None = field(default=None, repr=False)
    webhook_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """How one provider gives and takes back its tokens (RFC 6749). What it does as the standard says is not passed.

    `browser` is where people agree, `server` where tokens come from; in the paths `{version}` stands for the setting
    `apiVersion`. `scopes` have to be granted; `more_scopes` gives from the settings what is asked for besides. `asks` are
    further parameters of the authorization request. `app` names the credentials that hold the app's id and secret;
    `app_setting` begins the names of the settings that hold the installation's own (`META` → META_APP_ID,
    META_APP_SECRET). `issuers` are what an `iss` in the callback may say (RFC 9207).

    `tokens_by_get`: the token address takes GET. `lengthen` changes fresh tokens for longer-lived ones, and renews tokens
    where the provider knows no refresh token. `granted` asks what was granted where the token's answer does not say.
    `inspect` asks whether a token lives. `revoke` takes the grant back; raises what calls raise. All four are given the
    client of `server`. `explain` turns an `error` and `error_description` of the browser's return, or of the token address,
    into the problem that a person understands; None: nothing special is known of it. `renews_before` is how long before its
    end an access token is renewed. `settles_in` is how long a new token may be refused although it is good.
    `needs_refresh_token`: access tokens are so short-lived that without a refresh token nothing is connected. `lasts_if` says
    to people how agreements are made to last where the provider ends them early. `renounced` reads what the provider posts
    when a person takes the app away.
    """

    browser: Address
    server: Address
    authorize_path: str
    token_path: str
    scopes: tuple[str, ...]
    app: tuple[str, str] = ("clientId", "clientSecret")
    app_setting: str
    more_scopes: Callable[[Any], tuple[str, ...]] | None = None
    scope_separator: str = " "
    uses_pkce: bool = True
    asks: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    issuers: tuple[str, ...] = ()
    tokens_by_get: bool = False
    has_refresh_tokens: bool = True
    needs_refresh_token: bool = False
    lengthen: "Lengthen | None" = None
    granted: "Granted | None" = None
    inspect: "Inspect | None" = None
    revoke: "Revoke | None" = None
    explain: Callable[[str, str], Problem | None] | None = None
    renews_before: timedelta = timedelta(minutes=5)
    settles_in: timedelta = timedelta(0)
    lasts_if: str = ""
    renounced: Renounced | None = None


Lengthen = Callable[[Client, App, Any, Tokens], Awaitable[Tokens]]
"""(client of the server, app, settings form, tokens) → tokens that live longer."""

Granted = Callable[[Client, App, Any, Tokens], Awaitable[frozenset[str]]]
"""(client of the server, app, settings form, tokens) → the scopes that were granted."""

Inspect = Callable[[Client, App, Any, str], Awaitable[Inspected]]
"""(client of the server, app, settings form, access token) → whether it lives, and for how long."""

Revoke = Callable[[Client, App | None, Any, Tokens], Awaitable[None]]
"""(client of the server, app, settings form, tokens): take the grant back at the provider."""


def has_tokens(form: type[Form]) -> tuple[str, ...]:
    """Return which of a form's credentials hold a token that was made elsewhere."""
    return tuple(name for name in ("accessToken", "refreshToken") if name in form.names())
