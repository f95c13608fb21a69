"""Providers ask an address for proof: what is answered is noted for people, and so are wrong tokens, once and then counted."""

import asyncio
from typing import Any

from tests.support.hub import Hub, TestConnector, until


async def challenged(hub: Hub, connector: TestConnector, token: str) -> int:
    query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
    return (await hub.client.get(connector.url, params=query)).status_code


async def item(hub: Hub, connector: TestConnector) -> dict[str, Any]:
    shown = (await hub.api("GET", f"/api/connectors/{connector.id}/checklist")).json()["items"]
    found: dict[str, Any] = next(one for one in shown if one["code"] == "challenge")
    return found


async def refusals(hub: Hub, connector: TestConnector) -> list[dict[str, Any]]:
    query = {"kind": "challenge_refused"}
    answer = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params=query)
    lines: list[dict[str, Any]] = answer.json()["items"]
    return lines


async def test_the_checklist_tells_when_the_provider_last_verified_the_address(hub: Hub) -> None:
    connector = await hub.create_connector("whatsapp")
    assert (await item(hub, connector))["state"] == "unknown"

    assert await challenged(hub, connector, connector.view["verifyToken"]) == 200

    async def is_noted() -> bool:
        return (await item(hub, connector))["state"] == "ok"

    await until(is_noted)


async def test_a_wrong_verify_token_leaves_one_line_and_the_rest_of_a_flood_one_more(hub: Hub) -> None:
    connector = await hub.create_connector("whatsapp")

    answers = await asyncio.gather(*(challenged(hub, connector, "wrong") for _ in range(30)))

    assert set(answers) == {403}
    (line,) = await refusals(hub, connector)
    assert (line["level"], line["data"]) == ("warning", None)
    assert (await item(hub, connector))["state"] == "unknown"

    async def is_counted() -> list[dict[str, Any]]:
        lines = await refusals(hub, connector)
        return lines if len(lines) == 2 else []

    assert (await until(is_counted, 30))[0]["data"] == {"attempts": 29}
