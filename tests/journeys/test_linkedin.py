"""LinkedIn as a user meets it: connected by consent at the sandbox, announced leads fetched, withdrawn ones let go."""

import hmac
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.hub import Hub, Process, TestConnector, new_phone, until
from tests.support.sandbox import Sandbox, running_sandbox

APP = {"clientId": "770000sandbox", "clientSecret": "WPL_AP1.SandboxOnlySecret01.c2FuZGJveA=="}
ACCOUNT, OTHER_ACCOUNT = "urn:li:sponsoredAccount:510000001", "urn:li:sponsoredAccount:510000003"
PAGE = "urn:li:organization:31000002"


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Process, Path]]:
    folder: Path = tmp_path_factory.mktemp("linkedin")
    with running_sandbox(clock=None) as sandbox:
        names = ("LINKEDIN_OAUTH_URL", "LINKEDIN_API_URL")
        env = {f"CONNECTOR_MASTER_{name}": f"{sandbox.url}/linkedin" for name in names}
        process = Process("up", "--data-dir", str(folder / "data"), "--port", "0", env=env).wait_ready()
        yield sandbox, process, folder / "data"
        process.stop()


@pytest.fixture
async def played(sandboxed: tuple[Sandbox, Process, Path]) -> AsyncIterator[tuple[Sandbox, Hub]]:
    sandbox, process, data_dir = sandboxed
    hub = Hub(process, data_dir)
    sandbox.control("reset", {"seed": 1})
    sandbox.set("linkedin", consents="allow")
    yield sandbox, hub
    await hub.client.aclose()


