"""/api/events: what arrived, with its raw payload, and trying it again."""

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.moments import Moment
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.model.event import EventStatus
from connector_master.model.json import Json
from connector_master.model.problem import Problem
from connector_master.model.problem_kinds import kind_of
from connector_master.services import events
from connector_master.services.events import Seen
from connector_master.storage.events import Event, EventFilter
from connector_master.storage.failures import Failure

router = APIRouter(prefix="/api/events", tags=["events"])

Seer = Annotated[Caller, allow(Permission.EVENTS_SEE)]
Retrier = Annotated[Caller, allow(Permission.EVENTS_RETRY)]

_FAILED = (EventStatus.FAILED, EventStatus.DEAD)
_SETTLED = (EventStatus.CREATED, EventStatus.DUPLICATE, EventStatus.IGNORED)


class WarningView(View):
    """Something that could not be used, though the lead could."""

    field: str
    code: str
    message: str


class EventView(View):
    """What arrived and what became of it. `code`, `detail` and `remedy` are a failed one's.

    `reason` says why one was ignored, and of one with a lead what else is to be said: `twin`, `edited` or `erased`.
    """

    id: UUID
    connector_id: UUID
    status: EventStatus
    code: str | None
    detail: str | None
    remedy: str | None
    reason: str | None
    lead_id: UUID | None
    origin: str
    received_at: datetime
    processed_at: datetime | None
    enquired_at: datetime | None
    external_id: str | None
    attempts: int
    ip: str | None
    content_type: str | None
    request_id: UUID | None = Field(description="The same for all records of one request that held a list.")
    position: int | None = Field(description="Which record of the request, from 0; null where the body was the record.")
    warnings: list[WarningView]

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return what the API shows of `event`."""
        return cls(**_fields(event))


class EventWithPayload(EventView):
    """An event with its raw payload."""

    headers: dict[str, str] | None = Field(description="Those of the request that can hold no secret.")
    payload: str = Field(description="The record as it came, in the encoding that payloadEncoding names.")
    payload_encoding: Literal["text", "base64"]
    payload_bytes: int
    decoded: JsonValue = Field(description="What the payload was read as; null where it can't be read.")
    body: str | None = Field(description="The whole body, where this is the first record of a list.")
    body_encoding: Literal["text", "base64"] | None
    resolved: JsonValue = Field(
        description="The record that was fetched where the payload only named it, or its latest text; null without either."
    )

    @classmethod
    def shown(cls, seen: Seen) -> Self:
        """Return an event with what was sent."""
        raw = seen.raw
        payload, encoding = _readable(raw.payload)
        body, body_encoding = (None, None) if raw.body is None else _readable(raw.body)
        return cls(
            **_fields(raw.event),
            headers=raw.headers,
            payload=payload,
            payload_encoding=encoding,
            payload_bytes=len(raw.payload),
            decoded=_encodable(seen.decoded),
            body=body,
            body_encoding=body_encoding,
            resolved=_encodable(seen.resolved),
        )


class FailureView(View):
    """Failed events of one connector and one cause."""

    connector_id: UUID
    code: str
    title: str
    remedy: str
    count: int
    first_at: datetime
    last_at: datetime
    detail: str | None = Field(description="What was said of the newest.")
    example_id: UUID = Field(description="The newest of them.")

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return what the API shows of `failure`."""
        kind = kind_of(failure.code) or Problem
        return cls(
            connector_id=failure.connector_id,
            code=failure.code,
            title=kind.title,
            remedy=kind.remedy,
            count=failure.count,
            first_at=failure.first_at,
            last_at=failure.last_at,
            detail=failure.detail,
            example_id=failure.example_id,
        )


class FailuresView(View):
    """Failed events by connector and cause, the cause seen last first; of the newest 50,000."""

    items: list[FailureView]


