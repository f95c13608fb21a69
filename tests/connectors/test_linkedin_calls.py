"""LinkedIn's API as the connector calls it: on the wire, page by page, leads fetched and pulled, accounts, errors told."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector_master.connectors.connector import Check
from connector_master.connectors.linkedin import Credentials, Settings, connector, records
from connector_master.connectors.linkedin_accounts import accounts
from connector_master.connectors.linkedin_api import rest_of
from connector_master.connectors.linkedin_check import version_warning
from connector_master.connectors.linkedin_fetch import FormUnreadable, pull, resolve
from connector_master.connectors.linkedin_oauth import OAUTH, explain, inspect
from connector_master.connectors.linkedin_patience import Patience
from connector_master.connectors.linkedin_subscriptions import subscribe, unsubscribe
from connector_master.connectors.oauth import Account, App, Callback, Grant
from connector_master.connectors.pulling import Page, Window
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import (
    ApiVersionEnded,
    AppRefused,
    AuthorizationNeeded,
    BadProviderRequest,
    LeadNotFound,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer, Client
from connector_master.outbound.http import Bounds, HttpClient
from connector_master.sandbox.linkedin import LinkedIn
from tests.connectors.builders import push
from tests.connectors.scripted import Scripted, answer
from tests.support.sandbox import CLOCK, Sandbox, calling

SAMPLES = Path(__file__).parent.parent / "samples" / "linkedin"
APP = App(LinkedIn.settings["clientId"], LinkedIn.settings["clientSecret"])
ACCOUNT, EXPORTS, PAGE = (
    "urn:li:sponsoredAccount:510000001",
    "urn:li:sponsoredAccount:510000003",
    "urn:li:organization:31000002",
)
DAY = Window(CLOCK - timedelta(days=1), CLOCK)
CALLBACK = Callback("https://hub.example.com/api/connectors/linkedin/li-demo-1")
SETTINGS = Settings()
SPONSORED = Settings(lead_types=("SPONSORED",))
NOTICE: Json = {"leadGenFormResponse": "urn:li:leadGenFormResponse:0f6c1a52-1111-4aaa-8b00-000000000003-3"}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def grant(*chosen: Account, token: str = "sandbox-token", app: App | None = APP) -> Grant:
    return Grant(credentials=Credentials(), access_token=token, app=app, accounts=chosen)


def account(urn: str = ACCOUNT, name: str = "Example Traders - India") -> Account:
    return Account(id=urn, name=name, kind="ad account" if "sponsored" in urn else "page")


def announced(sandbox: Sandbox, **lead: str) -> Json:
    (record,) = records(sandbox.add("linkedin", **lead), push(headers={"a": "b"}), SETTINGS)
    return record.value


async def pages(client: Client, granted: Grant, window: Window = DAY, settings: Settings = SETTINGS) -> list[Page]:
    return [one async for one in pull(client, granted, settings, window)]


async def pulled(client: Client, granted: Grant, window: Window = DAY, settings: Settings = SETTINGS) -> list[Record]:
    return [record for one in await pages(client, granted, window, settings) for record in one.records]


async def check(client: Client, granted: Grant, settings: Settings = SETTINGS) -> Check:
    assert connector.test is not None
    return await connector.test(client, granted, settings)


def value_of(record: Record) -> dict[str, Any]:
    assert isinstance(record.value, dict)
    return record.value


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[HttpClient]:
    async with calling(f"{sandbox.url}/linkedin", bounds=Bounds(silence_seconds=1, total_seconds=5)) as made:
        yield made


class Wire:
    """A server that answers every request with an empty list, and keeps each as it came."""

    def __init__(self) -> None:
        self.heads: list[list[bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.rstrip().split(b"\r\n"))
        body = b'{"elements":[],"paging":{"start":0,"count":100,"links":[]}}'
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()


# ---- on the wire ----------------------------------------------------------------------------------------


async def test_calls_go_out_as_the_documents_write_them() -> None:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, calling(address) as client:
        await accounts(client, grant(), SPONSORED)
        await pulled(client, grant(account()), Window(DAY.start, DAY.start))
        await unsubscribe(client, grant(), SPONSORED, account(), CALLBACK)
        with pytest.raises(ProviderUnavailable):
            await resolve(client, grant(), SETTINGS, {"leadGenFormResponse": "urn:li:leadGenFormResponse:a b(1)"})

    at = int(DAY.start.timestamp() * 1000)
    owner = b"(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A510000001)"
    lines = [head[0].split(b" ")[1] for head in wire.heads]
    fields = lines[2].partition(b"&fields=")[2]
    active = b"(status:(values:List(ACTIVE)),test:false)"
    assert lines == [
        b"/rest/organizationAcls?q=roleAssignee&state=APPROVED&count=100&start=0",
        b"/rest/adAccounts?q=search&search=%s&count=100&start=0&fields=id,name,test,referenceInfo" % active,
        b"/rest/leadFormResponses?q=owner&owner=%s&leadType=(leadType:SPONSORED)&limitedToTestLeads=false" % owner
        + b"&submittedAtTimeRange=(start:%d,end:%d)&count=100&start=0&fields=%s" % (at - 1, at + 1, fields),
        b"/rest/leadNotifications?q=criteria&owner=(value:%s)&leadType=(leadType:SPONSORED)&count=100&start=0" % owner,
        b"/rest/leadFormResponses/a%20b%281%29?fields=" + fields,
    ]
    assert fields.endswith(b"formResponse,form:(hiddenFields,creationLocale,name,id,content)")
    for head in wire.heads:
        assert {b"Authorization: Bearer sandbox-token", b"LinkedIn-Version: 202609"} <= set(head)
        assert b"X-Restli-Protocol-Version: 2.0.0" in head


# ---- paging ---------------------------------------------------------------------------------------------


def listed(first: int, last: int, **paging: Any) -> Answer:
    return answer({"elements": [{"id": n} for n in range(first, last)], "paging": {"start": 0, **paging}})


NEXT = [{"rel": "next", "type": "application/json", "href": "https://elsewhere.example/rest/x?start=2"}]


@pytest.mark.parametrize(
    ("answers", "starts"),
    [
        ([listed(0, 2, count=2, total=5), listed(2, 4, count=2, total=5), listed(4, 5, count=2, total=5)], [0, 2, 4]),
        ([listed(0, 2, count=2, links=NEXT, total=2), listed(2, 2, count=2)], [0, 2]),
        ([listed(0, 3, count=3, links=[]), listed(3, 4, count=3, links=[])], [0, 3]),
        ([listed(0, 3, count=10, links=[])], [0]),
        ([listed(0, 0, count=10, links=NEXT, total=7)], [0]),
        ([answer({"elements": [{"id": 1}]})], [0]),
    ],
)
async def test_pages_follow_by_what_came_and_never_by_the_address_named(
    answers: list[Answer], starts: list[int]
) -> None:
    script = Scripted(*answers)

    async for _ in rest_of(script, grant(), SETTINGS).rows("x", {"q": "y"}):
        pass

    assert [path for path, _ in script.asked] == [f"/rest/x?q=y&count=100&start={start}" for start in starts]


async def test_newer_finders_are_followed_by_their_tokens() -> None:
    first = sample("ad_accounts_and_roles")["ad_accounts_cursor"]["response"]
    script = Scripted(answer(first), answer({"metadata": {}, "elements": [{"id": 510000009, "name": "Last"}]}))

    found = [
        one async for page in rest_of(script, grant(), SETTINGS).rows("adAccounts", {"q": "search"}) for one in page
    ]

    assert [one["id"] for one in found] == [510000001, 510000009]
    assert script.asked[1][0] == "/rest/adAccounts?q=search&pageSize=100&pageToken=DgGerr1iVQreCJVjZDOW"


async def test_pages_that_never_end_fail(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("linkedin")
    sandbox.fault("linkedin", endless=True)

    with pytest.raises(ProviderUnavailable, match="do not end"):
        await pulled(client, grant(account()))


@pytest.mark.parametrize("body", [{}, {"elements": None}, {"elements": {}}, [], "text", "<html>Login</html>"])
async def test_an_answer_without_a_list_is_no_empty_list(body: Any) -> None:
    with pytest.raises(ProviderUnavailable):
        await pulled(Scripted(answer(body)), grant(account()))


# ---- one lead -------------------------------------------------------------------------------------------


async def test_an_announced_lead_is_fetched_with_its_form_and_names(sandbox: Sandbox, client: HttpClient) -> None:
    about = announced(sandbox, name="Asha Rao", phone="+919000000123", formId="7300001")

    record = await resolve(client, grant(account()), SETTINGS, about)

    value = value_of(record)
    assert (record.account, record.is_announced, record.ignored) == (ACCOUNT, False, None)
    assert value["answers"]["FIRST_NAME"] == "Asha"
    assert value["hidden"] == {"utm_source": "linkedin", "product_line": "pumps-2026"}
    assert value["campaignName"] in ("Diwali B2B 2026", "Monsoon pumps")
    assert value["ownerName"] == "Example Traders - India"
    assert sandbox.state("linkedin")["counts"]["calls"] == 1


async def test_a_push_and_a_pull_give_the_same_record(sandbox: Sandbox, client: HttpClient) -> None:
    kinds: list[dict[str, str]] = [{}, {"formId": "7212345678901234567"}, {"leadType": "EVENT"}, {"isTest": "true"}]
    abouts = [announced(sandbox, **kind) for kind in kinds]
    granted = grant(account(), account(PAGE, "Example Exports"))

    fetched = [await resolve(client, granted, SETTINGS, about) for about in abouts]

    found = {record.external_id: record for record in await pulled(client, granted)}
    assert [found[record.external_id] for record in fetched] == fetched
    assert [record.ignored for record in fetched] == [None, None, None, "test"]


async def test_a_lead_that_is_not_there_yet_is_found_later(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("linkedin", late=60)
    about = announced(sandbox)

    with pytest.raises(LeadNotFound) as missing:
        await resolve(client, grant(account()), SETTINGS, about)
    sandbox.pass_time(minutes=2)

    assert "role" in missing.value.remedy
    assert (await resolve(client, grant(account()), SETTINGS, about)).external_id


async def test_a_lead_without_names_and_form_has_them_looked_up_once(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("linkedin", plain=True)
    abouts = [announced(sandbox, formId="7300001", phone="+919000000124") for _ in range(4)]
    granted = grant(account())

    found = [await resolve(client, granted, SETTINGS, about) for about in abouts]

    values = [value_of(record) for record in found]
    assert {value["formName"] for value in values} == {"Pump enquiry 2026"}
    assert {value["campaignName"] for value in values} == {"Diwali B2B 2026", "Monsoon pumps"}
    assert {value["creativeName"] for value in values} == {"Carousel A", "Video B"}
    counts = sandbox.state("linkedin")["counts"]
    assert (counts["leadForms.GET"], counts["adCampaigns.GET"], counts["creatives.GET"]) == (1, 2, 2)


async def test_the_samples_of_a_lead_its_form_and_its_names_make_one_record() -> None:
    lookups = sample("lookups")
    script = Scripted(
        answer(sample("lead_plain_no_decoration")),
        answer(sample("form_definition")),
        answer(lookups["campaign"]["response"]),
        answer(lookups["creative"]["response"]),
    )

    value = value_of(await resolve(script, grant(account()), SETTINGS, NOTICE))

    assert (value["campaignName"], value["creativeName"]) == ("Diwali B2B 2026", "Carousel A")
    assert value["answers"]["COMPANY_NAME"] == "Sample Works"
    assert [path for path, _ in script.asked[1:]] == [
        "/rest/leadForms/7300001",
        "/rest/adAccounts/510000001/adCampaigns/410000001",
        "/rest/adAccounts/510000001/creatives/urn%3Ali%3AsponsoredCreative%3A610000001",
    ]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_a_name_that_can_not_be_looked_up_stops_no_lead(status: int) -> None:
    script = Scripted(
        answer(sample("lead_plain_no_decoration")), answer(sample("form_definition")), answer({"message": "no"}, status)
    )

    value = value_of(await resolve(script, grant(account()), SETTINGS, NOTICE))

    assert (value["campaignId"], "campaignName" in value) == ("410000001", False)


def plain(at: datetime) -> Any:
    return sample("lead_plain_no_decoration") | {"submittedAt": int(at.timestamp() * 1000)}


@pytest.mark.parametrize("status", [403, 404])
async def test_a_lead_waits_an_hour_for_its_form_and_then_goes_without(status: int) -> None:
    now = datetime.now(UTC)
    refusal = answer({"message": "no"}, status)

    with pytest.raises(FormUnreadable):
        await resolve(Scripted(answer(plain(now)), refusal), grant(account()), SETTINGS, NOTICE)
    late = await resolve(Scripted(answer(plain(now - timedelta(hours=2))), refusal), grant(account()), SETTINGS, NOTICE)

    assert value_of(late)["answers"] == {"PHONE_NUMBER": "+919000000103"}


async def test_a_form_that_can_not_be_read_just_now_is_no_form_that_is_gone() -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    script = Scripted(answer(plain(long_ago)), answer({"message": "no"}, 503))

    with pytest.raises(ProviderUnavailable):
        await resolve(script, grant(account()), SETTINGS, NOTICE)


@pytest.mark.parametrize("body", [{"id": "another", "formResponse": {}}, {"formResponse": None}, {}, [], "text"])
async def test_something_else_than_the_lead_is_no_lead(body: Any) -> None:
    with pytest.raises(ProviderUnavailable):
        await resolve(Scripted(answer(body)), grant(account()), SETTINGS, NOTICE)


async def test_a_lead_of_a_type_that_nobody_wants_is_ignored(sandbox: Sandbox, client: HttpClient) -> None:
    about = announced(sandbox, leadType="EVENT")

    assert (await resolve(client, grant(), SPONSORED, about)).ignored == "other_lead_type"


# ---- many leads -----------------------------------------------------------------------------------------


async def test_every_chosen_owner_is_read_type_by_type(sandbox: Sandbox, client: HttpClient) -> None:
    for lead in (
        {},
        {"accountId": "510000003"},
        *({"leadType": one} for one in ("EVENT", "COMPANY", "ORGANIZATION_PRODUCT")),
    ):
        sandbox.add("linkedin", **lead)

    found = await pages(client, grant(account(), account(EXPORTS), account(PAGE)))

    records_ = [record for one in found for record in one.records]
    assert sorted((str(record.account), str(value_of(record)["leadType"])) for record in records_) == [
        (PAGE, "COMPANY"),
        (PAGE, "EVENT"),
        (PAGE, "ORGANIZATION_PRODUCT"),
        (ACCOUNT, "SPONSORED"),
        (EXPORTS, "SPONSORED"),
    ]
    assert [one.read_until for one in found[:-1]] == [DAY.start] * (len(found) - 1)
    assert found[-1].read_until == DAY.end


async def test_many_pages_of_leads_are_read_and_each_lead_once(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.spread("linkedin", 320, CLOCK - timedelta(hours=20), CLOCK)

    found = [record.external_id for record in await pulled(client, grant(account()))]
    sandbox.fault("linkedin", no_total=True)
    again = [record.external_id for record in await pulled(client, grant(account()))]

    # The stand-in gives at most fifty on a page, whatever is asked for.
    assert len(found) == len(set(found)) == 320
    assert again == found


async def test_only_what_lies_in_the_window_is_asked_for(sandbox: Sandbox, client: HttpClient) -> None:
    for moment in (DAY.start - timedelta(seconds=5), DAY.start, DAY.end, DAY.end + timedelta(seconds=5)):
        sandbox.add_at("linkedin", moment)

    assert len(await pulled(client, grant(account()))) == 2


async def test_the_samples_of_two_pages_are_read_to_the_last() -> None:
    script = Scripted(
        answer(sample("leads_page1")), *[answer(sample("form_definition"))], answer(sample("leads_page2_last"))
    )

    found = await pulled(script, grant(account()), settings=SPONSORED)

    assert [value_of(record)["answers"].get("FIRST_NAME") for record in found] == ["Asha", "Farah", "Gopal"]
    assert [
        path.partition("&fields=")[0][-16:] for path, _ in script.asked if "start=" in path and "owner" in path
    ] == [
        "count=100&start=0",
        "count=100&start=2",
    ] or len(script.asked) == 3


async def test_an_owner_that_fails_keeps_no_other_from_being_read(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("linkedin")
    lost = account("urn:li:sponsoredAccount:510000004", "Former client")
    read: list[Record] = []

    async def read_all() -> None:
        async for one in pull(client, grant(lost, account()), SETTINGS, DAY):
            read.extend(one.records)
            assert one.read_until == DAY.start

    # Leads can be read, only not these: whoever connected needs no new consent.
    with pytest.raises(BadProviderRequest, match="Former client") as refused:
        await read_all()

    assert len(read) == 1
    assert "role" in refused.value.remedy
    with pytest.raises(PermissionMissing, match="Former client"):
        await pulled(client, grant(lost))


async def test_a_lead_whose_form_is_awaited_holds_up_no_other_and_the_mark() -> None:
    now = datetime.now(UTC)
    page = {"elements": [plain(now), sample("lead_full_sponsored")], "paging": {"start": 0, "count": 100, "total": 2}}
    script = Scripted(answer(page), answer({"message": "no"}, 403))
    read: list[Record] = []

    async def read_all() -> None:
        async for one in pull(script, grant(account()), SPONSORED, DAY):
            read.extend(one.records)

    with pytest.raises(FormUnreadable):
        await read_all()

    assert [record.external_id for record in read] == ["0f6c1a52-1111-4aaa-8b00-000000000001-3"]


async def test_without_a_choice_everything_that_may_be_read_is(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("linkedin")
    sandbox.add("linkedin", leadType="EVENT")

    assert len(await pulled(client, grant())) == 2
    sandbox.set("linkedin", roles={})
    with pytest.raises(PermissionMissing, match="no ad account and no page"):
        await pulled(client, grant())


# ---- accounts -------------------------------------------------------------------------------------------


async def test_only_an_account_with_a_page_and_a_role_on_it_can_be_chosen() -> None:
    told = sample("ad_accounts_and_roles")
    script = Scripted(answer(told["roles"]["response"]), answer(told["ad_accounts"]["response"]))

    first, unlinked, page = await accounts(script, grant(), SETTINGS)

    assert (first.id, first.name, first.is_selectable) == (ACCOUNT, "Example Traders - India", True)
    assert first.details == {
        "number": "510000001",
        "page": "Example Traders",
        "pageId": "31000001",
        "roles": ["LEAD_GEN_FORMS_MANAGER"],
    }
    assert (unlinked.name, unlinked.is_selectable) == ("Unlinked account", False)
    assert "No company page is linked" in (unlinked.reason or "")
    assert (page.id, page.name, page.is_selectable) == ("urn:li:organization:31000001", "Example Traders", False)
    assert "LEAD_GEN_FORMS_MANAGER" in (page.reason or "")


async def test_an_account_is_listed_with_what_keeps_its_leads_away(sandbox: Sandbox, client: HttpClient) -> None:
    found = {one.name: one for one in await accounts(client, grant(), SETTINGS) if one.kind == "ad account"}
    places = [(one.name, one.is_selectable) for one in await accounts(client, grant(), SETTINGS) if one.kind == "page"]

    assert {name: one.is_selectable for name, one in found.items()} == {
        "Example Traders - India": True,
        "Example Exports": True,
        "Unlinked account": False,
        "Former client": False,
    }
    assert "no role on its company page Former Client" in (found["Former client"].reason or "")
    assert places == [("Example Exports", True), ("Example Traders", False)]


async def test_newer_lists_and_older_names_are_understood(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("linkedin", page_tokens=True)
    roles = {
        "elements": [
            {"role": "ADMINISTRATOR", "state": "APPROVED", "organizationalTarget": "urn:li:organization:31000001"}
        ]
    }
    revoked = {"role": "ADMINISTRATOR", "state": "REVOKED", "organization": "urn:li:organization:31000002"}
    roles["elements"].append(revoked)
    cursor = sample("ad_accounts_and_roles")["ad_accounts_cursor"]["response"] | {"metadata": {}}

    assert len(await accounts(client, grant(), SPONSORED)) == 4
    assert [
        (one.id, one.is_selectable)
        for one in await accounts(Scripted(answer(roles), answer(cursor)), grant(), SPONSORED)
    ] == [(ACCOUNT, True)]


async def test_what_may_not_be_listed_hides_nothing_else() -> None:
    told = sample("ad_accounts_and_roles")
    denied = answer({"status": 403, "code": "ACCESS_DENIED", "message": "Not enough permissions to access: x"}, 403)

    unknown_roles = await accounts(Scripted(denied, answer(told["ad_accounts"]["response"])), grant(), SETTINGS)
    with pytest.raises(PermissionMissing) as refused:
        await accounts(Scripted(answer(told["roles"]["response"]), denied), grant(), SPONSORED)

    assert [one.is_selectable for one in unknown_roles] == [True, False]
    assert "r_ads" in refused.value.detail


async def test_only_what_is_wanted_is_listed(sandbox: Sandbox, client: HttpClient) -> None:
    events = Settings(lead_types=("EVENT",))

    assert {one.kind for one in await accounts(client, grant(), SPONSORED)} == {"ad account"}
    assert {one.kind for one in await accounts(client, grant(), events)} == {"page"}
    assert "adAccounts.FINDER-search" in sandbox.state("linkedin")["counts"]


# ---- subscriptions --------------------------------------------------------------------------------------


class Recorder:
    """A client that passes calls on and keeps what changes something."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.changes: list[tuple[str, Any]] = []

    async def get(self, path: str, query: Any = None, **more: Any) -> Answer:
        return await self.client.get(path, query, **more)

    async def post(self, path: str, query: Any = None, **more: Any) -> Answer:
        self.changes.append((f"POST {path}", more["json"]))
        return await self.client.post(path, query, **more)

    async def delete(self, path: str, query: Any = None, **more: Any) -> Answer:
        self.changes.append((f"DELETE {path}", None))
        return await self.client.delete(path, query, **more)


