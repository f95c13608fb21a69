"""The site: every page behind one set of rules — who may, which form is ours, how faults look, which headers go out."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import structlog
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connector_master.access.sessions import comes_from_us, cookie_name, is_proof
from connector_master.model.problem import (
    Forbidden,
    InvalidBody,
    InvalidRequest,
    NotFound,
    Problem,
    StorageUnavailable,
    Unauthenticated,
)
from connector_master.services import authentication, sessions
from connector_master.services.hub import Hub
from connector_master.web import assets, language
from connector_master.web.language import _
from connector_master.web.pages import Everybody, Page, Pages
from connector_master.web.visit import Visit

_MOST_FIELDS = 5_000
_MOST_PART_BYTES = 1024 * 1024
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'{targets}"
)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {"Cross-Origin-Opener-Policy": "same-origin", "Permissions-Policy": "camera=(), geolocation=(), microphone=()"}
)
_NO_FORM = FormData()
_FOR_PROGRAMS = frozenset({"/api", "/healthz", "/readyz", "/metrics"})
_CALLBACK = "/api/connectors/oauth/callback"

log = structlog.get_logger()


def site(hub: Hub) -> Starlette:
    """Return every page as one ASGI application."""
    routes: list[BaseRoute] = [Route("/static/{version}/{path:path}", _static, methods=["GET"])]
    routes += [Route(page.path, _endpoint(page), methods=[page.method]) for page in declared()]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _nowhere},
        middleware=[Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)],
    )
    app.router.redirect_slashes = False
    app.state.hub = hub
    return app


def fork(api: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """Return both as one application: programs are answered by `api`, people by `pages`."""

    async def onward(scope: Scope, receive: Receive, send: Send) -> None:
        await (pages if scope["type"] == "http" and _is_page(scope) else api)(scope, receive, send)

    return onward


def _is_page(scope: Scope) -> bool:
    path: str = scope["path"]
    if path == _CALLBACK:
        # The provider sends people back here (SPEC.md), and programs that hold an API key may come too.
        headers = Headers(scope=scope)
        return "authorization" not in headers and "text/html" in headers.get("accept", "")
    return path not in _FOR_PROGRAMS and not path.startswith("/api/")


def declared() -> Iterable[Page]:
    """Return every page of every module of this package that has `pages`."""
    package = import_module("connector_master.web")
    for module in sorted(iter_modules(package.__path__), key=lambda one: one.name):
        pages = getattr(import_module(f"connector_master.web.{module.name}"), "pages", None)
        if isinstance(pages, Pages):
            yield from pages.declared


def _endpoint(page: Page) -> Any:
    async def endpoint(request: Request) -> Response:
        return await _visited(request, page)

    return endpoint


async def _static(request: Request) -> Response:
    found = assets.answer(request.path_params["version"], request.path_params["path"])
    return found if found is not None else await _visited(request, None)


async def _nowhere(request: Request, error: Exception) -> Response:
    return await _visited(request, None)


async def _visited(request: Request, page: Page | None) -> Response:
    """Answer one request; `page` is None where there is none."""
    visit = Visit(request, request.app.state.hub, None, _NO_FORM)
    language.reader.set(_reader(visit))
    try:
        response = await _answered(visit, page)
    except Exception as error:
        response = _unexpected(visit, error)
    visit.take_news_away(response)
    targets = "".join(f" {origin}" for origin in visit.extra.form_targets)
    response.headers["Content-Security-Policy"] = _CSP.format(targets=targets)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


async def _answered(visit: Visit, page: Page | None) -> Response:
    try:
        visit.visitor = await _visitor(visit.request, visit.hub, visit.ip)
        language.reader.set(_reader(visit))
        return await _answer(visit, page)
    except Unauthenticated:
        return _sign_in_first(visit)
    except Problem as problem:
        return _fault(visit, problem)
    except (DataError, UnicodeEncodeError):
        return _fault(visit, InvalidRequest(_("A text holds a character, or a number a size, that can't be stored.")))
    except (OperationalError, InterfaceError, PoolTimeout, ConnectionError) as error:
        log.warning("storage_unavailable", error=type(error).__name__)
        return _fault(visit, StorageUnavailable(_("The database can't be reached."), retry_after_seconds=2))


def _unexpected(visit: Visit, error: Exception) -> Response:
    error_id = uuid4().hex
    log.error("unexpected_error", error_id=error_id, path=visit.request.url.path, exc_info=error)
    text = _("Something went wrong here. The log knows it as %(id)s.", id=error_id)
    try:
        return _fault(visit, Problem(text))
    except Exception as second:
        # The page that would say so is broken itself.
        log.error("fault_page_broken", error_id=error_id, exc_info=second)
        return PlainTextResponse(text, 500)


async def _answer(visit: Visit, page: Page | None) -> Response:
    if page is None:
        raise NotFound(_("There is no such page."), remedy=_("Check the address, or begin at the overview."))
    await _admit(visit, page)
    if page.method == "POST":
        await _read_form(visit, needs_proof=page.who is not Everybody.STRANGERS)
    return await page.handler(visit)


async def _visitor(request: Request, hub: Hub, ip: str) -> sessions.Visitor | None:
    token = request.cookies.get(cookie_name(is_https=hub.address.startswith("https://")))
    return await sessions.visitor(hub.engine, token, ip) if token else None


def _reader(visit: Visit) -> language.Reader:
    visitor = visit.visitor
    return language.reader_for(
        preferred=(visitor.language if visitor else None) or visit.request.cookies.get("language"),
        accepted=visit.request.headers.get("accept-language"),
        zone=visitor.time_zone if visitor else None,
    )


async def _admit(visit: Visit, page: Page) -> None:
    if page.who is Everybody.STRANGERS:
        return
    if visit.visitor is None:
        raise Unauthenticated(_("Sign in to see this page."))
    if visit.visitor.must_change_password and page.who is not Everybody.NEWCOMERS:
        raise _PasswordFirst(_("The one-time password has to be changed first."))
    if not isinstance(page.who, Everybody) and not visit.may(page.who):
        await authentication.note_refusal(
            visit.hub.engine, visit.caller, f"Refused: {page.who.value}", {"permission": page.who.value}
        )
        raise Forbidden(_("Your role does not allow this."))


class _PasswordFirst(Forbidden):
    """Whoever was given a password has to make one of their own before anything else."""


async def _read_form(visit: Visit, *, needs_proof: bool) -> None:
    request = visit.request
    if not comes_from_us(request.headers, visit.hub.address):
        raise Forbidden(_("This form was sent from another site."), remedy=_("Open the page here and send it again."))
    try:
        visit.form = await request.form(max_files=4, max_fields=_MOST_FIELDS, max_part_size=_MOST_PART_BYTES)
    except HTTPException as error:
        if isinstance(error.__cause__, Problem):
            raise error.__cause__ from None
        raise InvalidBody(
            _("The form can't be read."), remedy=_("Open the page again and send it once more.")
        ) from error
    given = request.headers.get("x-csrf-token") or visit.form.get("csrf")
    # Strangers' forms act in no session, so there is nothing in them that another site could misuse.
    if not needs_proof or visit.visitor is None:
        return
    if not (isinstance(given, str) and is_proof(given, visit.visitor.token)):
        raise Forbidden(_("This form is out of date."), remedy=_("Open the page again and send it once more."))


def _sign_in_first(visit: Visit) -> Response:
    where = visit.request.url.path if visit.request.method == "GET" and not visit.is_fragment else ""
    asked = f"{where}?{visit.request.url.query}" if where and visit.request.url.query else where
    return visit.go(f"/sign-in?next={quote(asked)}" if asked not in ("", "/") else "/sign-in")


def _fault(visit: Visit, problem: Problem) -> Response:
    if isinstance(problem, _PasswordFirst):
        return visit.go("/password")
    if visit.is_fragment:
        response = visit.show("parts/toast.html", status=problem.status, problem=problem)
        response.headers["HX-Retarget"] = "#toasts"
        response.headers["HX-Reswap"] = "beforeend"
    elif "text/html" not in visit.request.headers.get("accept", ""):
        # A program that strayed here is told as the API would tell it (RFC 9457).
        response = JSONResponse(problem.as_details(), problem.status, media_type="application/problem+json")
    else:
        response = visit.show("fault.html", status=problem.status, problem=problem)
    if problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    return response
