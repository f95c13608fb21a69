"""What a type of destination is to us: forms as data, delivering as a function, joined in one value.

A type is one module in this package with a `destination` of this type; nothing else has to be edited to add one
(docs/destinations.md).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from connector_master.connectors.forms import Form
from connector_master.model.delivery import Occasion
from connector_master.model.json import Json
from connector_master.model.problem import Problem
from connector_master.outbound.http import HttpClient
from connector_master.outbound.memory import Memory

VARIABLES = ("lead", "delivery")
"""What a destination's expressions may name: the lead as the API shows it, and `{id, type, timestamp, externalId}`."""


class DestinationSettings(Form):
    """Settings that every type of destination has."""

    on: tuple[Literal["lead.created", "lead.updated", "lead.erased"], ...] = Field(
        default=("lead.created",),
        min_length=1,
        max_length=3,
        title="Sends",
        description="What is delivered: lead.created, and if wanted lead.updated, when a later enquiry fills blanks of a lead, "
        "and lead.erased, when a lead that was sent there is erased.",
    )
    concurrency: int = Field(
        default=4, ge=1, le=20, title="Calls at once", description="So many deliveries may be under way at a time."
    )
    rate_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=60_000,
        title="Calls per minute",
        description="Deliveries are spread out so that there are never more. Empty: as fast as the receiver answers.",
    )


FormType = type[Form]
SettingsType = type[DestinationSettings]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One lead on its way to one destination. `id` stays the same over every attempt, and `at` is when it became due.

    `external_id` is the id that the destination gave the lead when it took it before.
    """

    id: UUID
    occasion: Occasion
    at: datetime
    lead: Mapping[str, Json]
    external_id: str | None = None

    def variables(self) -> dict[str, Json]:
        """Return what a destination's expressions may name."""
        told: dict[str, Json] = {
            "id": str(self.id),
            "type": self.occasion.value,
            "timestamp": self.at.isoformat().replace("+00:00", "Z"),
            "externalId": self.external_id,
        }
        return {"lead": dict(self.lead), "delivery": told}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one try came to; without a `problem` the lead was delivered.

    `request` tells what was asked for, without secrets and without the lead; `status` and `answer` (its beginning), what the
    receiver said; `external_id`, the id that it gave the lead.
    """

    request: Mapping[str, Json] = field(default_factory=dict)
    status: int | None = None
    answer: str | None = None
    external_id: str | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a destination may use. All of it keeps to the outbound guard.

    `client` gives the client for a base address, bounded by so many seconds a call; `address_of`, an address that a host's
    name and port may be reached at, after every one of them was checked. `folder` is where files may be written. `secrets`
    sign, the newest first. `memory` keeps tokens for a while.
    """

    client: Callable[[str, float], HttpClient]
    address_of: Callable[[str, int], Awaitable[str]]
    folder: Path
    secrets: tuple[str, ...] = field(default=(), repr=False)
    memory: Memory = field(default_factory=Memory, repr=False)


Deliver = Callable[[Means, Any, Any, Parcel], Awaitable[Attempt]]
"""(means, settings form, credentials form, parcel) → what came of it; a Problem may be raised instead of returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One type of destination.

    `needs` names the credentials without which these settings can't work. `signs` says that its calls are signed with a
    secret that we make. `test` tries it out without leaving anything behind, where that can be; else a sample is delivered.
    """

    type: str
    title: str
    summary: str
    settings: SettingsType
    credentials: FormType
    deliver: Deliver
    needs: Callable[[Any], tuple[str, ...]] = lambda _: ()
    signs: bool = False
    test: Deliver | None = None
