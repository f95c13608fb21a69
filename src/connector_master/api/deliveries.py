"""/api/deliveries: leads on their way to destinations, every attempt, and trying again."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.destinations import fault
from connector_master.api.events import StartedJob
from connector_master.api.moments import Moment
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.model.delivery import DeliveryStatus
from connector_master.services import deliveries
from connector_master.services.deliveries import MOST_ATTEMPTS, WithAttempts
from connector_master.storage.deliveries import Delivery, DeliveryAttempt, DeliveryFilter

router = APIRouter(prefix="/api/deliveries", tags=["deliveries"])

Seer = Annotated[Caller, allow(Permission.DELIVERIES_SEE)]
Retrier = Annotated[Caller, allow(Permission.DELIVERIES_RETRY)]


class DeliveryView(View):
    """One lead on its way to one destination. `code`, `detail` and `remedy` tell why the last attempt failed."""

    id: UUID = Field(description="The `webhook-id` and `Idempotency-Key` of every attempt.")
    destination_id: UUID
    destination_name: str
    destination_type: str
    lead_id: UUID
    event_id: UUID | None = Field(description="The event that made it due.")
    type: str = Field(description="`lead.created` or `lead.updated`.")
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None = Field(description="Not before; null once it has ended.")
    last_attempt_at: datetime | None
    ended_at: datetime | None
    code: str | None
    detail: str | None
    remedy: str | None
    external_id: str | None = Field(description="The id that the receiver gave the lead.")
    created_at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return what the API shows of `delivery`."""
        said = fault(delivery.code, delivery.detail)
        is_open = delivery.status in (DeliveryStatus.QUEUED, DeliveryStatus.RETRYING)
        return cls(
            id=delivery.id,
            destination_id=delivery.destination_id,
            destination_name=delivery.destination_name,
            destination_type=delivery.destination_type,
            lead_id=delivery.lead_id,
            event_id=delivery.event_id,
            type=delivery.occasion.value,
            status=delivery.status,
            attempts=delivery.attempts,
            next_attempt_at=delivery.due_at if is_open else None,
            last_attempt_at=delivery.last_attempt_at,
            ended_at=delivery.settled_at,
            code=delivery.code,
            detail=delivery.detail,
            remedy=None if said is None else said.remedy,
            external_id=delivery.external_id,
            created_at=delivery.created_at,
        )


class AttemptView(View):
    """One attempt. `status` and `answer` are the receiver's; without a `code` it was delivered."""

    number: int
    at: datetime
    milliseconds: int
    request: dict[str, JsonValue] = Field(description="What was asked for, without secrets and without the lead.")
    status: int | None
    answer: str | None = Field(description="The beginning of what the receiver said.")
    code: str | None
    detail: str | None

    @classmethod
    def of(cls, attempt: DeliveryAttempt) -> Self:
        """Return what the API shows of `attempt`."""
        return cls.model_validate(attempt, from_attributes=True)


class DeliveryWithAttempts(DeliveryView):
    """A delivery and its attempts."""

    history: list[AttemptView] = Field(
        description=f"The latest {MOST_ATTEMPTS} attempts, the last one first; kept as long as raw payloads are."
    )

    @classmethod
    def shown(cls, found: WithAttempts) -> Self:
        """Return a delivery with its attempts."""
        delivery = DeliveryView.of(found.delivery)
        return cls(**dict(delivery), history=[AttemptView.of(one) for one in found.attempts])


class ListQuery(PageQuery):
    """Which deliveries, and how many."""

    destination_id: UUID | None = None
    lead_id: UUID | None = None
    status: DeliveryStatus | None = None
    code: str | None = Field(default=None, max_length=100, description="A problem's code.")
    start: Moment | None = Field(default=None, alias="from", description="Due at this time or later.")
    end: Moment | None = Field(default=None, alias="to", description="Due before this time.")


class RetryFilter(Request):
    """Which deliveries to retry; an empty one means every dead one."""

    destination_id: UUID | None = None
    lead_id: UUID | None = None
    status: Literal["dead", "retrying"] | None = None
    code: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    start: Moment | None = Field(default=None, alias="from")
    end: Moment | None = Field(default=None, alias="to")


class RetryMany(Request):
    """A retry of many deliveries."""

    filter: RetryFilter


@router.get("", response_model=Page[DeliveryView], responses=problems(400, 401, 403, 422))
async def list_deliveries(caller: Seer, hub: HubDependency, query: Annotated[ListQuery, Query()]) -> Page[DeliveryView]:
    """List deliveries, newest first."""
    filter_ = DeliveryFilter(
        statuses=() if query.status is None else (query.status,),
        destination_id=query.destination_id,
        lead_id=query.lead_id,
        code=query.code or None,
        start=query.start,
        end=query.end,
    )
    found, next_cursor = await deliveries.list_page(hub, caller, filter_, limit=query.limit, cursor=query.cursor)
    return Page[DeliveryView](items=[DeliveryView.of(one) for one in found], next_cursor=next_cursor)


@router.post("/retry", status_code=202, response_model=StartedJob, responses=problems(400, 401, 403, 413, 415, 422))
async def retry_deliveries(caller: Retrier, hub: HubDependency, body: RetryMany) -> StartedJob:
    """Send every failed delivery that fits again, in the background."""
    wanted = body.filter
    filter_ = DeliveryFilter(
        statuses=() if wanted.status is None else (DeliveryStatus(wanted.status),),
        destination_id=wanted.destination_id,
        lead_id=wanted.lead_id,
        code=wanted.code,
        start=wanted.start,
        end=wanted.end,
    )
    job = await deliveries.start_retry(hub, caller, filter_)
    return StartedJob(job_id=job.id, status=job.status)


@router.get("/{delivery_id}", response_model=DeliveryWithAttempts, responses=problems(401, 403, 404, 422))
async def get_delivery(caller: Seer, hub: HubDependency, delivery_id: UUID) -> DeliveryWithAttempts:
    """Return one delivery with its attempts."""
    return DeliveryWithAttempts.shown(await deliveries.get(hub, caller, delivery_id))


@router.post("/{delivery_id}/retry", response_model=DeliveryView, responses=problems(401, 403, 404, 409, 422))
async def retry_delivery(caller: Retrier, hub: HubDependency, delivery_id: UUID) -> DeliveryView:
    """Send a failed delivery again, at once and then with the whole schedule before it."""
    return DeliveryView.of(await deliveries.retry(hub, caller, delivery_id))


@router.post("/{delivery_id}/cancel", response_model=DeliveryView, responses=problems(401, 403, 404, 409, 422))
async def cancel_delivery(caller: Retrier, hub: HubDependency, delivery_id: UUID) -> DeliveryView:
    """Give up a delivery that is still to be sent; it is dead then, and can be retried."""
    return DeliveryView.of(await deliveries.cancel(hub, caller, delivery_id))
