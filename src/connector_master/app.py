"""Assembling the product: settings → engine → services → ASGI application. It decides nothing itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from connector_master import __version__
from connector_master.api import (
    api_keys,
    audit,
    connector_types,
    connectors,
    errors,
    events,
    health,
    jobs,
    leads,
    metrics,
    openapi,
    syncs,
    users,
)
from connector_master.api.guard import Guard
from connector_master.api.plumbing import refuse_undeclared
from connector_master.connections.key_ring import open_key_ring
from connector_master.connectors.connector import Connector
from connector_master.ingest.door import Application, Door
from connector_master.ingest.intake import Intake
from connector_master.ingest.limits import Limits
from connector_master.ingest.refusals import Refusals
from connector_master.ingest.sources import Sources
from connector_master.ingest.writer import Writer
from connector_master.outbound.client import Client
from connector_master.outbound.http import Outbound
from connector_master.services.authentication import settle
from connector_master.services.hub import Hub
from connector_master.services.sources import loader, owners_loader
from connector_master.settings import Settings
from connector_master.storage.engine import conninfo, create_engine

ROUTERS = (connectors, connector_types, syncs, metrics, leads, events, jobs, users, api_keys, audit, health)


NO_ADDRESSES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Running:
    """A hub whose tasks run, and the parts that only the doors need."""

    hub: Hub
    limits: Limits
    refusals: Refusals


@asynccontextmanager
async def open_hub(
    url: str,
    *,
    secret_keys: str | None,
    data_dir: Path,
    addresses: Mapping[str, str] = NO_ADDRESSES,
    outbound_allow: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """Run a hub on the migrated database at `url`; on leaving, what waits to be stored is stored first.

    `addresses` are those of providers, by the name of their setting. Raises InvalidSecretKeys.
    """
    engine = create_engine(url)
    writer = Writer(conninfo(url))
    try:
        keys = await open_key_ring(engine, secret_keys, data_dir)
        sources = Sources(loader(engine, keys), conninfo(url), owners_loader(engine, keys))
        intake, limits, refusals = Intake(writer), Limits(writer), Refusals(writer)
        outbound = Outbound(allow=[ip_network(one) for one in outbound_allow])
        async with outbound, asyncio.TaskGroup() as group:
            for work in (intake.run, limits.run, refusals.run):
                group.create_task(work())
            background = [group.create_task(sources.listen()), group.create_task(writer.keep_ready())]
            try:
                yield Running(
                    Hub(engine, keys, sources, intake, writer, _providers(outbound, addresses)),
                    limits,
                    refusals,
                )
            finally:
                for part in (intake, limits, refusals):
                    part.stop()
                for task in background:
                    task.cancel()
        await settle(engine)
    finally:
        await writer.close()
        await engine.dispose()


def _providers(outbound: Outbound, addresses: Mapping[str, str]) -> Callable[[Connector], Client]:
    def provider(connector: Connector) -> Client:
        assert connector.base is not None
        base = addresses.get(connector.base_setting or "", connector.base)
        return outbound.client(
            base,
            name=connector.type,
            # An operator who set another address knows where it leads.
            trusted=base != connector.base,
            # A provider that counts calls must not be called twice for one.
            repeats=not connector.limits.between_calls,
        )

    return provider


def api(hub: Hub) -> FastAPI:
    """Return the API as FastAPI serves it. Raises RuntimeError when a route does not say who may call it."""
    app = FastAPI(
        title="Connector Master",
        version=__version__,
        summary="Receives leads from every source, cleans them, and loses none.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.hub = hub
    errors.install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    refuse_undeclared(app, health.PUBLIC)
    openapi.complete(app)
    return app


def application(running: Running, settings: Settings) -> Application:
    """Return everything as one ASGI application: the public doors, and behind them the API."""
    hub = running.hub
    guarded = Guard(api(hub), max_body_bytes=settings.max_body_bytes, is_https=settings.address.startswith("https://"))
    door: Any = Door(
        guarded, hub.sources, hub.intake, running.limits, running.refusals, max_body_bytes=settings.max_body_bytes
    )
    if settings.trusted_proxies:
        door = ProxyHeadersMiddleware(door, trusted_hosts=list(settings.trusted_proxies))
    return door  # type: ignore[no-any-return]
