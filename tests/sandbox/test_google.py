"""The stand-in for Google Ads, over a real socket: what it sends is understood, what it refuses is what Google refuses."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from connector_master.connectors.connector import Secrets
from connector_master.connectors.google import connector, records
from connector_master.connectors.google_accounts import accounts
from connector_master.connectors.google_api import Credentials, Settings
from connector_master.connectors.google_key import verify
from connector_master.connectors.google_oauth import revoke
from connector_master.connectors.google_pull import pull
from connector_master.connectors.google_pull import test as check
from connector_master.connectors.oauth import Grant, Tokens
from connector_master.connectors.pulling import Window
from connector_master.model.event import Record
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import (
    AppRefused,
    BadProviderRequest,
    CredentialsRefused,
    InvalidSignature,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.http import Bounds, HttpClient
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import process
from connector_master.sandbox.app import build
from connector_master.services.sources import profile_of
from tests.connectors.builders import push
from tests.support.sandbox import CLOCK, Sandbox, calling

MAPPED = compile_mapping(connector.mapping)
SECRETS = Secrets(hashes=(hashlib.sha256(b"the key").digest(),))
MONTH = Window(CLOCK - timedelta(days=30), CLOCK)
MANAGED = "5556667778"


def grant(**credentials: str) -> Grant:
    return Grant(credentials=Credentials.model_validate(credentials), access_token="sandbox-token")


def draft(record: Record) -> LeadDraft:
    return process(record.value, MAPPED, profile_of(connector, Settings()))


async def pulled(client: HttpClient, access: Grant | None = None, window: Window = MONTH) -> list[Record]:
    return [one async for page in pull(client, access or grant(), Settings(), window) for one in page.records]


@pytest.fixture
async def ads(sandbox: Sandbox) -> AsyncIterator[HttpClient]:
    async with calling(f"{sandbox.url}/google", bounds=Bounds(silence_seconds=1, total_seconds=5)) as made:
        yield made


def pushed(**lead: str) -> httpx2.Request:
    """What is sent for a lead, from a sandbox of the test's own."""
    stand_in = build(clock=lambda: CLOCK).state.world.stand_ins["google"]
    stand_in.set |= {"pushTo": "/callback", "googleKey": "the key"}
    request = stand_in.push_request(stand_in.add(fields=lead))
    assert isinstance(request, httpx2.Request)
    return request


# ---- pushes ---------------------------------------------------------------------------------------------


def test_a_push_is_taken_with_its_key_and_becomes_the_lead_that_was_asked_for() -> None:
    body = pushed(phone="+919000000777", name="Asha Rao", city="Pune").content

    assert verify(push(body), SECRETS).scheme == "google_key"
    (record,) = records(json.loads(body), push(body), Settings())
    made = draft(record)

    assert (made.phone_number, made.city) == ("+919000000777", "Pune")
    assert "Which product?: " in (made.notes or "")
    with pytest.raises(InvalidSignature):
        verify(push(body), Secrets())


def test_what_the_test_button_sends_is_ignored() -> None:
    (record,) = records(json.loads(pushed(isTest="true").content), push(), Settings())

    assert record.ignored == "test"


# ---- pulls ----------------------------------------------------------------------------------------------


async def test_every_lead_is_pulled_through_the_manager_in_pages(sandbox: Sandbox, ads: HttpClient) -> None:
    sandbox.set("google", pageSize=4)
    sandbox.spread("google", 10, MONTH.start, MONTH.end)
    sandbox.add("google", customerId="2223334445", phone="+919000000778")

    found = await pulled(ads)

    assert len({one.external_id for one in found}) == 11
    assert all(one.stands_for and draft(one).campaign not in one.stands_for.values() for one in found)
    assert {draft(one).attributes["formName"] for one in found} == {"Quote form", "Call me back"}
    assert any("adgroupName" in draft(one).attributes for one in found)


async def test_push_and_pull_of_one_lead_have_one_id_and_one_shape(sandbox: Sandbox, ads: HttpClient) -> None:
    body = sandbox.add("google", name="Asha Rao", phone="+919000000779")
    (pushed_one,) = records(body, push(), Settings())

    (pulled_one,) = await pulled(ads)

    assert pushed_one.external_id == pulled_one.external_id
    assert pushed_one.twin == pulled_one.twin
    ours, theirs = draft(pushed_one), draft(pulled_one)
    assert (ours.phone_number, ours.name, ours.notes, ours.enquired_at) == (
        theirs.phone_number,
        theirs.name,
        theirs.notes,
        theirs.enquired_at,
    )
    assert (pulled_one.stands_for or {})["campaign"] == ours.campaign