async def test_an_account_is_subscribed_once_and_only_its_own_subscription_is_taken_back() -> None:
    told = sample("subscriptions")
    empty, listed_ = answer({"elements": [], "paging": {}}), answer(told["list"]["response_body"])
    made = answer(b"", 201, x_restli_id="8800001")
    callback = Callback(told["create"]["body"]["webhook"])
    first = Recorder(Scripted(empty, made))
    again = Recorder(Scripted(listed_))
    elsewhere = Recorder(Scripted(listed_))
    gone = Recorder(Scripted(listed_, answer(told["delete_again"]["response_body"], 404)))
    taken_back = Recorder(Scripted(listed_, answer(b"", 204)))

    await subscribe(first, grant(), SETTINGS, account(), callback)
    await subscribe(again, grant(), SETTINGS, account(), callback)
    await unsubscribe(elsewhere, grant(), SETTINGS, account(), CALLBACK)
    for recorder in (gone, taken_back):
        await unsubscribe(recorder, grant(), SETTINGS, account(), callback)

    assert first.changes == [("POST /rest/leadNotifications", told["create"]["body"])]
    assert again.changes == elsewhere.changes == []
    assert gone.changes == taken_back.changes == [("DELETE /rest/leadNotifications/8800001", None)]


async def test_a_page_is_subscribed_for_each_type_of_its_leads() -> None:
    class Listing(Scripted):
        async def get(self, path: str, query: Any = None, **_: Any) -> Answer:
            return answer({"elements": []})

        async def post(self, path: str, query: Any = None, **_: Any) -> Answer:
            return answer(b"", 201)

    recorder = Recorder(Listing(answer()))
    await subscribe(recorder, grant(), SETTINGS, account(PAGE), CALLBACK)

    assert [(body["owner"], body["leadType"]) for _, body in recorder.changes] == [
        ({"organization": PAGE}, "EVENT"),
        ({"organization": PAGE}, "COMPANY"),
        ({"organization": PAGE}, "ORGANIZATION_PRODUCT"),
    ]


