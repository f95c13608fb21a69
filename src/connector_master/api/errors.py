"""Problems as HTTP answers, and the last resort for what nobody expected."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from connector_master.api.plumbing import refuse_whoever_may_not, routes_of
from connector_master.model.problem import (
    FieldError,
    Forbidden,
    InvalidBody,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    StorageUnavailable,
    Unauthenticated,
)

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Make every error of `app` an `application/problem+json` answer."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DataError, _unstorable)
    app.add_exception_handler(UnicodeEncodeError, _unstorable)
    for unreachable in (OperationalError, InterfaceError, PoolTimeout, ConnectionError):
        app.add_exception_handler(unreachable, _unreachable)
    app.add_exception_handler(Exception, _unexpected)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return `problem` as problem details."""
    more = dict(headers or {})
    if problem.retry_after_seconds is not None:
        more["Retry-After"] = str(problem.retry_after_seconds)
    if isinstance(problem, Unauthenticated):
        more["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(problem.as_details()), problem.status, more, "application/problem+json")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return await _unreadable(request, "The body is not valid JSON.")
    errors = [FieldError(_field(fault["loc"]), _message(fault)) for fault in faults[:100]]
    return problem_response(InvalidRequest("Some fields of the request are wrong.", errors=errors))


def _field(place: Sequence[int | str]) -> str:
    # The first part says where it came from (body, query, path), which is not part of the field's name.
    return ".".join(str(part) for part in place[1:]) or str(place[0])


def _message(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "Unknown field."
    return str(fault["msg"]).removeprefix("Value error, ")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem_response(NotFound("There is no such address."))
    if error.status_code == 405:
        allowed = _methods_at(request) or (error.headers or {}).get("Allow", "")
        return problem_response(MethodNotAllowed("This address does not take this method."), {"Allow": allowed})
    if isinstance(error.__cause__, Problem):
        return problem_response(error.__cause__, {"Connection": "close"})
    if error.status_code == 400:
        return await _unreadable(request, "The body can't be read.")
    return await _unexpected(request, error)


async def _unreadable(request: Request, detail: str) -> Response:
    # The framework reads the body before it asks who calls.
    try:
        await refuse_whoever_may_not(request)
    except (Unauthenticated, Forbidden) as refusal:
        return problem_response(refusal)
    return problem_response(InvalidBody(detail, remedy="Send a JSON object."))


def _methods_at(request: Request) -> str:
    # The framework names the methods of the first route that has this path; others of it take others. Where a route
    # spells the path out, those that it fits by a parameter don't count, as in OpenAPI.
    path = request.scope["path"]
    routes = [route for route in routes_of(request.app) if route.path_regex.match(path)]
    routes = [route for route in routes if route.path == path] or routes
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


async def _unstorable(request: Request, error: Exception) -> Response:
    return problem_response(InvalidRequest("A text holds a character, or a number a size, that can't be stored."))


async def _unreachable(request: Request, error: Exception) -> Response:
    log.warning("storage_unavailable", error=type(error).__name__)
    return problem_response(StorageUnavailable("The database can't be reached.", retry_after_seconds=2))


async def _unexpected(request: Request, error: Exception) -> Response:
    error_id = uuid4().hex
    log.error("unexpected_error", error_id=error_id, path=request.url.path, exc_info=error)
    return problem_response(Problem(f"Something went wrong here. The log knows it as {error_id}."))
