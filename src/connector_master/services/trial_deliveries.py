"""Trying a destination out: a sample lead is sent there, and what came of it is told."""

from datetime import UTC, datetime
from uuid import UUID

from connector_master.access.caller import Caller
from connector_master.delivery.attempts import attempt
from connector_master.delivery.destination import Attempt, Parcel
from connector_master.delivery.envelope import lead_as_json
from connector_master.model.delivery import Occasion
from connector_master.model.problem import NotFound, Problem
from connector_master.services.destinations import try_again
from connector_master.services.hub import Hub
from connector_master.services.targets import target_of
from connector_master.storage import activity, destinations
from connector_master.storage.destinations import DestinationRow
from connector_master.storage.ids import new_id
from connector_master.storage.leads import Lead


async def test(hub: Hub, caller: Caller, id_: UUID) -> Attempt:
    """Send a sample lead to a destination and return what came of it. Raises NotFound.

    Also where it is paused. Where it had failed and works now, what waits goes out at once.
    """
    async with hub.engine.connect() as connection:
        row = await destinations.get(connection, caller.workspace_id, id_)
    if row is None:
        raise NotFound("No destination here has this id.")
    tried = await _tried(hub, row)
    async with hub.engine.begin() as connection:
        if tried.problem is None:
            await try_again(connection, row)
        await activity.write(
            connection,
            caller.workspace_id,
            kind="destination_tested",
            level="info" if tried.problem is None else "warning",
            message=f"Destination {row.name} tested: {message_of(tried)}",
            actor=caller,
            data={"destinationId": row.id, "ok": tried.problem is None},
        )
    return tried


def message_of(attempt: Attempt) -> str:
    """Return what came of an attempt in a sentence, and what to do."""
    if attempt.problem is None:
        return "The sample lead was taken."
    return f"{attempt.problem.detail} {attempt.problem.remedy}"


async def _tried(hub: Hub, row: DestinationRow) -> Attempt:
    try:
        target = target_of(hub, row)
    except Problem as problem:
        return Attempt(problem=problem)
    now = datetime.now(UTC)
    parcel = Parcel(new_id(), Occasion.TEST, now, lead_as_json(sample_lead(now)))
    return await attempt(target, parcel, target.destination.test)


def sample_lead(now: datetime) -> Lead:
    """Return a lead that nobody is: an example company, and a number that is kept for examples."""
    return Lead(
        id=new_id(),
        phone_number="+14155550123",
        name="Sample Lead",
        email="sample.lead@example.com",
        source="Connector Master test",
        business_name="Example Industries",
        address_line1="1 Example Road",
        address_line2=None,
        city="Pune",
        state="Maharashtra",
        country="IN",
        pincode="411001",
        product_name="Steel pipe",
        notes="A test from Connector Master. Nobody waits for a call.",
        campaign=None,
        external_id=None,
        attributes={"test": True},
        connector_id=new_id(),
        enquired_at=now,
        created_at=now,
        updated_at=now,
        times_seen=1,
    )
