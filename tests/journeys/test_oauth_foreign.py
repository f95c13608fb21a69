"""OAuth with a server that others wrote: what we take for the standard is what they take for it, too."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from tests.journeys.rows import Rows
from tests.support.foreign import CLIENT_ID, CLIENT_SECRET, SCOPE, Foreign, running_foreign
from tests.support.hub import Hub, Process, TestConnector, until

APP = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
CALLBACK = "/api/connectors/oauth/callback"


@dataclass(frozen=True)
class Met:
    """The foreign server, and two processes of one hub that know no other provider."""

    foreign: Foreign
    hub: Hub
    other: Hub

    async def begin(self, connector: TestConnector, **more: Any) -> str:
        """Return the address at which a person agrees."""
        path = f"/api/connectors/oauth/authorize/google?connectorId={connector.id}"
        answer = await self.hub.api("GET", path, **more)
        assert answer.status_code == 200, answer.text
        url: str = answer.json()["authorizationUrl"]
        return url

    async def agree(self, connector: TestConnector, *, allows: bool = True) -> dict[str, str]:
        """Let a person decide; return what the browser comes back with."""
        return await asyncio.to_thread(self.foreign.consent, await self.begin(connector), allows=allows)

    async def come_back(self, back: dict[str, str], **more: Any) -> httpx2.Response:
        """Bring to the hub what the browser was sent back with."""
        return await self.hub.api("GET", CALLBACK, params=back, **more)

    async def connected(self) -> TestConnector:
        """Make a connector and connect it."""
        connector = await self.hub.create_connector("google", credentials=APP)
        answer = await self.come_back(await self.agree(connector))
        assert answer.status_code == 200, answer.text
        return connector

    async def shown(self, connector: TestConnector) -> Any:
        """Return a connector as the API shows it."""
        return (await self.hub.api("GET", f"/api/connectors/{connector.id}")).json()

    async def lines(self, connector: TestConnector, kind: str) -> list[Any]:
        """Return a connector's lines of one kind in the activity log."""
        items: list[Any] = (await self.hub.api("GET", f"/api/connectors/{connector.id}/logs?kind={kind}")).json()[
            "items"
        ]
        return items


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Foreign, Process, Process, Path]]:
    data_dir: Path = tmp_path_factory.mktemp("foreign") / "data"
    with ExitStack() as stack:
        foreign = stack.enter_context(running_foreign())
        names = ("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL", "GOOGLE_ADS_URL")
        env = {f"CONNECTOR_MASTER_{name}": foreign.url for name in names}
        process = Process("up", "--data-dir", str(data_dir), "--port", "0", env=env).wait_ready()
        stack.callback(process.stop)
        # Behind the same proxy: both say that they are reached at the first one's address.
        env["CONNECTOR_MASTER_PUBLIC_URL"] = process.address
        other = Process("serve", "--data-dir", str(data_dir), "--port", "0", env=env).wait_ready()
        stack.callback(other.stop)
        yield foreign, process, other, data_dir


@pytest.fixture
async def met(running: tuple[Foreign, Process, Process, Path]) -> AsyncIterator[Met]:
    foreign, process, second, data_dir = running
    hub, other = Hub(process, data_dir), Hub(second, data_dir)
    hub._keys = other._keys = _KEYS
    foreign.register(process.address + CALLBACK)
    yield Met(foreign, hub, other)
    for connector in (await hub.api("GET", "/api/connectors")).json()["items"]:
        await hub.api("DELETE", f"/api/connectors/{connector['id']}")
    await hub.client.aclose()
    await other.client.aclose()


_KEYS: dict[str, str] = {}


