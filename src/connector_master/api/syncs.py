"""/api/connectors/{id}/sync and /syncs: pull runs, by hand, over a past span, and how they go."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.moments import Moment
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.services import syncs
from connector_master.storage.syncs import Sync

router = APIRouter(prefix="/api/connectors/{connector_id}", tags=["syncs"])

Operator = Annotated[Caller, allow(Permission.CONNECTORS_OPERATE)]
Reader = Annotated[Caller, allow(Permission.LOGS_SEE)]

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Trigger = Literal["manual", "scheduled", "backfill", "reconciliation"]


class Span(Request):
    """The past to pull again; without it, from where the last run ended to now."""

    start: Moment | None = Field(default=None, alias="from")
    end: Moment | None = Field(default=None, alias="to")


class SyncStarted(View):
    """A run that was queued."""

    sync_id: UUID
    status: Status


class SyncFault(View):
    """Why a run failed, or waits."""

    code: str
    message: str


class SyncView(View):
    """One run. `repeated` records had come before; `readUntil` says how far it is, `resumesAt` until when it waits.

    `calls` is how often the provider was asked. `recovered` leads should have been pushed and were not: a scheduled run of a
    source that pushes as well found them.
    """

    id: UUID
    status: Status
    trigger: Trigger
    start: datetime = Field(serialization_alias="from")
    end: datetime = Field(serialization_alias="to")
    read_until: datetime | None
    progress: float = Field(ge=0, le=1, description="The part of the span that is stored, from 0 to 1.")
    resumes_at: datetime | None
    waits_for: SyncFault | None = Field(description="Why it waits, while it does.")
    started_at: datetime | None
    finished_at: datetime | None
    received: int
    created: int
    duplicates: int
    ignored: int
    failed: int
    repeated: int
    recovered: int
    calls: int
    error: SyncFault | None = Field(description="Why it failed.")

    @classmethod
    def of(cls, sync: Sync) -> Self:
        """Return what the API shows of a run."""
        span = (sync.to_at - sync.from_at).total_seconds()
        done = ((sync.read_until or sync.from_at) - sync.from_at).total_seconds()
        told = SyncFault(code=sync.error_code, message=sync.error_message or "") if sync.error_code else None
        progress = 1.0 if sync.status == "succeeded" or span <= 0 else max(0.0, min(1.0, done / span))
        return cls(
            id=sync.id,
            status=sync.status,
            trigger=sync.trigger,
            start=sync.from_at,
            end=sync.to_at,
            read_until=sync.read_until,
            progress=round(progress, 4),
            resumes_at=sync.resumes_at,
            waits_for=told if sync.resumes_at is not None else None,
            started_at=sync.started_at,
            finished_at=sync.finished_at,
            received=sync.received,
            created=sync.created,
            duplicates=sync.duplicates,
            ignored=sync.ignored,
            failed=sync.failed,
            repeated=sync.repeated,
            recovered=sync.recovered,
            calls=sync.calls,
            error=told if sync.status == "failed" else None,
        )


_STARTS = problems(400, 401, 403, 404, 409, 413, 415, 422)


@router.post("/sync", status_code=202, response_model=SyncStarted, responses=_STARTS)
async def start_sync(caller: Operator, hub: HubDependency, connector_id: UUID, body: Span | None = None) -> SyncStarted:
    """Pull now: what came since the last run, or with `from` (and `to`) a past span once more."""
    span = body or Span()
    sync = await syncs.start(hub, caller, connector_id, span.start, span.end)
    return SyncStarted(sync_id=sync.id, status=sync.status)


@router.post("/sync-tradeindia", status_code=202, response_model=SyncStarted, responses=_STARTS)
async def start_tradeindia_sync(
    caller: Operator, hub: HubDependency, connector_id: UUID, body: Span | None = None
) -> SyncStarted:
    """Pull now, by the address that the specification names for TradeIndia."""
    return await start_sync(caller, hub, connector_id, body)


@router.get("/syncs", response_model=Page[SyncView], responses=problems(400, 401, 403, 404, 422))
async def list_syncs(
    caller: Reader, hub: HubDependency, connector_id: UUID, query: Annotated[PageQuery, Query()]
) -> Page[SyncView]:
    """List a connector's runs, newest first."""
    found, next_cursor = await syncs.list_page(hub, caller, connector_id, limit=query.limit, cursor=query.cursor)
    return Page[SyncView](items=[SyncView.of(one) for one in found], next_cursor=next_cursor)


@router.get("/syncs/{sync_id}", response_model=SyncView, responses=problems(401, 403, 404, 422))
async def get_sync(caller: Reader, hub: HubDependency, connector_id: UUID, sync_id: UUID) -> SyncView:
    """Return one run and how far it is."""
    return SyncView.of(await syncs.get(hub, caller, connector_id, sync_id))


@router.post("/syncs/{sync_id}/cancel", response_model=SyncView, responses=problems(401, 403, 404, 409, 422))
async def cancel_sync(caller: Operator, hub: HubDependency, connector_id: UUID, sync_id: UUID) -> SyncView:
    """End a run now; what it has stored stays."""
    return SyncView.of(await syncs.cancel(hub, caller, connector_id, sync_id))