async def test_an_address_that_did_not_answer_the_challenge_is_told_as_such(
    sandbox: Sandbox, client: HttpClient
) -> None:
    nobody = Callback(f"{sandbox.url}/api/connectors/linkedin/abc")

    with pytest.raises(BadProviderRequest, match="proof") as refused:
        await subscribe(client, grant(), SPONSORED, account(), nobody)

    assert "PUBLIC_URL" in refused.value.remedy


async def test_a_subscription_for_a_single_form_is_not_the_accounts() -> None:
    one = sample("subscriptions")["create_form_level"]["body"] | {"id": 8800003}
    recorder = Recorder(Scripted(answer({"elements": [one]}), answer(b"", 201)))

    await subscribe(recorder, grant(), SPONSORED, account(), Callback(one["webhook"]))

    assert len(recorder.changes) == 1


# ---- errors ---------------------------------------------------------------------------------------------

KINDS: list[tuple[type[Problem], str]] = [
    (TokenRefused, "expired"),
    (TokenRefused, "taken back"),
    (TokenRefused, "not valid"),
    (BadProviderRequest, "no access token"),
    (PermissionMissing, "r_marketing_leadgen_automation"),
    (BadProviderRequest, "shows nothing"),
    (BadProviderRequest, "refused the request"),
    (BadProviderRequest, "refused the request"),
    (ApiVersionEnded, "202609"),
    (ProviderLimited, "too often"),
    (ProviderLimited, "of the day"),
    (ProviderUnavailable, "at the moment"),
    (BadProviderRequest, "owner can't be set to x"),
]


