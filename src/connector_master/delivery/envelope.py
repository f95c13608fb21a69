"""The envelope: the body that a receiver gets unless a template says otherwise, and the lead in it."""

from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel

from connector_master.delivery.destination import Parcel
from connector_master.model.delivery import Occasion
from connector_master.model.json import Json
from connector_master.model.problem import LeadErased
from connector_master.storage.leads import Lead
from connector_master.storage.outbox import Due


def parcel_of(due: Due) -> Parcel:
    """Return what is to be sent of a delivery: the lead as it is now, its id alone once it is erased. Raises LeadErased."""
    if due.lead is not None:
        lead = lead_as_json(due.lead)
    elif due.occasion == Occasion.ERASED:
        lead = dict.fromkeys((alias for _, alias in _names()), None) | {"id": str(due.lead_id)}
    else:
        raise LeadErased("The lead is not there any more.")
    return Parcel(due.id, due.occasion, due.created_at, lead, due.known_as)


def envelope(parcel: Parcel) -> Json:
    """Return the body: what happened, when, and the lead as the API shows it."""
    data = {"id": parcel.lead["id"]} if parcel.occasion == Occasion.ERASED else dict(parcel.lead)
    return {"type": parcel.occasion.value, "timestamp": _plain(parcel.at), "data": data}


def lead_as_json(lead: Lead) -> dict[str, Json]:
    """Return a lead as `GET /api/leads/<id>` shows it."""
    return {alias: _plain(getattr(lead, name)) for name, alias in _names()}


@cache
def _names() -> tuple[tuple[str, str], ...]:
    return tuple((field.name, to_camel(field.name)) for field in fields(Lead))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID) else value
