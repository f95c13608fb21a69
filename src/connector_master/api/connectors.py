"""/api/connectors: management and operation of sources (SPEC.md "API Endpoints")."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.log_lines import LogLine, LogQuery
from connector_master.api.mapping_shapes import FieldMapping, plain
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.services import audit, connectors, trials
from connector_master.services.connectors import GRACE_HOURS, MAX_GRACE_HOURS, Shown
from connector_master.services.trials import Tried
from connector_master.storage.connections import ConnectionRow

router = APIRouter(prefix="/api/connectors", tags=["connectors"])

Seer = Annotated[Caller, allow(Permission.CONNECTORS_SEE)]
Creator = Annotated[Caller, allow(Permission.CONNECTORS_CREATE)]
Editor = Annotated[Caller, allow(Permission.CONNECTORS_EDIT)]
Operator = Annotated[Caller, allow(Permission.CONNECTORS_OPERATE)]
Deleter = Annotated[Caller, allow(Permission.CONNECTORS_DELETE)]
LogReader = Annotated[Caller, allow(Permission.LOGS_SEE)]

Status = Literal["active", "paused", "needs_authorization", "failing"]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", description="What people call it.")]
Description = Annotated[str, Field(max_length=2000)]
Object = dict[str, JsonValue]


class CredentialView(View):
    """Whether a credential is set, and how it ends."""

    set: bool
    hint: str | None


class ConnectionView(View):
    """What the provider lets the connector do, and until when. Times are null where the provider does not tell."""

    kind: str = Field(description="`oauth`: somebody agreed; `given`: a token that was made elsewhere.")
    scopes: list[str]
    authorized_at: datetime
    authorized_by: str | None
    expires_at: datetime | None = Field(description="End of the present token, which is renewed before.")
    ends_at: datetime | None = Field(description="From when on somebody has to agree again.")
    lost_at: datetime | None = Field(description="Since when nothing can be asked for with it.")
    problem: str | None = Field(description="Why it was lost.")


class ConnectorView(View):
    """A connector. What the caller may not see is left out."""

    id: UUID
    type: str
    name: str
    description: str | None
    status: Status
    webhook_url: str | None = Field(
        default=None, description="Path of the public address; null where nothing is pushed."
    )
    webhook_secret: str | None = Field(default=None, description="Only in the answer that made it.")
    verify_token: str | None = Field(default=None, description="Only in the answer that made it.")
    webhook_secret_fingerprint: str | None = Field(
        default=None, description="Tells secrets, or verify tokens, apart; can't sign."
    )
    previous_secret_valid_until: datetime | None = None
    settings: Object | None = None
    credentials: dict[str, CredentialView] | None = None
    connection: ConnectionView | None = Field(default=None, description="Only for sources behind OAuth.")
    field_mapping: dict[str, Any] | None = Field(default=None, description="The mapping that counts.")
    mapping_version: int | None = Field(default=None, description="Which of its versions that is, from 1.")
    last_event_at: datetime | None
    last_sync_at: datetime | None
    next_sync_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shown: Shown, caller: Caller) -> Self:
        """Return what `caller` may see of a connector."""
        row = shown.row
        seen: dict[str, Any] = {
            "id": row.id,
            "type": row.type,
            "name": row.name,
            "description": row.description,
            "status": row.status,
            "last_event_at": row.last_event_at,
            "last_sync_at": row.last_sync_at,
            "next_sync_at": row.next_sync_at,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
        if caller.may(Permission.CONNECTORS_SEE_ADDRESS):
            door = shown.connector.door
            seen["webhook_url"] = f"/api/connectors/{door}/{row.webhook_id}" if door else None
            seen["webhook_secret_fingerprint"] = shown.fingerprint
            seen["previous_secret_valid_until"] = shown.previous_valid_until
            seen["settings"] = row.settings
            if shown.connector.oauth is not None:
                seen["connection"] = None if shown.connection is None else _connection_view(shown.connection)
            seen["credentials"] = {
                name: CredentialView(set=name in shown.credentials, hint=_hint(shown, name))
                for name in shown.connector.credentials.names()
            }
            seen["field_mapping"] = row.field_mapping if row.field_mapping is not None else shown.connector.mapping
            seen["mapping_version"] = row.mapping_version
            if shown.new_secret is not None:
                seen["webhook_secret"] = shown.new_secret
            if shown.new_verify_token is not None:
                seen["verify_token"] = shown.new_verify_token
        return cls(**seen)


class NewConnector(Request):
    """A connector to create."""

    name: Name
    type: str = Field(description="One of GET /api/connector-types.", max_length=50)
    description: Description | None = None
    settings: Object = Field(default_factory=dict)
    credentials: Object = Field(default_factory=dict)
    field_mapping: FieldMapping | None = None


class ConnectorChange(Request):
    """The fields to change; those left out stay as they are."""

    name: Name | None = None
    description: Description | None = None
    settings: Object | None = None
    credentials: Object | None = None
    field_mapping: FieldMapping | None = None


class Grace(Request):
    """How long the present secret stays valid."""

    grace_hours: int = Field(default=GRACE_HOURS, strict=True, ge=0, le=MAX_GRACE_HOURS)


class SecretView(View):
    """A new webhook secret or verify token, whichever the type has, shown only here."""

    webhook_secret: str | None = None
    verify_token: str | None = None
    previous_secret_valid_until: datetime | None


class Payload(Request):
    """A payload to try, and a mapping to try it with instead of the saved one."""

    payload: JsonValue
    field_mapping: FieldMapping | None = None


class FindingView(View):
    """Something in a payload that can't be used; `blocks` when no lead can be made because of it."""

    field: str
    code: str
    message: str
    blocks: bool


