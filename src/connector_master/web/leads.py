"""Leads: finding them, one lead with everything that touched it, and taking them out as CSV."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from connector_master.access.roles import Permission
from connector_master.model.problem import Problem
from connector_master.services import erasures, leads, saved_views, sessions
from connector_master.services.leads import Search, WithTimeline
from connector_master.web.language import _, pgettext, say
from connector_master.web.names import connector_names
from connector_master.web.pages import Pages
from connector_master.web.spans import end_of, start_of
from connector_master.web.visit import Visit

pages = Pages()

_PAGE = 50
_ASKED = ("q", "source", "connectorId", "from", "to")
_CHOSEN = "lead-columns"
_DEFAULT_COLUMNS = ("email", "city", "productName", "connector", "createdAt")
_YEAR_SECONDS = 365 * 24 * 3600


def field_words() -> dict[str, str]:
    """Return what people call a lead's fields."""
    return {
        "phoneNumber": _("Phone"),
        "name": _("Name"),
        "email": _("E-mail"),
        "businessName": _("Company"),
        "addressLine1": _("Address"),
        "addressLine2": _("Address, second line"),
        "city": _("City"),
        "state": pgettext("of a country", "State"),
        "country": _("Country"),
        "pincode": _("Pincode"),
        "productName": _("Product"),
        "notes": _("Notes"),
        "campaign": _("Campaign"),
        "source": _("Source"),
        "externalId": _("Id at the source"),
        "enquiredAt": _("Enquired"),
    }


def column_words() -> dict[str, str]:
    """Return the columns that the list of leads may have beside name and phone."""
    fields = {
        name: words for name, words in field_words().items() if name not in ("phoneNumber", "name", "addressLine2")
    }
    return fields | {"connector": _("Connector"), "timesSeen": _("Times seen"), "createdAt": _("Came in")}


@pages.get("/leads", Permission.LEADS_SEE)
async def list_leads(visit: Visit) -> Response:
    """Show the leads that fit; a script asks again while somebody types."""
    found, cursor = await leads.list_page(
        visit.hub, visit.caller, _search(visit), limit=_PAGE, cursor=visit.asked("cursor") or None
    )
    names = await connector_names(visit)
    values: dict[str, Any] = {
        "leads": found,
        "next_cursor": cursor,
        "names": names,
        "columns": _columns(visit),
        "words": column_words(),
        "is_filtered": any(visit.asked(name) for name in _ASKED),
    }
    if visit.is_fragment:
        return visit.show("leads/rows.html", **values)
    views = await saved_views.of_caller(visit.hub.engine, visit.caller)
    return visit.show("leads/page.html", views=views, query=_query(visit), **values)


@pages.post("/leads/columns", Permission.LEADS_SEE)
async def choose_columns(visit: Visit) -> Response:
    """Show other columns from now on, in this browser."""
    chosen = [name for name in visit.many("columns") if name in column_words()]
    response = visit.go(_back(visit))
    response.set_cookie(
        _CHOSEN, ".".join(chosen) or "none", max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=visit.is_https
    )
    return response


@pages.post("/leads/views", Permission.LEADS_SEE)
async def keep_view(visit: Visit) -> Response:
    """Keep this search by name."""
    await saved_views.keep(visit.hub.engine, visit.caller, visit.field("name"), visit.field("query"))
    return visit.go(_back(visit), _("This view is saved."))


@pages.post("/leads/views/{id}/forget", Permission.LEADS_SEE)
async def forget_view(visit: Visit) -> Response:
    """Forget a kept search."""
    await saved_views.forget(visit.hub.engine, visit.caller, visit.id())
    return visit.go("/leads", _("The view is gone."))


@pages.get("/leads/export", Permission.LEADS_EXPORT)
async def export_form(visit: Visit) -> Response:
    """Ask for the password before leads leave the house."""
    return visit.show("leads/export.html", query=_query(visit), fault="")


@pages.post("/leads/export", Permission.LEADS_EXPORT)
async def export(visit: Visit) -> Response:
    """Send the leads that fit as CSV."""
    try:
        await sessions.confirm_password(visit.hub.engine, visit.caller, visit.field("password"))
    except Problem as problem:
        return visit.show("leads/export.html", status=problem.status, query=_query(visit), fault=say(problem.detail))
    pieces = await leads.export(visit.hub, visit.caller, _search(visit))
    name = f"leads-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"
    return StreamingResponse(
        pieces, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@pages.get("/leads/{id}", Permission.LEADS_SEE)
async def show_lead(visit: Visit) -> Response:
    """Show one lead, with what each touch said and changed."""
    found = await leads.get(visit.hub, visit.caller, visit.id())
    said = await leads.told(visit.hub, visit.caller, found)
    return visit.show(
        "leads/lead.html",
        lead=found.lead,
        timeline=found.timeline,
        added=_added(found, said),
        most=leads.MOST_TOUCHES,
        names=await connector_names(visit),
        words=field_words(),
        chat=found.lead.phone_number.lstrip("+"),
    )


@pages.post("/leads/{id}/erase", Permission.LEADS_ERASE)
async def erase(visit: Visit) -> Response:
    """Erase a lead, for good."""
    await erasures.erase_lead(visit.hub, visit.caller, visit.id())
    return visit.go("/leads", _("The lead is erased, with everything that was sent of it."))


def _added(found: WithTimeline, said: Mapping[UUID, Mapping[str, str]]) -> dict[UUID, dict[str, str]]:
    """Return, by event, the fields that a touch was the first to have."""
    known: set[str] = set()
    added: dict[UUID, dict[str, str]] = {}
    for touch in reversed(found.timeline):
        fields = said.get(touch.id, {})
        added[touch.id] = {name: text for name, text in fields.items() if name not in known and name != "externalId"}
        known |= set(fields)
    return added


def _search(visit: Visit) -> Search:
    return Search(
        q=visit.asked("q")[:200] or None,
        source=visit.asked("source")[:200] or None,
        connector_id=visit.asked_id("connectorId"),
        start=start_of(visit.asked("from")),
        end=end_of(visit.asked("to")),
    )


def _query(visit: Visit) -> str:
    return urlencode({name: visit.asked(name) for name in _ASKED if visit.asked(name)})


def _back(visit: Visit) -> str:
    query = visit.field("query")
    return f"/leads?{query}" if query else "/leads"


def _columns(visit: Visit) -> list[str]:
    remembered = visit.request.cookies.get(_CHOSEN)
    wanted = _DEFAULT_COLUMNS if remembered is None else remembered.split(".")
    return [name for name in column_words() if name in wanted]
