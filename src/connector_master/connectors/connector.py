"""What a source of leads is to us: facts as data, behaviour as functions, joined in one value.

A source is one module in this package with a `connector` of this type; nothing else has to be edited to add one
(docs/adding-a-connector.md).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import Account, Address, Callback, Grant, OAuth
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json
from connector_master.outbound.client import Client

MappingTarget = str | Mapping[str, str]
"""A lead field, or `{"field", "transform"?, "combine"?}` (API.md, "field-mapping")."""

Auth = Literal["signature", "oauth", "api_key", "none"]

FormType = type[Form]


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a push may be verified with.

    `texts` are the connector's live secrets, newest first: the sender's own (when it makes its own), the present one and
    the previous one while its grace lasts. `hashes` are the SHA-256 of secrets kept only hashed (token schemes).
    `verify_tokens` answer Meta-style challenges: the present one, and the previous one while its grace lasts.
    """

    texts: tuple[str, ...] = ()
    hashes: tuple[bytes, ...] = ()
    verify_tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """Proof that a push was checked. `scheme` says how; `delivery_id` is the sender's id for this delivery, if it has one."""

    scheme: str
    delivery_id: str | None = None


Verify = Callable[[Push, Secrets, Any], Verified]
"""(push, secrets, settings form) → Verified; raises InvalidSignature. Never sees a parsed body."""

Split = Callable[[Json, Push, Any], Sequence[Record]]
"""(decoded body, push, settings form) → its records in order; raises InvalidBody or InvalidRecord."""

Acknowledge = Callable[[Sequence[Outcome], bool], Answer]
"""(outcomes in order, whether the body was a list of records) → the answer the provider's contract asks for."""

Challenge = Callable[[Push, Secrets, Any], Answer]
"""(GET request, secrets, settings form) → the answer to a provider's verification request; raises ForbiddenChallenge."""

Pull = Callable[[Client, Any, Any, Window], AsyncIterator[Page]]
"""(client, access, settings form, span) → its pages, the oldest first; the span is at most `limits.window` long.

The access is a Grant where the source is behind OAuth, else the credentials form. Raises ProviderUnavailable, TokenRefused,
CredentialsRefused, ProviderLimited or BadProviderRequest: a refusal is never an empty page.
"""

Resolve = Callable[[Client, Grant, Any, Json], Awaitable[Record]]
"""(client, grant, settings form, what was announced) → the lead that it named, as `pull` would give it.

Raises as Pull does, and LeadNotFound where the provider does not (yet) know it.
"""

Recheck = Callable[[Client, Any, Any, Sequence[str]], Awaitable[Sequence[Record]]]
"""(client, access, settings form, ids of stored records) → each as it is now; `erased` what is gone. Raises as Pull does."""

ListAccounts = Callable[[Client, Grant, Any], Awaitable[Sequence[Account]]]
"""(client, grant, settings form) → everything that the grant reaches, also what can't be chosen. Raises as Pull does."""

Subscribe = Callable[[Client, Grant, Any, Account, Callback], Awaitable[None]]
"""(client, grant, settings form, account, callback): have the provider push this account's leads there.

Called again and again: what is in order already is left as it is. Raises as Pull does.
"""

Unsubscribe = Callable[[Client, Grant, Any, Account, Callback], Awaitable[None]]
"""(client, grant, settings form, account, callback): have it push no longer. Raises as Pull does."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a connection test, in words for a person; `details` is JSON without secrets."""

    is_ok: bool
    message: str
    details: Mapping[str, Json]


NO_LIMITS = Limits()

PullsWhen = Callable[[Any, datetime, datetime | None, datetime], bool]
"""(settings form, when the connector was made, its last push or None, now) → whether it is to be pulled on schedule now.

For sources that push, where pulling is the net beneath; sources that only pull have none.
"""

