"""/api/connectors/oauth and what belongs to a connection: agreeing at a provider, its accounts, taking it back."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.connectors import ConnectorView
from connector_master.api.plumbing import HubDependency, allow, problems
from connector_master.api.shapes import Request as Body
from connector_master.api.shapes import View
from connector_master.services import checklist, connections, connectors
from connector_master.services.connections import Reached

router = APIRouter(prefix="/api/connectors", tags=["connections"])

Seer = Annotated[Caller, allow(Permission.CONNECTORS_SEE)]
Operator = Annotated[Caller, allow(Permission.CONNECTORS_OPERATE)]
Editor = Annotated[Caller, allow(Permission.CONNECTORS_EDIT)]


class AuthorizationQuery(BaseModel):
    """Which connector is to be connected."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    connector_id: UUID


class CallbackQuery(BaseModel):
    """What the provider gives the browser to bring back; providers add what they like.

    A state that is missing, empty or of any length is no fault of form: it is refused as every other that is none of ours.
    """

    state: str = ""
    code: str | None = Field(default=None, max_length=8_000)
    error: str | None = Field(default=None, max_length=200)
    error_description: str | None = Field(default=None, max_length=8_000)
    iss: str | None = Field(default=None, max_length=500)


class AuthorizationView(View):
    """Where a person agrees."""

    authorization_url: str


class AccountView(View):
    """Something that the connector's grant reaches."""

    id: str
    name: str
    kind: str
    selectable: bool
    reason: str | None = Field(description="Why it can't be chosen.")
    selected: bool
    details: dict[str, Any]

    @classmethod
    def of(cls, reached: Reached) -> "AccountView":
        """Return an account as callers see it."""
        one = reached.account
        return cls(
            id=one.id,
            name=one.name,
            kind=one.kind,
            selectable=one.is_selectable,
            reason=one.reason,
            selected=reached.is_selected,
            details=dict(one.details),
        )


class AccountsView(View):
    """Everything that the connector's grant reaches."""

    items: list[AccountView]


class Choice(Body):
    """Which accounts are to be the connector's."""

    ids: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(max_length=1000)


class ItemView(View):
    """One thing that has to be in order, and in plain words what to do where it is not."""

    code: str
    title: str
    state: Literal["ok", "wrong", "unknown"]
    remedy: str


class ChecklistView(View):
    """What stands between a connector and its next lead."""

    items: list[ItemView]


@router.get(
    "/oauth/authorize/{connector_type}",
    response_model=AuthorizationView,
    responses=problems(401, 403, 404, 409, 422) | {302: {"description": "A browser is sent on to the provider"}},
)
async def authorize(
    caller: Operator,
    hub: HubDependency,
    request: Request,
    connector_type: str,
    query: Annotated[AuthorizationQuery, Query()],
) -> Response:
    """Return the address at which a person agrees; a browser is sent there."""
    url = await connections.authorize(hub, caller, connector_type, query.connector_id)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(url, 302)
    return JSONResponse({"authorizationUrl": url})


@router.get(
    "/oauth/callback",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 404, 409, 422, 429, 502),
)
async def callback(
    caller: Operator,
    hub: HubDependency,
    query: Annotated[CallbackQuery, Query()],
) -> ConnectorView:
    """Take up the browser's return from the provider: the caller must be the one who began."""
    id_ = await connections.complete(
        hub,
        caller,
        state=query.state,
        code=query.code,
        error=query.error,
        error_description=query.error_description,
        issuer=query.iss,
    )
    return ConnectorView.of(await connectors.get(hub, caller, id_), caller)


@router.post(
    "/{connector_id}/disconnect",
    response_model=ConnectorView,
    response_model_exclude_unset=True,
    responses=problems(401, 403, 404, 409, 422),
)
async def disconnect(caller: Operator, hub: HubDependency, connector_id: UUID) -> ConnectorView:
    """Take the agreement back at the provider, and forget the tokens."""
    await connections.disconnect(hub, caller, connector_id)
    return ConnectorView.of(await connectors.get(hub, caller, connector_id), caller)


@router.get(
    "/{connector_id}/accounts",
    response_model=AccountsView,
    responses=problems(400, 401, 403, 404, 409, 422, 429, 502),
)
async def get_accounts(caller: Editor, hub: HubDependency, connector_id: UUID) -> AccountsView:
    """Return what the connector's grant reaches (pages, customers, channels), asked for at the provider now."""
    return AccountsView(
        items=[AccountView.of(one) for one in await connections.list_accounts(hub, caller, connector_id)]
    )


@router.put(
    "/{connector_id}/accounts",
    response_model=AccountsView,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 502),
)
async def put_accounts(caller: Editor, hub: HubDependency, connector_id: UUID, body: Choice) -> AccountsView:
    """Choose: leads of these accounts are the connector's, and the provider pushes them where it can."""
    chosen = await connections.choose_accounts(hub, caller, connector_id, body.ids)
    return AccountsView(items=[AccountView.of(one) for one in chosen])


@router.get("/{connector_id}/checklist", response_model=ChecklistView, responses=problems(401, 403, 404, 422))
async def get_checklist(caller: Seer, hub: HubDependency, connector_id: UUID) -> ChecklistView:
    """Return what has to be in order for leads to come, told from what is known here; no provider is asked."""
    found = await checklist.checklist(hub, caller, connector_id)
    return ChecklistView(
        items=[ItemView(code=one.code, title=one.title, state=one.state, remedy=one.remedy) for one in found]
    )