@pytest.mark.parametrize(
    ("told", "expected"), list(zip(sample("errors"), KINDS, strict=True)), ids=lambda one: str(one)[:40]
)
async def test_each_error_says_what_happens_next(told: Any, expected: tuple[type[Problem], str]) -> None:
    script = Scripted(answer(told["body"], told["http_status"], **told["headers"]))

    with pytest.raises(Problem) as raised:
        await rest_of(script, grant(token="AQVsecret"), SETTINGS).get("leadFormResponses/a")

    kind, words = expected
    assert isinstance(raised.value, kind)
    assert words in raised.value.detail
    assert raised.value.remedy
    assert "AQVsecret" not in raised.value.detail


@pytest.mark.parametrize("given", [answer("", 426), answer({"code": "NONEXISTENT_VERSION", "message": "gone"}, 400)])
async def test_an_ended_version_is_nothing_that_connecting_again_mends(given: Answer) -> None:
    with pytest.raises(ApiVersionEnded) as raised:
        await resolve(Scripted(given), grant(), SETTINGS, NOTICE)

    assert "Raise the API version" in raised.value.remedy
    assert isinstance(raised.value, ProviderUnavailable)


@pytest.mark.parametrize(
    ("resource", "scope"),
    [
        ("adAccounts", "r_ads"),
        ("organizationAcls", "r_organization_admin"),
        ("leadForms/7", "r_marketing_leadgen_automation"),
    ],
)
async def test_a_missing_permission_is_named(resource: str, scope: str) -> None:
    with pytest.raises(PermissionMissing) as raised:
        await rest_of(Scripted(answer("<html>Forbidden</html>", 403)), grant(), SETTINGS).get(resource)

    assert scope in raised.value.detail
    assert scope in raised.value.remedy