Test = Callable[[Client, Any, Any], Awaitable[Check]]
"""(client, access, settings form) → whether the provider's real call works; raises as Pull does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One type of source. What a source can't do is not passed.

    `prepare` says what a person needs at hand before they begin.
    `door` is the segment of its public address (`/api/connectors/<door>/<webhookId>`), None when nothing is pushed.
    `unsigned_by_nature` declares that the provider can't sign, so the address itself is the secret; without it the door
    refuses unless `verify` returns a Verified. `zone` reads times that carry no offset. `guesses` lets a connector
    without a mapping of its own find phone, name and e-mail by name and content. `trusts_phones` says that the provider has
    proven its senders' numbers, so that one in E.164 need only be possible. `presents_secret` tells from the
    settings whether the sender presents the secret itself, so that a hash of it is all that needs keeping. `signs_with`
    names the credential that holds the provider's own signing secret; `makes_secret` says whether we make one as well, for
    the sender to sign with; `needs_verify_token`, whether we make the token that its challenge has to show. `account`
    names the credential that says which account's records are this connector's (Record.account). `base` is the
    provider's address (scheme, host, port), which the setting named by `base_setting` (without our prefix) may replace.
    `limit_key` gives, from the credentials, what the provider counts calls by, so that connectors that share a key share
    its limits; behind OAuth they hold the installation's own app where the connector has none. `limits_for` gives the limits
    where they depend on the credentials. `pull_needs` names the credentials (in camelCase) without which nothing can be
    pulled. All three are given the credentials form, also behind OAuth.

    `oauth` says how a person's consent becomes tokens; `accounts` lists what a grant reaches, in words `account_kinds` (one,
    several: "page", "pages"), and `subscribe` has the provider push an account's leads; `subscribes_by_address` says that each
    address of ours is subscribed for itself, else one subscription serves every connector of the account. `resolve` fetches
    a lead that a push only announced. `reconciles` says that scheduled pulls prove that no push was missed. `recheck` reads
    stored records again, daily, back to `raw_days`: so long may what this source sent be kept unless it was read again.
    `conceal` takes from a body what must not be kept, such as a secret. `refusal_member` names the member of a refusal's body
    in which the provider looks for the reason; problem details (RFC 9457) then have it besides.
    """

    type: str
    title: str
    summary: str
    auth: Auth
    settings: FormType
    credentials: FormType
    mapping: Mapping[str, MappingTarget]
    records: Split
    acknowledge: Acknowledge
    prepare: tuple[str, ...] = ()
    verify: Verify | None = None
    challenge: Challenge | None = None
    presents_secret: Callable[[Any], bool] | None = None
    signs_with: str | None = None
    makes_secret: bool = True
    needs_verify_token: bool = False
    account: str | None = None
    base: str | None = None
    base_setting: str | None = None
    oauth: OAuth | None = None
    accounts: ListAccounts | None = None
    account_kinds: tuple[str, str] = ("account", "accounts")
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    subscribes_by_address: bool = False
    resolve: Resolve | None = None
    pull: Pull | None = None
    reconciles: bool = False
    recheck: Recheck | None = None
    raw_days: int | None = None
    conceal: Callable[[bytes], bytes] | None = None
    refusal_member: str | None = None
    limits: Limits = NO_LIMITS
    limits_for: Callable[[Any], Limits] | None = None
    limit_key: Callable[[Any], str] | None = None
    pull_needs: tuple[str, ...] = ()
    pulls_when: PullsWhen | None = None
    test: Test | None = None
    door: str | None = None
    unsigned_by_nature: bool = False
    guesses: bool = False
    trusts_phones: bool = False
    zone: tzinfo = UTC
    max_body_bytes: int | None = None

    @property
    def pushes(self) -> bool:
        """Whether the provider sends to us."""
        return self.door is not None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Every address of the provider that is called, or shown to a browser."""
        own = (Address(self.base, self.base_setting),) if self.base and self.base_setting else ()
        return own if self.oauth is None else (*own, self.oauth.browser, self.oauth.server)

    @property
    def needs_grant(self) -> bool:
        """Whether no lead can come before somebody has agreed to it at the provider."""
        return self.oauth is not None and (self.resolve is not None or not self.pushes)

    @property
    def pulls(self) -> bool:
        """Whether we ask the provider."""
        return self.pull is not None
