"""An event: one record that arrived, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector_master.model.json import Json


class EventStatus(StrEnum):
    """What became of an event (API.md "Leads, events and the rest")."""

    RECEIVED = "received"
    CREATED = "created"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    FAILED = "failed"
    DEAD = "dead"


ERASED = "erased"
"""The reason of an event whose author took back what it held."""


@dataclass(frozen=True, slots=True)
class Push:
    """One request as it came to a public door, before anything is believed.

    `headers` has lower-case names, values decoded as Latin-1; `query` and `headers` keep the first of repeated names.
    `body` is exactly what was sent. `received_at` is aware, in UTC.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    ip: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One enquiry (or non-enquiry) within a body or a page, as its source sent it.

    `external_id` is the source's own id for it: the same one again is the same event. `ignored` says why this can
    not be a lead (`test`, `status_update`, …); such a record is kept and never mapped. `account` is the provider's account
    (page, number) that it came to, where a provider sends those of several accounts to one address.

    `is_announced`: the value only names a lead, which has yet to be fetched. `detail` says more of an ignored one.
    `version` tells a later text of the same record from an earlier one: pulled again with another version, its event is
    settled anew. `is_erased`: its author took it back; the value is empty. `twin` is equal in two records of one enquiry that
    came by two ways under different ids, within five minutes of each other. `stands_for` names texts of lead fields (in
    camelCase) that were a makeshift, such as a campaign's id: what this record has for the field replaces them.
    """

    value: Json
    external_id: str | None = None
    ignored: str | None = None
    account: str | None = None
    is_announced: bool = False
    detail: str | None = None
    version: str | None = None
    is_erased: bool = False
    twin: str | None = None
    stands_for: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record, for the answer to its sender.

    `problem_code`, `detail` and `remedy` are there for `failed` ones, `reason` for `ignored` ones. `repeated` means that
    the same event had come before, and this is its answer.
    """

    status: EventStatus
    event_id: UUID
    lead_id: UUID | None = None
    reason: str | None = None
    problem_code: str | None = None
    detail: str | None = None
    remedy: str | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door sends back: an HTTP status and a JSON body (or plain text, for challenges)."""

    status: int
    body: Json
    content_type: str = "application/json"
