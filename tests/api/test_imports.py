"""Imports over the API and the pages: a preview before, progress, and a report of what failed."""

import csv
import io
from typing import Any

from tests.support.hub import Hub, new_phone, until
from tests.support.workbooks import workbook


async def _ended(hub: Hub, job_id: str) -> dict[str, Any]:
    async def ended() -> Any:
        job = (await hub.api("GET", f"/api/jobs/{job_id}")).json()
        return job if job["status"] not in ("queued", "running") else None

    found: dict[str, Any] = await until(ended)
    return found


async def _bring(hub: Hub, connector_id: str, content: bytes) -> Any:
    return await hub.api(
        "POST", f"/api/connectors/{connector_id}/imports", content=content, headers={"X-File-Name": "leads.csv"}
    )


async def test_a_file_is_seen_first_then_taken_in_and_its_failures_are_reported(hub: Hub) -> None:
    connector = await hub.create_connector("webhook", name="Fair visitors")
    known, other = new_phone(), new_phone()
    content = f"Full Name,Mobile No,Town\nAsha,{known},Pune\nNo Phone,,Delhi\nRavi,{other},Goa\nAsha again,{known},\n"

    brought = await _bring(hub, connector.id, content.encode())
    assert brought.status_code == 201, brought.text
    preview = brought.json()
    assert [row["outcome"] for row in preview["rows"]] == ["created", "rejected", "created", "created"]
    assert (await hub.api("GET", f"/api/leads?connectorId={connector.id}")).json()["items"] == []

    path = f"/api/connectors/{connector.id}/imports/{preview['import']['id']}"
    started = await hub.api("POST", f"{path}/start")
    job = await _ended(hub, started.json()["jobId"])

    assert (job["status"], job["done"], job["failed"]) == ("succeeded", 4, 1)
    leads = (await hub.api("GET", f"/api/leads?connectorId={connector.id}")).json()["items"]
    assert {lead["name"] for lead in leads} == {"Asha", "Ravi"}
    report = list(csv.DictReader(io.StringIO((await hub.api("GET", f"{path}/failures.csv")).text)))
    assert [(row["row"], row["code"]) for row in report] == [("2", "missing_phone")]
    assert (await hub.api("POST", f"{path}/start")).status_code == 409


async def test_an_excel_workbook_is_taken_in(hub: Hub) -> None:
    connector = await hub.create_connector("webhook")
    content = workbook([["Name", "Phone"], *[[f"Buyer {n}", int(new_phone()[3:])] for n in range(1200)]])

    brought = (await _bring(hub, connector.id, content)).json()
    started = await hub.api("POST", f"/api/connectors/{connector.id}/imports/{brought['import']['id']}/start")
    job = await _ended(hub, started.json()["jobId"])

    assert (job["status"], job["total"], job["done"], job["failed"]) == ("succeeded", 1200, 1200, 0)


async def test_what_is_no_file_of_leads_is_refused(hub: Hub) -> None:
    webhook, meta = await hub.create_connector("webhook"), await hub.create_connector("meta")

    empty = await _bring(hub, webhook.id, b"")
    large = await _bring(hub, webhook.id, b"x" * (10 * 1024 * 1024 + 100_000))
    elsewhere = await _bring(hub, meta.id, b"Phone\n1")

    assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "file")
    assert large.status_code == 413
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "not_importable")


async def test_an_import_belongs_to_its_connector(hub: Hub) -> None:
    mine, other = await hub.create_connector("webhook"), await hub.create_connector("webhook")
    brought = (await _bring(hub, mine.id, f"Phone\n{new_phone()}".encode())).json()

    assert (
        await hub.api("POST", f"/api/connectors/{other.id}/imports/{brought['import']['id']}/start")
    ).status_code == 404
