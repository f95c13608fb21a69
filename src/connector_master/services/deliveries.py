"""Deliveries: looking at what was sent and what waits, and trying again or giving up what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller, system
from connector_master.model.delivery import DeliveryStatus
from connector_master.model.problem import Conflict, NotFound, Permanent
from connector_master.services.hub import Hub
from connector_master.storage import activity, deliveries, destinations, jobs
from connector_master.storage.deliveries import Delivery, DeliveryAttempt, DeliveryFilter
from connector_master.storage.ids import new_id
from connector_master.storage.jobs import RETRY_DELIVERIES, Job
from connector_master.storage.paging import decode_cursor, encode_cursor

MOST_ATTEMPTS = 50
_BATCH = 500
_FAILED = (DeliveryStatus.RETRYING, DeliveryStatus.DEAD)


class DeliveryNotRetryable(Conflict):
    """The delivery has not failed, or its destination is gone."""

    code = "delivery_not_retryable"
    title = "Delivery can't be retried"
    remedy = "Retry deliveries whose status is dead or retrying, at destinations that are still there."


class DeliverySettled(Conflict):
    """The delivery has ended, so there is nothing to cancel."""

    code = "delivery_settled"
    title = "Delivery has ended"
    remedy = "Cancel deliveries whose status is queued or retrying."


class DeliveryCancelled(Permanent):
    """A person decided that this lead is not to go there."""

    code = "delivery_cancelled"
    title = "Delivery cancelled"
    status = 409
    remedy = "Retry the delivery if it is to be sent after all."


class DestinationDeleted(Permanent):
    """The destination was deleted before the lead was sent."""

    code = "destination_deleted"
    title = "Destination deleted"
    status = 409
    remedy = "Nothing: there is no destination any more."


@dataclass(frozen=True, slots=True)
class WithAttempts:
    """A delivery, and the latest attempts of it."""

    delivery: Delivery
    attempts: Sequence[DeliveryAttempt]


async def list_page(
    hub: Hub, caller: Caller, filter_: DeliveryFilter, *, limit: int, cursor: str | None
) -> tuple[list[Delivery], str | None]:
    """Return at most `limit` deliveries, newest first, and the cursor of the rest. Raises InvalidCursor."""
    after = decode_cursor(cursor) if cursor is not None else None
    async with hub.engine.connect() as connection:
        found = await deliveries.page(connection, caller.workspace_id, filter_, limit=limit + 1, after=after)
    return found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None


async def get(hub: Hub, caller: Caller, id_: UUID) -> WithAttempts:
    """Return a delivery with its latest attempts. Raises NotFound."""
    async with hub.engine.connect() as connection:
        delivery = await deliveries.get(connection, caller.workspace_id, id_)
        if delivery is None:
            raise _not_found()
        return WithAttempts(delivery, await deliveries.attempts(connection, caller.workspace_id, id_, MOST_ATTEMPTS))


async def retry(hub: Hub, caller: Caller, id_: UUID) -> Delivery:
    """Let one failed delivery be sent again at once, and return it. Raises NotFound, DeliveryNotRetryable."""
    async with hub.engine.begin() as connection:
        before = await deliveries.get(connection, caller.workspace_id, id_)
        if before is None:
            raise _not_found()
        destination = await destinations.get(connection, caller.workspace_id, before.destination_id)
        if destination is None:
            raise DeliveryNotRetryable("Its destination was deleted.")
        if not await deliveries.retry(connection, caller.workspace_id, [id_]):
            raise DeliveryNotRetryable(f"The delivery is {before.status}.")
        await jobs.defer_deliveries(connection)
        await activity.write(
            connection,
            caller.workspace_id,
            kind="delivery_retried",
            message=f"Delivery to {before.destination_name} is tried again",
            actor=caller,
            lead_id=before.lead_id,
            data={"deliveryId": id_, "destinationId": before.destination_id, "before": {"status": before.status}},
        )
        return await _present(connection, caller, id_)


async def cancel(hub: Hub, caller: Caller, id_: UUID) -> Delivery:
    """End one delivery that is still to be sent, and return it. Raises NotFound, DeliverySettled."""
    async with hub.engine.begin() as connection:
        before = await deliveries.get(connection, caller.workspace_id, id_)
        if before is None:
            raise _not_found()
        detail = f"{caller.name} cancelled it."
        if not await deliveries.cancel(
            connection, caller.workspace_id, id_, code=DeliveryCancelled.code, detail=detail
        ):
            raise DeliverySettled(f"The delivery is {before.status}.")
        await activity.write(
            connection,
            caller.workspace_id,
            kind="delivery_cancelled",
            message=f"Delivery to {before.destination_name} cancelled",
            actor=caller,
            lead_id=before.lead_id,
            data={"deliveryId": id_, "destinationId": before.destination_id, "before": {"status": before.status}},
        )
        return await _present(connection, caller, id_)


async def end_all(hub: Hub, workspace: UUID, destination_id: UUID) -> None:
    """End everything that waits for a destination that was deleted; a worker calls this, again after a crash."""
    detail = "Its destination was deleted before it was sent."
    is_left = True
    while is_left:
        async with hub.engine.begin() as connection:
            is_left = await deliveries.end_some(
                connection, workspace, destination_id, _BATCH, code=DestinationDeleted.code, detail=detail
            )


# ---- many at once -----------------------------------------------------------------------------------


async def start_retry(hub: Hub, caller: Caller, filter_: DeliveryFilter) -> Job:
    """Let a worker have every failed delivery that fits sent again, and return the job whose progress can be read.

    Without statuses the dead ones are meant.
    """
    id_, described = new_id(), _described(filter_)
    async with hub.engine.begin() as connection:
        job = await jobs.add(
            connection, caller.workspace_id, id_=id_, kind=RETRY_DELIVERIES, filter_=described, actor=caller
        )
        await jobs.defer(connection, RETRY_DELIVERIES, workspace_id=str(caller.workspace_id), job_id=str(id_))
        await activity.write(
            connection,
            caller.workspace_id,
            kind="deliveries_retry_started",
            message="Retry of many deliveries started",
            actor=caller,
            data={"jobId": id_, "filter": described},
        )
    return job


async def run_retry(hub: Hub, workspace: UUID, job_id: UUID) -> None:
    """Do the work of a job that `start_retry` made, from wherever it is; a worker calls this.

    Only deliveries that were not tried since the job was made count, so a run that starts again goes on where it was.
    """
    async with hub.engine.begin() as connection:
        job = await jobs.start(connection, workspace, job_id)
        if job is None:
            return
        filter_ = _filter(job.filter)
        count = await deliveries.count_retryable(connection, workspace, filter_, job.created_at)
        await jobs.counted(connection, workspace, job_id, count)
    after: UUID | None = None
    status = "succeeded"
    while True:
        async with hub.engine.begin() as connection:
            present = await jobs.get(connection, workspace, job_id)
            if present is None or present.cancel_requested:
                status = "cancelled"
                break
            batch = await deliveries.retryable(
                connection, workspace, filter_, untouched_since=job.created_at, limit=_BATCH, after=after
            )
            if not batch:
                break
            await deliveries.retry(connection, workspace, batch)
            await jobs.advance_by(connection, workspace, job_id, len(batch))
            await jobs.defer_deliveries(connection)
            after = batch[-1]
    async with hub.engine.begin() as connection:
        ended = await jobs.finish(connection, workspace, job_id, status)
        if ended is not None:
            await activity.write(
                connection,
                workspace,
                kind="deliveries_retry_finished",
                message=f"Retry of many deliveries {status}: {ended.done} are sent again",
                actor=system(workspace),
                data={"jobId": job_id, "done": ended.done},
            )


async def _present(connection: AsyncConnection, caller: Caller, id_: UUID) -> Delivery:
    delivery = await deliveries.get(connection, caller.workspace_id, id_)
    assert delivery is not None
    return delivery


def _described(filter_: DeliveryFilter) -> dict[str, Any]:
    return {
        "statuses": [status.value for status in filter_.statuses or (DeliveryStatus.DEAD,)],
        "destinationId": filter_.destination_id,
        "leadId": filter_.lead_id,
        "code": filter_.code,
        "from": filter_.start,
        "to": filter_.end,
    }


def _filter(described: Mapping[str, Any]) -> DeliveryFilter:
    def id_of(name: str) -> UUID | None:
        return UUID(described[name]) if described[name] else None

    def moment_of(name: str) -> datetime | None:
        return datetime.fromisoformat(described[name]) if described[name] else None

    return DeliveryFilter(
        statuses=[DeliveryStatus(status) for status in described["statuses"]],
        destination_id=id_of("destinationId"),
        lead_id=id_of("leadId"),
        code=described["code"],
        start=moment_of("from"),
        end=moment_of("to"),
    )


def _not_found() -> NotFound:
    return NotFound("No delivery here has this id.")
