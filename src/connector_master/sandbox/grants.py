"""What people have granted to apps at one provider, and the codes and tokens that came of it; all in memory."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

Now = Callable[[], datetime]


@dataclass(eq=False, slots=True)
class Grant:
    """One person's word to one app. `accounts` are the ids that the person chose, None where nobody asks.

    `ends_at` is when its refresh token dies, None when it does not by itself.
    """

    client: str
    person: str
    scopes: tuple[str, ...]
    began_at: datetime
    accounts: frozenset[str] | None = None
    ends_at: datetime | None = None
    is_revoked: bool = False


@dataclass(eq=False, slots=True)
class Token:
    """A token as its bearer shows it. One that nobody has issued is here too, with no grant: it is `unknown`."""

    text: str = field(repr=False)
    grant: Grant | None
    is_refresh: bool
    issued_at: datetime
    expires_at: datetime | None
    now: Now = field(repr=False)
    account: str | None = None
    is_revoked: bool = False

    @property
    def why_dead(self) -> str | None:
        """Return `unknown`, `revoked` or `expired`; None while it lives."""
        if self.grant is None:
            return "unknown"
        if self.is_revoked or self.grant.is_revoked:
            return "revoked"
        return "expired" if self.expires_at is not None and self.now() >= self.expires_at else None

    @property
    def is_alive(self) -> bool:
        """Return whether it is good at this moment."""
        return self.why_dead is None

    @property
    def scopes(self) -> frozenset[str]:
        """Return what its bearer may do."""
        return frozenset(self.grant.scopes) if self.grant else frozenset()

    @property
    def person(self) -> str:
        """Return in whose name its bearer acts."""
        return self.grant.person if self.grant else ""

    @property
    def client(self) -> str:
        """Return the id of the app that it was issued to."""
        return self.grant.client if self.grant else ""

    @property
    def accounts(self) -> frozenset[str] | None:
        """Return the ids that the person chose, None where all are meant."""
        return self.grant.accounts if self.grant else None


@dataclass(slots=True)
class Code:
    """An authorization code, with what has to be said again when it is exchanged."""

    text: str = field(repr=False)
    grant: Grant
    redirect_uri: str
    challenge: str | None
    expires_at: datetime
    gives_refresh: bool
    is_used: bool = False


class Ledger:
    """Who has granted what. `prefix` and `refresh_prefix` begin the texts of tokens, which hold `token_bytes` of chance."""

    def __init__(self, now: Now, prefix: str, refresh_prefix: str, token_bytes: int) -> None:
        self._now = now
        self._prefixes = {False: prefix, True: refresh_prefix}
        self._token_bytes = token_bytes
        self.grants: list[Grant] = []
        self._tokens: dict[str, Token] = {}
        self._codes: dict[str, Code] = {}

    def grant(self, client: str, person: str, scopes: Iterable[str], accounts: frozenset[str] | None = None) -> Grant:
        """Note that a person agrees."""
        made = Grant(client, person, tuple(scopes), self._now(), accounts)
        self.grants.append(made)
        return made

    def code(
        self, grant: Grant, redirect_uri: str, challenge: str | None, life: timedelta, gives_refresh: bool
    ) -> Code:
        """Return a new code for a grant."""
        made = Code(f"4/{secrets.token_urlsafe(24)}", grant, redirect_uri, challenge, self._now() + life, gives_refresh)
        self._codes[made.text] = made
        return made

    def find_code(self, text: str) -> Code | None:
        """Return the code, also one that is used or too old; None when nobody has issued it."""
        return self._codes.get(text)

    def issue(
        self,
        grant: Grant,
        life: timedelta | None,
        *,
        is_refresh: bool = False,
        account: str | None = None,
        text: str | None = None,
    ) -> Token:
        """Return a new token; `life` None: it never expires. `account`: it is one account's own. `text`: it was agreed upon."""
        now = self._now()
        made = Token(
            text or self._prefixes[is_refresh] + secrets.token_urlsafe(self._token_bytes),
            grant,
            is_refresh,
            now,
            None if life is None else now + life,
            self._now,
            account,
        )
        self._tokens[made.text] = made
        return made

    def find(self, text: str) -> Token:
        """Return the token with this text, be it alive, dead or unknown."""
        return self._tokens.get(text) or Token(text, None, False, self._now(), None, self._now)

    def of(self, grant: Grant, *, is_refresh: bool) -> list[Token]:
        """Return the tokens that came of a grant, the oldest first."""
        return [one for one in self._tokens.values() if one.grant is grant and one.is_refresh == is_refresh]

    def expire_access(self) -> int:
        """Let all access tokens expire at this moment; return how many were alive."""
        alive = [one for one in self._tokens.values() if not one.is_refresh and one.is_alive]
        for one in alive:
            one.expires_at = self._now()
        return len(alive)

    def revoke_all(self) -> int:
        """Let everybody take back what was granted; return how many grants were alive."""
        alive = [one for one in self.grants if not one.is_revoked]
        for one in alive:
            one.is_revoked = True
        return len(alive)
