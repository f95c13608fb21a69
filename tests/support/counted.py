"""A hub that knows the toy source Counted, and the provider behind it."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from connector_master import connectors
from connector_master.connectors import registry
from connector_master.outbound.client import Answer
from connector_master.services import syncs
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.syncs import Sync
from tests.support.inside import Inside

_TOYS = str(Path(__file__).parent / "toys")


@contextmanager
def knowing_toys() -> Iterator[None]:
    """Let the registry find the toys beside the real sources."""
    connectors.__path__.append(_TOYS)
    registry.cache_clear()
    try:
        yield
    finally:
        connectors.__path__.remove(_TOYS)
        registry.cache_clear()
        for name in [one for one in sys.modules if one == "connector_master.connectors.counted"]:
            del sys.modules[name]
        importlib.invalidate_caches()


@dataclass
class Provider:
    """The provider: pages of comments, what it was asked, and the statuses with which it will answer before it answers well."""

    pages: list[list[dict[str, Any]]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        query = dict(query or {})
        self.asked.append((path, query))
        if self.faults and (status := self.faults.pop(0)) != 200:
            return Answer(status, b"{}")
        if path == "/comments/again":
            ids = query["ids"].split(",")
            return _answer(comments=[one for page in self.pages for one in page if one["id"] in ids])
        if path == "/channels":
            return _answer(channels=[{"id": "channel-1"}])
        number = int(query["page"])
        page = self.pages[number] if number < len(self.pages) else []
        return _answer(comments=page, last=number + 1 >= len(self.pages))

    async def post(self, path: str, query: Mapping[str, str] | None = None, **more: Any) -> Answer:
        return await self.get(path, query)

    async def delete(self, path: str, query: Mapping[str, str] | None = None, **more: Any) -> Answer:
        return await self.get(path, query)

    def asked_of(self, path: str) -> list[dict[str, str]]:
        """Return the queries of the calls to a path."""
        return [query for where, query in self.asked if where == path]


def _answer(**body: Any) -> Answer:
    return Answer(200, orjson.dumps(body))


@dataclass(frozen=True)
class Counted(Inside):
    """The hub, its provider, and what is done again and again with them."""

    provider: Provider

    @classmethod
    def of(cls, inside: Inside) -> "Counted":
        """Return `inside` with Counted's provider in the place of the network."""
        provider = Provider()
        return cls(replace(inside.hub, provider=lambda _: provider), inside.caller, provider)

    async def connect(self, **credentials: str) -> ConnectorRow:
        """Create a connector that may be pulled at once."""
        given = {"clientId": "project-1", "clientSecret": "s", "accessToken": "token"} | credentials
        return await self.create_connector("counted", credentials=given)

    async def pull(self, connector: ConnectorRow) -> Sync:
        """Let a scheduled run be due, run it, and return how it ended or that it waits."""
        await self.sql("UPDATE connectors SET next_sync_at = now() WHERE id = :id", id=connector.id)
        await syncs.schedule_due(self.hub)
        return await self.go_on(connector)

    async def go_on(self, connector: ConnectorRow) -> Sync:
        """Run the connector's latest sync as a worker does whose time has come."""
        (found, *_), _ = await syncs.list_page(self.hub, self.caller, connector.id, limit=1, cursor=None)
        await syncs.run(self.hub, self.workspace, found.id)
        return await syncs.get(self.hub, self.caller, connector.id, found.id)