async def returned(hub: Hub, sandbox: Sandbox, connector: TestConnector) -> dict[str, str]:
    """What the provider's consent page sends the browser back with."""
    answer = await hub.api("GET", f"/api/connectors/oauth/authorize/linkedin?connectorId={connector.id}")
    assert answer.status_code == 200, answer.text
    consent = sandbox.http.get(answer.json()["authorizationUrl"])
    assert consent.status_code == 302, consent.text
    query = parse_qs(urlsplit(consent.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def connected(hub: Hub, sandbox: Sandbox, *chosen: str) -> TestConnector:
    """A connector that somebody has agreed to, with these accounts."""
    made = await hub.create_connector("linkedin", credentials=APP)
    answer = await hub.api("GET", "/api/connectors/oauth/callback", params=await returned(hub, sandbox, made))
    assert (answer.status_code, answer.json()["status"]) == (200, "active"), answer.text
    answer = await hub.api("PUT", f"/api/connectors/{made.id}/accounts", {"ids": chosen or (ACCOUNT,)})
    assert answer.status_code == 200, answer.text
    return made


async def pulled(hub: Hub, connector: TestConnector) -> Any:
    """The run that was asked for now, once it has ended."""

    async def started() -> Any:
        answer = await hub.api("POST", f"/api/connectors/{connector.id}/sync", {})
        return answer.json()["syncId"] if answer.status_code == 202 else None

    run_id = await until(started)

    async def ended() -> Any:
        shown = (await hub.api("GET", f"/api/connectors/{connector.id}/syncs/{run_id}")).json()
        return None if shown["status"] in ("queued", "running") else shown

    return await until(ended)


async def lead_of(hub: Hub, phone: str) -> Any:
    found = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    return found[0] if found else None


async def event_of(hub: Hub, connector: TestConnector) -> Any:
    found = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]
    return found[0] if found else None


async def has_status(hub: Hub, connector: TestConnector, status: str) -> bool:
    return bool((await hub.api("GET", f"/api/connectors/{connector.id}")).json()["status"] == status)


def response_id(told: dict[str, Any]) -> str:
    """The id in a notice."""
    return str(told["leadGenFormResponse"]).rpartition(":")[2]


async def test_a_person_connects_and_an_announced_lead_is_fetched(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    await connected(hub, sandbox)
    phone = new_phone()

    sandbox.add("linkedin", phone=phone, name="Asha Example", company="Example Traders", city="Pune", id="announced-1")

    lead = await until(lambda: lead_of(hub, phone))
    told = sandbox.state("linkedin")["lastPush"]
    assert (told["status"], json.loads(told["body"])["reason"]) == (200, "announced")
    assert (lead["name"], lead["businessName"], lead["source"]) == ("Asha Example", "Example Traders", "linkedin")
    assert lead["campaign"] in {"Diwali B2B 2026", "Monsoon pumps"}
    assert lead["externalId"] == "announced-1"


async def test_accounts_that_can_not_be_read_say_why(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)

    items = (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).json()["items"]

    assert {one["id"] for one in items if one["selectable"]} == {ACCOUNT, OTHER_ACCOUNT, PAGE}
    assert [one["id"] for one in items if one["selected"]] == [ACCOUNT]
    reasons = {one["id"].rpartition(":")[2]: one["reason"] for one in items if not one["selectable"]}
    assert reasons.keys() == {"510000002", "510000004", "31000001"}
    assert "No company page" in reasons["510000002"]
    assert "no role" in reasons["510000004"]
    refused = await hub.api(
        "PUT", f"/api/connectors/{made.id}/accounts", {"ids": ["urn:li:sponsoredAccount:510000004"]}
    )
    assert refused.status_code == 422


async def test_leads_come_from_every_chosen_account_and_from_no_other(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox, ACCOUNT, PAGE)
    first, second, other = new_phone(), new_phone(), new_phone()
    sandbox.add("linkedin", phone=other, accountId=OTHER_ACCOUNT.rpartition(":")[2])
    sandbox.add("linkedin", phone=first)
    sandbox.add("linkedin", phone=second, leadType="EVENT")

    assert await until(lambda: lead_of(hub, first))
    assert await until(lambda: lead_of(hub, second))
    assert (await pulled(hub, made))["status"] == "succeeded"
    assert await lead_of(hub, other) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"consents": "refuse"}, "user_cancelled_authorize"), ({"offeredScopes": ["r_ads"]}, "Lead Sync")],
)
async def test_a_refusal_is_explained_and_stores_nothing(
    played: tuple[Sandbox, Hub], settings: dict[str, Any], said: str
) -> None:
    sandbox, hub = played
    sandbox.set("linkedin", **settings)
    made = await hub.create_connector("linkedin", credentials=APP)

    answer = await hub.api("GET", "/api/connectors/oauth/callback", params=await returned(hub, sandbox, made))

    assert (answer.status_code, answer.json()["code"]) == (400, "authorization_denied")
    assert said in answer.text
    assert (await hub.api("GET", f"/api/connectors/{made.id}")).json()["status"] == "needs_authorization"


