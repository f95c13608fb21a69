"""The hub within the test's own process: for what goes on behind the doors, where a test wants to hold the strings."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from connector_master.access.caller import Caller, command_line
from connector_master.app import NOTHING_SET, open_hub
from connector_master.ingest.bodies import decode
from connector_master.ingest.intake import Arrival
from connector_master.model.event import Outcome, Push
from connector_master.model.problem import InvalidBody, InvalidRecord
from connector_master.services import connectors, destinations
from connector_master.services.hub import Hub
from connector_master.storage.connectors import ConnectorRow


@dataclass(frozen=True)
class Inside:
    """A hub, and whoever administers it."""

    hub: Hub
    caller: Caller

    @property
    def workspace(self) -> UUID:
        """The one workspace."""
        return self.caller.workspace_id

    async def create_connector(self, type_: str = "webhook", **fields: Any) -> ConnectorRow:
        """Create a connector."""
        given = {"description": None, "settings": {}, "credentials": {}, "field_mapping": None} | fields
        return (await connectors.create(self.hub, self.caller, type_=type_, name="Test", **given)).row

    async def create_destination(self, url: str, **settings: Any) -> UUID:
        """Create an HTTP destination and return its id."""
        made = await destinations.create(
            self.hub,
            self.caller,
            type_="http",
            name="CRM",
            description=None,
            settings={"url": url, **settings},
            credentials={},
        )
        return made.row.id

    async def change(self, connector: ConnectorRow, **changes: Any) -> None:
        """Change a connector."""
        await connectors.update(self.hub, self.caller, connector.id, changes)

    async def push(self, connector: ConnectorRow, payload: Any, *, delivery_id: str | None = None) -> list[Outcome]:
        """Take `payload` in as the door does, behind its signature check; bytes as they are, anything else as JSON."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        source = await self.hub.sources.find(connector.webhook_id or "")
        assert source is not None
        arrival = Arrival("push", "application/json", body, {"user-agent": "test"}, "192.0.2.7", delivery_id)
        push = Push({}, {}, body, "192.0.2.7", datetime.now(UTC))
        try:
            decoded = decode(body, "application/json")
            records = source.connector.records(decoded.value, push, source.settings)
        except (InvalidBody, InvalidRecord) as problem:
            return [await self.hub.intake.keep_unreadable(source, problem, arrival)]
        return await self.hub.intake.take(source, records, arrival, decoded.is_list or len(records) != 1)

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement and return its rows."""
        async with self.hub.engine.begin() as connection:
            found = await connection.execute(text(statement), values)
            return list(found) if found.returns_rows else []


@asynccontextmanager
async def open_inside(
    database_url: str, data_dir: Path, addresses: Mapping[str, str] = NOTHING_SET
) -> AsyncIterator[Inside]:
    """Run a hub on the migrated database at `database_url`, whose destinations may lie on loopback.

    `addresses` are those of providers, by their settings.
    """
    async with open_hub(
        database_url, secret_keys=None, data_dir=data_dir, addresses=addresses, outbound_allow=("127.0.0.0/8",)
    ) as running:
        async with running.hub.engine.connect() as connection:
            workspace = (await connection.execute(text("SELECT id FROM workspaces"))).scalar_one()
        yield Inside(running.hub, command_line(workspace))
