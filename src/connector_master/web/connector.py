"""One connector: how it is doing, its syncs, settings and secrets, pausing and ending it."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import dates
from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.model.event import EventStatus
from connector_master.model.problem import InvalidRequest, Problem
from connector_master.services import checklist, connectors, events, overview, syncs, trials
from connector_master.services.connectors import Shown
from connector_master.services.form_fields import fields_of
from connector_master.services.secrets import has_secret
from connector_master.storage.events import EventFilter
from connector_master.web import charts, drawn_forms, once
from connector_master.web.catalogue import faults_of, status_words
from connector_master.web.events import explained
from connector_master.web.events import status_words as event_words
from connector_master.web.language import _, reader, say
from connector_master.web.overview import words
from connector_master.web.pages import Pages
from connector_master.web.spans import end_of, start_of
from connector_master.web.visit import Visit

pages = Pages()

_DAYS = 28
_RECENT = 8
_SYNCS = 25


@pages.get("/connectors/{id}", Permission.CONNECTORS_SEE)
async def show(visit: Visit) -> Response:
    """Show how a connector is doing."""
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    now = datetime.now(UTC)
    zone = ZoneInfo(reader.get().zone)
    found = await overview.overview(visit.hub, visit.caller, now=now, zone=zone, days=_DAYS, connector_id=shown.row.id)
    source = found.sources[0] if found.sources else None
    values: dict[str, Any] = {
        "source": source,
        "said": words(source, now, may_act=visit.may("connectors.operate")) if source else None,
        "chart": charts.bars(
            [dates.format_skeleton("MMMd", day, locale=reader.get().locale) for day in found.days],
            [charts.Series(shown.row.name, [leads.get(shown.row.id, 0) for leads in found.days.values()], 0)],
            _("Leads by day"),
        ),
        "recent": [],
        "items": [],
        "event_words": event_words(),
        "explained": explained,
    }
    if visit.may("events.see"):
        filter_ = EventFilter(connector_id=shown.row.id)
        values["recent"], _more = await events.list_page(visit.hub, visit.caller, filter_, limit=_RECENT, cursor=None)
        values["items"] = [
            item for item in await checklist.checklist(visit.hub, visit.caller, shown.row.id) if item.state == "wrong"
        ]
    return _page(visit, "connectors/health.html", shown, **values)


@pages.post("/connectors/{id}/pause", Permission.CONNECTORS_OPERATE)
async def pause(visit: Visit) -> Response:
    """Keep what arrives, and process nothing."""
    await connectors.pause(visit.hub, visit.caller, visit.id())
    return visit.go(f"/connectors/{visit.id()}", _("Paused. What arrives is kept until you resume."))


@pages.post("/connectors/{id}/resume", Permission.CONNECTORS_OPERATE)
async def resume(visit: Visit) -> Response:
    """Process again, first what was kept."""
    await connectors.resume(visit.hub, visit.caller, visit.id())
    return visit.go(f"/connectors/{visit.id()}", _("Resumed. What was kept is processed now."))


@pages.post("/connectors/{id}/test", Permission.CONNECTORS_OPERATE)
async def test(visit: Visit) -> Response:
    """Ask the provider whether all is in order."""
    checked = await trials.test_connection(visit.hub, visit.caller, visit.id())
    if visit.is_fragment:
        return visit.show("connectors/tested.html", checked=checked)
    return visit.go(f"/connectors/{visit.id()}", say(checked.message))


@pages.get("/connectors/{id}/syncs", Permission.LOGS_SEE)
async def list_syncs(visit: Visit) -> Response:
    """Show the runs, and how far the one under way is."""
    return await _syncs(visit)


@pages.post("/connectors/{id}/syncs", Permission.CONNECTORS_OPERATE)
async def start_sync(visit: Visit) -> Response:
    """Pull now, or again over a span of days."""
    start, end = start_of(visit.field("from")), end_of(visit.field("to"))
    try:
        if visit.field("from") and start is None:
            raise InvalidRequest(_("Choose a day."), field="from")
        if visit.field("to") and not visit.field("from"):
            raise InvalidRequest(_("Say from which day on."), field="from")
        until = min(end, datetime.now(UTC)) if end is not None else None
        await syncs.start(visit.hub, visit.caller, visit.id(), start, until)
    except Problem as problem:
        return await _syncs(visit, problem)
    return visit.go(f"/connectors/{visit.id()}/syncs", _("It runs. You may leave this page."))


@pages.post("/connectors/{id}/syncs/{sync_id}/cancel", Permission.CONNECTORS_OPERATE)
async def cancel_sync(visit: Visit) -> Response:
    """Stop a run; what it brought stays."""
    await syncs.cancel(visit.hub, visit.caller, visit.id(), visit.id("sync_id"))
    return visit.go(f"/connectors/{visit.id()}/syncs", _("It is stopped; what it brought stays."))


@pages.get("/connectors/{id}/settings", Permission.CONNECTORS_EDIT)
async def settings_form(visit: Visit) -> Response:
    """Show the settings and credentials, without the secrets."""
    return await _settings(visit)


@pages.post("/connectors/{id}/settings", Permission.CONNECTORS_EDIT)
async def change_settings(visit: Visit) -> Response:
    """Save what was changed; a secret that is left empty stays."""
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    fields = fields_of(shown.connector.credentials)
    try:
        name = visit.field("name").strip()
        if not name:
            raise InvalidRequest(_("Give it a name."), field="name")
        changed = await connectors.update(
            visit.hub,
            visit.caller,
            visit.id(),
            {
                "name": name[:200],
                "description": visit.field("description").strip()[:2000] or None,
                "settings": drawn_forms.read(visit, fields_of(shown.connector.settings), "settings"),
                "credentials": drawn_forms.read(
                    visit, fields, "credentials", keeps=[one.name for one in fields if one.secret]
                ),
            },
        )
    except Problem as problem:
        return await _settings(visit, problem)
    where = f"/connectors/{visit.id()}/" + ("set-up" if changed.new_secret else "settings")
    response = visit.go(where, _("Saved."))
    once.hand_on(visit, response, visit.id(), {"secret": changed.new_secret})
    return response


@pages.post("/connectors/{id}/secret", Permission.CONNECTORS_EDIT)
async def rotate_secret(visit: Visit) -> Response:
    """Make a new secret, shown once; the present one holds a while longer."""
    hours = visit.field("graceHours")
    if not hours.isdigit() or int(hours[:6]) > 168:
        raise InvalidRequest(_("Choose between 0 and 168 hours."), field="graceHours")
    made = await connectors.regenerate_secret(visit.hub, visit.caller, visit.id(), int(hours))
    response = visit.go(f"/connectors/{visit.id()}/set-up")
    once.hand_on(visit, response, visit.id(), {"secret": made.secret, "verifyToken": made.verify_token})
    return response


@pages.post("/connectors/{id}/delete", Permission.CONNECTORS_DELETE)
async def delete(visit: Visit) -> Response:
    """End a connector, when its name was typed."""
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    if visit.field("name").strip() != shown.row.name.strip():
        problem = InvalidRequest(_("Type the connector's name exactly."), field="deleteName")
        return await _settings(visit, problem)
    await connectors.delete(visit.hub, visit.caller, visit.id())
    return visit.go("/connectors", _("%(name)s is deleted. Its leads stay.", name=shown.row.name))


async def _syncs(visit: Visit, problem: Problem | None = None) -> Response:
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    found, cursor = await syncs.list_page(
        visit.hub, visit.caller, visit.id(), limit=_SYNCS, cursor=visit.asked("cursor") or None
    )
    values = {"syncs": found, "next_cursor": cursor, "now": datetime.now(UTC)}
    if visit.is_fragment:
        return visit.show("connectors/sync_rows.html", shown=shown, **values)  # type: ignore[arg-type]
    return _page(
        visit, "connectors/syncs.html", shown, problem.status if problem else 200, faults=faults_of(problem), **values
    )


async def _settings(visit: Visit, problem: Problem | None = None) -> Response:
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    settings, credentials = fields_of(shown.connector.settings), fields_of(shown.connector.credentials)
    is_typed = problem is not None and "name" in visit.fields and "deleteName" not in faults_of(problem)
    return _page(
        visit,
        "connectors/settings.html",
        shown,
        problem.status if problem else 200,
        settings=drawn_forms.drawn(
            settings, drawn_forms.typed(visit, settings, "settings") if is_typed else shown.row.settings, "settings"
        ),
        credentials=drawn_forms.drawn(
            credentials,
            drawn_forms.typed(visit, credentials, "credentials") if is_typed else _public(shown),
            "credentials",
            {name: one.hint for name, one in shown.credentials.items()},
        ),
        typed=visit.fields if is_typed else {},
        faults=faults_of(problem),
        has_secret=has_secret(shown.connector) or shown.connector.needs_verify_token,
    )


def _public(shown: Shown) -> dict[str, str]:
    # Sealed all the same: what is entered is told from what is not by its hint.
    return {}


def _page(visit: Visit, template: str, shown: Shown, status: int = 200, **values: Any) -> Response:
    return visit.show(template, status, shown=shown, statuses=status_words(), EventStatus=EventStatus, **values)
