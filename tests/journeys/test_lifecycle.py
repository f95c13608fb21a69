"""A connector from its first credentials to its end: it never looks healthier than it is, and loses nothing on its way out."""

import pytest

from tests.support.hub import Hub, new_phone, until

TRADEINDIA = {"name": "Pulled", "type": "tradeindia"}


async def test_what_a_deleted_connector_held_while_paused_still_becomes_a_lead(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")
    held = await hub.send(connector, {"phone": new_phone()})

    deleted = await hub.api("DELETE", f"/api/connectors/{connector.id}")

    assert (held.status, deleted.status_code) == ("received", 204)

    async def is_a_lead() -> bool:
        return (await hub.api("GET", f"/api/events/{held.event_id}")).json()["status"] == "created"

    await until(is_a_lead)


async def test_a_pause_does_not_make_up_for_missing_credentials(hub: Hub) -> None:
    made = (await hub.api("POST", "/api/connectors", TRADEINDIA)).json()
    assert made["status"] == "needs_authorization"

    paused = (await hub.api("POST", f"/api/connectors/{made['id']}/pause")).json()
    resumed = (await hub.api("POST", f"/api/connectors/{made['id']}/resume")).json()

    assert (paused["status"], resumed["status"]) == ("paused", "needs_authorization")


@pytest.mark.parametrize(
    ("type_", "credentials"), [("whatsapp", {"appSecret": None}), ("tradeindia", {"apiKey": None})]
)
async def test_a_credential_given_as_null_is_none(hub: Hub, type_: str, credentials: dict[str, None]) -> None:
    made = await hub.api("POST", "/api/connectors", {"name": "Bare", "type": type_, "credentials": credentials})

    assert (made.status_code, made.json()["status"]) == (201, "needs_authorization")


async def test_a_body_that_grows_too_large_while_it_comes_is_413(hub: Hub) -> None:
    async def parts():  # type: ignore[no-untyped-def]
        yield b'{"name": "'
        for _ in range(40):
            yield b"x" * 65_536

    answer = await hub.client.post(
        "/api/connectors",
        content=parts(),
        headers={"Authorization": f"Bearer {hub.key()}", "Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_many_records_behind_long_headers_hold_nobody_up(hub: Hub) -> None:
    connector = await hub.create_connector()
    long = {f"X-Filler-{number}": "f" * 450 for number in range(50)}

    answer = await hub.send(connector, [{"phone": "1"}] * 10_000, headers=long)

    assert (answer.status_code, answer.body["failed"]) == (200, 10_000)
