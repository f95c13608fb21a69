"""Google Ads as a user meets it: pushes with the key, consent at the sandbox, and the same leads by the API."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import ROOT, Hub, Process, TestConnector, new_phone, until
from tests.support.sandbox import Sandbox, running_sandbox

APP = {"clientId": "sandbox-client", "clientSecret": "sandbox-secret"}


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Process, Path]]:
    folder: Path = tmp_path_factory.mktemp("google")
    with running_sandbox(clock=None) as sandbox:
        names = ("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL", "GOOGLE_ADS_URL")
        env = {f"CONNECTOR_MASTER_{name}": f"{sandbox.url}/google" for name in names}
        process = Process("up", "--data-dir", str(folder / "data"), "--port", "0", env=env).wait_ready()
        yield sandbox, process, folder / "data"
        process.stop()


@pytest.fixture
async def played(sandboxed: tuple[Sandbox, Process, Path]) -> AsyncIterator[tuple[Sandbox, Hub]]:
    sandbox, process, data_dir = sandboxed
    hub = Hub(process, data_dir)
    sandbox.control("reset", {"seed": 1})
    sandbox.set("google", consents="allow")
    yield sandbox, hub
    await hub.client.aclose()


async def connected(hub: Hub, sandbox: Sandbox) -> TestConnector:
    made = await hub.create_connector("google", credentials=APP)
    url = (await hub.api("GET", f"/api/connectors/oauth/authorize/google?connectorId={made.id}")).json()
    query = parse_qs(urlsplit(url["authorizationUrl"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) >= 22
    consent = sandbox.http.get(url["authorizationUrl"])
    back = parse_qs(urlsplit(consent.headers["location"]).query)
    answer = await hub.api(
        "GET", "/api/connectors/oauth/callback", params={name: values[0] for name, values in back.items()}
    )
    assert answer.status_code == 200, answer.text
    accounts = (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).json()["items"]
    chosen = [one["id"] for one in accounts if one["selectable"]]
    assert (await hub.api("PUT", f"/api/connectors/{made.id}/accounts", {"ids": chosen})).status_code == 200
    return made


async def lead_of(hub: Hub, phone: str) -> Any:
    found = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    return found[0] if found else None


async def test_a_push_with_the_key_becomes_a_lead_and_the_key_is_not_kept(played: tuple[Sandbox, Hub]) -> None:
    _, hub = played
    made = await hub.create_connector("google")
    payload = json.loads((ROOT / "tests/samples/google/webhook_full.json").read_bytes())

    reply = await hub.send(made, payload | {"google_key": made.secret})
    refused = await hub.send(made, payload | {"google_key": "wrong"})

    assert (reply.status_code, reply.body, refused.status_code) == (200, {}, 401)
    assert made.view["status"] == "active"
    lead = await lead_of(hub, "+919000000601")
    (event,) = (await hub.api("GET", f"/api/events?connectorId={made.id}")).json()["items"]
    shown = await hub.api("GET", f"/api/events/{event['id']}")
    assert lead["name"] == "Asha Sample"
    assert (made.secret or "") not in shown.text


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"lead_id": "a"}', {}, 401),
        (b'{"google_key": "wrong"}', {}, 401),
        (b"<lead/>", {}, 400),
        (b"[]", {}, 400),
        (b"", {}, 400),
        (b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_a_refused_push_is_told_why_where_google_looks_and_nothing_of_it_is_kept(
    played: tuple[Sandbox, Hub], body: bytes, headers: dict[str, str], status: int
) -> None:
    _, hub = played
    made = await hub.create_connector("google")

    reply = await hub.send(made, body, headers=headers)

    assert (reply.status_code, reply.body["status"]) == (status, status)
    assert reply.body["message"] == reply.body["detail"]
    assert (await hub.api("GET", f"/api/events?connectorId={made.id}")).json()["items"] == []
    logs = (await hub.api("GET", f"/api/connectors/{made.id}/logs?kind=signature_refused")).json()["items"]
    assert [line["ip"] for line in logs] == ([] if status == 415 else ["127.0.0.1"])


async def test_an_address_that_is_none_is_told_where_google_looks(played: tuple[Sandbox, Hub]) -> None:
    _, hub = played

    reply = await hub.client.post("/api/connectors/google/none", json={"google_key": "k"})

    assert (reply.status_code, reply.json()["message"]) == (404, "No connector has this address.")


async def test_leads_are_pulled_once_somebody_has_agreed(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    phone = new_phone()
    sandbox.control("google/leads", {"lead": {"phone": phone}, "push": False})

    made = await connected(hub, sandbox)

    assert await until(lambda: lead_of(hub, phone))
    ends = (await hub.api("GET", f"/api/connectors/{made.id}")).json()["connection"]["expiresAt"]
    assert ends


async def test_a_token_that_has_ended_is_renewed_unseen(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.control("google/actions", {"action": "expire_access"})

    listed = await hub.api("GET", f"/api/connectors/{made.id}/accounts")

    assert listed.status_code == 200, listed.text
    assert sandbox.state("google")["counts"]["refreshes"] == 1


async def test_an_agreement_that_was_taken_back_asks_for_a_person_and_pushes_still_count(
    played: tuple[Sandbox, Hub],
) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    sandbox.control("google/actions", {"action": "revoke_all"})

    listed = await hub.api("GET", f"/api/connectors/{made.id}/accounts")
    payload = json.loads((ROOT / "tests/samples/google/webhook_custom_questions.json").read_bytes())
    reply = await hub.send(made, payload | {"google_key": made.secret})

    assert (listed.status_code, listed.json()["code"]) == (400, "token_refused")
    shown = (await hub.api("GET", f"/api/connectors/{made.id}")).json()
    assert (shown["status"], bool(shown["connection"]["lostAt"])) == ("needs_authorization", True)
    logs = (await hub.api("GET", f"/api/connectors/{made.id}/logs?kind=authorization_lost")).json()["items"]
    assert len(logs) == 1
    assert reply.status_code == 200
    assert await lead_of(hub, "+919000000603")


# ---- one lead by both ways --------------------------------------------------------------------------


async def pushed_to(hub: Hub, sandbox: Sandbox) -> TestConnector:
    """A connector that is connected, has been pulled for the first time, and to which the sandbox pushes."""
    made = await connected(hub, sandbox)

    async def was_pulled() -> Any:
        return (await hub.api("GET", f"/api/connectors/{made.id}")).json()["lastSyncAt"]

    await until(was_pulled)
    sandbox.set("google", pushTo=f"{hub.address}{made.url}", googleKey=made.secret)
    return made


async def synced(hub: Hub, connector: TestConnector) -> Any:
    """Pull now, and return the run once it has ended."""

    async def started() -> Any:
        answer = await hub.api("POST", f"/api/connectors/{connector.id}/sync", {})
        return answer.json()["syncId"] if answer.status_code == 202 else None

    sync_id = await until(started)

    async def ended() -> Any:
        run = (await hub.api("GET", f"/api/connectors/{connector.id}/syncs/{sync_id}")).json()
        return run if run["status"] not in ("queued", "running") else None

    run = await until(ended)
    assert run["status"] == "succeeded", run
    return run


async def events_of(hub: Hub, connector: TestConnector) -> list[Any]:
    """The connector's events, oldest first."""
    found: list[Any] = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]
    return found[::-1]


