"""/api/audit: who did what, in the whole workspace. Administrators only, and nobody can change it."""

from typing import Annotated

from fastapi import APIRouter, Query

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.log_lines import LogLine, LogQuery
from connector_master.api.plumbing import HubDependency, Page, allow, problems
from connector_master.services import audit

router = APIRouter(tags=["audit"])

Auditor = Annotated[Caller, allow(Permission.AUDIT_SEE)]


@router.get("/api/audit", response_model=Page[LogLine], responses=problems(400, 401, 403, 422))
async def list_audit(caller: Auditor, hub: HubDependency, query: Annotated[LogQuery, Query()]) -> Page[LogLine]:
    """List what was done, newest first."""
    found, next_cursor = await audit.list_page(hub, caller, **query.model_dump())
    return Page[LogLine](items=[LogLine.of(line) for line in found], next_cursor=next_cursor)