class FailuresQuery(BaseModel):
    """Whose failures."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    connector_id: UUID | None = None


class ListQuery(PageQuery):
    """Which events, and how many."""

    status: EventStatus | None = None
    connector_id: UUID | None = None
    code: str | None = Field(default=None, max_length=100, description="A problem's code, or a reason to ignore.")
    q: str | None = Field(
        default=None,
        max_length=200,
        description="An event's or a lead's id, or text in raw payload, external id, problem or IP address.",
    )
    start: Moment | None = Field(default=None, alias="from", description="Received at this time or later.")
    end: Moment | None = Field(default=None, alias="to", description="Received before this time.")


class RetryFilter(Request):
    """Which events to retry; an empty one means every failed and dead one."""

    status: Literal["failed", "dead", "received"] | None = None
    connector_id: UUID | None = None
    code: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    start: Moment | None = Field(default=None, alias="from")
    end: Moment | None = Field(default=None, alias="to")


class RetryMany(Request):
    """A retry of many events."""

    filter: RetryFilter


class StartedJob(View):
    """The job that does it; GET /api/jobs/{jobId} tells how far it is."""

    job_id: UUID
    status: str


@router.get("", response_model=Page[EventView], responses=problems(400, 401, 403, 422))
async def list_events(caller: Seer, hub: HubDependency, query: Annotated[ListQuery, Query()]) -> Page[EventView]:
    """List events, newest first, without their payloads."""
    filter_ = EventFilter(
        statuses=() if query.status is None else (query.status,),
        connector_id=query.connector_id,
        code=query.code or None,
        q=query.q if query.q and query.q.strip() else None,
        start=query.start,
        end=query.end,
    )
    found, next_cursor = await events.list_page(hub, caller, filter_, limit=query.limit, cursor=query.cursor)
    return Page[EventView](items=[EventView.of(event) for event in found], next_cursor=next_cursor)


@router.post("/retry", status_code=202, response_model=StartedJob, responses=problems(400, 401, 403, 413, 422))
async def retry_events(caller: Retrier, hub: HubDependency, body: RetryMany) -> StartedJob:
    """Retry every failed event that fits, in the background."""
    wanted = body.filter
    filter_ = EventFilter(
        statuses=() if wanted.status is None else (EventStatus(wanted.status),),
        connector_id=wanted.connector_id,
        code=wanted.code,
        start=wanted.start,
        end=wanted.end,
    )
    job = await events.start_retry(hub, caller, filter_)
    return StartedJob(job_id=job.id, status=job.status)


@router.get("/failures", response_model=FailuresView, responses=problems(401, 403, 422))
async def list_failures(caller: Seer, hub: HubDependency, query: Annotated[FailuresQuery, Query()]) -> FailuresView:
    """List what failed, grouped by connector and cause."""
    found = await events.list_failures(hub, caller, query.connector_id)
    return FailuresView(items=[FailureView.of(failure) for failure in found])


@router.get("/{event_id}", response_model=EventWithPayload, responses=problems(401, 403, 404, 422))
async def get_event(caller: Seer, hub: HubDependency, event_id: UUID) -> EventWithPayload:
    """Return one event with its raw payload. The activity log keeps who looked."""
    return EventWithPayload.shown(await events.get(hub, caller, event_id))


@router.post("/{event_id}/retry", response_model=EventView, responses=problems(401, 403, 404, 409, 422))
async def retry_event(caller: Retrier, hub: HubDependency, event_id: UUID) -> EventView:
    """Try a failed event again, under today's mapping, and return it as it is now: a lead, or failed once more."""
    return EventView.of(await events.retry(hub, caller, event_id))


def _fields(event: Event) -> dict[str, Any]:
    is_failed, is_settled = event.status in _FAILED, event.status in _SETTLED
    kind = kind_of(event.code) if is_failed else None
    return {
        "id": event.id,
        "connector_id": event.connector_id,
        "status": event.status,
        "code": event.code if is_failed else None,
        "detail": event.detail,
        "remedy": kind.remedy if kind else None,
        "reason": event.code if is_settled else None,
        "lead_id": event.lead_id,
        "origin": event.origin,
        "received_at": event.received_at,
        "processed_at": event.processed_at,
        "enquired_at": event.enquired_at,
        "external_id": event.external_id,
        "attempts": event.attempts,
        "ip": event.ip,
        "content_type": event.content_type,
        "request_id": event.request_id,
        "position": event.position,
        "warnings": [WarningView(**warning) for warning in event.warnings],
    }


def _readable(content: bytes) -> tuple[str, Literal["text", "base64"]]:
    try:
        return content.decode(), "text"
    except UnicodeDecodeError:
        return b64encode(content).decode(), "base64"


def _encodable(value: Json) -> Any:
    """Return `value` without lone surrogates, which JSON's escapes can name but UTF-8 can't hold."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    return value
