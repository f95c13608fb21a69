"""The activity log: who did what, when and from where; and for one connector, what arrived and became of it."""

from uuid import UUID

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.services import audit
from connector_master.storage.activity import Line
from connector_master.web.names import connector_names
from connector_master.web.pages import Pages
from connector_master.web.spans import end_of, start_of
from connector_master.web.visit import Visit

pages = Pages()

_PAGE = 50
_LEVELS = ("info", "warning", "error")


@pages.get("/activity", Permission.LOGS_SEE)
async def activity(visit: Visit) -> Response:
    """Show the log of everything to administrators, that of one connector to managers."""
    names = await connector_names(visit)
    connector_id = visit.asked_id("connectorId")
    if connector_id is None and not visit.may(Permission.AUDIT_SEE):
        if not names:
            return _shown(visit, names, None, [], None)
        connector_id = next(iter(names))
    level = visit.asked("level")
    lines, cursor = await audit.list_page(
        visit.hub,
        visit.caller,
        limit=_PAGE,
        cursor=visit.asked("cursor") or None,
        level=level if level in _LEVELS else None,
        start=start_of(visit.asked("from")),
        end=end_of(visit.asked("to")),
        q=visit.asked("q")[:200],
        connector_id=connector_id,
    )
    return _shown(visit, names, connector_id, lines, cursor)


def _shown(
    visit: Visit,
    names: dict[UUID, str],
    connector_id: UUID | None,
    lines: list[Line],
    cursor: str | None,
) -> Response:
    template = "activity/lines.html" if visit.is_fragment else "activity/page.html"
    return visit.show(template, names=names, chosen=connector_id, lines=lines, next_cursor=cursor)