class TrialView(View):
    """What a payload would become."""

    outcome: Literal["created", "duplicate", "rejected", "ignored"]
    reason: str | None
    lead: Object
    lead_id: UUID | None = Field(description="The lead that it would be a duplicate of.")
    problems: list[FindingView]
    unmapped: list[str] = Field(description="Source paths that nothing uses.")
    field_mapping: dict[str, Any] = Field(description="The mapping that was used, or proposed.")
    records: int = Field(description="How many records the payload holds; the first one is shown.")

    @classmethod
    def of(cls, tried: Tried) -> Self:
        """Return the answer to a dry run."""
        return cls(
            outcome=tried.outcome,
            reason=tried.reason,
            lead=tried.lead,
            lead_id=tried.lead_id,
            problems=[
                FindingView(field=one.field, code=one.code, message=one.message, blocks=one.blocks)
                for one in tried.problems
            ],
            unmapped=list(tried.unmapped),
            field_mapping=dict(tried.mapping),
            records=tried.records,
        )


class CheckView(View):
    """The result of a connection test."""

    ok: bool
    message: str
    checked_at: datetime
    details: Object


class ListQuery(PageQuery):
    """Which connectors."""

    type: str | None = Field(default=None, max_length=50)
    status: Status | None = None


@router.get(
    "", response_model=Page[ConnectorView], response_model_exclude_unset=True, responses=problems(400, 401, 403, 422)
)
async def list_connectors(
    caller: Seer, hub: HubDependency, query: Annotated[ListQuery, Query()]
) -> Page[ConnectorView]:
    """List connectors, newest first."""
    found, next_cursor = await connectors.list_page(
        hub, caller, limit=query.limit, cursor=query.cursor, type_=query.type, status=query.status
    )
    return Page[ConnectorView](items=[ConnectorView.of(one, caller) for one in found], next_cursor=next_cursor)


@router.post(
    "",
    status_code=201,
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 413, 422),
)
async def create_connector(caller: Creator, hub: HubDependency, body: NewConnector) -> ConnectorView:
    """Create a connector. Its webhook secret or verify token is shown only here and by regenerate-secret."""
    made = await connectors.create(
        hub,
        caller,
        type_=body.type,
        name=body.name.strip(),
        description=body.description,
        settings=body.settings,
        credentials=body.credentials,
        field_mapping=plain(body.field_mapping),
    )
    return ConnectorView.of(made, caller)


