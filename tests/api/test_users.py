"""/api/users over HTTP: shapes, status codes, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest

GOOD = "mossy teapot verdict lunar"
ASHA = {"email": "asha@example.com", "name": "Asha Rao", "role": "manager"}
SHOWN = {
    "id",
    "email",
    "name",
    "role",
    "mustChangePassword",
    "disabledAt",
    "lastSignInAt",
    "createdAt",
    "updatedAt",
}


async def test_a_user_is_created_seen_changed_disabled_and_enabled(api: Any) -> None:
    made = await api("POST", "/api/users", ASHA)
    assert made.status_code == 201
    assert set(made.json()) == SHOWN | {"oneTimePassword"}
    assert len(made.json()["oneTimePassword"]) == 23
    path = f"/api/users/{made.json()['id']}"

    assert set((await api("GET", path)).json()) == SHOWN
    assert (await api("PUT", path, {"role": "executive"})).json()["role"] == "executive"
    assert (await api("POST", f"{path}/disable")).json()["disabledAt"].endswith("Z")
    assert (await api("POST", f"{path}/enable")).json()["disabledAt"] is None
    listed = (await api("GET", "/api/users")).json()
    assert [user["name"] for user in listed["items"]] == ["Asha Rao"]
    assert listed["nextCursor"] is None


async def test_no_answer_holds_a_password_or_its_hash(api: Any) -> None:
    made = await api("POST", "/api/users", ASHA | {"password": GOOD, "mustChangePassword": False})
    path = f"/api/users/{made.json()['id']}"
    was_set = await api("POST", f"{path}/set-password", {"password": "gravel sonnet umbrella kite"})

    assert made.json()["oneTimePassword"] is was_set.json()["oneTimePassword"] is None
    assert (made.json()["mustChangePassword"], was_set.json()["mustChangePassword"]) == (False, True)
    for answer in (made, was_set, await api("GET", path), await api("GET", "/api/users")):
        assert not any(secret in answer.text for secret in ("argon2", "teapot", "sonnet", "passwordHash"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (ASHA | {"id": str(uuid4())}, "id"),
        (ASHA | {"workspaceId": str(uuid4())}, "workspaceId"),
        (ASHA | {"role": "owner"}, "role"),
        (ASHA | {"email": "asha"}, "email"),
        (ASHA | {"name": " "}, "name"),
        (ASHA | {"password": "short"}, "password"),
        (ASHA | {"password": "Asha@example.com"}, "password"),
        ({"email": "asha@example.com", "name": "Asha"}, "role"),
    ],
)
async def test_a_wrong_field_is_named(api: Any, body: dict[str, str], field: str) -> None:
    answer = await api("POST", "/api/users", body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_taken_address_and_the_last_administrator_are_conflicts(api: Any) -> None:
    admin = (await api("POST", "/api/users", ASHA | {"role": "admin"})).json()

    again = await api("POST", "/api/users", ASHA | {"email": "ASHA@example.com"})
    demoted = await api("PUT", f"/api/users/{admin['id']}", {"role": "manager"})
    disabled = await api("POST", f"/api/users/{admin['id']}/disable")

    assert (again.status_code, again.json()["code"]) == (409, "email_taken")
    for answer in (demoted, disabled):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")


@pytest.mark.parametrize("role", ["manager", "executive", None])
async def test_only_administrators_come_in(api: Any, role: str | None) -> None:
    user = f"/api/users/{uuid4()}"
    answers = [
        await api("GET", "/api/users", role=role),
        await api("POST", "/api/users", ASHA, role=role),
        await api("GET", user, role=role),
        await api("PUT", user, {}, role=role),
        await api("POST", f"{user}/set-password", {}, role=role),
        await api("POST", f"{user}/disable", role=role),
        await api("POST", f"{user}/enable", role=role),
    ]

    assert {answer.status_code for answer in answers} == {403 if role else 401}


async def test_unknown_ids_are_404_and_foreign_cursors_400(api: Any) -> None:
    user = f"/api/users/{uuid4()}"

    assert (await api("GET", user)).status_code == 404
    assert (await api("POST", f"{user}/set-password", {"password": GOOD})).status_code == 404
    assert (await api("GET", "/api/users?cursor=nonsense")).status_code == 400
    assert (await api("GET", "/api/users?limit=0")).status_code == 422
