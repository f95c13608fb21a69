"""The page of the sandbox: one card per provider, with what a person may want to happen."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.terms import CONSENT_ANSWERS
from connector_master.sandbox.world import World

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_FAULT_DEFAULTS = {"slow": 5, "late": 60, "token_slow": 5}


def routes(world: World) -> list[BaseRoute]:
    """Return the page, its style, and what its buttons do."""
    templates = Environment(loader=FileSystemLoader(_HERE), autoescape=True)

    async def show(request: Request) -> Response:
        told = request.query_params.get("told", "")[:300]
        page = templates.get_template("page.html").render(
            world=world, told=told, answers=CONSENT_ANSWERS, now=f"{world.now():%d %b %Y %H:%M:%S}"
        )
        return HTMLResponse(page, headers=_HEADERS)

    async def style(request: Request) -> Response:
        return Response((_HERE / "page.css").read_bytes(), media_type="text/css", headers=_HEADERS)

    async def act(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        told = await _act(world, request.path_params["name"], request.path_params["action"], form)
        return RedirectResponse(f"/?{urlencode({'told': told})}", 303)

    return [
        Route("/", show),
        Route("/page.css", style),
        Route("/_page/{name}/{action}", act, methods=["POST"]),
    ]


async def _act(world: World, name: str, action: str, form: dict[str, str]) -> str:
    """Do what a button says; return what to tell."""
    stand_in = world.stand_ins.get(name)
    if stand_in is None:
        return "There is no such provider."
    if action == "lead":
        entry = stand_in.add()
        return f"{stand_in.title}: {stand_in.enquiry(entry).name.strip()} has written. {_answered(await stand_in.push(entry))}"
    if action == "fault":
        fault = form.get("fault", "")
        if fault not in stand_in.faults:
            return "There is no such fault."
        is_on = fault in stand_in.active
        stand_in.switch(fault, None if is_on else _FAULT_DEFAULTS.get(fault, True))
        return f"{stand_in.title}: {stand_in.faults[fault]}: {'no longer' if is_on else 'from now on'}."
    if action == "action" and form.get("action") in stand_in.actions:
        return f"{stand_in.title}: {stand_in.act(form['action'])}"
    if action == "consents" and "consents" in stand_in.settings:
        answer = form.get("consents", "")
        if answer not in CONSENT_ANSWERS:
            return "There is no such answer."
        stand_in.set["consents"] = answer
        return f"{stand_in.title}: {CONSENT_ANSWERS[answer].lower()}."
    if action == "target" and "pushTo" in stand_in.settings:
        stand_in.set["pushTo"] = form.get("pushTo", "").strip() or None
        return f"{stand_in.title} pushes to {stand_in.set['pushTo'] or 'nobody'}."
    return "There is no such button."


def _answered(status: Any) -> str:
    return "" if status is None else f"The push was answered with {status}."
