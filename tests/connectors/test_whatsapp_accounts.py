"""WhatsApp's numbers against its stand-in: which a token reaches, and that what is written to them is pushed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector_master.connectors.oauth import Account, Callback, Grant
from connector_master.connectors.whatsapp import Credentials, Settings
from connector_master.connectors.whatsapp_accounts import accounts, subscribe
from connector_master.model.problem import AuthorizationNeeded, BadProviderRequest, InvalidRequest, TokenRefused
from connector_master.outbound.http import HttpClient
from connector_master.services import checklist, connections
from tests.connectors.scripted import Scripted, answer
from tests.support.inside import Inside, open_inside
from tests.support.sandbox import Sandbox, calling

TOKEN = "sandbox-system-user-token"
SETTINGS = Settings()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[HttpClient]:
    async with calling(sandbox.url) as made:
        yield made


def grant(token: str = TOKEN, **credentials: str) -> Grant:
    return Grant(credentials=Credentials.model_validate({"accessToken": token, **credentials}), access_token=token)


def number(sandbox: Sandbox) -> str:
    return str(sandbox.state("whatsapp")["settings"]["phoneNumberId"])


def business(sandbox: Sandbox) -> str:
    return str(sandbox.state("whatsapp")["settings"]["businessAccountId"])


@pytest.mark.parametrize("is_entered", [True, False])
async def test_the_numbers_of_the_business_account_are_listed_also_where_only_the_token_names_it(
    sandbox: Sandbox, client: HttpClient, *, is_entered: bool
) -> None:
    credentials = {"businessAccountId": business(sandbox)} if is_entered else {}

    (found,) = await accounts(client, grant(**credentials), SETTINGS)

    assert (found.id, found.kind, found.is_selectable) == (number(sandbox), "number", True)
    assert found.details["businessAccountId"] == business(sandbox)
    assert str(found.details["phoneNumber"]) in found.name


async def test_a_number_that_is_not_registered_can_not_be_chosen(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.set("whatsapp", platformType="NOT_APPLICABLE")

    (found,) = await accounts(client, grant(), SETTINGS)

    assert (found.is_selectable, "NOT_APPLICABLE" in (found.reason or "")) == (False, True)


async def test_every_page_of_numbers_is_read_and_pages_end() -> None:
    pages = [
        {"data": [{"id": "1"}, {"id": "p:1"}], "paging": {"cursors": {"after": "a"}, "next": "https://x"}},
        {"data": [{"id": "2"}, {"name": "none"}], "paging": {"cursors": {"after": "a"}, "next": "https://x"}},
    ]
    script = Scripted(*(answer(page) for page in pages))

    found = await accounts(script, grant(businessAccountId="9"), SETTINGS)

    assert [one.id for one in found] == ["1", "2"]
    assert [query.get("after") for _, query in script.asked] == [None, "a"]


async def test_a_token_that_names_no_business_account_asks_for_its_id() -> None:
    with pytest.raises(BadProviderRequest) as told:
        await accounts(Scripted(answer({"data": {"scopes": []}})), grant(), SETTINGS)

    assert "Business account ID" in told.value.remedy


async def test_a_refused_token_is_told_as_such(client: HttpClient) -> None:
    with pytest.raises(TokenRefused):
        await accounts(client, grant("EAAnotthesandboxs", businessAccountId="1"), SETTINGS)


async def test_the_app_is_subscribed_once_to_the_business_account(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("whatsapp", unsubscribed=True)
    account = Account(id=number(sandbox), name="Sales", kind="number", details={"businessAccountId": business(sandbox)})

    for _ in range(2):
        await subscribe(client, grant(), SETTINGS, account, Callback("https://hub.example"))

    assert sandbox.state("whatsapp")["counts"]["subscribed_apps_post"] == 1


# ---- in the hub -------------------------------------------------------------------------------------


@pytest.fixture
async def inside(database_url: str, tmp_path: Path, client: HttpClient) -> AsyncIterator[Inside]:
    """A hub that calls the sandbox."""
    async with open_inside(database_url, tmp_path) as opened:
        yield replace(opened, hub=replace(opened.hub, provider=lambda _: client))


async def states(inside: Inside, connector: Any) -> dict[str, str]:
    items = await checklist.checklist(inside.hub, inside.caller, connector.id)
    return {item.code: item.state for item in items}


async def test_numbers_are_chosen_without_consent_and_pushed_from_then_on(sandbox: Sandbox, inside: Inside) -> None:
    sandbox.fault("whatsapp", unsubscribed=True)
    connector = await inside.create_connector("whatsapp", credentials={"accessToken": TOKEN})

    (reached,) = await connections.list_accounts(inside.hub, inside.caller, connector.id)
    before = await states(inside, connector)
    with pytest.raises(InvalidRequest):
        await connections.choose_accounts(inside.hub, inside.caller, connector.id, ["1"])
    await connections.choose_accounts(inside.hub, inside.caller, connector.id, [reached.account.id])

    after = await states(inside, connector)
    source = await inside.hub.sources.find(connector.webhook_id or "")
    assert (before["accounts"], after["accounts"], after["subscription"]) == ("unknown", "ok", "ok")
    assert source is not None
    assert source.accounts == {number(sandbox)}


async def test_without_a_token_nobody_can_be_asked_for_numbers(inside: Inside) -> None:
    connector = await inside.create_connector("whatsapp")

    with pytest.raises(AuthorizationNeeded):
        await connections.list_accounts(inside.hub, inside.caller, connector.id)


async def test_a_number_that_was_entered_leaves_nothing_to_choose(inside: Inside) -> None:
    connector = await inside.create_connector("whatsapp", credentials={"phoneNumberId": "106540352242922"})

    assert "accounts" not in await states(inside, connector)
