"""What the contract suites share: the running hub's document and database, and a second workspace beside its own."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from connector_master.storage.embedded import Embedded
from connector_master.storage.engine import conninfo, driver_url
from connector_master.storage.ids import new_id
from tests.support.hub import Hub, Process, new_phone

NAMES = (
    *("connector_id", "lead_id", "event_id", "job_id", "user_id", "key_id", "sync_id"),
    *("destination_id", "delivery_id", "import_id"),
)
"""The parameters of paths that name something by its id."""


@dataclass(frozen=True)
class Route:
    """One operation of the OpenAPI document."""

    method: str
    path: str
    operation: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def permission(self) -> str | None:
        return self.operation.get("x-permission")

    @property
    def is_door(self) -> bool:
        """Whether providers call it, without a key and in a form of their own."""
        return "doors" in self.operation.get("tags", ())

    @property
    def takes_body(self) -> bool:
        return "application/json" in self.operation.get("requestBody", {}).get("content", {})

    @property
    def declared(self) -> set[int]:
        return {int(status) for status in self.operation["responses"]}

    @property
    def query(self) -> set[str]:
        return {one["name"] for one in self.operation.get("parameters", ()) if one["in"] == "query"}

    def matches(self, path: str) -> bool:
        """Whether a request for `path` comes to this route."""
        return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", self.path), path) is not None

    def filled(self, ids: dict[str, UUID]) -> str:
        """The path with an id for each of its parameters; an unknown parameter is a KeyError that names it."""
        path = self.path.replace("{connector_type}", "google").replace("{version}", "1")
        for name in ("webhookId", *(part[1:-1] for part in self.path.split("/") if part.startswith("{"))):
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", str(ids[name]))
        needed = [
            one["name"] for one in self.operation.get("parameters", ()) if one["in"] == "query" and one["required"]
        ]
        given = {"connectorId": str(ids["connector_id"]), "state": "none-of-ours"}
        return path + "".join(f"{'&' if n else '?'}{name}={given[name]}" for n, name in enumerate(needed))


@pytest.fixture
async def document(hub: Hub) -> dict[str, Any]:
    """The OpenAPI document of the running hub."""
    answer = await hub.client.get("/api/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def routes(document: dict[str, Any]) -> list[Route]:
    """Every operation of the document."""
    return [
        Route(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


@pytest.fixture(scope="session")
def hub_database(hub_process: tuple[Process, Path, str | None]) -> Iterator[str]:
    """How to connect to the running hub's own database."""
    _, data_dir, url = hub_process
    if url is not None:
        yield conninfo(driver_url(url))
        return
    embedded = Embedded(data_dir)
    embedded.start()
    yield embedded.dsn
    embedded.stop()


@pytest.fixture
async def ids(hub: Hub) -> AsyncIterator[dict[str, UUID]]:
    """By path parameter, something of the hub's own workspace that has this id; each call makes new ones."""
    connector = await hub.create_connector()
    nowhere = {"name": "D", "type": "http", "settings": {"url": "https://receiver.invalid/"}}
    destination = (await hub.api("POST", "/api/destinations", nowhere)).json()["id"]
    await hub.api("POST", f"/api/destinations/{destination}/pause")
    made = await hub.send(connector, {"phone": new_phone()})
    job = await hub.api("POST", "/api/events/retry", {"filter": {"connectorId": connector.id}})
    user = await hub.api("POST", "/api/users", {"email": f"{new_id()}@example.com", "name": "U", "role": "executive"})
    key = await hub.api("POST", "/api/api-keys", {"name": "k", "role": "executive"})
    brought = await hub.api("POST", f"/api/connectors/{connector.id}/imports", content=b"Phone\n1")
    due = await hub.api("GET", "/api/deliveries", params={"destinationId": destination})
    yield {
        "connector_id": UUID(connector.id),
        "lead_id": UUID(made.lead_id or ""),
        "event_id": UUID(made.event_id or ""),
        "job_id": UUID(job.json()["jobId"]),
        "user_id": UUID(user.json()["id"]),
        "key_id": UUID(key.json()["id"]),
        "sync_id": new_id(),
        "import_id": UUID(brought.json()["import"]["id"]),
        "destination_id": UUID(destination),
        "delivery_id": UUID(due.json()["items"][0]["id"]),
    }
    # Else the leads of every later test were due there.
    await hub.api("DELETE", f"/api/destinations/{destination}")


@pytest.fixture
async def foreign_ids(hub_database: str) -> AsyncIterator[dict[str, UUID]]:
    """By path parameter, something in another workspace of the same database that has this id."""
    workspace = new_id()
    ids = {name: new_id() for name in NAMES}
    rows: dict[str, dict[str, Any]] = {
        "workspaces": {"id": workspace, "name": "Another"},
        "connectors": {"id": ids["connector_id"], "type": "webhook", "name": "C", "status": "active"},
        "leads": {
            "id": ids["lead_id"],
            "connector_id": ids["connector_id"],
            "deduplication_key": "+919000000001",
            "phone_number": "+919000000001",
            "times_seen": 1,
        },
        "events": {
            "id": ids["event_id"],
            "connector_id": ids["connector_id"],
            "origin": "push",
            "status": "failed",
            "code": "missing_phone",
            "payload": b"{}",
        },
        "jobs": {"id": ids["job_id"], "kind": "retry", "status": "running"},
        "users": {"id": ids["user_id"], "email": "them@example.com", "name": "U", "role": "admin", "password_hash": ""},
        "api_keys": {"id": ids["key_id"], "name": "K", "role": "admin", "key_hash": new_id().bytes, "hint": "…"},
        "syncs": {
            "id": ids["sync_id"],
            "connector_id": ids["connector_id"],
            "trigger": "manual",
            "status": "succeeded",
        },
        "imports": {"id": ids["import_id"], "connector_id": ids["connector_id"], "file_name": "f.csv", "rows": 1},
        "destinations": {
            "id": ids["destination_id"],
            "type": "http",
            "name": "D",
            "status": "paused",
            "settings": {"url": "https://receiver.invalid/"},
            "occasions": ["lead.created"],
        },
        "destination_gates": {"destination_id": ids["destination_id"]},
        "deliveries": {
            "id": ids["delivery_id"],
            "destination_id": ids["destination_id"],
            "lead_id": ids["lead_id"],
            "occasion": "lead.created",
            "status": "dead",
        },
    }
    async with await psycopg.AsyncConnection.connect(hub_database, autocommit=True) as connection:
        for table, row in rows.items():
            await _insert(connection, table, row if table == "workspaces" else row | {"workspace_id": workspace})
        yield ids
        for table in reversed(rows):
            column = "id" if table == "workspaces" else "workspace_id"
            await connection.execute(f"DELETE FROM {table} WHERE {column} = %s", (workspace,))


async def _insert(connection: "psycopg.AsyncConnection[Any]", table: str, row: dict[str, Any]) -> None:
    # Times that have no default get the present one, so that a new one of them needs no edit here.
    cursor = await connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
        " AND is_nullable = 'NO' AND column_default IS NULL AND data_type LIKE 'timestamp%%'",
        (table,),
    )
    times = [name for (name,) in await cursor.fetchall() if name not in row]
    names = [*row, *times]
    values = [f"%({name})s" for name in row] + ["now()"] * len(times)
    plain = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}
    await connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)})", plain)
