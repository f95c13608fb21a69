"""The hub: what every use case works with, made once by app.py and handed down."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connections.sealing import KeyRing
from connector_master.connectors.connector import Connector
from connector_master.ingest.intake import Intake
from connector_master.ingest.sources import Sources
from connector_master.ingest.writer import Writer
from connector_master.outbound.client import Client


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts of a running process: database, sealing keys, what it remembers of connectors, and the ways in and out.

    `provider` gives the client that calls a connector's provider.
    """

    engine: AsyncEngine
    keys: KeyRing
    sources: Sources
    intake: Intake
    writer: Writer
    provider: Callable[[Connector], Client]
