"""The hub: what every use case works with, made once by app.py and handed down."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connections.sealing import KeyRing
from connector_master.connectors.connector import Connector
from connector_master.ingest.intake import Intake
from connector_master.ingest.sources import Sources
from connector_master.ingest.writer import Writer
from connector_master.outbound.client import Client
from connector_master.outbound.http import HttpClient
from connector_master.outbound.memory import Memory

_DELIVERERS = 5


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts of a running process: database, sealing keys, what it remembers of connectors, and the ways in and out.

    `provider` gives the client that calls a connector's provider, `token_server` the one for where its tokens come from, and
    `browser_base` the address at which people agree. `address` is our own, as others reach it. `apps` are the installation's
    own apps, by the names of their settings. `memory` gives what is remembered for a connector or a destination.

    `receiver` gives the client for a destination's base address, bounded by so many seconds; `address_of`, an address of a
    destination's host that may be called. `files` is where destinations write theirs. `turns` bounds how many deliverers use
    the database at once, so that the API always finds a connection.
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
    receiver: Callable[[str, float], HttpClient]
    address_of: Callable[[str, int], Awaitable[str]]
    files: Path
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_DELIVERERS))
