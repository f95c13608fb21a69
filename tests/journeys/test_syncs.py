"""Pulling, as its users see it: the running product against the sandbox's marketplaces, over real sockets."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub import Hub, Process, TestConnector, new_phone, until
from tests.support.sandbox import Sandbox, running_sandbox

TRADEINDIA = {"userId": "1000001", "profileId": "2000001", "apiKey": "sandbox-0123456789abcdef"}


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account reaches, also as root."""
    folder = Path(tempfile.mkdtemp(prefix="cm-sync-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


def start(data_dir: Path, sandbox: Sandbox) -> Process:
    """Start the product with the sandbox in the providers' place."""
    addresses = {f"CONNECTOR_MASTER_{name}_URL": sandbox.url for name in ("INDIAMART", "TRADEINDIA", "WHATSAPP_GRAPH")}
    return Process("up", "--data-dir", str(data_dir), "--port", "0", env=addresses).wait_ready()


@pytest.fixture(scope="module")
def market() -> Iterator[Sandbox]:
    """A sandbox that goes by the real time."""
    with running_sandbox(None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def pulling_process(market: Sandbox) -> Iterator[tuple[Process, Path]]:
    with data_folder() as data_dir:
        process = start(data_dir, market)
        yield process, data_dir
        process.stop()


@pytest.fixture
async def pulling(pulling_process: tuple[Process, Path]) -> AsyncIterator[Hub]:
    """The product, pulling from the sandbox."""
    hub = Hub(*pulling_process)
    yield hub
    await hub.client.aclose()


async def make(hub: Hub, type_: str, credentials: dict[str, str], **fields: Any) -> TestConnector:
    """Create a connector that can be pulled."""
    answer = await hub.api(
        "POST", "/api/connectors", {"name": "Pulled", "type": type_, "credentials": credentials, **fields}
    )
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    return TestConnector(shown["id"], shown["webhookUrl"], None, shown)


async def runs(hub: Hub, connector: TestConnector) -> list[dict[str, Any]]:
    """Return the connector's runs, newest first."""
    answer = await hub.api("GET", f"/api/connectors/{connector.id}/syncs")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def quiet(hub: Hub, connector: TestConnector) -> None:
    """Cancel what runs and wait until nothing does."""

    async def nothing_runs() -> bool:
        active = [one for one in await runs(hub, connector) if one["status"] in ("queued", "running")]
        for one in active:
            await hub.api("POST", f"/api/connectors/{connector.id}/syncs/{one['id']}/cancel")
        return not active

    await until(nothing_runs)


async def sync(
    hub: Hub, connector: TestConnector, *, since: timedelta | None = None, path: str = "sync"
) -> dict[str, Any]:
    """Start a run by hand as soon as none is under way, and return how it ended (or that it waits)."""
    body = {"from": (datetime.now(UTC) - since).isoformat()} if since else None

    async def started() -> str | None:
        await quiet(hub, connector)
        answer = await hub.api("POST", f"/api/connectors/{connector.id}/{path}", body)
        assert answer.status_code in (202, 409), answer.text
        return answer.json()["syncId"] if answer.status_code == 202 else None

    sync_id = await until(started)

    async def ended() -> dict[str, Any] | None:
        one: dict[str, Any] = (await hub.api("GET", f"/api/connectors/{connector.id}/syncs/{sync_id}")).json()
        return one if one["finishedAt"] or one["resumesAt"] else None

    found: dict[str, Any] = await until(ended, 60)
    return found


async def view(hub: Hub, connector: TestConnector) -> dict[str, Any]:
    """Return the connector as the API shows it."""
    found: dict[str, Any] = (await hub.api("GET", f"/api/connectors/{connector.id}")).json()
    return found


async def test_tradeindia_by_hand_brings_new_buyers_once_and_shows_its_last_and_next_run(
    pulling: Hub, market: Sandbox
) -> None:
    connector = await make(pulling, "tradeindia", TRADEINDIA)
    phone = new_phone()
    market.add("tradeindia", phone=phone)

    first = await sync(pulling, connector, since=timedelta(hours=30), path="sync-tradeindia")
    again = await sync(pulling, connector, since=timedelta(hours=30))

    assert (first["status"], first["trigger"]) == ("succeeded", "backfill")
    assert first["created"] >= 1
    assert (again["status"], again["created"], again["duplicates"]) == ("succeeded", 0, 0)
    assert again["repeated"] == first["received"]
    leads = (await pulling.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    assert [(lead["source"], lead["timesSeen"]) for lead in leads] == [("TradeIndia", 1)]
    shown = await view(pulling, connector)
    assert shown["lastSyncAt"]
    assert shown["nextSyncAt"]


async def test_a_refused_key_is_said_asks_for_a_person_and_loses_no_lead_once_mended(
    pulling: Hub, market: Sandbox
) -> None:
    connector = await make(pulling, "tradeindia", TRADEINDIA | {"apiKey": "f" * 32})
    phone = new_phone()

    refused = await sync(pulling, connector, since=timedelta(hours=2))
    market.add("tradeindia", phone=phone)
    tested = (await pulling.api("POST", f"/api/connectors/{connector.id}/test-connection")).json()

    assert (refused["status"], refused["error"]["code"]) == ("failed", "credentials_refused")
    assert (await view(pulling, connector))["status"] == "needs_authorization"
    assert tested["ok"] is False
    logged = await pulling.api("GET", f"/api/connectors/{connector.id}/logs", params={"level": "error"})
    assert any("needs_authorization" in line["message"] for line in logged.json()["items"])

    await pulling.api("PUT", f"/api/connectors/{connector.id}", {"credentials": {"apiKey": TRADEINDIA["apiKey"]}})

    assert (await view(pulling, connector))["status"] == "active"
    mended = await sync(pulling, connector, since=timedelta(hours=2))
    assert mended["status"] == "succeeded"
    assert (await pulling.api("GET", "/api/leads", params={"phone": phone})).json()["items"]


async def test_html_from_the_provider_is_a_failed_run_never_one_without_leads(pulling: Hub, market: Sandbox) -> None:
    connector = await make(pulling, "tradeindia", TRADEINDIA)
    await quiet(pulling, connector)
    market.fault("tradeindia", html=True)
    try:
        failed = await sync(pulling, connector)
    finally:
        market.fault("tradeindia", html=None)

    assert (failed["status"], failed["error"]["code"], failed["received"]) == ("failed", "provider_unavailable", 0)


async def test_a_buyer_who_was_pushed_and_pulled_is_one_event(pulling: Hub, market: Sandbox) -> None:
    connector = await make(pulling, "indiamart", {"mobileKey": "sandbox/pushed+pulled=="})
    phone = new_phone()
    market.set("indiamart", pushTo=pulling.address + connector.url)
    market.add("indiamart", phone=phone)

    pulled = await sync(pulling, connector, since=timedelta(hours=1))

    assert pulled["status"] == "succeeded", pulled
    assert pulled["repeated"] >= 1
    (lead,) = (await pulling.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    assert lead["timesSeen"] == 1


async def test_connectors_that_share_an_indiamart_key_share_its_five_minutes(pulling: Hub, market: Sandbox) -> None:
    first = await make(pulling, "indiamart", {"mobileKey": "sandbox/shared=="})
    second = await make(pulling, "indiamart", {"mobileKey": "sandbox/shared=="})

    await sync(pulling, first, since=timedelta(hours=1))
    waits = await sync(pulling, second, since=timedelta(hours=1))

    assert waits["status"] == "running"
    assert waits["resumesAt"] > datetime.now(UTC).isoformat()
    assert market.state("indiamart")["breaches"] == []


async def test_one_run_at_a_time_and_it_can_be_cancelled(pulling: Hub) -> None:
    connector = await make(pulling, "tradeindia", TRADEINDIA)
    await quiet(pulling, connector)
    month_ago = {"from": (datetime.now(UTC) - timedelta(days=20)).isoformat()}

    first = await pulling.api("POST", f"/api/connectors/{connector.id}/sync", month_ago)
    second = await pulling.api("POST", f"/api/connectors/{connector.id}/sync")

    assert first.status_code == 202, first.text
    assert (second.status_code, second.json()["code"]) == (409, "sync_running")
    await quiet(pulling, connector)
    assert (await runs(pulling, connector))[0]["status"] == "cancelled"


async def test_what_is_missing_before_a_pull_is_named(pulling: Hub) -> None:
    bare = await make(pulling, "tradeindia", {"userId": "1"})
    pushed = await make(pulling, "webhook", {})

    lacking = await pulling.api("POST", f"/api/connectors/{bare.id}/sync")
    never = await pulling.api("POST", f"/api/connectors/{pushed.id}/sync")

    assert bare.view["status"] == "needs_authorization"
    assert (lacking.status_code, lacking.json()["code"]) == (409, "credentials_missing")
    assert "profileId" in lacking.json()["detail"]
    assert (never.status_code, never.json()["code"]) == (409, "not_pullable")


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"to": "2026-01-01T00:00:00Z"}, "from"),
        ({"from": "2999-01-01T00:00:00Z"}, "from"),
        ({"from": "2001-01-01T00:00:00Z"}, "from"),
        ({"from": "yesterday"}, "from"),
    ],
)
async def test_a_span_that_makes_no_sense_is_refused_by_name(pulling: Hub, span: dict[str, str], field: str) -> None:
    connector = await make(pulling, "tradeindia", TRADEINDIA)

    answer = await pulling.api("POST", f"/api/connectors/{connector.id}/sync", span)

    assert answer.status_code == 422, answer.text
    assert field in [one["field"] for one in answer.json()["errors"]]


async def test_a_new_connector_is_pulled_by_itself(pulling: Hub, market: Sandbox) -> None:
    connector = await make(pulling, "tradeindia", TRADEINDIA)

    async def scheduled() -> bool:
        return any(one["trigger"] == "scheduled" for one in await runs(pulling, connector))

    await until(scheduled, 30)
    await quiet(pulling, connector)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_runs_that_wait_for_slow_providers_hold_up_nothing_else(pulling: Hub, market: Sandbox) -> None:
    market.fault("tradeindia", slow=4)
    waiting = [await make(pulling, "tradeindia", TRADEINDIA | {"apiKey": f"sandbox-slow-{n}"}) for n in range(44)]
    try:

        async def many_run() -> bool:
            return (await runs(pulling, waiting[-5]))[:1] != []

        await until(many_run, 30)
        form = await pulling.create_connector("webhook")
        await pulling.api("POST", f"/api/connectors/{form.id}/pause")
        held = await pulling.send(form, {"phone": new_phone()})
        await pulling.api("POST", f"/api/connectors/{form.id}/resume")

        async def is_processed() -> bool:
            return (await pulling.api("GET", f"/api/events/{held.event_id}")).json()["status"] == "created"

        await until(is_processed, 20)
    finally:
        market.fault("tradeindia", slow=None)
        for connector in waiting:
            await pulling.api("DELETE", f"/api/connectors/{connector.id}")


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_run_whose_worker_is_killed_goes_on_where_it_was(market: Sandbox) -> None:
    with data_folder() as data_dir:
        process = start(data_dir, market)
        hub = Hub(process, data_dir)
        connector = await make(hub, "tradeindia", TRADEINDIA)
        await quiet(hub, connector)
        phones = [new_phone() for _ in range(12)]
        for number, phone in enumerate(phones):
            market.add_at("tradeindia", datetime.now(UTC) - timedelta(hours=20 * number + 1), phone=phone)
        asked = {"from": (datetime.now(UTC) - timedelta(days=10)).isoformat()}
        started = await hub.api("POST", f"/api/connectors/{connector.id}/sync", asked)
        assert started.status_code == 202, started.text

        async def is_halfway() -> bool:
            return bool((await runs(hub, connector))[0]["received"] >= 2)

        await until(is_halfway, 30)
        process.kill()
        await hub.client.aclose()

        process = start(data_dir, market)
        hub = Hub(process, data_dir)

        async def finished() -> dict[str, Any] | None:
            one = next(run for run in await runs(hub, connector) if run["id"] == started.json()["syncId"])
            return one if one["finishedAt"] else None

        ended = await until(finished, 100)
        assert ended["status"] == "succeeded", ended
        for phone in phones:
            leads = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
            assert [lead["timesSeen"] for lead in leads] == [1]
        await hub.client.aclose()
        process.stop()
