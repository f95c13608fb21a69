"""Settings of the installation, as they are: they are made in the environment, so this page shows and explains."""

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.connectors import app_settings
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()


@pages.get("/settings", Permission.SETTINGS_MANAGE)
async def settings(visit: Visit) -> Response:
    """Show how this installation is reached, and which apps at providers it has."""
    apps = [(name, meaning, name in visit.hub.apps) for name, meaning in app_settings().items()]
    return visit.show(
        "settings.html",
        address=visit.hub.address,
        is_public=visit.is_https,
        callback=f"{visit.hub.address}/api/connectors/oauth/callback",
        apps=apps,
    )
