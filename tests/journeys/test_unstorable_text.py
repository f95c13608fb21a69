"""Text that PostgreSQL or JSON can't hold, sent to the API: refused as a fault of the request, or read without harm."""

import json
from typing import Any

import pytest

from tests.support.hub import Hub


async def call(hub: Hub, method: str, path: str, body: Any) -> tuple[int, Any]:
    """Call with the body as JSON that escapes what UTF-8 can't hold."""
    headers = {"Authorization": f"Bearer {hub.key()}", "Content-Type": "application/json"}
    answer = await hub.client.request(method, path, content=json.dumps(body).encode(), headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=["NUL", "half a surrogate pair"])
@pytest.mark.parametrize(
    "fields",
    [
        lambda text: {"name": text},
        lambda text: {"description": text},
        lambda text: {"fieldMapping": {text: "phoneNumber"}},
        lambda text: {"fieldMapping": {"x": f"attributes.{text}"}},
        lambda text: {"settings": {"recordsPath": text}},
        lambda text: {"settings": {"tokenParameter": text}},
        lambda text: {"settings": {text: 1}},
        lambda text: {text: 1},
    ],
)
async def test_a_connector_with_text_that_can_t_be_stored_is_refused(fields: Any, text: str, hub: Hub) -> None:
    status, body = await call(hub, "POST", "/api/connectors", {"name": "Test", "type": "webhook", **fields(text)})

    assert (status, body["code"]) == (422, "validation_failed")

    connector = await hub.create_connector()
    status, body = await call(hub, "PUT", f"/api/connectors/{connector.id}", fields(text))

    assert (status, body["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=["NUL", "half a surrogate pair"])
async def test_a_dry_run_reads_such_text_as_the_door_does(text: str, hub: Hub) -> None:
    connector = await hub.create_connector()
    payload = {"phone": "+919876543210", "name": text, text: [text], "more": {"deep": text}}

    status, body = await call(hub, "POST", f"/api/connectors/{connector.id}/test-webhook", {"payload": payload})

    assert status == 200
    assert body["lead"]["name"] == "ab"
