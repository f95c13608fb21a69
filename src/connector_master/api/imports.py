"""/api/connectors/{id}/imports: leads from a CSV or Excel file, with a preview before and a report afterwards."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.plumbing import HubDependency, allow, problems
from connector_master.api.shapes import View
from connector_master.services import imports
from connector_master.services.imports import Preview
from connector_master.storage.imports import Import

router = APIRouter(prefix="/api/connectors/{connector_id}/imports", tags=["imports"])

Operator = Annotated[Caller, allow(Permission.CONNECTORS_OPERATE)]

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ImportView(View):
    """One file."""

    id: UUID
    connector_id: UUID
    file_name: str
    rows: int
    job_id: UUID | None = Field(description="GET /api/jobs/{jobId} tells how far it is; null before it was started.")
    created_at: datetime

    @classmethod
    def of(cls, found: Import) -> Self:
        """Return what the API shows of an import."""
        return cls(
            id=found.id,
            connector_id=found.connector_id,
            file_name=found.file_name,
            rows=found.rows,
            job_id=found.job_id,
            created_at=found.created_at,
        )


class RowView(View):
    """What a row would become."""

    outcome: str
    lead: dict[str, Any]
    problems: list[dict[str, str]]


class PreviewView(View):
    """A file before it is taken in."""

    import_: ImportView = Field(serialization_alias="import")
    columns: list[str]
    rows: list[RowView] = Field(description="The first rows, as the connector's mapping reads them.")

    @classmethod
    def of(cls, found: Preview) -> Self:
        """Return what the API shows of a preview."""
        return cls(
            import_=ImportView.of(found.import_),
            columns=list(found.columns),
            rows=[
                RowView(
                    outcome=one.outcome,
                    lead=one.lead,
                    problems=[
                        {"field": problem.field, "code": problem.code, "message": problem.message}
                        for problem in one.problems
                    ],
                )
                for one in found.tried
            ],
        )


@router.post(
    "",
    status_code=201,
    response_model=PreviewView,
    responses=problems(401, 403, 404, 409, 413, 422),
    openapi_extra=_FILE,
)
async def bring_file(caller: Operator, hub: HubDependency, connector_id: UUID, request: Request) -> PreviewView:
    """Keep a CSV or Excel file (the body, at most 10 MB) and return what its first rows would become."""
    name = request.headers.get("x-file-name", "")
    found = await imports.bring(hub, caller, connector_id, name, await request.body())
    return PreviewView.of(await imports.preview(hub, caller, connector_id, found.id))


@router.post(
    "/{import_id}/start", status_code=202, response_model=ImportView, responses=problems(401, 403, 404, 409, 422)
)
async def start_import(caller: Operator, hub: HubDependency, connector_id: UUID, import_id: UUID) -> ImportView:
    """Take the rows in, in the background."""
    await imports.start(hub, caller, connector_id, import_id)
    return ImportView.of(await imports.get(hub, caller, connector_id, import_id))


@router.get(
    "/{import_id}/failures.csv",
    response_class=Response,
    responses=_CSV | problems(401, 403, 404, 422),
)
async def report_failures(caller: Operator, hub: HubDependency, connector_id: UUID, import_id: UUID) -> Response:
    """Return as CSV which rows failed, and why."""
    return Response(await imports.report(hub, caller, connector_id, import_id), media_type="text/csv; charset=utf-8")
