"""/api/connectors/{id}/field-mapping: saving a mapping, trying it on what came, and going back to an earlier one."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.connectors import ConnectorView, FindingView
from connector_master.api.mapping_shapes import FieldMapping, plain
from connector_master.api.plumbing import HubDependency, Page, PageQuery, ProblemView, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.services import connectors, mapping_trials, mappings
from connector_master.services.mapping_trials import MOST_TRIED, Comparison, Difference, Verdict
from connector_master.services.mappings import MOST_VERSIONS, Edit
from connector_master.storage.field_mappings import MappingVersion

router = APIRouter(prefix="/api/connectors/{connector_id}/field-mapping", tags=["field mappings"])

Editor = Annotated[Caller, allow(Permission.CONNECTORS_EDIT)]
Operator = Annotated[Caller, allow(Permission.CONNECTORS_OPERATE)]


class MappingChange(Request):
    """A whole field mapping; null goes back to the type's default."""

    field_mapping: FieldMapping | None
    version: int | None = Field(
        default=None,
        ge=1,
        le=MOST_VERSIONS,
        description="The `mappingVersion` that the edit began with: refused when another has been saved since.",
    )
    note: str | None = Field(default=None, max_length=500, description="Why, for whoever reads the history.")


class VersionView(View):
    """A field mapping as it was saved."""

    version: int
    field_mapping: dict[str, Any] | None = Field(description="Null: the type's default.")
    note: str | None
    restored_from: int | None = Field(description="The version that it brought back.")
    made_at: datetime
    made_by: str | None

    @classmethod
    def of(cls, version: MappingVersion) -> Self:
        """Return what is shown of a version."""
        return cls(
            version=version.version,
            field_mapping=version.field_mapping,
            note=version.note,
            restored_from=version.restored_from,
            made_at=version.made_at,
            made_by=version.made_by_name,
        )


class MappingConflict(ProblemView):
    """The problem of a mapping that was saved by somebody else meanwhile, with both."""

    saved: VersionView | None = Field(default=None, description="What was saved meanwhile.")
    edited: dict[str, Any] | None = Field(default=None, description="What was refused.")


class Trying(Request):
    """A mapping to try on a connector's last payloads."""

    field_mapping: FieldMapping | None = Field(description="Null: the type's default.")
    last: int = Field(default=50, strict=True, ge=1, le=MOST_TRIED, description="On how many at most.")


class ChangeView(View):
    """One field of a lead as the saved mapping fills it, and as the other one would. Null where it does not."""

    field: str
    before: JsonValue
    after: JsonValue


class DifferenceView(View):
    """What the other mapping does to one event."""

    event_id: UUID
    received_at: datetime
    lead_id: UUID | None
    verdict: Verdict = Field(
        description="`mended` and `broken`: it could be no lead before, or can be none after; `failing`: neither."
    )
    changes: list[ChangeView]
    problems: list[FindingView] = Field(description="Under the other mapping.")

    @classmethod
    def of(cls, difference: Difference) -> Self:
        """Return what is shown of a difference."""
        event = difference.event
        return cls(
            event_id=event.id,
            received_at=event.received_at,
            lead_id=event.lead_id,
            verdict=difference.verdict,
            changes=[ChangeView(field=one.field, before=one.before, after=one.after) for one in difference.changes],
            problems=[
                FindingView(field=one.field, code=one.code, message=one.message, blocks=one.blocks)
                for one in difference.problems
            ],
        )


class ComparisonView(View):
    """What another mapping would make of the last events, newest first."""

    counts: dict[Verdict, int]
    items: list[DifferenceView]

    @classmethod
    def of(cls, comparison: Comparison) -> Self:
        """Return what is shown of a comparison."""
        return cls(counts=dict(comparison.counts), items=[DifferenceView.of(one) for one in comparison.differences])


def _conflict() -> dict[int | str, dict[str, Any]]:
    schema = MappingConflict.model_json_schema(ref_template="#/components/schemas/{model}")
    # What it refers to is declared with other routes.
    del schema["$defs"]
    content = {"application/problem+json": {"schema": schema}}
    return {409: {"description": "Another mapping was saved since the edit began", "content": content}}


@router.put(
    "",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 404, 413, 422) | _conflict(),
)
async def put_field_mapping(
    caller: Editor, hub: HubDependency, connector_id: UUID, body: MappingChange
) -> ConnectorView:
    """Save a field mapping as the next version; refused with each fault named."""
    edit = Edit(began_with=body.version, note=body.note)
    saved = await connectors.change_mapping(hub, caller, connector_id, plain(body.field_mapping), edit)
    return ConnectorView.of(saved, caller)


@router.get("/versions", response_model=Page[VersionView], responses=problems(400, 401, 403, 404, 422))
async def list_versions(
    caller: Editor, hub: HubDependency, connector_id: UUID, query: Annotated[PageQuery, Query()]
) -> Page[VersionView]:
    """List the mappings that were saved, the latest first."""
    found, next_cursor = await mappings.list_page(hub, caller, connector_id, limit=query.limit, cursor=query.cursor)
    return Page[VersionView](items=[VersionView.of(one) for one in found], next_cursor=next_cursor)


@router.post(
    "/versions/{version}/restore",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def restore_version(
    caller: Editor, hub: HubDependency, connector_id: UUID, version: Annotated[int, Path(ge=1, le=MOST_VERSIONS)]
) -> ConnectorView:
    """Save an earlier mapping again, as the next version."""
    return ConnectorView.of(await connectors.restore_mapping(hub, caller, connector_id, version), caller)


@router.post("/try", response_model=ComparisonView, responses=problems(400, 401, 403, 404, 413, 422))
async def try_field_mapping(caller: Operator, hub: HubDependency, connector_id: UUID, body: Trying) -> ComparisonView:
    """Show what a mapping would make of the last payloads, beside what the saved one makes of them. Creates nothing."""
    mapping = plain(body.field_mapping)
    return ComparisonView.of(await mapping_trials.compare(hub, caller, connector_id, mapping, body.last))
