"""YouTube as a user meets it: connected by consent at the sandbox, comments read, followed when they change or go."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, Process, TestConnector, new_phone, until
from tests.support.sandbox import Sandbox, running_sandbox

APP = {"clientId": "sandbox-client", "clientSecret": "sandbox-secret"}
OUTLET = "UCSandboxChannel00000002"


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Process, Path]]:
    folder: Path = tmp_path_factory.mktemp("youtube")
    with running_sandbox(clock=None) as sandbox:
        env = {f"CONNECTOR_MASTER_{name}": f"{sandbox.url}/google" for name in ("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL")}
        env["CONNECTOR_MASTER_YOUTUBE_URL"] = f"{sandbox.url}/youtube"
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
    for one in (await hub.api("GET", "/api/connectors?type=youtube")).json()["items"]:
        # They share a key: what one still has to wait for would hold up the next.
        await hub.api("DELETE", f"/api/connectors/{one['id']}")
    await hub.client.aclose()


async def returned(hub: Hub, sandbox: Sandbox, connector: TestConnector) -> Any:
    """What comes of it when somebody agrees at Google and is sent back."""
    url = (await hub.api("GET", f"/api/connectors/oauth/authorize/youtube?connectorId={connector.id}")).json()
    consent = sandbox.http.get(url["authorizationUrl"])
    back = parse_qs(urlsplit(consent.headers["location"]).query)
    query = {name: values[0] for name, values in back.items()}
    return await hub.api("GET", "/api/connectors/oauth/callback", params=query)


async def connected(hub: Hub, sandbox: Sandbox, **settings: Any) -> TestConnector:
    """A connector whose channel is chosen."""
    made = await hub.create_connector("youtube", credentials=APP, settings=settings)
    answer = await returned(hub, sandbox, made)
    assert (answer.status_code, answer.json()["status"]) == (200, "active"), answer.text
    channels = (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).json()["items"]
    chosen = [one["id"] for one in channels if one["selectable"]]
    answer = await hub.api("PUT", f"/api/connectors/{made.id}/accounts", {"ids": chosen})
    assert answer.status_code == 200, answer.text
    return made


async def view(hub: Hub, connector: TestConnector) -> Any:
    return (await hub.api("GET", f"/api/connectors/{connector.id}")).json()


async def started(hub: Hub, connector: TestConnector) -> str:
    """The id of a run that was asked for now."""

    async def begun() -> Any:
        answer = await hub.api("POST", f"/api/connectors/{connector.id}/sync", {})
        return answer.json()["syncId"] if answer.status_code == 202 else None

    id_: str = await until(begun)
    return id_


async def run_of(hub: Hub, connector: TestConnector, id_: str) -> Any:
    return (await hub.api("GET", f"/api/connectors/{connector.id}/syncs/{id_}")).json()


async def synced(hub: Hub, connector: TestConnector) -> Any:
    """Read now, and return the run once it has ended."""
    id_ = await started(hub, connector)

    async def ended() -> Any:
        run = await run_of(hub, connector, id_)
        return run if run["status"] not in ("queued", "running") else None

    return await until(ended)


async def lead_of(hub: Hub, phone: str) -> Any:
    found = (await hub.api("GET", "/api/leads", params={"phone": phone})).json()["items"]
    return (await hub.api("GET", f"/api/leads/{found[0]['id']}")).json() if found else None


async def events_of(hub: Hub, connector: TestConnector) -> dict[str, Any]:
    """The connector's events, whole, by the ids of the comments that they are about."""
    items = (await hub.api("GET", f"/api/events?connectorId={connector.id}")).json()["items"]
    whole = [(await hub.api("GET", f"/api/events/{one['id']}")).json() for one in items]
    assert len({one["externalId"] for one in whole}) == len(whole)
    return {one["externalId"]: one for one in whole}


async def settled(hub: Hub, connector: TestConnector) -> dict[str, Any]:
    """Read now, expect that it goes well, and return the events."""
    run = await synced(hub, connector)
    assert run["status"] == "succeeded", run
    return await events_of(hub, connector)


# ---- connecting -----------------------------------------------------------------------------------------


