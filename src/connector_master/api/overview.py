"""/api/overview: for each source whether it is alive, whether something got stuck, and what that rests on."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.plumbing import HubDependency, allow, problems
from connector_master.api.shapes import View
from connector_master.services import overview
from connector_master.services.overview import Source, Verdict

router = APIRouter(tags=["overview"])

Seer = Annotated[Caller, allow(Permission.CONNECTORS_SEE)]


class OverviewQuery(BaseModel):
    """Whose day it is."""

    model_config = ConfigDict(extra="forbid")

    zone: str = Field(
        default="UTC", max_length=100, description="The time zone whose day counts, such as Asia/Kolkata."
    )

    @field_validator("zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no time zone has this name")
        return value


class SourceView(View):
    """One source as it is now. `today` counts since midnight, `failed` the last seven days."""

    connector_id: UUID
    type: str
    name: str
    status: str
    verdict: Verdict = Field(description="The one thing that most needs a person.")
    leads_today: int
    new_leads_today: int
    usual_by_now: float | None = Field(
        description="The mean of this weekday up to this time; null before the first week."
    )
    failed: int
    waiting: int
    last_event_at: datetime | None
    last_lead_at: datetime | None
    ends_at: datetime | None = Field(description="From when on somebody has to connect it again.")

    @classmethod
    def of(cls, source: Source) -> Self:
        """Return what the API shows of `source`."""
        pulse = source.pulse
        return cls(
            connector_id=pulse.id,
            type=pulse.type,
            name=pulse.name,
            status=pulse.status,
            verdict=source.verdict,
            leads_today=source.today.leads,
            new_leads_today=source.today.created,
            usual_by_now=source.usual,
            failed=source.failed,
            waiting=pulse.waiting,
            last_event_at=pulse.last_event_at,
            last_lead_at=pulse.last_lead_at,
            ends_at=pulse.ends_at,
        )


class OverviewView(View):
    """Every source, the oldest first; at most 200."""

    items: list[SourceView]


@router.get("/api/overview", response_model=OverviewView, responses=problems(401, 403, 422))
async def get_overview(caller: Seer, hub: HubDependency, query: Annotated[OverviewQuery, Query()]) -> OverviewView:
    """Say of every source whether it is alive."""
    found = await overview.overview(hub, caller, now=datetime.now(UTC), zone=ZoneInfo(query.zone))
    return OverviewView(items=[SourceView.of(source) for source in found.sources])
