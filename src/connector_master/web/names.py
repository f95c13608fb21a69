"""Names of connectors: what lists and filters show instead of ids."""

from uuid import UUID

from connector_master.services import connectors
from connector_master.web.visit import Visit

_MOST = 200


async def connector_names(visit: Visit) -> dict[UUID, str]:
    """Return the names of the workspace's connectors by id, the newest first; at most 200."""
    known, _more = await connectors.list_page(
        visit.hub, visit.caller, limit=_MOST, cursor=None, type_=None, status=None
    )
    return {one.row.id: one.row.name for one in known}
