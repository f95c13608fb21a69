"""/api/jobs: work in the background, such as retrying many events."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import View
from connector_master.services import jobs
from connector_master.storage.jobs import Job

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

Retrier = Annotated[Caller, allow(Permission.EVENTS_RETRY)]


class JobView(View):
    """A job and how far it is."""

    id: UUID
    kind: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    filter: dict[str, JsonValue] = Field(description="What the job goes through.")
    total: int | None = Field(description="How much there is to do; null until it is counted.")
    done: int
    failed: int = Field(description="How many of the done ones failed again.")
    actor_name: str | None = Field(description="Who started it.")
    error: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return what the API shows of `job`."""
        return cls.model_validate(job, from_attributes=True)


@router.get("", response_model=Page[JobView], responses=problems(400, 401, 403, 422))
async def list_jobs(caller: Retrier, hub: HubDependency, query: Annotated[PageQuery, Query()]) -> Page[JobView]:
    """List jobs, newest first."""
    found, next_cursor = await jobs.list_page(hub, caller, limit=query.limit, cursor=query.cursor)
    return Page[JobView](items=[JobView.of(job) for job in found], next_cursor=next_cursor)


@router.get("/{job_id}", response_model=JobView, responses=problems(401, 403, 404, 422))
async def get_job(caller: Retrier, hub: HubDependency, job_id: UUID) -> JobView:
    """Return one job and how far it is."""
    return JobView.of(await jobs.get(hub, caller, job_id))


@router.post("/{job_id}/cancel", response_model=JobView, responses=problems(401, 403, 404, 409, 422))
async def cancel_job(caller: Retrier, hub: HubDependency, job_id: UUID) -> JobView:
    """Stop a job: at once if it has not begun, else after the batch it is at. What it has done stays done."""
    return JobView.of(await jobs.cancel(hub, caller, job_id))
