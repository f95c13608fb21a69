"""Set-up: from a new connector to its first lead — address and secret, agreeing at the provider, accounts, a live checklist."""

import json
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from connector_master.access.roles import Permission
from connector_master.model.problem import InvalidRequest, Problem
from connector_master.services import checklist, connections, connectors, test_leads
from connector_master.services.connectors import Shown
from connector_master.web import once, snippets
from connector_master.web.catalogue import faults_of, status_words
from connector_master.web.language import _
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()


@pages.get("/connectors/{id}/set-up", Permission.CONNECTORS_EDIT)
async def show(visit: Visit) -> Response:
    """Show what is still to be done until leads come."""
    return await _set_up(visit)


@pages.get("/connectors/{id}/checklist", Permission.CONNECTORS_SEE)
async def show_checklist(visit: Visit) -> Response:
    """Show what is in order and what is not; asked for again and again."""
    items = await checklist.checklist(visit.hub, visit.caller, visit.id())
    return visit.show("connectors/checklist.html", items=items, connector_id=visit.id())


@pages.post("/connectors/{id}/connect", Permission.CONNECTORS_OPERATE)
async def connect(visit: Visit) -> Response:
    """Send the person to the provider, to agree there."""
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    try:
        address = await connections.authorize(visit.hub, visit.caller, shown.row.type, visit.id())
    except Problem as problem:
        return await _set_up(visit, problem)
    return RedirectResponse(address, 303)


@pages.get("/api/connectors/oauth/callback", Permission.CONNECTORS_OPERATE)
async def come_back(visit: Visit) -> Response:
    """Take up the return from the provider, and go on with the set-up."""
    if not visit.asked("state"):
        raise InvalidRequest(_("The provider sent you back without a state. Begin again at the connector."))
    id_ = await connections.complete(
        visit.hub,
        visit.caller,
        state=visit.asked("state")[:500],
        code=visit.asked("code")[:8000] or None,
        error=visit.asked("error")[:200] or None,
        error_description=visit.asked("error_description")[:8000] or None,
        issuer=visit.asked("iss")[:500] or None,
    )
    return visit.go(f"/connectors/{id_}/set-up", _("Connected."))


@pages.post("/connectors/{id}/disconnect", Permission.CONNECTORS_OPERATE)
async def disconnect(visit: Visit) -> Response:
    """Take the agreement back at the provider."""
    await connections.disconnect(visit.hub, visit.caller, visit.id())
    return visit.go(f"/connectors/{visit.id()}/set-up", _("Disconnected."))


@pages.get("/connectors/{id}/accounts", Permission.CONNECTORS_EDIT)
async def show_accounts(visit: Visit) -> Response:
    """Show what the agreement reaches; asked for after the page, since the provider takes its time."""
    return await _accounts(visit)


@pages.post("/connectors/{id}/accounts", Permission.CONNECTORS_EDIT)
async def choose_accounts(visit: Visit) -> Response:
    """Take leads of these accounts from now on."""
    try:
        await connections.choose_accounts(visit.hub, visit.caller, visit.id(), visit.many("ids"))
    except Problem as problem:
        return await _set_up(visit, problem)
    return visit.go(f"/connectors/{visit.id()}/set-up", _("Saved. Their leads come here from now on."))


@pages.post("/connectors/{id}/test-lead", Permission.CONNECTORS_OPERATE)
async def send_test_lead(visit: Visit) -> Response:
    """Send a lead the way that a sender would, and show what became of it."""
    try:
        outcome = await test_leads.send(visit.hub, visit.caller, visit.id(), visit.field("payload").encode())
    except Problem as problem:
        return await _set_up(visit, problem)
    return visit.go(f"/events/{outcome.event_id}", _("This is what became of your test lead."))


async def _set_up(visit: Visit, problem: Problem | None = None) -> Response:
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    secrets = once.handed_on(visit, visit.id())
    address = _address(visit, shown)
    if shown.connector.oauth is not None:
        parts = urlsplit(visit.hub.browser_base(shown.connector))
        visit.allow_forms_to(f"{parts.scheme}://{parts.netloc}")
    values: dict[str, Any] = {
        "shown": shown,
        "statuses": status_words(),
        "address": address,
        "secret": secrets.get("secret"),
        "verify_token": secrets.get("verifyToken"),
        "callback": f"{visit.hub.address}{connections.CALLBACK}",
        "snippets": snippets.all_of(address, shown) if address and shown.row.type == "webhook" else [],
        "sample": visit.field("payload") or json.dumps(dict(snippets.SAMPLE), ensure_ascii=False, indent=2),
        "items": await checklist.checklist(visit.hub, visit.caller, visit.id()),
        "connector_id": visit.id(),
        "problem": problem,
        "faults": faults_of(problem),
    }
    response = visit.show("connectors/set_up.html", problem.status if problem else 200, **values)
    return once.take_away(visit, response)


async def _accounts(visit: Visit) -> Response:
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    try:
        reached, problem = await connections.list_accounts(visit.hub, visit.caller, visit.id()), None
    except Problem as found:
        reached, problem = [], found
    return visit.show("connectors/accounts.html", shown=shown, reached=reached, problem=problem)


def _address(visit: Visit, shown: Shown) -> str | None:
    door = shown.connector.door
    return f"{visit.hub.address}/api/connectors/{door}/{shown.row.webhook_id}" if door else None
