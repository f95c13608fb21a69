"""The demo: one command, and leads of every source arrive before a newcomer's eyes."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub import Hub, Process, until

SOURCES = {"webhook", "indiamart", "tradeindia", "whatsapp", "meta", "google", "youtube", "linkedin"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account reaches, also as root."""
    made = Path(tempfile.mkdtemp(prefix="cm-demo-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def newest_leads(hub: Hub) -> dict[str, Any]:
    """The newest lead that each source was the first to bring."""
    found = {}
    for one in (await hub.api("GET", "/api/connectors")).json()["items"]:
        leads = (await hub.api("GET", f"/api/leads?connectorId={one['id']}&limit=1")).json()["items"]
        found[one["type"]] = leads[0]["id"] if leads else None
    return found


@pytest.mark.timeout(300)
async def test_the_demo_brings_leads_of_every_source_and_starts_again_on_the_same_folder(folder: Path) -> None:
    options = ["--data-dir", str(folder / "data"), "--port", "0", "--sandbox-port", "0", "--every", "0.1"]
    known: Mapping[str, Any] = dict.fromkeys(SOURCES)
    for _ in range(2):
        process = Process("demo", *options).wait_ready()
        hub = Hub(process, folder / "data")

        async def each_has_brought_more(hub: Hub = hub, known: Mapping[str, Any] = known) -> dict[str, Any] | None:
            found = await newest_leads(hub)
            return found if found.keys() == known.keys() and all(found[one] != known[one] for one in known) else None

        known = await until(each_has_brought_more, 120)
        connectors = (await hub.api("GET", "/api/connectors")).json()["items"]
        assert {one["type"]: one["status"] for one in connectors} == dict.fromkeys(SOURCES, "active")
        await hub.client.aclose()
        assert process.stop() == 0
