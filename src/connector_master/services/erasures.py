"""Privacy: erasing a person, and giving them what is kept of them (DPDP Act 2023, GDPR articles 15 and 17)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.access.emails import normalize_email
from connector_master.model.json import Json
from connector_master.model.json_text import read_json
from connector_master.model.problem import InvalidBody, InvalidPhone, InvalidRequest, MissingPhone, NotFound
from connector_master.pipeline.normalize import normalize_phone
from connector_master.services import leads
from connector_master.services.hub import Hub
from connector_master.storage import activity, erasures, events


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took away: how many leads, and how many events lost what was sent."""

    leads: int
    events: int


async def erase_lead(hub: Hub, caller: Caller, lead_id: UUID) -> None:
    """Erase one lead and everything that was sent of it. Raises NotFound."""
    async with hub.engine.begin() as connection:
        if await _erase(connection, caller, lead_id) is None:
            raise NotFound("No lead has this id.")


async def erase_person(hub: Hub, caller: Caller, *, phone: str | None, email: str | None) -> Erased:
    """Erase every lead with this phone number, in any spelling, or e-mail address. Raises InvalidRequest."""
    number = _number(phone) if phone else None
    address = normalize_email(email) if email else None
    if number is None and address is None:
        raise InvalidRequest("Say whom: a phone number or an e-mail address.", field="phone")
    touched = 0
    async with hub.engine.begin() as connection:
        found = await erasures.matching(connection, caller.workspace_id, phone=number, email=address)
        for lead_id in found:
            touched += await _erase(connection, caller, lead_id) or 0
    return Erased(len(found), touched)


async def export_person(hub: Hub, caller: Caller, lead_id: UUID) -> dict[str, Any]:
    """Return everything that is kept of one lead: itself, and each event with what was sent. Raises NotFound."""
    found = await leads.get(hub, caller, lead_id)
    told = []
    async with hub.engine.begin() as connection:
        for touch in found.timeline:
            raw = await events.get_raw(connection, caller.workspace_id, touch.id)
            if raw is not None:
                told.append(
                    {
                        "receivedAt": touch.received_at,
                        "connector": touch.connector_name,
                        "ip": raw.event.ip,
                        "sent": _readable(raw.payload),
                        "fetched": _readable(raw.resolved) if raw.resolved else None,
                    }
                )
        await activity.write(
            connection,
            caller.workspace_id,
            kind="person_exported",
            message="What is kept of a person was exported",
            actor=caller,
            lead_id=lead_id,
        )
    return {"lead": found.lead, "events": told}


async def _erase(connection: AsyncConnection, caller: Caller, lead_id: UUID) -> int | None:
    found = await erasures.erase(connection, caller.workspace_id, lead_id)
    if found is None:
        return None
    connector_id, touched = found
    await activity.write(
        connection,
        caller.workspace_id,
        kind="lead_erased",
        message=f"A lead was erased, with what {touched} events held of it",
        actor=caller,
        connector_id=connector_id,
        lead_id=lead_id,
    )
    return touched


def _number(phone: str) -> str:
    try:
        return normalize_phone(phone, leads.DEFAULT_REGION).e164
    except (MissingPhone, InvalidPhone) as problem:
        raise InvalidRequest("This is no valid phone number.", field="phone") from problem


def _readable(payload: bytes) -> Json:
    try:
        return read_json(payload)
    except InvalidBody:
        return payload.decode("utf-8", "replace")
