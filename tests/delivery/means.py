"""What a destination is handed in tests: the real outbound client, to which loopback is allowed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

from connector_master.delivery import registry
from connector_master.delivery.destination import Attempt, Means, Parcel
from connector_master.model.delivery import Occasion
from connector_master.model.json import Json
from connector_master.outbound.http import Bounds, Outbound
from connector_master.outbound.memory import Memory

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LEAD: dict[str, Json] = {
    "id": "019ab000-0000-7000-8000-000000000001",
    "phoneNumber": "+919876543210",
    "name": "Asha Rao",
    "email": None,
    "city": "Pune",
    "productName": "Steel pipe",
    "attributes": {"size": 4},
    "timesSeen": 1,
}


def parcel(occasion: Occasion = Occasion.CREATED, external_id: str | None = None, **lead: Json) -> Parcel:
    """Return a parcel with a lead that shows what matters."""
    at = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
    return Parcel(UUID("019ab000-0000-7000-8000-0000000000d1"), occasion, at, LEAD | lead, external_id)


class Sender:
    """Delivers to a type of destination as the runner does, with the same means each time."""

    def __init__(self, means: Means) -> None:
        self.means = means

    async def __call__(
        self, type_: str, settings: dict[str, Any], sent: Parcel | None = None, **credentials: str
    ) -> Attempt:
        destination = registry()[type_]
        forms = destination.settings.model_validate(settings), destination.credentials.model_validate(credentials)
        return await destination.deliver(self.means, *forms, sent or parcel())


@asynccontextmanager
async def sending(
    folder: Path, *, secrets: tuple[str, ...] = (SECRET,), loopback: bool = True
) -> AsyncIterator[Sender]:
    """Give a sender whose calls may reach loopback, and give up soon."""
    allow = [ip_network("127.0.0.0/8")] if loopback else []
    async with Outbound(allow=allow, bounds=Bounds(repeats=0)) as outbound:
        yield Sender(
            Means(
                client=lambda base, seconds: outbound.client(
                    base,
                    name="receiver",
                    trusted=False,
                    repeats=False,
                    bounds=Bounds(total_seconds=seconds, answer_bytes=1_000_000, repeats=0),
                ),
                address_of=outbound.address_of,
                folder=folder,
                secrets=secrets,
                memory=Memory(),
            )
        )