async def test_after_a_limit_nothing_is_asked_before_its_time_and_only_of_that_endpoint() -> None:
    script = Scripted(answer({"message": "throttle limit", "status": 429}, 429), answer({"name": "x"}))
    rest = rest_of(script, grant(), SETTINGS)

    with pytest.raises(ProviderLimited) as first:
        await rest.get("leadFormResponses/a")
    with pytest.raises(ProviderLimited) as second:
        await rest.get("leadFormResponses/b")
    other = await rest.get("leadForms/7")

    assert [one.value.retry_after_seconds for one in (first, second)] == [60, 60]
    assert other == {"name": "x"}
    assert [path for path, _ in script.asked] == ["/rest/leadFormResponses/a", "/rest/leadForms/7"]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_rests_grow_and_end_with_linkedins_day() -> None:
    now = datetime(2026, 10, 12, 23, 30, tzinfo=UTC)
    clock = Clock()
    patience = Patience(clock)
    rests = []
    for _ in range(5):
        rests.append(patience.note_limit(now, is_of_the_day=False, asked_seconds=None))
        clock.seconds += rests[-1]
    daily = Patience().note_limit(now, is_of_the_day=True, asked_seconds=None)
    asked = Patience().note_limit(now, is_of_the_day=False, asked_seconds=120)

    # Until five past midnight, at last.
    assert rests == [60, 300, 900, 2_100, 2_100]
    assert (daily, asked) == (2_100, 120)


