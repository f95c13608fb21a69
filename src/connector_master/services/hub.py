"""The hub: what every use case works with, made once by app.py and handed down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connections.sealing import KeyRing
from connector_master.connectors.connector import Connector
from connector_master.ingest.intake import Intake
from connector_master.ingest.sources import Sources
from connector_master.ingest.writer import Writer
from connector_master.outbound.client import Client
from connector_master.outbound.memory import Memory


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts of a running process: database, sealing keys, what it remembers of connectors, and the ways in and out.

    `provider` gives the client that calls a connector's provider, `token_server` the one for where its tokens come from, and
    `browser_base` the address at which people agree. `address` is our own, as others reach it. `apps` are the installation's
    own apps, by the names of their settings. `memory` gives what is remembered for a connector.
    """

    engine: AsyncEngine
    keys: KeyRing
    sources: Sources
    intake: Intake
    writer: Writer
    provider: Callable[[Connector], Client]
    token_server: Callable[[Connector], Client]
    browser_base: Callable[[Connector], str]
    address: str
    apps: Mapping[str, str]
    memory: Callable[[UUID], Memory]
