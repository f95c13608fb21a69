"""A new source is one new file: the toy of docs/adding-a-connector.md, put beside the others, is served at once."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub import ROOT, Hub, Process, new_phone

PAGE = ROOT / "docs/adding-a-connector.md"


@pytest.fixture
def toy_hub() -> Iterator[Hub]:
    """The product from a copy of its source that has one file more."""
    # Not pytest's tmp_path: as root, PostgreSQL's account has to reach the data folder.
    folder = Path(tempfile.mkdtemp(prefix="cm-toy-", dir="/tmp"))
    folder.chmod(0o711)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code
    (folder / "src/connector_master/connectors/toy.py").write_text(code[1])
    process = Process(
        "up",
        *("--data-dir", str(folder / "data"), "--port", "0"),
        env={"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        process.wait_ready()
        yield Hub(process, folder / "data")
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_source_that_is_one_file_more_receives_leads(toy_hub: Hub) -> None:
    types = (await toy_hub.api("GET", "/api/connector-types")).json()["items"]
    toy = await toy_hub.create_connector("toy")
    phone = new_phone()
    enquiry = {"toyId": 7, "child": {"phone": phone, "name": "Asha"}}
    paths = (await toy_hub.client.get("/api/openapi.json")).json()["paths"]

    unsigned = await toy_hub.send(toy, enquiry)
    first = await toy_hub.send(toy, enquiry, signed=True)
    again = await toy_hub.send(toy, enquiry, signed=True)
    lead = (await toy_hub.api("GET", f"/api/leads/{first.lead_id}")).json()
    await toy_hub.client.aclose()

    assert [one["type"] for one in types if one["type"] == "toy"] == ["toy"]
    assert toy.url.startswith("/api/connectors/toy/")
    assert "/api/connectors/toy/{webhookId}" in paths
    assert unsigned.status_code == 401
    assert (first.status_code, first.status) == (200, "created")
    assert again.body == first.body | {"repeated": True}
    assert (lead["phoneNumber"], lead["name"]) == (phone, "Asha")
