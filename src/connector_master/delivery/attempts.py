"""Attempts: one parcel sent to one configured destination, whatever comes of it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from connector_master.delivery.destination import Attempt, Deliver, Destination, DestinationSettings, Means, Parcel
from connector_master.model.problem import Problem, ReceiverUnavailable

_LONGEST_SECONDS = 90.0
"""No attempt takes longer, whatever its destination's own limit is."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One configured destination, opened and ready: `changed_at` tells this version of it from later ones."""

    workspace_id: UUID
    id: UUID
    name: str
    destination: Destination
    settings: DestinationSettings
    credentials: Any
    means: Means
    changed_at: datetime


async def attempt(target: Target, parcel: Parcel, send: Deliver | None = None) -> Attempt:
    """Return what came of sending a parcel (by `send`, where it is not to be delivered); nothing is ever raised."""
    send = send or target.destination.deliver
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await send(target.means, target.settings, target.credentials, parcel)
    except Problem as problem:
        return Attempt(problem=problem)
    except TimeoutError:
        return Attempt(problem=ReceiverUnavailable(f"No answer within {_LONGEST_SECONDS:g} seconds."))
    except Exception:
        # A destination that stumbles over a lead holds up that one only.
        log.exception("delivery_stumbled", delivery_id=str(parcel.id), destination_id=str(target.id))
        return Attempt(problem=ReceiverUnavailable("Something went wrong here; the log has it by the delivery's id."))
