"""/api/api-keys over HTTP: a key is shown once, and dies at once."""

from typing import Any
from uuid import uuid4

import pytest

DESK = {"name": "Desk", "role": "executive"}


async def test_a_key_is_shown_once_works_and_dies_when_revoked(api: Any) -> None:
    made = await api("POST", "/api/api-keys", {"name": "Ops", "role": "admin", "expiresInDays": 30})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "name", "role", "key", "hint", "createdAt", "expiresAt"}
    key, path = made.json()["key"], f"/api/api-keys/{made.json()['id']}"
    assert (await api("GET", path, key=key)).json()["status"] == "active"

    revoked = await api("DELETE", path)
    assert (revoked.status_code, revoked.text) == (204, "")

    assert (await api("GET", path, key=key)).status_code == 401
    assert (await api("GET", path)).json()["status"] == "revoked"
    assert (await api("DELETE", path)).status_code == 204
    for answer in (await api("GET", path), await api("GET", "/api/api-keys")):
        assert key not in answer.text


async def test_the_list_pages_from_new_to_old(api: Any) -> None:
    await api("POST", "/api/api-keys", DESK)

    first = (await api("GET", "/api/api-keys?limit=1")).json()
    second = (await api("GET", f"/api/api-keys?limit=1&cursor={first['nextCursor']}")).json()

    assert first["items"][0]["name"] == "Desk"
    assert second["items"][0]["id"] < first["items"][0]["id"]
    assert {"key", "keyHash", "workspaceId"}.isdisjoint(first["items"][0])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (DESK | {"key": "cmk_mine"}, "key"),
        (DESK | {"role": "root"}, "role"),
        (DESK | {"name": ""}, "name"),
        (DESK | {"expiresInDays": 0}, "expiresInDays"),
        (DESK | {"expiresInDays": 10**20}, "expiresInDays"),
        ({"name": "Desk"}, "role"),
    ],
)
async def test_a_wrong_field_is_named(api: Any, body: dict[str, Any], field: str) -> None:
    answer = await api("POST", "/api/api-keys", body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("role", ["manager", "executive", None])
async def test_only_administrators_come_in(api: Any, role: str | None) -> None:
    key = f"/api/api-keys/{uuid4()}"
    answers = [
        await api("GET", "/api/api-keys", role=role),
        await api("POST", "/api/api-keys", DESK, role=role),
        await api("GET", key, role=role),
        await api("DELETE", key, role=role),
    ]

    assert {answer.status_code for answer in answers} == {403 if role else 401}


async def test_unknown_keys_are_404(api: Any) -> None:
    assert (await api("GET", f"/api/api-keys/{uuid4()}")).status_code == 404
    assert (await api("DELETE", f"/api/api-keys/{uuid4()}")).status_code == 404