def test_several_refusals_at_once_are_one_and_an_answer_ends_them() -> None:
    now = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)
    clock = Clock()
    patience = Patience(clock)
    at_once = [patience.note_limit(now, is_of_the_day=False, asked_seconds=None) for _ in range(16)]
    # A call that was under way before proves nothing.
    patience.note_answer()
    clock.seconds += 60
    second = patience.note_limit(now, is_of_the_day=False, asked_seconds=None)
    clock.seconds += 300
    patience.note_answer()

    assert set(at_once) == {60}
    assert second == 300
    assert patience.note_limit(now, is_of_the_day=False, asked_seconds=None) == 60


# ---- consent --------------------------------------------------------------------------------------------


def test_what_is_asked_for_at_linkedin() -> None:
    assert OAUTH.browser.base + OAUTH.authorize_path == "https://www.linkedin.com/oauth/v2/authorization"
    assert OAUTH.server.base + OAUTH.token_path == "https://www.linkedin.com/oauth/v2/accessToken"
    assert (OAUTH.uses_pkce, OAUTH.app_setting, OAUTH.app) == (False, "LINKEDIN", ("clientId", "clientSecret"))
    assert OAUTH.scopes == ("r_marketing_leadgen_automation", "r_ads", "r_organization_admin")
    assert timedelta(minutes=1) == OAUTH.settles_in


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        ("user_cancelled_login", AuthorizationNeeded, "Connect again"),
        ("user_cancelled_authorize", AuthorizationNeeded, "Connect again"),
        ("unauthorized_scope_error", AppRefused, "Lead Sync"),
        ("invalid_grant", TokenRefused, "Connect again"),
        ("invalid_client", AppRefused, "client secret"),
        ("invalid_redirect_uri", AppRefused, "redirect"),
        ("server_error", ProviderUnavailable, "tried again"),
        ("invalid_request", BadProviderRequest, "settings"),
    ],
)
def test_a_refusal_says_what_to_do(error: str, kind: type[Problem], remedy: str) -> None:
    problem = explain(error, "LinkedIn's own words")

    assert type(problem) is kind
    assert remedy in problem.remedy
    assert error in problem.detail
    assert "LinkedIn's own words" in problem.detail


