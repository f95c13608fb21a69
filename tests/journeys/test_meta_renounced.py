"""A person takes the app away at Facebook, or asks that their data is deleted: Meta tells, and the hub heeds it."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, Process, TestConnector
from tests.support.sandbox import Sandbox, running_sandbox

APP = {"appId": "1234567890123456", "appSecret": "sandbox-app-secret-0123456789abcdef"}
LEFT, DELETION = "/api/connectors/oauth/deauthorize/meta", "/api/connectors/oauth/deletion/meta"


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Process, Path]]:
    folder: Path = tmp_path_factory.mktemp("renounced")
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


async def connected(hub: Hub, sandbox: Sandbox) -> tuple[TestConnector, str]:
    """A connected connector, and the person who agreed, as the app knows them."""
    made = await hub.create_connector("meta", credentials=APP)
    url = (await hub.api("GET", f"/api/connectors/oauth/authorize/meta?connectorId={made.id}")).json()
    back = dict(parse_qsl(urlsplit(sandbox.http.get(url["authorizationUrl"]).headers["location"]).query))
    assert (await hub.api("GET", "/api/connectors/oauth/callback", params=back)).status_code == 200
    async with Rows(hub.data_dir) as rows:
        found = await rows.one("SELECT person FROM connections WHERE connector_id = %s", made.id)
    return made, found["person"]


async def post(hub: Hub, path: str, person: str, secret: str = APP["appSecret"]) -> httpx2.Response:
    about = {"user_id": person, "algorithm": "HMAC-SHA256", "issued_at": 1793436000}
    payload = base64.urlsafe_b64encode(json.dumps(about).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.digest(secret.encode(), payload, "sha256")).rstrip(b"=")
    return await hub.client.post(path, data={"signed_request": f"{signature.decode()}.{payload.decode()}"})


async def shown(hub: Hub, connector: TestConnector) -> Any:
    return (await hub.api("GET", f"/api/connectors/{connector.id}")).json()


async def lines(hub: Hub, connector: TestConnector, kind: str) -> Any:
    return (await hub.api("GET", f"/api/connectors/{connector.id}/logs?kind={kind}")).json()["items"]


async def test_whoever_takes_the_app_away_is_asked_again_at_once(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made, person = await connected(hub, sandbox)

    answers = [await post(hub, LEFT, person) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await shown(hub, made))["status"] == "needs_authorization"
    (line,) = await lines(hub, made, "authorization_lost")
    assert "took the app away" in line["message"]


async def test_a_deletion_leaves_no_token_and_says_where_to_read_of_it(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made, person = await connected(hub, sandbox)
    await post(hub, LEFT, person)

    answer = await post(hub, DELETION, person)

    code = answer.json()["confirmation_code"]
    page = await hub.client.get(answer.json()["url"])
    assert answer.status_code == 200
    assert (page.status_code, code in page.text) == (200, True)
    assert (await shown(hub, made))["connection"] is None
    (line,) = await lines(hub, made, "connection_forgotten")
    assert line["data"]["confirmationCode"] == code


@pytest.mark.parametrize("path", [LEFT, DELETION])
async def test_nobody_else_speaks_for_the_person(played: tuple[Sandbox, Hub], path: str) -> None:
    sandbox, hub = played
    made, person = await connected(hub, sandbox)

    forged = await post(hub, path, person, secret="a guess")
    unknown = await post(hub, path, "999")
    empty = await hub.client.post(path, content=b"&" * 200 + b"x=1")

    assert [answer.status_code for answer in (forged, unknown, empty)] == [400, 400, 400]
    assert (await shown(hub, made))["status"] == "active"


async def test_a_provider_that_makes_no_such_requests_has_no_such_address(played: tuple[Sandbox, Hub]) -> None:
    _, hub = played

    assert (await hub.client.post("/api/connectors/oauth/deauthorize/google", data={})).status_code == 404