async def test_a_whole_authorization_is_accepted_with_pkce(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    asked = dict(parse_qsl(urlsplit(await met.begin(connector)).query))

    answer = await met.come_back(await met.agree(connector))

    assert (answer.status_code, answer.json()["status"]) == (200, "active"), answer.text
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == met.hub.address + CALLBACK
    (call,) = met.foreign.token_calls()
    assert (call.status, call.form["client_id"], call.form["client_secret"]) == (200, CLIENT_ID, CLIENT_SECRET)
    assert answer.json()["connection"]["scopes"] == [SCOPE]
    (account,) = (await met.hub.api("GET", f"/api/connectors/{connector.id}/accounts")).json()["items"]
    assert (account["name"], account["selected"]) == ("Sample Traders", True)


async def test_a_code_that_was_made_for_another_challenge_is_refused(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    url = urlsplit(await met.begin(connector))
    others = dict(parse_qsl(urlsplit(await met.begin(connector)).query))
    asked = dict(parse_qsl(url.query)) | {"code_challenge": others["code_challenge"]}

    back = await asyncio.to_thread(met.foreign.consent, url._replace(query=urlencode(asked)).geturl())
    answer = await met.come_back(back)

    assert (answer.status_code, answer.json()["code"]) == (400, "authorization_needed")
    assert [call.status for call in met.foreign.token_calls()] == [400]
    assert (await met.shown(connector))["connection"] is None


async def test_a_code_put_into_somebody_elses_authorization_is_refused(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    stolen, own = await met.agree(connector), await met.agree(connector)

    answer = await met.come_back(own | {"code": stolen["code"]})

    assert (answer.status_code, answer.json()["code"]) == (400, "authorization_needed")
    assert [call.status for call in met.foreign.token_calls()] == [400]


async def test_a_code_that_was_used_is_refused_and_explained(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    first = await met.agree(connector)
    assert (await met.come_back(first)).status_code == 200
    second = await met.agree(connector)

    again = await met.come_back(second | {"code": first["code"]})

    assert again.status_code == 400
    assert "one-time code" in again.json()["detail"]
    assert "Connect again" in again.json()["remedy"]
    assert (await met.shown(connector))["status"] == "active"


async def test_a_wrong_client_secret_is_refused_and_explained(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP | {"clientSecret": "another secret"})

    answer = await met.come_back(await met.agree(connector))

    assert (answer.status_code, answer.json()["code"]) == (400, "app_refused")
    assert "client secret" in answer.json()["remedy"]
    assert [call.status for call in met.foreign.token_calls()] == [401]


async def test_a_denied_consent_is_explained_and_asks_for_no_token(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)

    answer = await met.come_back(await met.agree(connector, allows=False))

    assert (answer.status_code, answer.json()["code"]) == (400, "authorization_denied")
    assert "not granted" in answer.json()["detail"]
    assert met.foreign.token_calls() == []


async def test_what_a_provider_writes_into_its_refusal_is_text(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    back = await met.agree(connector, allows=False)
    script = "<script>alert(1)</script>"

    answer = await met.come_back(back | {"error": f"x{script}", "error_description": script})

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("state", [None, "", "made-up", "x" * 5_000])
async def test_a_state_that_is_none_of_ours_is_refused_before_anybody_is_asked(met: Met, state: str | None) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    back = await met.agree(connector)
    del back["state"]

    answer = await met.come_back(back if state is None else back | {"state": state})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_state")
    assert met.foreign.token_calls() == []


async def test_a_state_counts_once(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    back = await met.agree(connector)

    answers = await asyncio.gather(*(met.come_back(back) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert len(met.foreign.token_calls()) == 1


async def test_a_state_that_somebody_else_began_is_refused(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    back = await met.agree(connector)

    foreign = await met.come_back(back, role="manager")

    assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid_state")
    assert met.foreign.token_calls() == []
    assert (await met.come_back(back)).status_code == 200


async def test_a_state_that_is_too_old_is_refused(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    back = await met.agree(connector)
    async with Rows(met.hub.data_dir) as rows:
        await rows.connection.execute("UPDATE oauth_states SET expires_at = now()")

    answer = await met.come_back(back)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_state")
    assert met.foreign.token_calls() == []


async def test_a_return_from_another_issuer_is_refused_before_anybody_is_asked(met: Met) -> None:
    connector = await met.hub.create_connector("google", credentials=APP)
    back = await met.agree(connector)
    assert back["iss"] == met.foreign.url

    answer = await met.come_back(back | {"iss": "https://evil.example"})

    assert answer.status_code == 400
    assert met.foreign.token_calls() == []


async def test_a_token_that_has_ended_is_renewed_and_its_refresh_token_replaced(met: Met) -> None:
    connector = await met.connected()
    for _ in range(3):
        met.foreign.end_access_tokens()
        listed = await met.hub.api("GET", f"/api/connectors/{connector.id}/accounts")
        assert listed.status_code == 200, listed.text

    renewals = met.foreign.token_calls("refresh_token")
    assert [call.status for call in renewals] == [200, 200, 200]
    assert len({call.form["refresh_token"] for call in renewals}) == 3
    assert len(met.foreign.refresh_tokens(alive=True)) == 1


async def test_processes_that_need_a_new_token_at_once_ask_for_one_together(met: Met) -> None:
    connector = await met.connected()
    for _ in range(5):
        met.foreign.calls.clear()
        met.foreign.end_access_tokens()

        path = f"/api/connectors/{connector.id}/accounts"
        asked = [hub.api("GET", path) for _ in range(6) for hub in (met.hub, met.other)]
        answers = await asyncio.gather(*asked)

        assert [answer.status_code for answer in answers] == [200] * 12
        assert [call.status for call in met.foreign.token_calls()] == [200]


async def test_a_refresh_token_that_was_entered_is_used_by_one_process_only(met: Met) -> None:
    await met.connected()
    (token,) = met.foreign.refresh_tokens(alive=True)
    connector = await met.hub.create_connector("google", credentials=APP | {"refreshToken": token})
    met.foreign.calls.clear()

    path = f"/api/connectors/{connector.id}/accounts"
    answers = await asyncio.gather(*[hub.api("GET", path) for _ in range(4) for hub in (met.hub, met.other)])

    assert [answer.status_code for answer in answers] == [200] * 8
    assert [call.status for call in met.foreign.token_calls()] == [200]


async def test_who_disconnects_while_the_token_is_renewed_stays_disconnected(met: Met) -> None:
    connector = await met.connected()
    met.foreign.end_access_tokens()

    with met.foreign.holding.hold("/token") as held:
        asking = asyncio.create_task(met.hub.api("GET", f"/api/connectors/{connector.id}/accounts"))
        await until(held.is_there)
        left = await met.hub.api("POST", f"/api/connectors/{connector.id}/disconnect")
    asked = await asking

    assert (left.status_code, asked.status_code) == (200, 400)
    assert (await met.shown(connector))["connection"] is None
    assert await met.lines(connector, "authorization_lost") == []


async def test_who_connects_anew_while_the_token_is_renewed_keeps_the_new_agreement(met: Met) -> None:
    connector = await met.connected()
    met.foreign.end_access_tokens()

    with met.foreign.holding.hold("/token") as held:
        asking = asyncio.create_task(met.hub.api("GET", f"/api/connectors/{connector.id}/accounts"))
        await until(held.is_there)
        assert (await met.come_back(await met.agree(connector))).status_code == 200
        newest = met.foreign.refresh_tokens(alive=True)[-1]
    asked = await asking
    met.foreign.end_access_tokens()
    again = await met.hub.api("GET", f"/api/connectors/{connector.id}/accounts")

    assert (asked.status_code, again.status_code) == (200, 200)
    assert met.foreign.token_calls("refresh_token")[-1].form["refresh_token"] == newest


async def test_an_agreement_that_was_taken_back_asks_for_a_person_and_tells_once(met: Met) -> None:
    connector = await met.connected()
    met.foreign.take_back()
    met.foreign.calls.clear()

    path = f"/api/connectors/{connector.id}/accounts"
    answers = [await met.hub.api("GET", path), await met.other.api("GET", path), await met.hub.api("GET", path)]

    assert {answer.status_code for answer in answers} == {400}
    shown = await met.shown(connector)
    assert (shown["status"], bool(shown["connection"]["lostAt"])) == ("needs_authorization", True)
    assert len(met.foreign.token_calls()) == 1
    (line,) = await met.lines(connector, "authorization_lost")
    assert "Connect again" in line["message"]


async def test_whoever_connects_again_goes_on_where_pulling_had_come_to(met: Met) -> None:
    connector = await met.connected()

    async def synced() -> list[Any]:
        found = (await met.hub.api("GET", f"/api/connectors/{connector.id}/syncs")).json()["items"]
        return [one for one in found if one["status"] == "succeeded"]

    before = await until(synced)
    met.foreign.take_back()
    await met.hub.api("GET", f"/api/connectors/{connector.id}/accounts")

    answer = await met.come_back(await met.agree(connector))

    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert answer.json()["connection"]["lostAt"] is None

    async def again() -> list[Any]:
        return (await synced())[: -len(before)]

    (run, *_) = await until(again)
    assert run["from"] < before[0]["to"]


async def test_a_refresh_token_that_somebody_stole_and_used_ends_the_connection(met: Met) -> None:
    connector = await met.connected()
    (stolen,) = met.foreign.refresh_tokens(alive=True)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": stolen,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    async with httpx2.AsyncClient(trust_env=False) as thief:
        assert (await thief.post(f"{met.foreign.url}/token", data=form)).status_code == 200
    met.foreign.end_access_tokens()

    answer = await met.hub.api("GET", f"/api/connectors/{connector.id}/accounts")

    assert answer.status_code == 400
    assert (await met.shown(connector))["status"] == "needs_authorization"
    assert met.foreign.refresh_tokens(alive=True) == []


async def test_disconnecting_ends_the_tokens_at_the_provider(met: Met) -> None:
    connector = await met.connected()
    (token,) = met.foreign.refresh_tokens(alive=True)

    answer = await met.hub.api("POST", f"/api/connectors/{connector.id}/disconnect")

    assert (answer.status_code, answer.json()["connection"]) == (200, None)
    assert token in met.foreign.refresh_tokens(alive=False)
    (line,) = await met.lines(connector, "connector_disconnected")
    assert "taken back at the provider" in line["message"]


async def test_deleting_a_connector_ends_the_tokens_at_the_provider(met: Met) -> None:
    connector = await met.connected()

    answer = await met.hub.api("DELETE", f"/api/connectors/{connector.id}")

    assert answer.status_code == 204
    assert met.foreign.refresh_tokens(alive=True) == []
    async with Rows(met.hub.data_dir) as rows:
        assert await rows.all("SELECT 1 FROM connections WHERE connector_id = %s", connector.id) == []


async def test_no_token_is_in_an_answer_a_log_or_an_address(met: Met) -> None:
    connector = await met.connected()
    met.foreign.end_access_tokens()
    met.foreign.calls.clear()
    paths = ("", "/accounts", "/checklist", "/logs", "/syncs")
    answers = [(await met.hub.api("GET", f"/api/connectors/{connector.id}{path}")).text for path in paths]
    answers += [(await met.hub.api("GET", path)).text for path in ("/api/connectors", "/api/audit")]
    answers.append((await met.hub.api("POST", f"/api/connectors/{connector.id}/test-connection")).text)

    secrets = {*met.foreign.access_tokens(), *met.foreign.refresh_tokens(alive=True), CLIENT_SECRET}
    secrets |= set(met.foreign.refresh_tokens(alive=False))
    secrets |= {
        call.form[name] for call in met.foreign.token_calls() for name in ("code", "code_verifier") if name in call.form
    }

    assert len(secrets) >= 4
    printed = [*met.hub.process.lines, *met.other.process.lines]
    asked = [call.url for call in met.foreign.calls]
    for secret in secrets:
        assert not [text for text in (*answers, *printed, *asked) if secret in text]