@router.get(
    "/{connector_id}",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def get_connector(caller: Seer, hub: HubDependency, connector_id: UUID) -> ConnectorView:
    """Return one connector."""
    return ConnectorView.of(await connectors.get(hub, caller, connector_id), caller)


@router.put(
    "/{connector_id}",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 404, 413, 422),
)
async def update_connector(
    caller: Editor, hub: HubDependency, connector_id: UUID, body: ConnectorChange
) -> ConnectorView:
    """Change the fields given. Of settings and credentials those named; null puts one back to its default."""
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    for name in ("name", "settings", "credentials"):
        if name in changes and changes[name] is None:
            del changes[name]
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "field_mapping" in changes:
        changes["field_mapping"] = plain(body.field_mapping)
    return ConnectorView.of(await connectors.update(hub, caller, connector_id, changes), caller)


@router.delete("/{connector_id}", status_code=204, responses=problems(401, 403, 404, 422))
async def delete_connector(caller: Deleter, hub: HubDependency, connector_id: UUID) -> None:
    """Delete a connector: its address answers 404 at once; its leads and events stay."""
    await connectors.delete(hub, caller, connector_id)


@router.post(
    "/{connector_id}/regenerate-secret",
    response_model=SecretView,
    response_model_exclude_none=True,
    responses=problems(400, 401, 403, 404, 409, 413, 422),
)
async def regenerate_secret(
    caller: Editor, hub: HubDependency, connector_id: UUID, body: Grace | None = None
) -> SecretView:
    """Make a new webhook secret or verify token; the present one stays valid for the grace."""
    made = await connectors.regenerate_secret(
        hub, caller, connector_id, GRACE_HOURS if body is None else body.grace_hours
    )
    return SecretView(
        webhook_secret=made.secret,
        verify_token=made.verify_token,
        previous_secret_valid_until=made.previous_valid_until,
    )


@router.post("/{connector_id}/test-webhook", response_model=TrialView, responses=problems(400, 401, 403, 404, 413, 422))
async def test_webhook(caller: Operator, hub: HubDependency, connector_id: UUID, body: Payload) -> TrialView:
    """Try a payload: what lead it would become, what is wrong, what nobody maps. Creates nothing."""
    return TrialView.of(await trials.try_payload(hub, caller, connector_id, body.payload, plain(body.field_mapping)))


@router.post("/{connector_id}/test-connection", response_model=CheckView, responses=problems(401, 403, 404, 422))
async def test_connection(caller: Operator, hub: HubDependency, connector_id: UUID) -> CheckView:
    """Check the connection, and say what stands in the way."""
    checked = await trials.test_connection(hub, caller, connector_id)
    return CheckView(ok=checked.is_ok, message=checked.message, checked_at=checked.checked_at, details=checked.details)


@router.post(
    "/{connector_id}/pause",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def pause_connector(caller: Operator, hub: HubDependency, connector_id: UUID) -> ConnectorView:
    """Keep what arrives without processing it."""
    return ConnectorView.of(await connectors.pause(hub, caller, connector_id), caller)


@router.post(
    "/{connector_id}/resume",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def resume_connector(caller: Operator, hub: HubDependency, connector_id: UUID) -> ConnectorView:
    """Process again, first of all what was kept meanwhile."""
    return ConnectorView.of(await connectors.resume(hub, caller, connector_id), caller)


@router.get("/{connector_id}/logs", response_model=Page[LogLine], responses=problems(400, 401, 403, 404, 422))
async def get_logs(
    caller: LogReader, hub: HubDependency, connector_id: UUID, query: Annotated[LogQuery, Query()]
) -> Page[LogLine]:
    """Return what happened at a connector, newest first: what arrived, what became of it, and who changed what."""
    found, next_cursor = await audit.list_page(hub, caller, connector_id=connector_id, **query.model_dump())
    return Page[LogLine](items=[LogLine.of(line) for line in found], next_cursor=next_cursor)


def _connection_view(row: ConnectionRow) -> ConnectionView:
    return ConnectionView(
        kind=row.kind,
        scopes=list(row.scopes),
        authorized_at=row.authorized_at,
        authorized_by=row.authorized_by,
        expires_at=row.expires_at,
        ends_at=row.ends_at,
        lost_at=row.lost_at,
        problem=row.problem_detail,
    )


def _hint(shown: Shown, name: str) -> str | None:
    return shown.credentials[name].hint if name in shown.credentials else None