async def test_the_campaigns_name_takes_the_place_of_the_id_that_was_pushed(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await pushed_to(hub, sandbox)
    phone = new_phone()
    sandbox.add("google", phone=phone)
    pushed = await lead_of(hub, phone)

    run = await synced(hub, made)

    pulled = await lead_of(hub, phone)
    assert pushed["campaign"].isdigit()
    assert not pulled["campaign"].isdigit()
    assert pulled["attributes"]["campaignId"] == pushed["campaign"]
    assert (pulled["timesSeen"], run["created"], run["repeated"]) == (1, 0, 1)
    assert len(await events_of(hub, made)) == 1


async def test_a_lead_by_both_ways_under_two_ids_counts_once_and_says_so(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await pushed_to(hub, sandbox)
    phone = new_phone()
    sandbox.add("google", phone=phone)
    sandbox.fault("google", other_ids=True)

    run = await synced(hub, made)

    lead = await lead_of(hub, phone)
    shown = (await hub.api("GET", f"/api/leads/{lead['id']}")).json()
    assert (lead["timesSeen"], run["duplicates"]) == (1, 1)
    assert [(touch["status"], touch["reason"]) for touch in shown["timeline"]] == [
        ("duplicate", "twin"),
        ("created", None),
    ]
    assert [(event["origin"], event["reason"]) for event in await events_of(hub, made)] == [
        ("push", None),
        ("pull", "twin"),
    ]


async def test_leads_whose_push_never_came_are_reported(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await pushed_to(hub, sandbox)
    sandbox.add("google", phone=new_phone())
    sandbox.fault("google", dropped_pushes=True)
    phones = [new_phone(), new_phone()]
    for phone in phones:
        sandbox.add("google", phone=phone)

    async def reported() -> Any:
        logs = await hub.api("GET", f"/api/connectors/{made.id}/logs?kind=leads_recovered")
        return logs.json()["items"]

    async with Rows(hub.data_dir) as rows:
        await rows.all("UPDATE connectors SET next_sync_at = now() WHERE id = %s RETURNING id", made.id)
    (line,) = await until(reported)
    await synced(hub, made)

    runs = (await hub.api("GET", f"/api/connectors/{made.id}/syncs")).json()["items"]
    assert line["message"].startswith("2 leads of Test came by the pull alone")
    assert [(run["trigger"], run["recovered"]) for run in runs if run["recovered"]] == [("reconciliation", 2)]
    assert len(await reported()) == 1
    assert all([await lead_of(hub, phone) for phone in phones])
