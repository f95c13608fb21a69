"""Processes that are killed, and processes that want the same at once: what was announced comes, and a grant is renewed once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.hub import Hub, Process, TestConnector, new_phone, until
from tests.support.sandbox import Sandbox, running_sandbox

META = {"appId": "1234567890123456", "appSecret": "sandbox-app-secret-0123456789abcdef"}
GOOGLE = {"clientId": "sandbox-client", "clientSecret": "sandbox-secret"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(clock=None) as running:
        for provider in ("meta", "google"):
            running.set(provider, consents="allow")
        yield running


def start(command: str, data_dir: Path, sandbox: Sandbox) -> Process:
    """Start a process of the product on `data_dir`, with the sandbox in the providers' place."""
    meta, google = (f"{sandbox.url}/{name}" for name in ("meta", "google"))
    env = {f"CONNECTOR_MASTER_{name}": meta for name in ("META_GRAPH_URL", "META_OAUTH_URL")}
    env |= {f"CONNECTOR_MASTER_{name}": google for name in ("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL", "GOOGLE_ADS_URL")}
    return Process(command, "--data-dir", str(data_dir), "--port", "0", env=env).wait_ready()


async def connected(hub: Hub, sandbox: Sandbox, type_: str, credentials: dict[str, str]) -> TestConnector:
    """A connector to which somebody has agreed, with everything that it reaches chosen."""
    made = await hub.create_connector(type_, credentials=credentials)
    url = (await hub.api("GET", f"/api/connectors/oauth/authorize/{type_}?connectorId={made.id}")).json()
    consent = sandbox.http.get(url["authorizationUrl"])
    back = parse_qs(urlsplit(consent.headers["location"]).query)
    query = {name: values[0] for name, values in back.items()}
    assert (await hub.api("GET", "/api/connectors/oauth/callback", params=query)).status_code == 200
    accounts = (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).json()["items"]
    chosen = [one["id"] for one in accounts if one["selectable"]]
    assert (await hub.api("PUT", f"/api/connectors/{made.id}/accounts", {"ids": chosen})).status_code == 200
    return made


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_an_announced_lead_survives_a_kill_between_its_push_and_its_fetch(folder: Path, sandbox: Sandbox) -> None:
    process = start("up", folder / "data", sandbox)
    hub = Hub(process, folder / "data")
    made = await connected(hub, sandbox, "meta", META)

    async def was_pulled() -> Any:
        return (await hub.api("GET", f"/api/connectors/{made.id}")).json()["lastSyncAt"]

    # The next pull is an hour away: what comes now comes by its announcement.
    await until(was_pulled)
    sandbox.set("meta", pushTo=f"{hub.address}{made.url}")
    phones = [new_phone() for _ in range(3)]
    # While Meta does not answer, none of them can be fetched.
    sandbox.fault("meta", silent=True)

    for phone in phones:
        sandbox.add("meta", phone=phone)
        assert sandbox.state("meta")["lastPush"]["status"] == 200
    process.kill()
    await hub.client.aclose()
    sandbox.fault("meta", silent=None)
    process = start("up", folder / "data", sandbox)

    again = Hub(process, folder / "data")
    try:

        async def settled() -> Any:
            found = (await again.api("GET", f"/api/events?connectorId={made.id}")).json()["items"]
            return {event["status"] for event in found} == {"created"} and found

        events = await until(settled, 90)
        leads = (await again.api("GET", f"/api/leads?connectorId={made.id}")).json()["items"]
        assert len(events) == 3
        assert {lead["phoneNumber"]: lead["timesSeen"] for lead in leads} == dict.fromkeys(phones, 1)
    finally:
        await again.client.aclose()
        process.stop()


@pytest.mark.slow
async def test_two_processes_that_want_a_grant_renewed_at_once_renew_it_once(folder: Path, sandbox: Sandbox) -> None:
    processes = [start("up", folder / "data", sandbox)]
    hubs = [Hub(processes[0], folder / "data")]
    try:
        made = await connected(hubs[0], sandbox, "google", GOOGLE)
        processes.append(start("serve", folder / "data", sandbox))
        hubs.append(Hub(processes[1], folder / "data"))
        hubs[1]._keys = hubs[0]._keys
        # A provider that lets a refresh token count once ends everything when it comes a second time.
        sandbox.fault("google", token_slow=1, rotates=True)
        before = sandbox.state("google")["counts"].get("refreshes", 0)
        sandbox.control("google/actions", {"action": "expire_access"})

        answers = await asyncio.gather(
            *(hub.api("GET", f"/api/connectors/{made.id}/accounts") for hub in hubs for _ in range(3))
        )

        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
        assert sandbox.state("google")["counts"]["refreshes"] - before == 1
    finally:
        for hub in hubs:
            await hub.client.aclose()
        for process in reversed(processes):
            process.stop()
