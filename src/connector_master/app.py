"""Assembling the product: settings → engine → services → ASGI application. It decides nothing itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from connector_master import __version__
from connector_master.api import (
    api_keys,
    audit,
    connections,
    connector_types,
    connectors,
    deliveries,
    destinations,
    errors,
    events,
    field_mappings,
    health,
    imports,
    jobs,
    leads,
    metrics,
    openapi,
    overview,
    renunciations,
    syncs,
    users,
)
from connector_master.api.guard import Guard
from connector_master.api.plumbing import refuse_undeclared
from connector_master.connections.key_ring import open_key_ring
from connector_master.connectors.connector import Connector
from connector_master.ingest.challenges import Challenges
from connector_master.ingest.door import Application, Door
from connector_master.ingest.hints import Hints
from connector_master.ingest.intake import Intake
from connector_master.ingest.limits import Limits
from connector_master.ingest.refusals import Refusals
from connector_master.ingest.sources import Sources
from connector_master.ingest.writer import Writer
from connector_master.outbound.client import Client
from connector_master.outbound.http import Bounds, HttpClient, Outbound
from connector_master.outbound.memory import Memory
from connector_master.services.authentication import settle
from connector_master.services.hub import Hub
from connector_master.services.sources import loader, owners_loader
from connector_master.settings import Settings
from connector_master.storage.engine import conninfo, create_engine
from connector_master.web.site import fork, site

ROUTERS = (
    connections,
    connectors,
    field_mappings,
    connector_types,
    syncs,
    imports,
    metrics,
    leads,
    overview,
    events,
    destinations,
    deliveries,
    jobs,
    users,
    api_keys,
    audit,
    health,
    renunciations,
)


NOTHING_SET: Mapping[str, str] = MappingProxyType({})


FILES = "deliveries"
"""The folder in DATA_DIR into which destinations write files."""
_RECEIVERS = 1_000
_RECEIVERS_KEPT = 200
"""Connections to receivers at once, and how many stay open for the next lead: some that hang must not take every one."""
_MOST_MEMORIES = 1_000
"""Connectors for which something is remembered at once; beyond it all is read again."""


@dataclass(frozen=True, slots=True)
class Running:
    """A hub whose tasks run, and the parts that only the doors need."""

    hub: Hub
    limits: Limits
    refusals: Refusals
    challenges: Challenges


@asynccontextmanager
async def open_hub(
    url: str,
    *,
    secret_keys: str | None,
    data_dir: Path,
    addresses: Mapping[str, str] = NOTHING_SET,
    apps: Mapping[str, str] = NOTHING_SET,
    address: str = "http://127.0.0.1:8080",
    outbound_allow: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """Run a hub on the migrated database at `url`; on leaving, what waits to be stored is stored first.

    `addresses` are those of providers and `apps` the installation's own apps there, by the names of their settings;
    `address` is where others reach this hub. Raises InvalidSecretKeys.
    """
    engine = create_engine(url)
    writer = Writer(conninfo(url))
    try:
        keys = await open_key_ring(engine, secret_keys, data_dir)
        sources = Sources(loader(engine, keys, apps), conninfo(url), owners_loader(engine, keys))
        hints = Hints(writer)
        intake, limits = Intake(writer, hints.tell), Limits(writer)
        refusals, challenges = Refusals(writer), Challenges(writer)
        allow = [ip_network(one) for one in outbound_allow]
        outbound = Outbound(allow=allow)
        receivers = Outbound(allow=allow, connections=_RECEIVERS, kept=_RECEIVERS_KEPT)
        async with outbound, receivers, asyncio.TaskGroup() as group:
            for work in (intake.run, limits.run, refusals.run, challenges.run, hints.run):
                group.create_task(work())
            background = [group.create_task(sources.listen()), group.create_task(writer.keep_ready())]
            try:
                hub = Hub(
                    engine=engine,
                    keys=keys,
                    sources=sources,
                    intake=intake,
                    writer=writer,
                    provider=_providers(outbound, addresses),
                    token_server=_token_servers(outbound, addresses),
                    browser_base=partial(_browser_base, addresses),
                    address=address.rstrip("/"),
                    apps=apps,
                    memory=_memories(),
                    receiver=partial(_receiver, receivers),
                    address_of=receivers.address_of,
                    files=data_dir / FILES,
                )
                yield Running(hub, limits, refusals, challenges)
            finally:
                for part in (intake, limits, refusals, challenges, hints):
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


def _token_servers(outbound: Outbound, addresses: Mapping[str, str]) -> Callable[[Connector], Client]:
    def token_server(connector: Connector) -> Client:
        assert connector.oauth is not None
        server = connector.oauth.server
        base = addresses.get(server.setting, server.base)
        # A code or a refresh token may be good only once, so nothing that was sent is sent again.
        return outbound.client(base, name=connector.type, trusted=base != server.base, repeats=False)

    return token_server


def _receiver(receivers: Outbound, base: str, seconds: float) -> HttpClient:
    # A user chose the address, so it is never trusted. What is tried again is tried on the schedule.
    bounds = Bounds(
        connect_seconds=min(10, seconds), silence_seconds=seconds, total_seconds=seconds, answer_bytes=2**20, repeats=0
    )
    return receivers.client(base, name="receiver", trusted=False, repeats=False, bounds=bounds)


def _browser_base(addresses: Mapping[str, str], connector: Connector) -> str:
    assert connector.oauth is not None
    browser = connector.oauth.browser
    return addresses.get(browser.setting, browser.base)


def _memories() -> Callable[[UUID], Memory]:
    known: dict[UUID, Memory] = {}

    def memory(connector_id: UUID) -> Memory:
        if len(known) >= _MOST_MEMORIES:
            known.clear()
        return known.setdefault(connector_id, Memory())

    return memory


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
    refuse_undeclared(app, (*health.PUBLIC, *renunciations.PUBLIC))
    openapi.complete(app)
    return app


def application(running: Running, settings: Settings) -> Application:
    """Return everything as one ASGI application: the public doors, and behind them the API and the pages."""
    hub = running.hub
    guarded = Guard(
        fork(api(hub), site(hub)),
        max_body_bytes=settings.max_body_bytes,
        is_https=settings.address.startswith("https://"),
    )
    door: Any = Door(
        guarded,
        hub.sources,
        hub.intake,
        running.limits,
        running.refusals,
        running.challenges,
        max_body_bytes=settings.max_body_bytes,
    )
    if settings.trusted_proxies:
        door = ProxyHeadersMiddleware(door, trusted_hosts=list(settings.trusted_proxies))
    return door  # type: ignore[no-any-return]