def test_an_error_that_nobody_knows_is_left_to_the_protocol() -> None:
    assert explain("something_new", "") is None


async def test_a_token_is_asked_about_at_linkedins_own_address() -> None:
    told = sample("oauth")
    alive = await inspect(Scripted(answer(told["introspect_active"]["response"])), APP, SETTINGS, "AQV")
    dead = await inspect(Scripted(answer(told["introspect_revoked"]["response"])), APP, SETTINGS, "AQV")

    assert (alive.is_alive, alive.scopes) == (True, frozenset(OAUTH.scopes))
    assert alive.expires_at == datetime.fromtimestamp(1798184000, UTC)
    assert (dead.is_alive, dead.reason) == (False, "LinkedIn says that the token is revoked.")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer({"error": "invalid_client"}, 401), AppRefused),
        (answer({"message": "x"}, 500), ProviderUnavailable),
        (answer({}, 200), ProviderUnavailable),
        (answer("<html>", 200), ProviderUnavailable),
        (answer({}, 429), ProviderLimited),
    ],
)
async def test_an_answer_that_tells_nothing_of_a_token_is_a_problem(given: Answer, kind: type[Problem]) -> None:
    with pytest.raises(kind):
        await inspect(Scripted(given), APP, SETTINGS, "AQV")


# ---- the connection test --------------------------------------------------------------------------------


async def test_the_test_tells_what_can_be_read_and_that_nothing_is_chosen(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("linkedin")

    found = await check(client, grant())

    assert found.is_ok, found.message
    assert "No ad account or page is chosen yet" in found.message
    assert {"account": "Example Traders - India", "leadType": "SPONSORED", "hasLeads": True} in found.details["leads"]  # type: ignore[operator]


async def test_the_test_names_what_keeps_leads_away(sandbox: Sandbox, client: HttpClient) -> None:
    former = account("urn:li:sponsoredAccount:510000004", "Former client")
    granted = replace(grant(account(), former), scopes=frozenset({"r_ads", "rw_organization_admin"}))

    found = await check(client, granted, SPONSORED)

    assert not found.is_ok
    assert "lacks r_marketing_leadgen_automation:" in found.message
    assert "not announced here" in found.message
    assert "no role on its company page" in found.message


def test_a_version_is_warned_of_two_months_before_its_end() -> None:
    assert version_warning("202609", date(2027, 7, 2)) is None
    assert "202609" in (version_warning("202609", date(2027, 7, 4)) or "")
    assert "202609" in (version_warning("202609", date(2028, 1, 1)) or "")