async def test_whoever_agrees_is_offered_the_channel_that_was_picked_at_google(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    sandbox.set("google", person="Sandbox Outlet (brand account)")
    phone, other = new_phone(), new_phone()
    sandbox.add("youtube", phone=phone, videoId="SandboxVid3")
    sandbox.add("youtube", phone=other, videoId="SandboxVid1")

    made = await connected(hub, sandbox)

    (channel,) = (await hub.api("GET", f"/api/connectors/{made.id}/accounts")).json()["items"]
    assert (channel["id"], channel["name"], channel["selected"]) == (OUTLET, "Sandbox Outlet", True)
    assert await until(lambda: lead_of(hub, phone))
    assert await lead_of(hub, other) is None


async def test_an_account_without_a_channel_can_not_be_connected(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    sandbox.set("google", person="Ravi Nair")
    made = await hub.create_connector("youtube", credentials=APP)

    answer = await returned(hub, sandbox, made)

    assert answer.status_code == 400, answer.text
    assert "channel" in answer.text
    assert (await view(hub, made))["status"] == "needs_authorization"


async def test_comments_are_not_read_without_the_scope(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    sandbox.set("google", consents="partly")
    made = await hub.create_connector("youtube", credentials=APP)

    answer = await returned(hub, sandbox, made)

    assert (answer.status_code, answer.json()["code"]) == (400, "scope_missing")


# ---- comments -------------------------------------------------------------------------------------------


async def test_a_comment_with_a_phone_is_a_lead_and_any_other_an_interaction(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    phone = new_phone()
    wanted = sandbox.add("youtube", text=f"Interested. Call {phone}", author="@asha", videoId="SandboxVid2")["id"]
    other = sandbox.add("youtube", text="Great video!", author="@ravi")["id"]
    own = sandbox.add("youtube", text=f"Call us: {new_phone()}", isOwn="true")["id"]

    events = await settled(hub, made)

    link = f"https://www.youtube.com/watch?v=SandboxVid2&lc={wanted}"
    lead = await lead_of(hub, phone)
    assert (lead["name"], lead["notes"], lead["source"]) == ("asha", f"Interested. Call {phone}", "youtube")
    assert (lead["campaign"], lead["externalId"]) == ("Valve buying guide", wanted)
    assert (lead["attributes"]["commentUrl"], lead["attributes"]["consent"]) == (link, "public comment")
    assert [(events[one]["status"], events[one]["reason"]) for one in (wanted, other, own)] == [
        ("created", None),
        ("ignored", "interaction"),
        ("ignored", "own_comment"),
    ]
    shown = events[other]["decoded"]
    assert (shown["author"], shown["text"]) == ("ravi", "Great video!")
    assert shown["link"] == f"https://www.youtube.com/watch?v=SandboxVid1&lc={other}"


async def test_a_reply_that_its_thread_does_not_show_is_found(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    top = sandbox.add("youtube", text="Do you deliver to Pune?")["id"]
    phone = new_phone()
    first = sandbox.add("youtube", replyTo=top, text=f"Me too, {phone}")["id"]
    for number in range(5):
        sandbox.add("youtube", replyTo=top, text=f"same question {number}")
    events = await settled(hub, made)
    later = new_phone()
    sandbox.add("youtube", replyTo=top, text=f"and me: {later}")

    again = await settled(hub, made)

    lead = await lead_of(hub, phone)
    assert (lead["externalId"], lead["attributes"]["parentId"]) == (first, top)
    assert await lead_of(hub, later)
    assert (len(events), len(again)) == (7, 8)


async def test_what_is_held_for_review_counts_and_where_it_is_withheld_the_rest_is_read(
    played: tuple[Sandbox, Hub],
) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    held, published = new_phone(), new_phone()
    sandbox.add("youtube", moderationStatus="heldForReview", phone=held)
    await settled(hub, made)
    sandbox.fault("youtube", held_forbidden=True)
    sandbox.add("youtube", phone=published)

    await settled(hub, made)

    assert await lead_of(hub, held)
    assert await lead_of(hub, published)


async def test_an_edit_that_adds_a_phone_makes_a_lead_which_later_edits_leave(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    comment = sandbox.add("youtube", text="How much?", author="@asha")["id"]
    before = (await settled(hub, made))[comment]
    phone = new_phone()
    sandbox.add("youtube", edits=comment, text=f"How much? My number: {phone}")
    added = (await settled(hub, made))[comment]
    sandbox.add("youtube", edits=comment, text=f"My mail: asha@example.com, or {phone}")
    await settled(hub, made)
    filled = await lead_of(hub, phone)
    sandbox.add("youtube", edits=comment, text="Thanks, I have it")

    after = (await settled(hub, made))[comment]

    assert (before["status"], before["reason"]) == ("ignored", "interaction")
    assert (added["id"], added["status"]) == (before["id"], "created")
    assert (filled["notes"], filled["email"]) == (f"How much? My number: {phone}", "asha@example.com")
    assert (after["status"], after["reason"], after["resolved"]["text"]) == ("created", "edited", "Thanks, I have it")
    lead = await lead_of(hub, phone)
    assert (lead["id"], lead["timesSeen"], len(lead["timeline"])) == (filled["id"], 1, 1)


async def test_of_what_was_deleted_only_the_lead_stays(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    phone = new_phone()
    lead, other, kept = (
        sandbox.add("youtube", **fields)["id"]
        for fields in ({"phone": phone}, {"text": "Great!", "author": "@ravi"}, {"text": "Nice"})
    )
    await settled(hub, made)
    for comment in (lead, other):
        sandbox.add("youtube", deletes=comment)

    await read_again(hub, made)

    async def is_erased() -> Any:
        events = await events_of(hub, made)
        return events if events[other]["reason"] == "erased" else None

    events = await until(is_erased)
    assert (events[other]["status"], events[other]["payload"]) == ("ignored", "")
    assert "ravi" not in str(events[other])
    assert (events[lead]["status"], events[lead]["payload"]) == ("created", "")
    assert (await lead_of(hub, phone))["externalId"] == lead
    assert "Nice" in events[kept]["payload"]


async def read_again(hub: Hub, connector: TestConnector) -> None:
    """Let a day pass in which nobody saw the comments, at the end of which they are asked for one by one."""
    async with Rows(hub.data_dir) as rows:
        (found,) = await rows.all(
            "UPDATE connectors SET recheck_at = now() WHERE id = %s RETURNING workspace_id", connector.id
        )
        await rows.connection.execute(
            "UPDATE events SET confirmed_at = now() - interval '21 hours' WHERE connector_id = %s", (connector.id,)
        )
        # The schedule looks once a minute.
        args = json.dumps({"workspace_id": str(found["workspace_id"]), "connector_id": connector.id})
        await rows.all(
            "SELECT procrastinate_defer_jobs_v1(ARRAY["
            "ROW('syncs', 'recheck', 0, NULL, NULL, %s::jsonb, NULL)::procrastinate_job_to_defer_v1])",
            args,
        )


# ---- the day's quota, and agreements that end -----------------------------------------------------------


async def test_a_run_that_meets_the_end_of_the_quota_waits_and_loses_nothing(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    await synced(hub, made)
    phone = new_phone()
    sandbox.add("youtube", phone=phone)
    sandbox.control("youtube/actions", {"action": "exhaust_quota"})
    id_ = await started(hub, made)

    async def waits() -> Any:
        run = await run_of(hub, made, id_)
        return run if run["waitsFor"] else None

    waiting = await until(waits)
    calls = sandbox.state("youtube")["counts"]["quotaExceeded"]
    async with Rows(hub.data_dir) as rows:
        sandbox.control("youtube/actions", {"action": "renew_quota"})
        await midnight(rows)

    async def ended() -> Any:
        run = await run_of(hub, made, id_)
        return run if run["status"] not in ("queued", "running") else None

    run = await until(ended)
    assert (waiting["status"], calls) == ("running", 1)
    assert (await view(hub, made))["status"] == "active"
    assert (run["status"], run["created"]) == ("succeeded", 1)
    assert await lead_of(hub, phone)
    assert sandbox.state("youtube")["breaches"] == []


async def midnight(rows: Rows) -> None:
    """Let the moment have come for which everything waits that shares the key."""
    for statement in (
        "UPDATE provider_paces SET next_call_at = now() RETURNING key",
        "UPDATE syncs SET resumes_at = now() WHERE resumes_at IS NOT NULL RETURNING id",
        "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE task_name = 'run_sync' RETURNING id",
    ):
        assert await rows.all(statement)


async def test_an_agreement_that_was_taken_back_is_asked_for_again_and_what_came_meanwhile_is_read(
    played: tuple[Sandbox, Hub],
) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    await synced(hub, made)
    sandbox.control("google/actions", {"action": "revoke_all"})
    phone = new_phone()
    sandbox.add("youtube", phone=phone)
    lost = await synced(hub, made)
    shown = await view(hub, made)

    answer = await returned(hub, sandbox, made)

    assert (lost["status"], lost["error"]["code"]) == ("failed", "token_refused")
    assert (shown["status"], bool(shown["connection"]["lostAt"])) == ("needs_authorization", True)
    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert await until(lambda: lead_of(hub, phone))


async def test_a_token_that_has_ended_is_renewed_unseen(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await connected(hub, sandbox)
    await synced(hub, made)
    sandbox.control("google/actions", {"action": "expire_access"})
    phone = new_phone()
    sandbox.add("youtube", phone=phone)

    await settled(hub, made)

    assert await lead_of(hub, phone)
    assert sandbox.state("google")["counts"]["refreshes"] == 1
