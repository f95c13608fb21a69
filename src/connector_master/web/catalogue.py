"""Connectors: the list of them, and the catalogue from which a new one is made."""

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.connectors import registry
from connector_master.model.problem import FieldError, InvalidRequest, Problem
from connector_master.services import connectors
from connector_master.services.form_fields import fields_of
from connector_master.web import drawn_forms, once
from connector_master.web.language import _, say
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()

_PAGE = 50


def status_words() -> dict[str, tuple[str, str]]:
    """Return what each status of a connector is called, and its tone."""
    return {
        "active": (_("Active"), "good"),
        "paused": (_("Paused"), "still"),
        "needs_authorization": (_("Not connected"), "bad"),
        "failing": (_("Failing"), "bad"),
    }


@pages.get("/connectors", Permission.CONNECTORS_SEE)
async def list_connectors(visit: Visit) -> Response:
    """Show every connector."""
    found, cursor = await connectors.list_page(
        visit.hub, visit.caller, limit=_PAGE, cursor=visit.asked("cursor") or None, type_=None, status=None
    )
    return visit.show("connectors/list.html", connectors=found, next_cursor=cursor, statuses=status_words())


@pages.get("/connectors/new", Permission.CONNECTORS_CREATE)
async def choose_type(visit: Visit) -> Response:
    """Show what sources there are, or the form of the one that was chosen."""
    if visit.asked("type") in registry():
        return _form(visit, visit.asked("type"))
    return visit.show("connectors/catalogue.html", types=registry().values())


@pages.post("/connectors/new", Permission.CONNECTORS_CREATE)
async def create(visit: Visit) -> Response:
    """Make a connector and go on to its set-up, where its secret is shown once."""
    type_ = visit.field("type")
    connector = registry().get(type_)
    if connector is None:
        raise InvalidRequest(_("Choose a source."), field="type")
    name = visit.field("name").strip()
    try:
        if not name:
            raise InvalidRequest(_("Give it a name."), field="name")
        settings = drawn_forms.read(visit, fields_of(connector.settings), "settings")
        credentials = drawn_forms.read(visit, fields_of(connector.credentials), "credentials")
        made = await connectors.create(
            visit.hub,
            visit.caller,
            type_=type_,
            name=name[:200],
            description=visit.field("description").strip()[:2000] or None,
            settings={key: value for key, value in settings.items() if value is not None},
            credentials=credentials,
            field_mapping=None,
        )
    except Problem as problem:
        return _form(visit, type_, problem)
    response = visit.go(f"/connectors/{made.row.id}/set-up")
    once.hand_on(visit, response, made.row.id, {"secret": made.new_secret, "verifyToken": made.new_verify_token})
    return response


def faults_of(problem: Problem | None) -> dict[str, str]:
    """Return a problem's faults by field; what belongs to none is under an empty name."""
    if problem is None:
        return {}
    errors = problem.errors or (FieldError("", problem.detail),)
    return {error.field: say(error.message) for error in errors}


def _form(visit: Visit, type_: str, problem: Problem | None = None) -> Response:
    connector = registry()[type_]
    settings, credentials = fields_of(connector.settings), fields_of(connector.credentials)
    typed_settings = drawn_forms.typed(visit, settings, "settings") if problem else {}
    typed_credentials = drawn_forms.typed(visit, credentials, "credentials") if problem else {}
    return visit.show(
        "connectors/new.html",
        status=problem.status if problem else 200,
        connector=connector,
        settings=drawn_forms.drawn(settings, typed_settings, "settings", is_new=True),
        credentials=drawn_forms.drawn(credentials, typed_credentials, "credentials"),
        faults=faults_of(problem),
    )
