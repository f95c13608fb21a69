"""A source: everything the door needs to know of one connector, made ready once and cached."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from connector_master.connectors.connector import Connector, Secrets
from connector_master.connectors.forms import LeadSettings
from connector_master.model.event import ERASED, Record
from connector_master.pipeline.mapping import CompiledMapping
from connector_master.pipeline.process import Profile


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """A secret and until when it counts (None: until it is replaced)."""

    text: str | None
    hash: bytes | None
    valid_until: datetime | None

    def counts_at(self, now: datetime) -> bool:
        """Return whether it may be used at `now`."""
        return self.valid_until is None or now < self.valid_until


@dataclass(frozen=True, slots=True)
class Source:
    """One connector, ready to receive.

    `mapping` is None where the guesses are to be used; `accounts` are those whose records it takes, None for any.
    """

    workspace_id: UUID
    connector_id: UUID
    webhook_id: str
    connector: Connector
    settings: LeadSettings
    secrets: tuple[LiveSecret, ...]
    verify_tokens: tuple[LiveSecret, ...]
    mapping: CompiledMapping | None
    profile: Profile
    is_paused: bool
    accounts: frozenset[str] | None = None
    _lasting: Secrets | None = field(init=False, default=None, repr=False)
    """All secrets, made ready once, where none of them ends by itself."""

    def __post_init__(self) -> None:
        if all(one.valid_until is None for one in (*self.secrets, *self.verify_tokens)):
            object.__setattr__(self, "_lasting", self._live(datetime.now(UTC)))

    def reason_to_ignore(self, record: Record) -> str | None:
        """Return why `record` can't be a lead here: it is none (any more), or it came to an account that is not ours."""
        if record.ignored is None and not self.takes(record.account):
            return "unrouted"
        return ERASED if record.is_erased else record.ignored

    def takes(self, account: str | None) -> bool:
        """Return whether records of `account` are this connector's; those that name none are."""
        return account is None or self.accounts is None or account in self.accounts

    def secrets_at(self, now: datetime) -> Secrets:
        """Return the secrets that count at `now`: a previous one not a second longer than promised."""
        if self._lasting is not None:
            return self._lasting
        return self._live(now)

    def _live(self, now: datetime) -> Secrets:
        live = [one for one in self.secrets if one.counts_at(now)]
        tokens = [one for one in self.verify_tokens if one.counts_at(now)]
        return Secrets(
            texts=tuple(one.text for one in live if one.text is not None),
            hashes=tuple(one.hash for one in live if one.hash is not None),
            verify_tokens=tuple(one.text for one in tokens if one.text is not None),
        )
