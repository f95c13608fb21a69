"""/api/leads: the leads, searched, looked at, and taken out as CSV."""

from datetime import UTC, datetime
from operator import itemgetter
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.moments import Moment
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.model.delivery import DeliveryStatus
from connector_master.model.event import EventStatus
from connector_master.services import erasures, leads
from connector_master.services.leads import Search, WithTimeline
from connector_master.storage.deliveries import Delivery
from connector_master.storage.events import Touch
from connector_master.storage.leads import Lead

router = APIRouter(prefix="/api/leads", tags=["leads"])

Seer = Annotated[Caller, allow(Permission.LEADS_SEE)]
Exporter = Annotated[Caller, allow(Permission.LEADS_EXPORT)]
Eraser = Annotated[Caller, allow(Permission.LEADS_ERASE)]


class LeadView(View):
    """A lead. Times are UTC; `timesSeen` counts the events that came from this person."""

    id: UUID
    phone_number: str = Field(description="E.164.")
    name: str | None
    email: str | None
    source: str | None
    business_name: str | None
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    country: str | None = Field(description="ISO 3166 alpha-2.")
    pincode: str | None
    product_name: str | None
    notes: str | None
    campaign: str | None
    external_id: str | None
    attributes: dict[str, JsonValue] = Field(description="What is mapped beyond the other fields.")
    connector_id: UUID = Field(description="The connector that brought the lead first.")
    enquired_at: datetime | None
    created_at: datetime
    updated_at: datetime
    times_seen: int

    @classmethod
    def of(cls, lead: Lead) -> Self:
        """Return what the API shows of `lead`."""
        return cls.model_validate(lead, from_attributes=True)


class TouchView(View):
    """One event that made or touched a lead; nothing of what was sent, nor from where."""

    kind: Literal["event"] = "event"
    event_id: UUID
    status: EventStatus
    reason: str | None = Field(description="What else is to be said of it: `twin`, `edited` or `erased`.")
    connector_id: UUID
    connector_name: str | None
    connector_type: str | None
    origin: str = Field(description="How it came: push, pull, …")
    external_id: str | None
    received_at: datetime
    enquired_at: datetime | None

    @classmethod
    def of(cls, touch: Touch) -> Self:
        """Return what the API shows of `touch`."""
        return cls(
            event_id=touch.id,
            status=touch.status,
            reason=touch.reason,
            connector_id=touch.connector_id,
            connector_name=touch.connector_name,
            connector_type=touch.connector_type,
            origin=touch.origin,
            external_id=touch.external_id,
            received_at=touch.received_at,
            enquired_at=touch.enquired_at,
        )


class SentView(View):
    """One delivery of a lead; why it failed is told to those who may see deliveries."""

    kind: Literal["delivery"] = "delivery"
    delivery_id: UUID
    type: str
    status: DeliveryStatus
    destination_id: UUID
    destination_name: str
    destination_type: str
    attempts: int
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return what the API shows of `delivery` among other things that happened to a lead."""
        return cls(
            delivery_id=delivery.id,
            type=delivery.occasion.value,
            status=delivery.status,
            destination_id=delivery.destination_id,
            destination_name=delivery.destination_name,
            destination_type=delivery.destination_type,
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            ended_at=delivery.settled_at,
        )


class LeadWithTimeline(LeadView):
    """A lead and its timeline: the newest 200 events that touched it, and the newest 200 deliveries, newest first."""

    timeline: list[TouchView | SentView]

    @classmethod
    def shown(cls, found: WithTimeline) -> Self:
        """Return a lead with its timeline."""
        lead = LeadView.of(found.lead)
        told: list[tuple[datetime, TouchView | SentView]] = [
            *((touch.received_at, TouchView.of(touch)) for touch in found.timeline),
            *((delivery.created_at, SentView.of(delivery)) for delivery in found.deliveries),
        ]
        told.sort(key=itemgetter(0), reverse=True)
        return cls(**dict(lead), timeline=[view for _, view in told])


class KeptView(View):
    """What one event holds of a person."""

    received_at: datetime
    connector: str | None
    ip: str | None
    sent: JsonValue
    fetched: JsonValue


class PersonView(View):
    """Everything that is kept of one lead; of the newest 200 events."""

    lead: LeadView
    events: list[KeptView]


class Person(Request):
    """Whom to erase: by phone number in any spelling, by e-mail address, or both."""

    phone: str | None = Field(default=None, max_length=100)
    email: str | None = Field(default=None, max_length=320)


class ErasedView(View):
    """What was erased."""

    leads: int
    events: int


class SearchQuery(BaseModel):
    """Which leads."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    q: str | None = Field(
        default=None, max_length=200, description="Words, each in name, e-mail, company or phone number."
    )
    phone: str | None = Field(
        default=None, max_length=100, description="A phone number in any spelling, or how it begins."
    )
    source: str | None = Field(default=None, max_length=200, description="The lead's source, in any case.")
    connector_id: UUID | None = Field(default=None, description="The connector that brought the lead first.")
    start: Moment | None = Field(default=None, alias="from", description="Created at this time or later.")
    end: Moment | None = Field(default=None, alias="to", description="Created before this time.")

    def search(self) -> Search:
        """Return what is looked for; empty texts look for nothing."""
        return Search(
            q=_filled(self.q),
            phone=_filled(self.phone),
            source=_filled(self.source),
            connector_id=self.connector_id,
            start=self.start,
            end=self.end,
        )


