"""Names of connectors: what lists and filters show instead of ids."""

from uuid import UUID

from connector_master.services import connectors
from connector_master.web.visit import Visit


async def connector_names(visit: Visit) -> dict[UUID, str]:
    """Return the names of the workspace's connectors by id, in the order of the names; at most 500."""
    return await connectors.names(visit.hub, visit.caller)
