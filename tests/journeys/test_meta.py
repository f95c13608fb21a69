"""Meta Lead Ads as a user meets it: connected by consent at the sandbox, announced leads fetched, tokens that end."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, Process, TestConnector, new_phone, until
from tests.support.sandbox import Sandbox, running_sandbox

APP = {"appId": "1234567890123456", "appSecret": "sandbox-app-secret-0123456789abcdef"}


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Process, Path]]:
    folder: Path = tmp_path_factory.mktemp("meta")
    with running_sandbox(clock=None) as sandbox:
        address = f"{sandbox.url}/meta"
        env = {"CONNECTOR_MASTER_META_GRAPH_URL": address, "CONNECTOR_MASTER_META_OAUTH_URL": address}
        process = Process("up", "--data-dir", str(folder / "data"), "--port", "0", env=env).wait_ready()
        yield sandbox, process, folder / "data"
        process.stop()


@pytest.fixture
async def played(sandboxed: tuple[Sandbox, Process, Path]) -> AsyncIterator[tuple[Sandbox, Hub]]:
    sandbox, process, data_dir = sandboxed
    hub = Hub(process, data_dir)
    sandbox.control("reset", {"seed": 1})
    sandbox.set("meta", consents="allow")
    yield sandbox, hub
    await hub.client.aclose()


async def returned(hub: Hub, sandbox: Sandbox, connector: TestConnector) -> dict[str, str]:
    """What the provider's consent page sends the browser back with."""
    answer = await hub.api("GET", f"/api/connectors/oauth/authorize/meta?connectorId={connector.id}")
    assert answer.status_code == 200, answer.text
    consent = sandbox.http.get(answer.json()["authorizationUrl"])
    assert consent.status_code == 302, consent.text
    query = parse_qs(urlsplit(consent.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def connected(hub: Hub, sandbox: Sandbox) -> TestConnector:
    made = await hub.create_connector("meta", credentials=APP)
    answer = await hub.api("GET", "/api/connectors/oauth/callback", params=await returned(hub, sandbox, made))
    assert (answer.status_code, answer.json()["status"]) == (200, "active"), answer.text
    pages = (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).json()["items"]
    chosen = [page["id"] for page in pages if page["selectable"]]
    answer = await hub.api("PUT", f"/api/connectors/{made.id}/accounts", {"ids": chosen})
    assert answer.status_code == 200, answer.text
    sandbox.set("meta", pushTo=f"{hub.process.address}{made.url}" if made.url.startswith("/") else made.url)
    return made


async def lead_of(hub: Hub, phone: str) -> Any:
    found = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    return found[0] if found else None


async def event_of(hub: Hub, connector: TestConnector) -> Any:
    found = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]
    return found[0] if found else None


async def was_pulled(hub: Hub, connector: TestConnector) -> Any:
    return (await hub.api("GET", f"/api/connectors/{connector.id}")).json()["lastSyncAt"]


async def has_status(hub: Hub, connector: TestConnector, status: str) -> bool:
    return bool((await hub.api("GET", f"/api/connectors/{connector.id}")).json()["status"] == status)


async def test_a_person_connects_and_an_announced_lead_is_fetched(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    await connected(hub, sandbox)
    phone = new_phone()

    sandbox.add("meta", phone=phone, name="Asha Example")

    lead = await until(lambda: lead_of(hub, phone))
    told = sandbox.state("meta")["lastPush"]
    assert lead["name"] == "Asha Example"
    assert (told["status"], json.loads(told["body"])["reason"]) == (200, "announced")


async def test_a_mapping_is_tried_on_leads_that_were_fetched_not_on_what_announced_them(
    played: tuple[Sandbox, Hub],
) -> None:
    sandbox, hub = played
    connector = await connected(hub, sandbox)
    phone = new_phone()
    sandbox.add("meta", phone=phone)
    await until(lambda: lead_of(hub, phone))
    address = f"/api/connectors/{connector.id}/field-mapping/try"

    as_saved = await hub.api("POST", address, {"fieldMapping": None, "last": 1})
    without_phone = await hub.api("POST", address, {"fieldMapping": {"created_time": "notes"}, "last": 1})

    assert as_saved.json()["counts"]["same"] == 1
    assert without_phone.json()["counts"]["broken"] == 1


async def test_a_state_counts_once_and_only_for_whom_it_was_made(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await hub.create_connector("meta", credentials=APP)
    query = await returned(hub, sandbox, made)
    foreign = await hub.api("GET", "/api/connectors/oauth/callback", params=query, role="manager")
    first = await hub.api("GET", "/api/connectors/oauth/callback", params=query)
    again = await hub.api("GET", "/api/connectors/oauth/callback", params=query)
    forged = await hub.api("GET", "/api/connectors/oauth/callback", params=query | {"state": "made-up"})

    assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid_state")
    assert first.status_code == 200
    assert {(one.status_code, one.json()["code"]) for one in (again, forged)} == {(400, "invalid_state")}


@pytest.mark.parametrize("consents", ["refuse", "partly"])
async def test_a_refusal_is_explained_and_stores_nothing(played: tuple[Sandbox, Hub], consents: str) -> None:
    sandbox, hub = played
    sandbox.set("meta", consents=consents)
    made = await hub.create_connector("meta", credentials=APP)

    answer = await hub.api("GET", "/api/connectors/oauth/callback", params=await returned(hub, sandbox, made))

    expected = {"refuse": "authorization_denied", "partly": "scope_missing"}[consents]
    assert (answer.status_code, answer.json()["code"]) == (400, expected)
    assert (await hub.api("GET", f"/api/connectors/{made.id}")).json()["status"] == "needs_authorization"


async def test_what_is_announced_to_a_dead_token_waits_for_the_reconnection(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.control("meta/actions", {"action": "revoke_all"})
    phone = new_phone()

    sandbox.add("meta", phone=phone)
    await until(lambda: has_status(hub, made, "needs_authorization"))
    waiting = await event_of(hub, made)
    again = await hub.api("GET", "/api/connectors/oauth/callback", params=await returned(hub, sandbox, made))

    assert waiting["status"] == "received"
    assert (again.status_code, again.json()["status"]) == (200, "active")
    assert await until(lambda: lead_of(hub, phone))


async def test_a_token_made_elsewhere_serves_without_consent(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await hub.create_connector("meta", credentials=APP | {"accessToken": "sandbox-system-user-token"})
    sandbox.set(
        "meta",
        pushTo=f"{hub.process.address}{made.url}" if made.url.startswith("/") else made.url,
        subscribedPages=["104857600112233"],
    )
    phone = new_phone()

    sandbox.add("meta", phone=phone)

    assert made.view["status"] == "active"
    assert await until(lambda: lead_of(hub, phone))


async def test_disconnecting_takes_the_agreement_back(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)

    answer = await hub.api("POST", f"/api/connectors/{made.id}/disconnect")

    assert (answer.status_code, answer.json()["status"]) == (200, "needs_authorization")
    assert (await hub.api("POST", f"/api/connectors/{made.id}/sync", {})).status_code == 409


async def test_the_checklist_turns_from_what_is_missing_to_what_is_in_order(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    bare = await hub.create_connector("meta")
    made = await connected(hub, sandbox)

    before = await states(hub, bare)
    after = await states(hub, made)
    connection = (await hub.api("GET", f"/api/connectors/{made.id}")).json()["connection"]

    assert {before[code] for code in ("app_credentials", "credentials", "connection", "accounts")} == {"wrong"}
    assert {after[code] for code in ("app_credentials", "credentials", "connection", "scopes", "accounts")} == {"ok"}
    assert "leads_retrieval" in connection["scopes"]
    assert connection["endsAt"]


async def states(hub: Hub, connector: TestConnector) -> dict[str, str]:
    items = (await hub.api("GET", f"/api/connectors/{connector.id}/checklist")).json()["items"]
    return {item["code"]: item["state"] for item in items}


async def test_a_pull_brings_a_lead_that_could_not_be_fetched(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.fault("meta", leads_access=True)
    phone = new_phone()
    sandbox.add("meta", phone=phone)

    async def waits() -> bool:
        found = await event_of(hub, made)
        return bool(found["status"] == "received" and found["detail"])

    await until(waits)
    sandbox.fault("meta", leads_access=None)
    started = await hub.api("POST", f"/api/connectors/{made.id}/sync", {})

    lead = await until(lambda: lead_of(hub, phone))
    shown = (await hub.api("GET", f"/api/leads/{lead['id']}")).json()
    event = (await hub.api("GET", f"/api/events/{shown['timeline'][0]['eventId']}")).json()
    assert started.status_code == 202
    assert (lead["timesSeen"], len(shown["timeline"])) == (1, 1)
    assert (event["origin"], event["status"], "field_data" in event["resolved"]) == ("push", "created", True)


# ---- upkeep -----------------------------------------------------------------------------------------


async def see_to_subscriptions(hub: Hub) -> None:
    """Let a day have passed since the provider was last asked whether it pushes, and nothing be pulled meanwhile."""
    async with Rows(hub.data_dir) as rows:
        await rows.all("UPDATE connectors SET subscribe_at = now(), next_sync_at = NULL RETURNING id")


async def lines(hub: Hub, connector: TestConnector, kind: str) -> list[str]:
    answer = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params={"kind": kind})
    return [line["message"] for line in answer.json()["items"]]


async def test_a_subscription_that_got_lost_is_made_again_within_a_day(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    await connected(hub, sandbox)
    pages = sandbox.state("meta")["settings"]["subscribedPages"]
    sandbox.set("meta", subscribedPages=[])

    await see_to_subscriptions(hub)

    async def is_subscribed() -> bool:
        return sorted(sandbox.state("meta")["settings"]["subscribedPages"]) == sorted(pages)

    assert pages
    await until(is_subscribed, 40)


async def test_a_subscription_that_is_refused_is_told_once_and_so_is_its_return(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)

    async def is_pulled() -> bool:
        return bool((await hub.api("GET", f"/api/connectors/{made.id}")).json()["nextSyncAt"])

    async def told(kind: str) -> list[str]:
        return await lines(hub, made, kind)

    await until(is_pulled)
    sandbox.set("meta", subscribedPages=[])
    sandbox.fault("meta", permission_missing=True)
    await see_to_subscriptions(hub)
    (lost, *_) = await until(partial(told, "subscription_lost"), 40)
    assert "is not pushed" in lost
    assert (await states(hub, made))["subscription"] == "wrong"

    sandbox.fault("meta", permission_missing=None)
    await see_to_subscriptions(hub)
    await until(partial(told, "subscription_restored"), 40)
    assert (await states(hub, made))["subscription"] == "ok"


async def test_the_apps_callback_is_given_another_address_when_its_connector_is_deleted(
    played: tuple[Sandbox, Hub],
) -> None:
    sandbox, hub = played
    first, second = await connected(hub, sandbox), await connected(hub, sandbox)
    sandbox.set("meta", pushTo=f"{hub.process.address}{first.url}")

    assert (await hub.api("DELETE", f"/api/connectors/{first.id}")).status_code == 204

    async def leads_to_the_second() -> bool:
        return bool(sandbox.state("meta")["settings"]["pushTo"].endswith(second.url))

    await until(leads_to_the_second, 40)
    phone = new_phone()
    sandbox.add("meta", phone=phone)
    assert await until(lambda: lead_of(hub, phone))


async def test_a_lead_whose_push_never_came_is_reported_and_history_is_not(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    old, lost = new_phone(), new_phone()
    sandbox.add_at("meta", sandbox.now() - timedelta(hours=2), phone=old)
    made = await connected(hub, sandbox)
    assert await until(lambda: lead_of(hub, old))

    async def two_have_ended() -> Any:
        found = (await hub.api("GET", f"/api/connectors/{made.id}/syncs")).json()["items"]
        return len(found) == 2 and all(run["finishedAt"] for run in found) and found

    await until(lambda: was_pulled(hub, made))
    sandbox.fault("meta", dropped_pushes=True)
    sandbox.add("meta", phone=lost)
    async with Rows(hub.data_dir) as rows:
        await rows.all("UPDATE connectors SET next_sync_at = now() WHERE id = %s RETURNING id", made.id)
    second, first = await until(two_have_ended)

    logs = (await hub.api("GET", f"/api/connectors/{made.id}/logs?kind=leads_recovered")).json()["items"]
    assert [(run["trigger"], run["created"], run["recovered"]) for run in (first, second)] == [
        ("reconciliation", 1, 0),
        ("reconciliation", 1, 1),
    ]
    assert [line["message"] for line in logs] == ["1 lead of Test came by the pull alone: no push had brought it"]
    assert await lead_of(hub, lost)
