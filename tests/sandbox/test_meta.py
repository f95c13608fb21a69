"""The stand-in for Meta: consent as Meta asks for it, and announcements as Meta signs them."""

import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from connector_master.connectors.connector import Secrets
from connector_master.connectors.meta import Settings, connector, records, verify
from connector_master.connectors.meta_oauth import OAUTH, SCOPES
from connector_master.sandbox.app import build
from connector_master.sandbox.meta import Meta
from tests.connectors.builders import push
from tests.support.sandbox import Sandbox

BACK = "https://hub.example/api/connectors/oauth/callback"
APP = {"client_id": Meta.settings["appId"], "client_secret": Meta.settings["appSecret"]}
PAGE = "104857600112233"


def authorize(sandbox: Sandbox, consents: str) -> dict[str, list[str]]:
    """What the browser comes back with."""
    sandbox.set("meta", consents=consents)
    query = {"client_id": APP["client_id"], "redirect_uri": BACK, "state": "s", "response_type": "code"}
    path = OAUTH.authorize_path.format(version="v25.0")
    answer = sandbox.http.get(f"{sandbox.url}/meta{path}", params=query | {"scope": ",".join(SCOPES)})
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["location"]).query)


def exchange(sandbox: Sandbox, **asked: str) -> httpx2.Response:
    return sandbox.http.get(f"{sandbox.url}/meta{OAUTH.token_path.format(version='v25.0')}", params=APP | asked)


def asked(sandbox: Sandbox, path: str, token: str) -> Any:
    return sandbox.http.get(f"{sandbox.url}/meta/v25.0/{path}", headers={"Authorization": f"Bearer {token}"}).json()


def test_consent_gives_a_short_token_and_that_a_long_one_with_the_pages(sandbox: Sandbox) -> None:
    (code,) = authorize(sandbox, "allow")["code"]
    short = exchange(sandbox, code=code, redirect_uri=BACK).json()
    long = exchange(sandbox, grant_type="fb_exchange_token", fb_exchange_token=short["access_token"]).json()
    listed = asked(sandbox, "me/accounts?fields=id,tasks,access_token", long["access_token"])["data"]

    assert (short["expires_in"], short["token_type"]) == (5_100, "bearer")
    assert long["expires_in"] == 60 * 86_400
    assert [(one["id"], "ADVERTISE" in one["tasks"]) for one in listed] == [(PAGE, True), ("209999900044556", False)]


def test_a_token_ends_by_the_sandboxs_clock(sandbox: Sandbox) -> None:
    (code,) = authorize(sandbox, "allow")["code"]
    token = exchange(sandbox, code=code, redirect_uri=BACK).json()["access_token"]
    sandbox.pass_time(hours=2)

    error = asked(sandbox, "me", token)["error"]
    late = exchange(sandbox, grant_type="fb_exchange_token", fb_exchange_token=token).json()["error"]

    assert (error["code"], error["error_subcode"], late["code"]) == (190, 463, 190)


def test_a_refusal_and_a_partial_grant_are_told_as_meta_does(sandbox: Sandbox) -> None:
    refused = authorize(sandbox, "refuse")
    sandbox.set("meta", unticked="pages_manage_metadata")
    (code,) = authorize(sandbox, "partly")["code"]
    token = exchange(sandbox, code=code, redirect_uri=BACK).json()["access_token"]
    told = {one["permission"]: one["status"] for one in asked(sandbox, "me/permissions", token)["data"]}

    assert (refused["error"], refused["error_reason"]) == (["access_denied"], ["user_denied"])
    assert (told["pages_manage_metadata"], told["leads_retrieval"]) == ("declined", "granted")


def test_a_used_code_and_a_wrong_secret_are_graphs_errors(sandbox: Sandbox) -> None:
    (code,) = authorize(sandbox, "allow")["code"]
    first, again = (exchange(sandbox, code=code, redirect_uri=BACK) for _ in range(2))
    wrong = exchange(sandbox, client_secret="wrong", code=code, redirect_uri=BACK)

    assert (first.status_code, again.status_code, again.json()["error"]["code"]) == (200, 400, 100)
    assert "client secret" in wrong.json()["error"]["message"]


def test_a_lead_is_announced_signed_and_by_its_id_alone(sandbox: Sandbox) -> None:
    world = build().state.world
    meta = world.stand_ins["meta"]
    meta.set |= {"pushTo": "/callback", "subscribedPages": [PAGE]}
    sent = meta.push_request(meta.add(fields={"name": "Asha टेस्ट"}))
    secrets = Secrets((APP["client_secret"],))

    assert verify(push(sent.content, dict(sent.headers)), secrets, Settings()).scheme == "x-hub-signature-256"
    (record,) = records(json.loads(sent.content), push(sent.content, dict(sent.headers)), Settings())
    assert (record.is_announced, record.account) == (True, PAGE)
    assert "Asha" not in sent.content.decode()
    meta.switch("wrong_signature", True)
    forged = meta.push_request(meta.book[-1])
    expected = hmac.digest(APP["client_secret"].encode(), forged.content, "sha256").hex()
    assert forged.headers["x-hub-signature-256"] != f"sha256={expected}"
    meta.set["subscribedPages"] = []
    assert meta.push_request(meta.book[-1]) is None


def test_its_addresses_are_those_that_the_connector_calls() -> None:
    named = {address.setting for address in connector.addresses}

    assert set(Meta.addresses("http://sandbox.example")) == named
    assert set(Meta.addresses("http://sandbox.example").values()) == {"http://sandbox.example/meta"}
