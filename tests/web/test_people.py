"""Users, API keys, the activity log and the settings, as pages."""

import re

import pytest

from tests.support.desk import PASSWORD
from tests.support.hub import Hub
from tests.web.conftest import SignIn


async def test_an_added_user_gets_a_password_that_is_shown_once(sign_in: SignIn) -> None:
    admin = await sign_in("admin")

    made = await admin.send("/users", {"email": "new.person@desk.example", "name": "New", "role": "executive"})

    assert "new.person@desk.example can sign in now" in made.text
    assert re.search(r"<code>[a-z0-9]{5}(-[a-z0-9]{5}){3}</code>", made.text)
    assert not re.search(r"<code>[a-z0-9]{5}(-[a-z0-9]{5}){3}</code>", (await admin.get("/users")).text)


async def test_a_faulty_user_form_keeps_what_was_typed(sign_in: SignIn) -> None:
    admin = await sign_in("admin")

    refused = await admin.send("/users", {"email": "no address", "name": "<b>Bold</b>", "role": "manager"})

    assert refused.status_code == 422
    assert 'value="no address"' in refused.text
    assert "&lt;b&gt;Bold&lt;/b&gt;" in refused.text
    assert 'id="fault-email"' in refused.text


async def test_making_an_api_key_asks_for_the_password(sign_in: SignIn) -> None:
    admin = await sign_in("admin")
    key = {"name": "export", "role": "manager", "expiresInDays": "30"}

    refused = await admin.send("/api-keys", key | {"password": "something else"})
    made = await admin.send("/api-keys", key | {"password": PASSWORD})

    assert (refused.status_code, "cmk_" in refused.text) == (422, False)
    assert re.search(r"<code>cmk_\w+</code>", made.text)


async def test_a_disabled_user_is_out_at_once(sign_in: SignIn, hub: Hub) -> None:
    admin, other = await sign_in("admin"), await sign_in("manager")
    users = (await hub.api("GET", "/api/users?limit=200")).json()["items"]
    user_id = next(one["id"] for one in users if one["email"] == other.email)

    await admin.send(f"/users/{user_id}/disable")

    assert "Sign in" in (await other.get("/help")).text
    assert "can no longer sign in" in (await admin.get(f"/users/{user_id}")).text


@pytest.mark.parametrize("path", ["/users", "/api-keys", "/settings"])
@pytest.mark.parametrize("role", ["manager", "executive"])
async def test_administration_is_for_administrators(sign_in: SignIn, role: str, path: str) -> None:
    person = await sign_in(role)

    assert (await person.get(path)).status_code == 403
    assert f'href="{path}"' not in (await person.get("/help")).text


async def test_executives_see_no_log(sign_in: SignIn) -> None:
    assert (await (await sign_in("executive")).get("/activity")).status_code == 403


async def test_managers_see_the_log_of_connectors_only(sign_in: SignIn, hub: Hub) -> None:
    admin, manager = await sign_in("admin"), await sign_in("manager")
    connector = await hub.create_connector("webhook", name="Log of this")

    assert f"{manager.email} signed in" in (await admin.get("/activity")).text
    seen = (await manager.get(f"/activity?connectorId={connector.id}")).text
    assert "Log of this" in seen
    assert f"{manager.email} signed in" not in seen


async def test_a_form_without_proof_changes_nothing(sign_in: SignIn) -> None:
    admin = await sign_in("admin")
    user = {"email": "forged@desk.example", "name": "Forged", "role": "admin"}

    without = await admin.client.post("/users", data=user)
    elsewhere = await admin.send("/users", user, Origin="https://evil.example")

    assert (without.status_code, elsewhere.status_code) == (403, 403)
    assert "forged@desk.example" not in (await admin.get("/users")).text


async def test_nobody_is_led_to_another_site(hub: Hub, sign_in: SignIn) -> None:
    person = await sign_in("executive")

    for where in ("//evil.example", "https://evil.example", "/\\evil.example"):
        answer = await person.send("/language", {"language": "hi", "back": where})
        assert answer.headers["location"] == "/"


async def test_pages_carry_a_strict_policy(hub: Hub) -> None:
    answer = await hub.client.get("/sign-in")

    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_cookie_is_out_of_reach_for_script(hub: Hub, sign_in: SignIn) -> None:
    person = await sign_in("manager")

    answer = await person.client.post("/sign-in", data={"email": person.email, "password": PASSWORD})

    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_the_api_takes_the_cookie_with_the_pages_proof(sign_in: SignIn) -> None:
    manager = await sign_in("manager")
    page = (await manager.get("/help")).text
    proof = re.search(r'"X-CSRF-Token": "([^"]+)"', page)
    assert proof
    connector = {"name": "By cookie", "type": "webhook"}

    listed = await manager.client.get("/api/connectors")
    bare = await manager.client.post("/api/connectors", json=connector)
    made = await manager.client.post("/api/connectors", json=connector, headers={"X-CSRF-Token": proof[1]})

    assert (listed.status_code, bare.status_code, made.status_code) == (200, 403, 201)
