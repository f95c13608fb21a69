"""/api/audit: who did what, in the whole workspace. Administrators only, and nobody can change it."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.moments import Moment
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import View
from connector_master.services import audit
from connector_master.storage.activity import Line

router = APIRouter(tags=["audit"])

Auditor = Annotated[Caller, allow(Permission.AUDIT_SEE)]
Level = Literal["info", "warning", "error"]


class AuditLine(View):
    """One thing that somebody or the system did. `data` says what, with before and after."""

    id: UUID
    at: datetime
    kind: str
    level: Level
    message: str
    connector_id: UUID | None
    actor_kind: str
    actor_name: str | None
    ip: str | None
    event_id: UUID | None
    lead_id: UUID | None
    data: JsonValue

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return what the API shows of `line`."""
        return cls.model_validate(line, from_attributes=True)


class AuditQuery(PageQuery):
    """Which lines, and how many."""

    kind: str | None = Field(default=None, max_length=100)
    level: Level | None = None
    start: Moment | None = Field(default=None, alias="from", description="At this time or later.")
    end: Moment | None = Field(default=None, alias="to", description="Before this time.")
    q: str | None = Field(default=None, max_length=200, description="Text in kind, message, name, IP address or data.")


@router.get("/api/audit", response_model=Page[AuditLine], responses=problems(400, 401, 403, 422))
async def list_audit(caller: Auditor, hub: HubDependency, query: Annotated[AuditQuery, Query()]) -> Page[AuditLine]:
    """List what was done, newest first."""
    found, next_cursor = await audit.list_page(
        hub,
        caller,
        limit=query.limit,
        cursor=query.cursor,
        kind=query.kind or None,
        level=query.level,
        start=query.start,
        end=query.end,
        q=query.q or None,
    )
    return Page[AuditLine](items=[AuditLine.of(line) for line in found], next_cursor=next_cursor)
