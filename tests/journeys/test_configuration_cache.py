"""Each process remembers connectors; what is changed at one counts at every other within a moment, a delete at once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector_master.services import connectors
from tests.journeys.rows import Rows
from tests.support.hub import Hub, Process, Reply, TestConnector, new_phone, sign, until
from tests.support.inside import open_inside


@pytest.fixture(scope="module")
def second_process(hub_process: Any) -> Any:
    """Another process that serves the same database."""
    _, data_dir, url = hub_process
    options = ["--database-url", url] if url else []
    process = Process("serve", "--data-dir", str(data_dir), "--port", "0", *options).wait_ready()
    yield process
    assert process.stop() == 0


@pytest.fixture
async def other(second_process: Process, hub: Hub) -> AsyncIterator[Hub]:
    """The other process over HTTP."""
    made = Hub(second_process, hub.data_dir, hub.database_url)
    made._keys = hub._keys
    yield made
    await made.client.aclose()


async def warm(hub: Hub, connector: TestConnector) -> None:
    """Let a process remember the connector."""
    assert (await hub.send(connector, {"phone": new_phone()})).status == "created"


async def test_a_connector_made_at_one_receives_at_the_other(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()

    assert (await other.send(connector, {"phone": new_phone()})).status == "created"


async def test_an_address_that_was_asked_for_before_it_existed_is_found(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()
    await hub.api("DELETE", f"/api/connectors/{connector.id}")

    assert (await other.send(connector, {"phone": new_phone()})).status_code == 404
    assert (await other.send(await hub.create_connector(), {"phone": new_phone()})).status == "created"


async def test_a_changed_mapping_is_seen_by_the_other_process(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()
    await warm(other, connector)

    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": {"ring": "phoneNumber"}})

    async def counts() -> bool:
        return (await other.send(connector, {"ring": new_phone()})).status == "created"

    await until(counts)
    assert (await hub.send(connector, {"ring": new_phone()})).status == "created"


async def test_changed_settings_are_seen_by_the_other_process(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()
    await warm(other, connector)

    await hub.api("PUT", f"/api/connectors/{connector.id}", {"settings": {"signature": "required"}})

    async def counts() -> bool:
        return (await other.send(connector, {"phone": new_phone()})).status_code == 401

    await until(counts)


async def test_a_new_secret_is_seen_by_the_other_process(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()
    await warm(other, connector)
    made = await hub.api("POST", f"/api/connectors/{connector.id}/regenerate-secret", {"graceHours": 0})
    body = b'{"phone": "%b"}' % new_phone().encode()

    async def pushed(secret: str) -> Reply:
        return await other.send(connector, body, headers=sign(body, secret))

    async def new_one_counts() -> bool:
        return (await pushed(made.json()["webhookSecret"])).status_code == 200

    await until(new_one_counts)
    assert connector.secret
    assert (await pushed(connector.secret)).status_code == 401


async def test_a_sender_s_new_secret_is_seen_by_the_other_process(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector(credentials={"signingSecret": "old secret of the sender"})
    await warm(other, connector)
    body = b'{"phone": "%b"}' % new_phone().encode()

    await hub.api("PUT", f"/api/connectors/{connector.id}", {"credentials": {"signingSecret": "a newer one of his"}})

    async def counts() -> bool:
        return (await other.send(connector, body, headers=sign(body, "a newer one of his"))).status_code == 200

    await until(counts)
    assert (await other.send(connector, body, headers=sign(body, "old secret of the sender"))).status_code == 401


async def test_pause_and_resume_are_seen_by_the_other_process(hub: Hub, other: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    await warm(other, connector)

    async def status() -> str | None:
        return (await other.send(connector, {"phone": new_phone()})).status

    async def is_paused() -> bool:
        return await status() == "received"

    async def is_resumed() -> bool:
        return await status() == "created"

    await hub.api("POST", f"/api/connectors/{connector.id}/pause")
    await until(is_paused)
    await hub.api("POST", f"/api/connectors/{connector.id}/resume")
    await until(is_resumed)

    # Also what the other process still held when the first had already resumed is worked off.
    async def nothing_is_held() -> bool:
        return "received" not in {event["status"] for event in await rows.events(connector)}

    await until(nothing_is_held, 60)


async def test_a_deleted_connector_is_gone_at_once_here_and_in_a_moment_there(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()
    await warm(hub, connector)
    await warm(other, connector)

    await hub.api("DELETE", f"/api/connectors/{connector.id}")

    assert (await hub.send(connector, {"phone": new_phone()})).status_code == 404

    async def is_gone() -> bool:
        return (await other.send(connector, {"phone": new_phone()})).status_code == 404

    await until(is_gone)


async def test_the_process_beside_can_change_too(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector()
    await warm(hub, connector)

    await other.api("DELETE", f"/api/connectors/{connector.id}")

    assert (await other.send(connector, {"phone": new_phone()})).status_code == 404

    async def is_gone() -> bool:
        return (await hub.send(connector, {"phone": new_phone()})).status_code == 404

    await until(is_gone)


async def test_one_phone_at_both_processes_is_one_lead_and_one_delivery_one_event(
    hub: Hub, other: Hub, rows: Rows
) -> None:
    connector = await hub.create_connector()
    phone = new_phone()

    first = await hub.send(connector, {"phone": phone}, headers={"Idempotency-Key": "1"})
    again = await other.send(connector, {"phone": phone}, headers={"Idempotency-Key": "1"})
    another = await other.send(connector, {"phone": phone})

    assert again.body == {**first.body, "repeated": True}
    assert (another.status, another.lead_id) == ("duplicate", first.lead_id)
    assert len(await rows.leads(phone)) == 1


async def test_one_limit_counts_for_both_processes(hub: Hub, other: Hub) -> None:
    connector = await hub.create_connector(settings={"rateLimitPerMinute": 3})

    statuses = [
        (await either.send(connector, {"phone": new_phone()})).status_code for _ in range(3) for either in (hub, other)
    ]

    assert sorted(statuses) == [200, 200, 200, 429, 429, 429]


@pytest.mark.parametrize("change", ["delete", "pause", "update", "regenerate_secret"])
async def test_the_process_that_changes_a_connector_needs_nobody_to_tell_it(
    change: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Told on another channel, no process hears of the change.
    monkeypatch.setattr("connector_master.storage.connectors.CHANGED", "elsewhere")
    more = {"update": ({"settings": {"signature": "required"}},), "regenerate_secret": (0,)}
    async with open_inside(database_url, tmp_path) as inside:
        sources = inside.hub.sources
        connector = await inside.create_connector()
        assert connector.webhook_id

        async def is_heard() -> bool:
            return sources._is_heard

        await until(is_heard)
        before = await sources.find(connector.webhook_id)
        assert await sources.find(connector.webhook_id) is before

        await getattr(connectors, change)(inside.hub, inside.caller, connector.id, *more.get(change, ()))

        after = await sources.find(connector.webhook_id)
        assert after != before
        assert (after is None) == (change == "delete")
