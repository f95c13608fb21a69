"""A token that LinkedIn refuses although it lives: a role is missing, so nothing is lost and connecting again is no cure."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector_master.sandbox.linkedin import LinkedIn
from tests.support.hub import Hub, Process, TestConnector, until
from tests.support.sandbox import Sandbox, running_sandbox

APP = {"clientId": LinkedIn.settings["clientId"], "clientSecret": LinkedIn.settings["clientSecret"]}
BACK = "https://hub.example/api/connectors/oauth/callback"


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Process, Path]]:
    folder: Path = tmp_path_factory.mktemp("linkedin-roles")
    with running_sandbox(clock=None) as sandbox:
        address = f"{sandbox.url}/linkedin"
        env = {"CONNECTOR_MASTER_LINKEDIN_API_URL": address, "CONNECTOR_MASTER_LINKEDIN_OAUTH_URL": address}
        process = Process("up", "--data-dir", str(folder / "data"), "--port", "0", env=env).wait_ready()
        yield sandbox, process, folder / "data"
        process.stop()


@pytest.fixture
async def played(sandboxed: tuple[Sandbox, Process, Path]) -> AsyncIterator[tuple[Sandbox, Hub]]:
    sandbox, process, data_dir = sandboxed
    hub = Hub(process, data_dir)
    sandbox.control("reset", {"seed": 1})
    yield sandbox, hub
    await hub.client.aclose()


def token(sandbox: Sandbox) -> str:
    """A token that a person agreed to elsewhere."""
    sandbox.set("linkedin", consents="allow")
    scope = "r_marketing_leadgen_automation r_ads r_organization_admin"
    query = {"client_id": APP["clientId"], "redirect_uri": BACK, "state": "s", "response_type": "code", "scope": scope}
    answer = sandbox.http.get(f"{sandbox.url}/linkedin/oauth/v2/authorization", params=query)
    (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    app = {"client_id": APP["clientId"], "client_secret": APP["clientSecret"], "redirect_uri": BACK}
    form = {"grant_type": "authorization_code", "code": code, **app}
    given = sandbox.http.post(f"{sandbox.url}/linkedin/oauth/v2/accessToken", data=form).json()
    return str(given["access_token"])


async def last_sync(hub: Hub, connector: TestConnector) -> Any:
    await hub.api("POST", f"/api/connectors/{connector.id}/sync", {})

    async def ended() -> Any:
        syncs = (await hub.api("GET", f"/api/connectors/{connector.id}/syncs")).json()["items"]
        return syncs[0] if syncs and syncs[0]["status"] in ("failed", "succeeded") else None

    return await until(ended)


async def test_a_token_that_lives_is_not_lost_where_only_a_role_is_missing(played: tuple[Sandbox, Hub]) -> None:
    sandbox, hub = played
    made = await hub.create_connector("linkedin", credentials=APP | {"accessToken": token(sandbox)})
    sandbox.set("linkedin", adAccounts=[{"id": 510000004, "name": "Former client", "organization": 31000003}])
    sandbox.fault("linkedin", token_invalid=True)

    hidden = await last_sync(hub, made)
    sandbox.control("linkedin/actions", {"action": "revoke_all"})
    dead = await last_sync(hub, made)

    assert hidden["error"]["code"] == "permission_missing"
    assert "The token is good" in hidden["error"]["message"]
    assert dead["error"]["code"] == "token_refused"