class ListQuery(SearchQuery, PageQuery):
    """Which leads, and how many."""


_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "CSV in UTF-8, a header line first. A cell that begins like a formula, phone numbers included, has an "
        "apostrophe in front.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@router.get("", response_model=Page[LeadView], responses=problems(400, 401, 403, 422))
async def list_leads(caller: Seer, hub: HubDependency, query: Annotated[ListQuery, Query()]) -> Page[LeadView]:
    """List leads, newest first."""
    found, next_cursor = await leads.list_page(hub, caller, query.search(), limit=query.limit, cursor=query.cursor)
    return Page[LeadView](items=[LeadView.of(lead) for lead in found], next_cursor=next_cursor)


@router.get("/export.csv", response_class=StreamingResponse, responses=_CSV | problems(401, 403, 422))
async def export_leads(
    caller: Exporter, hub: HubDependency, query: Annotated[SearchQuery, Query()]
) -> StreamingResponse:
    """Return every lead that fits as CSV, newest first."""
    pieces = await leads.export(hub, caller, query.search())
    name = f"leads-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"
    return StreamingResponse(
        pieces,
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@router.get("/{lead_id}", response_model=LeadWithTimeline, responses=problems(401, 403, 404, 422))
async def get_lead(caller: Seer, hub: HubDependency, lead_id: UUID) -> LeadWithTimeline:
    """Return one lead with its timeline."""
    return LeadWithTimeline.shown(await leads.get(hub, caller, lead_id))


@router.delete("/{lead_id}", status_code=204, responses=problems(401, 403, 404, 422))
async def erase_lead(caller: Eraser, hub: HubDependency, lead_id: UUID) -> None:
    """Erase one lead and everything that was sent of it. The events stay, empty."""
    await erasures.erase_lead(hub, caller, lead_id)


@router.get("/{lead_id}/export", responses=problems(401, 403, 404, 422))
async def export_person(caller: Eraser, hub: HubDependency, lead_id: UUID) -> PersonView:
    """Return everything that is kept of one lead: itself, and each event with what was sent."""
    found = await erasures.export_person(hub, caller, lead_id)
    return PersonView(lead=LeadView.of(found["lead"]), events=[KeptView(**one) for one in found["events"]])


@router.post("/erase", responses=problems(400, 401, 403, 422))
async def erase_person(caller: Eraser, hub: HubDependency, body: Person) -> ErasedView:
    """Erase every lead with this phone number or e-mail address, and everything that was sent of it."""
    found = await erasures.erase_person(hub, caller, phone=body.phone, email=body.email)
    return ErasedView(leads=found.leads, events=found.events)


def _filled(text: str | None) -> str | None:
    return text if text and text.strip() else None
