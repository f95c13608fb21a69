"""The demo: one command, and leads of every source arrive before a newcomer's eyes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub import Hub, Process, until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account reaches, also as root."""
    made = Path(tempfile.mkdtemp(prefix="cm-demo-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.timeout(120)
async def test_the_demo_brings_leads_of_every_source_and_starts_again_on_the_same_folder(folder: Path) -> None:
    options = ["--data-dir", str(folder / "data"), "--port", "0", "--sandbox-port", "0", "--every", "0.1"]
    wanted = {"webhook", "indiamart", "tradeindia", "whatsapp"}
    for _ in range(2):
        process = Process("demo", *options).wait_ready()
        hub = Hub(process, folder / "data")

        async def sources_with_leads(hub: Hub = hub) -> bool:
            connectors = (await hub.api("GET", "/api/connectors")).json()["items"]
            return {one["type"] for one in connectors if one["lastEventAt"]} == wanted and len(connectors) == 4

        await until(sources_with_leads, 60)
        assert (await hub.api("GET", "/api/leads")).json()["items"]
        await hub.client.aclose()
        assert process.stop() == 0
