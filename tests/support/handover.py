"""A running product whose destinations may lie on loopback, and what tests of handing over ask of it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.hub import Hub, Process, TestConnector, new_phone, until

ALLOWED = {"CONNECTOR_MASTER_OUTBOUND_ALLOW": "127.0.0.0/8"}


@contextmanager
def handing_over() -> Iterator[tuple[Process, Path]]:
    """Run `up` on a folder of its own while the `with` lasts."""
    folder = Path(tempfile.mkdtemp(prefix="cm-hand-", dir="/tmp"))
    folder.chmod(0o711)
    process = Process("up", "--data-dir", str(folder / "data"), "--port", "0", env=ALLOWED).wait_ready()
    yield process, folder / "data"
    process.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def create(hub: Hub, url: str, type_: str = "http", **fields: Any) -> dict[str, Any]:
    """Create a destination; `fields` are those of its settings, but for credentials."""
    body: dict[str, Any] = {"name": "CRM", "type": type_}
    body["credentials"] = fields.pop("credentials", {})
    body["settings"] = ({"url": url} if type_ == "http" else {}) | fields
    answer = await hub.api("POST", "/api/destinations", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def remove(hub: Hub, destination: dict[str, Any]) -> None:
    """Delete a destination, so that the leads of later tests don't go there."""
    assert (await hub.api("DELETE", f"/api/destinations/{destination['id']}")).status_code == 204


async def push(hub: Hub, connector: TestConnector, **fields: Any) -> str:
    """Push a lead of a new person, or of the phone given; return its id."""
    reply = await hub.send(connector, {"phone": new_phone(), **fields})
    assert reply.lead_id, reply
    return reply.lead_id


async def deliveries(hub: Hub, **query: str) -> list[dict[str, Any]]:
    """Return the newest deliveries that fit."""
    answer = await hub.api("GET", "/api/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def settled(hub: Hub, lead_id: str, status: str) -> dict[str, Any]:
    """Wait until the only delivery of a lead has this status, and return it."""

    async def is_settled() -> Any:
        found = await deliveries(hub, leadId=lead_id)
        return found and found[0]["status"] == status and found[0]

    one: dict[str, Any] = await until(is_settled)
    return one