async def test_the_window_is_kept_exactly(sandbox: Sandbox, ads: HttpClient) -> None:
    for hours in (1, 20, 23, 25, 47, 49):
        sandbox.add_at("google", CLOCK - timedelta(hours=hours))

    found = await pulled(ads, window=Window(CLOCK - timedelta(hours=48), CLOCK - timedelta(hours=22)))

    assert len(found) == 3


async def test_accounts_are_listed_with_what_can_be_chosen(ads: HttpClient) -> None:
    found = {one.id: one for one in await accounts(ads, grant(), Settings())}

    assert {id_ for id_, one in found.items() if one.is_selectable} == {MANAGED, "2223334445"}
    assert found[MANAGED].details["loginCustomerId"] == "1234567890"


async def test_the_check_asks_for_real(ads: HttpClient) -> None:
    assert (await check(ads, grant(), Settings())).is_ok
    through = await check(ads, grant(customerId=MANAGED, loginCustomerId="123-456-7890"), Settings())
    assert through.details["accounts"] == ["555-666-7778"]
    with pytest.raises(CredentialsRefused, match="USER_PERMISSION_DENIED"):
        await check(ads, grant(customerId=MANAGED), Settings())
    with pytest.raises(CredentialsRefused, match="CUSTOMER_NOT_ENABLED"):
        await check(ads, grant(customerId="5556667779", loginCustomerId="1234567890"), Settings())


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("token_expired", TokenRefused),
        ("token_revoked", TokenRefused),
        ("two_step", TokenRefused),
        ("scope_missing", PermissionMissing),
        ("permission_denied", CredentialsRefused),
        ("project_not_approved", AppRefused),
        ("api_disabled", AppRefused),
        ("quota", ProviderLimited),
        ("busy", ProviderLimited),
        ("bad_query", BadProviderRequest),
        ("version_gone", BadProviderRequest),
        ("internal", ProviderUnavailable),
        ("unavailable", ProviderUnavailable),
        *((name, ProviderUnavailable) for name in ("html", "broken", "wrong_types", "empty", "silent")),
    ],
)
async def test_no_fault_is_taken_for_an_account_without_leads(
    sandbox: Sandbox, ads: HttpClient, fault: str, kind: type[Problem]
) -> None:
    sandbox.add("google")
    sandbox.fault("google", **{fault: True})

    with pytest.raises(Problem) as raised:
        await pulled(ads, grant(customerId=MANAGED, loginCustomerId="1234567890"))

    assert type(raised.value) is kind


async def test_an_array_and_forgotten_pages_are_got_over(sandbox: Sandbox, ads: HttpClient) -> None:
    sandbox.set("google", pageSize=2)
    sandbox.spread("google", 5, MONTH.start, MONTH.end)
    sandbox.fault("google", array=True, bad_page_token=1)

    found = await pulled(ads, grant(customerId=MANAGED, loginCustomerId="1234567890"))

    assert len({one.external_id for one in found}) == 5


async def test_a_lead_that_shows_late_is_found_once_it_does(sandbox: Sandbox, ads: HttpClient) -> None:
    sandbox.fault("google", late=3600)
    sandbox.add("google")

    assert await pulled(ads) == []
    sandbox.pass_time(hours=2)
    assert len(await pulled(ads)) == 1


# ---- consent --------------------------------------------------------------------------------------------


async def test_a_grant_that_is_taken_back_is_dead(sandbox: Sandbox, ads: HttpClient) -> None:
    await check(ads, grant(), Settings())

    await revoke(ads, None, None, Tokens("sandbox-token"))
    await revoke(ads, None, None, Tokens("sandbox-token"))

    with pytest.raises(TokenRefused):
        await check(ads, grant(), Settings())


async def test_a_token_without_the_scope_is_told_apart(sandbox: Sandbox, ads: HttpClient) -> None:
    answer: Any = await ads.get("/v26/customers:listAccessibleCustomers", headers={"Authorization": "Bearer nobody"})

    assert answer.status == 401
