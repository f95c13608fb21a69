"""What every route shares: who may call it, how pages and problems look, and the hub it works with."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar, cast

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.access.sessions import comes_from_us, cookie_name, is_proof
from connector_master.model.problem import Forbidden, Unauthenticated
from connector_master.services import authentication, sessions
from connector_master.services.hub import Hub

Item = TypeVar("Item")


async def _hub(request: Request) -> Hub:
    return cast("Hub", request.app.state.hub)


HubDependency = Annotated[Hub, Depends(_hub)]

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer cmk_…`")


def allow(permission: Permission) -> Any:
    """Return the dependency that lets only callers with `permission` in, and gives the Caller: one for each route."""

    async def caller(
        request: Request,
        hub: HubDependency,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        return await _admitted(request, hub, permission, credentials)

    caller.permission = permission  # type: ignore[attr-defined]
    return Depends(caller)


async def refuse_whoever_may_not(request: Request) -> None:
    """Raise Unauthenticated or Forbidden as the request's route would: for requests that end before it is asked."""
    route = request.scope.get("route")
    permission = permission_of(route) if isinstance(route, APIRoute) else None
    if permission is not None:
        await _admitted(request, await _hub(request), permission, await _bearer(request))


async def _admitted(
    request: Request, hub: Hub, permission: Permission, credentials: HTTPAuthorizationCredentials | None
) -> Caller:
    ip = request.client.host if request.client else ""
    if credentials is not None:
        found = await authentication.caller_for_key(hub.engine, credentials.credentials, ip)
    else:
        found = await _signed_in(request, hub, ip)
    if not found.may(permission):
        await authentication.note_refusal(
            hub.engine, found, f"Refused: {permission.value}", {"permission": permission.value}
        )
        raise Forbidden("Your role does not allow this.")
    return found


async def _signed_in(request: Request, hub: Hub, ip: str) -> Caller:
    token = request.cookies.get(cookie_name(is_https=hub.address.startswith("https://")))
    visitor = await sessions.visitor(hub.engine, token, ip) if token else None
    if token is None or visitor is None:
        raise Unauthenticated("No API key came with this request.")
    if request.method not in ("GET", "HEAD") and not (
        comes_from_us(request.headers, hub.address) and is_proof(request.headers.get("x-csrf-token", ""), token)
    ):
        raise Forbidden("A request by cookie needs the page's token in X-CSRF-Token.")
    if visitor.must_change_password:
        raise Forbidden("The one-time password has to be changed first.")
    return visitor.caller


def permission_of(route: APIRoute) -> Permission | None:
    """Return the permission that a route declared, None for one that declared none."""
    found = [
        dependency.call.permission
        for dependency in route.dependant.dependencies
        if dependency.call is not None and hasattr(dependency.call, "permission")
    ]
    return found[0] if found else None


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Return every route of `app`; those of its routers lie in them, not in `app.routes`."""
    found = (context.original_route for context in iter_route_contexts(app.routes))
    return [route for route in found if isinstance(route, APIRoute)]


def refuse_undeclared(app: FastAPI, public: Sequence[str]) -> None:
    """Raise at start-up when a route declares neither who may call it nor that everybody may."""
    for route in routes_of(app):
        if permission_of(route) is None and route.path not in public:
            raise RuntimeError(f"{route.path} does not say who may call it")


class FieldFault(BaseModel):
    """One fault in a request: which field, and what is wrong with it."""

    field: str
    message: str


class ProblemView(BaseModel):
    """Problem details (RFC 9457), with our stable `code` and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    errors: list[FieldFault] | None = None


_TITLES = {
    400: "The request or its cursor can't be read",
    401: "No valid API key",
    403: "The caller's role may not do this",
    404: "Nothing here has this id",
    405: "Method not allowed",
    408: "The request took too long to arrive",
    409: "Does not fit the present state",
    413: "Body too large",
    415: "Body of a type that is not read here",
    422: "Fields of the request are wrong; `errors` names each",
    429: "Too many requests",
    500: "Something went wrong here",
    502: "The provider can't be reached, or failed",
    503: "The database can't be reached just now",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of problem answers for a route; 500 and 503 belong to every one."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in (*statuses, 500, 503)}


class PageQuery(BaseModel):
    """How much of a list, and from where."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    limit: int = Field(default=50, ge=1, le=200, description="At most this many items.")
    cursor: str | None = Field(default=None, max_length=200, description="`nextCursor` of the page before.")


class Page(BaseModel, Generic[Item]):
    """One page of a list, and the cursor of the next one (null on the last)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    items: list[Item]
    next_cursor: str | None
