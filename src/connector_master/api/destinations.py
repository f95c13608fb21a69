"""/api/destinations: where leads are sent; what types there are, and trying one out."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.connector_types import FieldView, field_views
from connector_master.api.connectors import CheckView, CredentialView, Description, Grace, Name, Object
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.delivery import registry
from connector_master.delivery.destination import Attempt, Destination
from connector_master.model.problem import Problem
from connector_master.model.problem_kinds import kind_of
from connector_master.services import destinations, trial_deliveries
from connector_master.services.destinations import GRACE_HOURS, Shown
from connector_master.storage.gates import MOST_COUNTED, Health

router = APIRouter(tags=["destinations"])

Seer = Annotated[Caller, allow(Permission.DESTINATIONS_SEE)]
Editor = Annotated[Caller, allow(Permission.DESTINATIONS_EDIT)]


class DestinationTypeView(View):
    """One type of destination."""

    type: str
    name: str
    summary: str
    signs: bool = Field(description="Whether its calls are signed with a secret that is made for it.")
    settings: list[FieldView]
    credentials: list[FieldView]

    @classmethod
    def of(cls, destination: Destination) -> Self:
        """Return what the API tells of a type."""
        return cls(
            type=destination.type,
            name=destination.title,
            summary=destination.summary,
            signs=destination.signs,
            settings=field_views(destination.settings),
            credentials=field_views(destination.credentials),
        )


class FaultView(View):
    """What went wrong last, and what to do about it."""

    code: str
    detail: str | None
    remedy: str


class HealthView(View):
    """How it goes at a destination. While it rests nothing is sent but a probe now and then."""

    failures: int = Field(description="Calls that failed in a row.")
    failing_since: datetime | None
    rests_until: datetime | None = Field(description="Nothing is sent before.")
    problem: FaultView | None
    last_delivered_at: datetime | None
    waiting: int = Field(description=f"Deliveries that are still to be sent; counted up to {MOST_COUNTED:,}.")
    oldest_waiting_at: datetime | None
    dead: int = Field(description=f"Deliveries that were given up; counted up to {MOST_COUNTED:,}.")

    @classmethod
    def of(cls, health: Health) -> Self:
        """Return what the API shows of how it goes."""
        breaker = health.breaker
        rests = breaker.rests_until is not None and breaker.rests_until > datetime.now(UTC)
        return cls(
            failures=breaker.failures,
            failing_since=breaker.failing_since,
            rests_until=breaker.rests_until if rests else None,
            problem=fault(breaker.problem_code, breaker.problem_detail),
            last_delivered_at=health.last_delivered_at,
            waiting=health.waiting,
            oldest_waiting_at=health.oldest_waiting_at,
            dead=health.dead,
        )


class DestinationView(View):
    """A destination. `status` is `failing` while it rests because calls fail, `disabled` where its receiver answered 410."""

    id: UUID
    type: str
    name: str
    description: str | None
    status: Literal["active", "failing", "paused", "disabled"]
    settings: Object
    credentials: dict[str, CredentialView]
    signing_secret: str | None = Field(default=None, description="Only in the answer that made it.")
    signing_secret_fingerprint: str | None = Field(description="Tells secrets apart; can't sign.")
    previous_secret_valid_until: datetime | None = Field(
        description="Until then calls carry a second signature, by the secret before."
    )
    health: HealthView
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """Return what the API shows of a destination."""
        row, until = shown.row, shown.row.sealed.previous_secret_until
        names = shown.destination.credentials.names()
        is_failing = row.status == "active" and shown.health.breaker.is_open
        seen: dict[str, Any] = {
            "id": row.id,
            "type": row.type,
            "name": row.name,
            "description": row.description,
            "status": "failing" if is_failing else row.status,
            "settings": row.settings,
            "credentials": {
                name: CredentialView(set=name in row.credential_hints, hint=row.credential_hints.get(name))
                for name in names
            },
            "signing_secret_fingerprint": row.secret_fingerprint,
            "previous_secret_valid_until": until if until is not None and until > datetime.now(UTC) else None,
            "health": HealthView.of(shown.health),
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
        if shown.new_secret is not None:
            seen["signing_secret"] = shown.new_secret
        return cls(**seen)


class NewDestination(Request):
    """A destination to create."""

    name: Name
    type: str = Field(description="One of GET /api/destination-types.", max_length=50)
    description: Description | None = None
    settings: Object = Field(default_factory=dict)
    credentials: Object = Field(default_factory=dict)


class DestinationChange(Request):
    """The fields to change; those left out stay as they are."""

    name: Name | None = None
    description: Description | None = None
    settings: Object | None = None
    credentials: Object | None = None


class SigningSecretView(View):
    """A new signing secret, shown only here."""

    signing_secret: str
    previous_secret_valid_until: datetime


@router.get("/api/destination-types", response_model=Page[DestinationTypeView], responses=problems(401, 403, 422))
async def list_destination_types(caller: Seer) -> Page[DestinationTypeView]:
    """List the types of destinations, each with the fields of its forms."""
    return Page[DestinationTypeView](
        items=[DestinationTypeView.of(one) for one in registry().values()], next_cursor=None
    )


@router.get(
    "/api/destinations",
    response_model=Page[DestinationView],
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 422),
)
async def list_destinations(
    caller: Seer, hub: HubDependency, query: Annotated[PageQuery, Query()]
) -> Page[DestinationView]:
    """List destinations, newest first."""
    found, next_cursor = await destinations.list_page(hub, caller, limit=query.limit, cursor=query.cursor)
    return Page[DestinationView](items=[DestinationView.of(one) for one in found], next_cursor=next_cursor)


@router.post(
    "/api/destinations",
    status_code=201,
    response_model=DestinationView,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 413, 415, 422),
)
async def create_destination(caller: Editor, hub: HubDependency, body: NewDestination) -> DestinationView:
    """Create a destination: leads that are created from now on go there. Its signing secret is shown only here."""
    made = await destinations.create(
        hub,
        caller,
        type_=body.type,
        name=body.name.strip(),
        description=body.description,
        settings=body.settings,
        credentials=body.credentials,
    )
    return DestinationView.of(made)


@router.get(
    "/api/destinations/{destination_id}",
    response_model=DestinationView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def get_destination(caller: Seer, hub: HubDependency, destination_id: UUID) -> DestinationView:
    """Return one destination and how it goes there."""
    return DestinationView.of(await destinations.get(hub, caller, destination_id))


@router.put(
    "/api/destinations/{destination_id}",
    response_model=DestinationView,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 404, 413, 415, 422),
)
async def update_destination(
    caller: Editor, hub: HubDependency, destination_id: UUID, body: DestinationChange
) -> DestinationView:
    """Change the fields given. Of settings and credentials those named; null puts one back to its default."""
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    for name in ("name", "settings", "credentials"):
        if name in changes and changes[name] is None:
            del changes[name]
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    return DestinationView.of(await destinations.update(hub, caller, destination_id, changes))


@router.delete("/api/destinations/{destination_id}", status_code=204, responses=problems(401, 403, 404, 422))
async def delete_destination(caller: Editor, hub: HubDependency, destination_id: UUID) -> None:
    """Delete a destination: nothing is sent there any more, and what waits is given up."""
    await destinations.delete(hub, caller, destination_id)


@router.post(
    "/api/destinations/{destination_id}/test", response_model=CheckView, responses=problems(401, 403, 404, 422)
)
async def test_destination(caller: Editor, hub: HubDependency, destination_id: UUID) -> CheckView:
    """Send a sample lead there, `lead.test` by its type, and tell what came of it."""
    tried = await trial_deliveries.test(hub, caller, destination_id)
    return CheckView(
        ok=tried.problem is None,
        message=trial_deliveries.message_of(tried),
        checked_at=datetime.now(UTC),
        details=_details(tried),
    )


@router.post(
    "/api/destinations/{destination_id}/regenerate-secret",
    response_model=SigningSecretView,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422),
)
async def regenerate_signing_secret(
    caller: Editor, hub: HubDependency, destination_id: UUID, body: Grace | None = None
) -> SigningSecretView:
    """Make a new signing secret; calls are signed with the present one as well for the grace."""
    made = await destinations.regenerate_secret(
        hub, caller, destination_id, GRACE_HOURS if body is None else body.grace_hours
    )
    return SigningSecretView(signing_secret=made.secret, previous_secret_valid_until=made.previous_valid_until)


@router.post(
    "/api/destinations/{destination_id}/pause",
    response_model=DestinationView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def pause_destination(caller: Editor, hub: HubDependency, destination_id: UUID) -> DestinationView:
    """Send nothing until it is resumed; leads go on becoming due."""
    return DestinationView.of(await destinations.pause(hub, caller, destination_id))


@router.post(
    "/api/destinations/{destination_id}/resume",
    response_model=DestinationView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 422),
)
async def resume_destination(caller: Editor, hub: HubDependency, destination_id: UUID) -> DestinationView:
    """Send again, first of all what waited."""
    return DestinationView.of(await destinations.resume(hub, caller, destination_id))


def fault(code: str | None, detail: str | None) -> FaultView | None:
    """Return what a stored problem is, None where there is none."""
    if code is None:
        return None
    return FaultView(code=code, detail=detail, remedy=(kind_of(code) or Problem).remedy)


def _details(tried: Attempt) -> dict[str, JsonValue]:
    return {
        "code": None if tried.problem is None else tried.problem.code,
        "request": dict(tried.request),
        "status": tried.status,
        "answer": tried.answer,
        "externalId": tried.external_id,
    }