async def test_a_lead_whose_push_was_dropped_is_found_by_pulling(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.set("linkedin", mostOnAPage=2)
    phones = [new_phone() for _ in range(5)]
    sandbox.fault("linkedin", dropped_pushes=True)
    for phone in phones:
        sandbox.add("linkedin", phone=phone)

    run = await pulled(hub, made)

    assert run["status"] == "succeeded", run
    assert all([await lead_of(hub, phone) for phone in phones])
    again = await pulled(hub, made)
    assert (again["status"], again["created"]) == ("succeeded", 0)


async def test_what_was_pushed_is_not_counted_again_by_the_pull(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    phone = new_phone()
    sandbox.add("linkedin", phone=phone)
    await until(lambda: lead_of(hub, phone))

    assert (await pulled(hub, made))["status"] == "succeeded"

    assert (await lead_of(hub, phone))["timesSeen"] == 1


async def test_a_lead_that_is_not_readable_yet_is_fetched_later(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    phone = new_phone()
    sandbox.control("linkedin/leads", {"lateSeconds": 3600, "lead": {"phone": phone}})

    async def was_asked_for() -> bool:
        return bool(sandbox.state("linkedin")["counts"].get("NOT_FOUND"))

    await until(was_asked_for)
    assert (await event_of(hub, made))["status"] == "received"
    sandbox.pass_time(hours=2)

    assert await until(lambda: lead_of(hub, phone), 40)


async def test_a_lead_that_was_withdrawn_before_it_was_fetched_is_let_go(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox, PAGE)
    phone = new_phone()
    late = {"lateSeconds": 3600, "lead": {"phone": phone, "leadType": "EVENT"}}
    told = sandbox.control("linkedin/leads", late)["added"][0]
    await until(lambda: event_of(hub, made))

    sandbox.add("linkedin", leadType="EVENT", withdraws=response_id(told))

    async def is_let_go() -> bool:
        return bool((await event_of(hub, made))["status"] == "ignored")

    await until(is_let_go)
    assert sandbox.state("linkedin")["pushed"] == {"200": 2}
    sandbox.pass_time(hours=2)
    assert (await pulled(hub, made))["status"] == "succeeded"
    assert await lead_of(hub, phone) is None


async def test_a_withdrawal_is_told_on_the_leads_timeline(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    await connected(hub, sandbox, PAGE)
    phone = new_phone()
    told = sandbox.add("linkedin", phone=phone, leadType="EVENT")
    lead = await until(lambda: lead_of(hub, phone))

    sandbox.add("linkedin", leadType="EVENT", withdraws=response_id(told))

    async def is_told() -> bool:
        timeline = (await hub.api("GET", f"/api/leads/{lead['id']}")).json()["timeline"]
        return any(one["reason"] == "erased" for one in timeline)

    assert await until(is_told)


async def test_a_test_lead_is_told_from_a_real_one(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    phone = new_phone()

    sandbox.add("linkedin", phone=phone, isTest="true")

    async def is_ignored() -> bool:
        event = await event_of(hub, made)
        return bool(event and event["status"] == "ignored")

    assert await until(is_ignored)
    assert await lead_of(hub, phone) is None


@pytest.mark.parametrize("fault", ["plain", "odd_answers", "no_total"])
async def test_what_linkedin_leaves_out_is_looked_up(played: tuple[Sandbox, Hub], fault: str) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.fault("linkedin", **{fault: True})
    pushed, found = new_phone(), new_phone()
    sandbox.add("linkedin", phone=pushed, name="Asha Example")
    lead = await until(lambda: lead_of(hub, pushed))
    sandbox.control("linkedin/leads", {"push": False, "lead": {"phone": found}})

    assert (await pulled(hub, made))["status"] == "succeeded"

    assert (lead["name"], bool(lead["campaign"])) == ("Asha Example", True)
    assert await lead_of(hub, found)


@pytest.mark.parametrize("rotates", [False, True])
async def test_tokens_that_end_are_renewed_unseen(played: tuple[Sandbox, Hub], rotates: bool) -> None:
    sandbox, hub = played
    sandbox.fault("linkedin", rotates=rotates)
    sandbox.set("linkedin", accessSeconds=2)
    made = await connected(hub, sandbox)

    async def was_renewed_twice() -> bool:
        assert (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).status_code == 200
        return bool(sandbox.state("linkedin")["counts"].get("refreshes", 0) >= 2)

    await until(was_renewed_twice)
    phone = new_phone()
    sandbox.add("linkedin", phone=phone)

    assert await until(lambda: lead_of(hub, phone), 40)
    assert await has_status(hub, made, "active")


async def test_who_is_no_partner_is_told_when_to_agree_again(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    partner = await connected(hub, sandbox)
    sandbox.fault("linkedin", no_refresh_token=True)
    other = await connected(hub, sandbox)
    first, second = [
        (await hub.api("GET", f"/api/connectors/{one.id}")).json()["connection"] for one in (partner, other)
    ]

    assert second["endsAt"] == second["expiresAt"]
    assert first["endsAt"] > first["expiresAt"]


async def test_a_fresh_token_that_is_refused_is_tried_again_before_that_is_believed(
    played: tuple[Sandbox, Hub],
) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.fault("linkedin", token_revoked=1)
    phone = new_phone()

    sandbox.add("linkedin", phone=phone)

    assert await until(lambda: lead_of(hub, phone), 40)
    assert await has_status(hub, made, "active")


async def test_what_is_announced_to_a_dead_token_waits_for_the_reconnection(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    sandbox.set("linkedin", accessSeconds=2)
    made = await connected(hub, sandbox)
    sandbox.control("linkedin/actions", {"action": "revoke_all"})
    phone = new_phone()

    sandbox.add("linkedin", phone=phone)
    # What is said of a token in its first minute is not believed; that it has ended is.
    await until(lambda: has_status(hub, made, "needs_authorization"), 40)
    waiting = await event_of(hub, made)
    sandbox.set("linkedin", accessSeconds=None)
    again = await hub.api("GET", "/api/connectors/oauth/callback", params=await returned(hub, sandbox, made))

    assert waiting["status"] == "received"
    assert (again.status_code, again.json()["status"]) == (200, "active"), again.text
    assert await until(lambda: lead_of(hub, phone))


async def test_a_days_limit_keeps_what_is_announced_and_is_not_tried_again(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.fault("linkedin", day_limit=True)

    async def refusals() -> int:
        calls = sandbox.control("linkedin/calls")["items"]
        return sum(1 for one in calls if one.get("call") == "leadFormResponses.GET")

    sandbox.add("linkedin")
    await until(refusals)
    sandbox.add("linkedin")

    async def both_are_kept() -> bool:
        found = (await hub.api("GET", f"/api/events?connectorId={made.id}&status=received")).json()["items"]
        return len(found) == 2

    assert await until(both_are_kept)
    assert await has_status(hub, made, "active")
    assert await refusals() == 1


async def test_a_missing_role_is_no_dead_token(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.set("linkedin", roles={"31000002": "ADMINISTRATOR"})
    sandbox.fault("linkedin", role_hidden=True)

    run = await pulled(hub, made)

    assert run["status"] == "failed"
    connection = (await hub.api("GET", f"/api/connectors/{made.id}")).json()["connection"]
    assert connection["lostAt"] is None


async def test_the_challenge_is_answered_while_paused_and_signs_nothing_else(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    assert (await hub.api("POST", f"/api/connectors/{made.id}/pause")).status_code == 200
    code = "3f0d7e9a-52c4-4b1e-9a77-0c5d1e2f3a4b"

    answer = await hub.client.get(made.url, params={"challengeCode": code})
    oracle = await hub.client.get(made.url, params={"challengeCode": 'hmacsha256={"type":"LEAD_ACTION"}'})

    response = hmac.digest(APP["clientSecret"].encode(), code.encode(), "sha256").hex()
    assert (answer.status_code, answer.json()) == (200, {"challengeCode": code, "challengeResponse": response})
    assert 400 <= oracle.status_code < 500
    assert "challengeResponse" not in oracle.text


@pytest.mark.parametrize(
    ("fault", "status"), [("wrong_signature", "401"), ("unsigned", "401"), ("prefixed_signature", "200")]
)
async def test_only_signed_notices_count(played: tuple[Sandbox, Hub], fault: str, status: str) -> None:
    sandbox, hub = played
    await connected(hub, sandbox)
    sandbox.fault("linkedin", **{fault: True})

    sandbox.add("linkedin")

    assert sandbox.state("linkedin")["pushed"] == {status: 1}


async def test_disconnecting_ends_the_subscriptions(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox, ACCOUNT, PAGE)
    subscribed = {(one["webhook"], one["leadType"]) for one in sandbox.state("linkedin")["subscriptions"]}

    answer = await hub.api("POST", f"/api/connectors/{made.id}/disconnect")

    assert {lead_type for _, lead_type in subscribed} >= {"SPONSORED", "EVENT"}
    assert {webhook for webhook, _ in subscribed} == {hub.address + made.url}
    assert (answer.status_code, answer.json()["status"]) == (200, "needs_authorization")
    assert sandbox.state("linkedin")["subscriptions"] == []
    assert (await hub.api("POST", f"/api/connectors/{made.id}/sync", {})).status_code == 409
