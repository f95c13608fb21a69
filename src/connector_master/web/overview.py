"""The overview: whether every source is alive, whether a lead got stuck, and what to do about it."""

from starlette.responses import Response

from connector_master.web.pages import Everybody, Pages
from connector_master.web.visit import Visit

pages = Pages()


@pages.get("/", Everybody.SIGNED_IN)
async def overview(visit: Visit) -> Response:
    """Show every source at a glance."""
    return visit.show("overview.html")
