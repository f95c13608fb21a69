"""Connectors as pages: making one, its secret shown once, its settings, syncs and end."""

import json
import re
from typing import Any

import pytest

from connector_master.connectors import registry
from tests.support.hub import Hub, new_phone, sign
from tests.web.conftest import SignIn

TYPES = sorted(registry())


async def _make(person: Any, type_: str = "webhook", **fields: str) -> str:
    made = await person.submit(f"/connectors/new?type={type_}", "/connectors/new", {"name": "Made here"} | fields)
    assert made.status_code == 303, re.findall(r"field-fault.*", made.text)
    found = re.fullmatch(r"/connectors/([0-9a-f-]+)/set-up", made.headers["location"])
    assert found
    return found[1]


async def test_the_catalogue_offers_every_type(sign_in: SignIn) -> None:
    page = (await (await sign_in("manager")).get("/connectors/new")).text

    for type_ in TYPES:
        assert f'href="/connectors/new?type={type_}"' in page


@pytest.mark.parametrize("type_", TYPES)
async def test_every_type_has_a_form_a_set_up_and_settings(sign_in: SignIn, type_: str) -> None:
    person = await sign_in("manager")
    form = await person.get(f"/connectors/new?type={type_}")
    confirmed = dict.fromkeys(re.findall(r'name="([\w.]+)" type="checkbox" value="on"', form.text), "on")

    id_ = await _make(person, type_, **confirmed)

    for part in ("", "/set-up", "/settings", "/syncs", "/checklist"):
        answer = await person.get(f"/connectors/{id_}{part}")
        assert answer.status_code == 200, part


async def test_what_has_to_be_confirmed_is_not_confirmed_for_anybody(sign_in: SignIn) -> None:
    person = await sign_in("manager")

    refused = await person.submit("/connectors/new?type=youtube", "/connectors/new", {"name": "Channel"})

    assert refused.status_code == 422
    assert await _make(person, "youtube", **{"settings.publicComments": "on"})


async def test_a_secret_is_shown_once_and_signs(hub: Hub, sign_in: SignIn) -> None:
    person = await sign_in("manager")
    id_ = await _make(person)
    page = (await person.get(f"/connectors/{id_}/set-up")).text
    secret = re.search(r"Webhook secret<br><span class=\"copyable\"><code>([^<]+)</code>", page)
    address = re.search(r"<code>(http[^<]+/api/connectors/webhook/[^<]+)</code>", page)
    assert secret
    assert address

    body = json.dumps({"phone": new_phone()}).encode()
    path = address[1].partition("/api")[2]
    answer = await hub.client.post(
        f"/api{path}", content=body, headers={"Content-Type": "application/json"} | sign(body, secret[1])
    )

    assert answer.json()["status"] == "created"
    assert secret[1] not in (await person.get(f"/connectors/{id_}/set-up")).text


async def test_a_faulty_form_keeps_what_was_typed_but_no_secret(sign_in: SignIn) -> None:
    person = await sign_in("manager")
    fields = {
        "type": "meta",
        "name": "Kept",
        "credentials.appId": "12345",
        "credentials.appSecret": "not to be shown again",
        "settings.syncIntervalMinutes": "many",
    }

    refused = await person.submit("/connectors/new?type=meta", "/connectors/new", fields)

    assert refused.status_code == 422
    assert 'id="fault-settings.syncIntervalMinutes"' in refused.text
    assert 'value="12345"' in refused.text
    assert "not to be shown again" not in refused.text


async def test_settings_are_changed_and_a_secret_that_is_left_empty_stays(hub: Hub, sign_in: SignIn) -> None:
    person = await sign_in("manager")
    id_ = await _make(person, "meta", **{"credentials.appSecret": "abcdef0123456789"})

    saved = await person.submit(f"/connectors/{id_}/settings", f"/connectors/{id_}/settings", {"name": "Renamed"})

    assert saved.status_code == 303, saved.text
    view = (await hub.api("GET", f"/api/connectors/{id_}")).json()
    assert (view["name"], view["credentials"]["appSecret"]["set"]) == ("Renamed", True)


async def test_a_secret_is_replaced_with_grace(hub: Hub, sign_in: SignIn) -> None:
    person = await sign_in("manager")
    id_ = await _make(person)
    await person.get(f"/connectors/{id_}/set-up")

    answer = await person.send(f"/connectors/{id_}/secret", {"graceHours": "24"})

    page = (await person.get(answer.headers["location"])).text
    assert "Webhook secret<br>" in page
    assert "the previous one holds until" in page


async def test_a_test_lead_is_taken_in_and_shown(sign_in: SignIn) -> None:
    person = await sign_in("manager")
    id_ = await _make(person)

    sent = await person.send(f"/connectors/{id_}/test-lead", {"payload": json.dumps({"phone": new_phone()})})
    refused = await person.send(f"/connectors/{id_}/test-lead", {"payload": "{no json"})

    assert "New lead" in (await person.get(sent.headers["location"])).text
    assert refused.status_code == 422
    assert "{no json" in refused.text


async def test_a_paused_connector_says_so_and_is_resumed(sign_in: SignIn) -> None:
    person = await sign_in("manager")
    id_ = await _make(person)

    await person.send(f"/connectors/{id_}/pause")
    assert "Paused" in (await person.get(f"/connectors/{id_}")).text
    await person.send(f"/connectors/{id_}/resume")
    assert ">Paused<" not in (await person.get(f"/connectors/{id_}")).text


async def test_deleting_asks_for_the_name(hub: Hub, sign_in: SignIn) -> None:
    admin = await sign_in("admin")
    id_ = await _make(admin)

    refused = await admin.send(f"/connectors/{id_}/delete", {"name": "Something else"})
    assert refused.status_code == 422
    await admin.send(f"/connectors/{id_}/delete", {"name": "Made here"})

    assert (await hub.api("GET", f"/api/connectors/{id_}")).status_code == 404
    assert (await (await sign_in("manager")).send(f"/connectors/{id_}/delete", {"name": "x"})).status_code == 403


async def test_connecting_needs_an_app_first(sign_in: SignIn) -> None:
    person = await sign_in("manager")
    id_ = await _make(person, "linkedin")

    answer = await person.send(f"/connectors/{id_}/connect")

    assert answer.status_code == 409
    assert "id and secret" in answer.text


async def test_executives_see_health_and_no_address(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Seen by all")
    await hub.send(connector, {"phone": new_phone()})
    person = await sign_in("executive")

    page = (await person.get(f"/connectors/{connector.id}")).text

    assert "Seen by all" in page
    assert connector.url not in page
    for part in ("/set-up", "/settings", "/syncs", "/accounts"):
        assert (await person.get(f"/connectors/{connector.id}{part}")).status_code == 403, part


async def test_a_return_from_a_provider_without_its_state_changes_nothing(sign_in: SignIn) -> None:
    person = await sign_in("manager")

    for query in ("", "?state=forged&code=1", "?error=access_denied&error_description=<script>x</script>&state=a"):
        answer = await person.get(f"/api/connectors/oauth/callback{query}", Accept="text/html")
        assert answer.status_code in (400, 422), query
        assert answer.headers["content-type"].startswith("text/html")
        assert "<script>x" not in answer.text


async def test_figures_are_drawn(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Figured")
    await hub.send(connector, {"phone": new_phone()})
    person = await sign_in("executive")

    page = (await person.get(f"/figures?connectorId={connector.id}&days=7")).text
    speed = (await person.get(f"/figures/speed?connectorId={connector.id}")).text

    assert "<svg" in page
    assert "Figured" in page
    assert "p95" in speed
