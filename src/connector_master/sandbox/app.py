"""The sandbox as an ASGI application: all stand-ins at one address, the control API, and a page to steer them by."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from connector_master.sandbox import control, page
from connector_master.sandbox.world import Clock, World


def build(seed: int = 1, clock: Clock | None = None, hub: str = "http://127.0.0.1:8080") -> Starlette:
    """Return the sandbox; its world is `app.state.world`. The same seed brings the same buyers."""
    world = World(seed, clock, hub)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        traffic = asyncio.create_task(world.send_traffic())
        try:
            yield
        finally:
            traffic.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await traffic
            await world.http.aclose()

    routes: list[BaseRoute] = [*control.routes(world), *page.routes(world)]
    for stand_in in world.stand_ins.values():
        own = [*(stand_in.consent.routes() if stand_in.consent else ()), *stand_in.routes()]
        routes += [Mount(stand_in.path, routes=own)] if stand_in.path else own
    app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(_SameOrigin)])
    app.state.world = world
    return app


class _SameOrigin:
    """Turns away what another site's page sends here through somebody's browser: nobody there may steer this."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and scope["method"] != "GET" and b"origin" in headers:
            origin = urlsplit(headers[b"origin"].decode("latin-1")).netloc
            if origin != headers.get(b"host", b"").decode("latin-1"):
                await PlainTextResponse("Not from another site.", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)
