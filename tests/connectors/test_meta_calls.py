"""Meta's Graph as the connector calls it: leads fetched and pulled, pages subscribed, tokens kept, errors told."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector_master.connectors.connector import Check
from connector_master.connectors.graph import Fault, Graph
from connector_master.connectors.graph_usage import Pace
from connector_master.connectors.meta import Credentials, Settings, connector, records
from connector_master.connectors.meta_fetch import pull, resolve
from connector_master.connectors.meta_oauth import OAUTH, explain, inspected
from connector_master.connectors.meta_pages import accounts, subscribe, unsubscribe
from connector_master.connectors.oauth import Account, App, Callback, Grant, Tokens
from connector_master.connectors.pulling import Page, Window
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import (
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
from connector_master.sandbox.meta import Meta
from tests.connectors.builders import push
from tests.connectors.scripted import Scripted, answer
from tests.support.sandbox import CLOCK, Sandbox, calling

SAMPLES = Path(__file__).parent.parent / "samples" / "meta"
APP = App(Meta.settings["appId"], Meta.settings["appSecret"])
PAGE, OUTLET = "104857600112233", "209999900044556"
FORM = "771234567890123"
DAY = Window(CLOCK - timedelta(days=1), CLOCK)
CALLBACK = Callback("https://hub.example/api/connectors/meta/abc", "verify-me")
SETTINGS = Settings()


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def grant(*chosen: Account, token: str = "sandbox-person", app: App | None = APP) -> Grant:
    return Grant(credentials=Credentials(), access_token=token, app=app, accounts=chosen)


def page(token: str | None = None, id_: str = PAGE) -> Account:
    return Account(id=id_, name="Example Traders", kind="page", token=token)


def announced(sandbox: Sandbox, **lead: str) -> Json:
    (record,) = records(sandbox.add("meta", **lead), push(headers={"a": "b"}), SETTINGS)
    return record.value


async def pages(client: Client, granted: Grant, window: Window = DAY) -> list[Page]:
    return [one async for one in pull(client, granted, SETTINGS, window)]


async def pulled(client: Client, granted: Grant, window: Window = DAY) -> list[Record]:
    return [record for one in await pages(client, granted, window) for record in one.records]


async def check(client: Client, granted: Grant) -> Check:
    assert connector.test is not None
    return await connector.test(client, granted, SETTINGS)


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[HttpClient]:
    async with calling(f"{sandbox.url}/meta", bounds=Bounds(silence_seconds=1, total_seconds=5)) as made:
        yield made


def refusal(code: int, subcode: int = 0, message: str = "Meta's words", **headers: str) -> Answer:
    return answer({"error": {"code": code, "error_subcode": subcode, "message": message}}, 400, **headers)


# ---- one lead -------------------------------------------------------------------------------------------


async def test_an_announced_lead_is_fetched_with_the_token_of_its_page(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.set("meta", needsProof=True)
    chosen, _ = await accounts(client, grant(), SETTINGS)
    about = announced(sandbox, formId=FORM, name="Asha Rao", phone="+919000000123", leadKind="instagram")

    record = await resolve(client, grant(chosen), SETTINGS, about)

    assert chosen.token
    assert chosen.token != "sandbox-person"
    assert (record.account, record.is_announced, record.ignored) == (PAGE, False, None)
    assert isinstance(record.value, dict)
    assert (record.value["name"], record.value["platform"]) == ("Asha Rao", "ig")
    assert (record.value["campaign"], record.value["form_name"]) == ("Diwali Lead Gen 2026", "Diwali enquiry")


async def test_a_push_and_a_pull_give_the_same_record(sandbox: Sandbox, client: HttpClient) -> None:
    abouts = [announced(sandbox, formId=form) for form in (FORM, "771234567890777", "771234567890888")]
    granted = grant(page("sandbox-page-" + PAGE))

    fetched = [await resolve(client, granted, SETTINGS, about) for about in abouts]

    key = {record.external_id: record for record in await pulled(client, granted)}
    assert [key[record.external_id] for record in fetched] == fetched


async def test_the_form_is_read_once_for_many_leads(sandbox: Sandbox, client: HttpClient) -> None:
    abouts = [announced(sandbox, formId=FORM) for _ in range(5)]
    granted = grant(page("sandbox-page-" + PAGE))

    await asyncio.gather(*(resolve(client, granted, SETTINGS, about) for about in abouts))

    counts = sandbox.state("meta")["counts"]
    assert (counts["lead"], counts["form"]) == (5, 1)


async def test_a_lead_that_is_not_there_yet_is_found_later(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("meta", late=60)
    about = announced(sandbox)
    granted = grant(page("sandbox-page-" + PAGE))

    with pytest.raises(LeadNotFound) as missing:
        await resolve(client, granted, SETTINGS, about)
    sandbox.pass_time(minutes=2)

    assert "Leads Access Manager" in missing.value.remedy
    assert (await resolve(client, granted, SETTINGS, about)).external_id


async def test_a_token_that_may_read_few_fields_still_brings_the_answers(sandbox: Sandbox, client: HttpClient) -> None:
    about = announced(sandbox, formId=FORM, phone="+919000000124", leadKind="ad")
    sandbox.fault("meta", few_fields=True)

    record = await resolve(client, grant(page("sandbox-page-" + PAGE)), SETTINGS, about)

    assert isinstance(record.value, dict)
    assert "campaign_name" not in record.value
    assert "9000000124" in str(record.value["phone"]).replace(" ", "")


async def test_a_lead_of_the_testing_tool_is_fetched_as_a_test(sandbox: Sandbox, client: HttpClient) -> None:
    about = announced(sandbox, leadKind="test")

    assert (await resolve(client, grant(), SETTINGS, about)).ignored == "test"


async def test_a_page_whose_token_has_ended_is_asked_with_its_new_one(sandbox: Sandbox, client: HttpClient) -> None:
    chosen, _ = await accounts(client, grant(), SETTINGS)
    granted = grant(chosen)
    about = announced(sandbox)
    sandbox.control("meta/actions", {"action": "end_page_tokens"})

    assert (await resolve(client, granted, SETTINGS, about)).external_id
    assert await pulled(client, granted)

    sandbox.fault("meta", token_expired=True)
    with pytest.raises(TokenRefused):
        await resolve(client, granted, SETTINGS, about)


# ---- many leads -----------------------------------------------------------------------------------------


async def test_every_form_of_the_page_is_read_also_an_archived_one(sandbox: Sandbox, client: HttpClient) -> None:
    for form in (FORM, "771234567890777", "771234567890888", "771234567890111"):
        sandbox.add("meta", formId=form)

    found = await pages(client, grant(page("sandbox-page-" + PAGE)))

    assert sum(len(one.records) for one in found) == 4
    assert [one.read_until for one in found[:-1]] == [DAY.start] * (len(found) - 1)
    assert found[-1].read_until == DAY.end


async def test_many_pages_of_leads_are_read_and_each_lead_once(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.spread("meta", 1_000, CLOCK - timedelta(hours=20), CLOCK)

    found = [record.external_id for record in await pulled(client, grant(page("sandbox-page-" + PAGE)))]

    assert len(found) == len(set(found)) == 1_000


async def test_only_what_lies_in_the_window_is_asked_for(sandbox: Sandbox, client: HttpClient) -> None:
    for moment in (DAY.start - timedelta(seconds=5), DAY.start, DAY.end, DAY.end + timedelta(seconds=5)):
        sandbox.add_at("meta", moment, formId=FORM)

    assert len(await pulled(client, grant(page("sandbox-page-" + PAGE)))) == 2


async def test_pages_that_never_end_end(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.spread("meta", 150, CLOCK - timedelta(hours=2), CLOCK)
    sandbox.fault("meta", endless=True)

    assert len(await pulled(client, grant(page("sandbox-page-" + PAGE)))) <= 150


async def test_the_last_page_ends_it_although_it_has_cursors() -> None:
    script = Scripted(
        answer({"data": [{"id": FORM, "name": "Diwali enquiry", "questions": []}], "paging": {}}),
        answer(sample("leads_bulk_page1")),
        answer(sample("leads_bulk_page2_last")),
    )

    found = await pulled(script, grant(page("EAAPAGE"), app=None))

    assert sorted(str(record.external_id) for record in found) == [f"13120000000000{number}" for number in (13, 14, 15)]
    assert [path for path, _ in script.asked] == [f"/v25.0/{PAGE}/leadgen_forms", *[f"/v25.0/{FORM}/leads"] * 2]
    assert [asked.get("after") for _, asked in script.asked] == [None, None, "QVFIUafter1"]
    assert not any("access_token" in asked for _, asked in script.asked)


async def test_forms_listed_without_questions_are_read_one_by_one(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("meta", no_questions=1)
    sandbox.add("meta", formId="771234567890888")
    script = Scripted(
        answer(sample("leadgen_forms")),
        *[answer({"data": [sample("lead_custom_questions")]}), answer(sample("form_custom_questions"))],
        answer({"data": []}),
    )

    found = await pulled(script, grant(page("EAAPAGE"), app=None))

    assert isinstance(found[0].value, dict)
    assert "100 to 500 units" in str(found[0].value["notes"])
    assert sum(path.endswith("/leads") for path, _ in script.asked) == 3


async def test_a_page_that_fails_keeps_no_other_from_being_read(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("meta", formId=FORM)
    lost = page("sandbox-page-1", "1")
    read: list[Record] = []

    async def read_all() -> None:
        async for one in pull(client, grant(lost, page("sandbox-page-" + PAGE)), SETTINGS, DAY):
            read.extend(one.records)
            assert one.read_until == DAY.start

    with pytest.raises(BadProviderRequest, match=f"^{lost.name}: .*no such id"):
        await read_all()

    assert len(read) == 1


async def test_without_a_choice_everything_that_may_be_read_is(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("meta")

    assert len(await pulled(client, grant())) == 1
    sandbox.set("meta", pages=[{"id": OUTLET, "name": "Outlet", "tasks": ["ANALYZE"]}])
    with pytest.raises(PermissionMissing, match="no page"):
        await pulled(client, grant())


# ---- pages ----------------------------------------------------------------------------------------------


async def test_only_pages_with_the_task_can_be_chosen() -> None:
    told = sample("oauth_and_pages")
    script = Scripted(answer(told["accounts_page1"]["response"]), answer(told["accounts_page2"]["response"]))

    first, second = await accounts(script, grant(), SETTINGS)

    assert (first.id, first.is_selectable, first.token) == (PAGE, True, "EAAPAGEEXAMPLE1")
    assert first.details["instagramName"] == "example_traders"
    assert (second.id, second.is_selectable) == (OUTLET, False)
    assert "ADVERTISE" in (second.reason or "")
    assert [asked.get("after") for _, asked in script.asked] == [None, "MTB"]
    assert "EAAPAGE" not in json.dumps([dict(first.details), dict(second.details)]) + repr(first)


@pytest.mark.parametrize("tasks", [None, [], "ADVERTISE", ["ANALYZE"], [7]])
async def test_a_page_that_names_no_such_task_can_not_be_chosen(tasks: Any) -> None:
    listed = {"data": [{"id": 104857600112233, "name": "Example", "tasks": tasks}, "x", {"name": "without an id"}]}

    (found,) = await accounts(Scripted(answer(listed)), grant(), SETTINGS)

    assert (found.id, found.is_selectable) == (PAGE, False)


async def test_pages_are_listed_without_their_instagram_where_that_may_not_be_read(
    sandbox: Sandbox, client: HttpClient
) -> None:
    sandbox.fault("meta", few_fields=2)

    assert [one.id for one in await accounts(client, grant(), SETTINGS)] == [PAGE, OUTLET]


async def test_a_given_token_may_be_a_pages_own_or_a_system_users(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.add("meta")
    own = grant(token="sandbox-page-" + PAGE, app=None)
    system = grant(token="sandbox-system-user", app=None)

    assert [(one.id, one.name, one.token) for one in await accounts(client, own, SETTINGS)] == [
        (PAGE, "Example Traders", None)
    ]
    assert [one.id for one in await accounts(client, system, SETTINGS)] == [PAGE, OUTLET]
    assert len(await pulled(client, own)) == len(await pulled(client, system)) == 1


async def test_a_token_that_reaches_no_page_lists_none(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.set("meta", pages=[])

    assert await accounts(client, grant(), SETTINGS) == []


# ---- subscriptions --------------------------------------------------------------------------------------


class Recorder:
    """A client that passes calls on and keeps their method and path."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.called: list[str] = []

    async def get(self, path: str, query: Any = None, **more: Any) -> Answer:
        self.called.append(f"GET {path}")
        return await self.client.get(path, query, **more)

    async def post(self, path: str, query: Any = None, **more: Any) -> Answer:
        self.called.append(f"POST {path}")
        return await self.client.post(path, query, **more)

    async def delete(self, path: str, query: Any = None, **more: Any) -> Answer:
        self.called.append(f"DELETE {path}")
        return await self.client.delete(path, query, **more)

    def changes(self) -> list[str]:
        return [one for one in self.called if not one.startswith("GET ")]


async def test_a_page_is_subscribed_once_and_an_address_of_ours_is_left_alone(
    sandbox: Sandbox, client: HttpClient
) -> None:
    sandbox.set("meta", pushTo="https://hub.example/api/connectors/meta/another", needsProof=True)
    recorder = Recorder(client)
    granted = grant(page("sandbox-page-" + PAGE))

    for _ in range(2):
        await subscribe(recorder, granted, SETTINGS, granted.accounts[0], CALLBACK)

    assert sandbox.state("meta")["settings"]["subscribedPages"] == [PAGE]
    assert recorder.changes() == [f"POST /v25.0/{PAGE}/subscribed_apps"]


async def test_an_address_that_meta_can_not_verify_is_told_as_such(sandbox: Sandbox, client: HttpClient) -> None:
    granted = grant(page("sandbox-page-" + PAGE))
    nobody = Callback(f"{sandbox.url}/api/connectors/meta/abc", "verify-me")

    with pytest.raises(BadProviderRequest, match="could not verify") as refused:
        await subscribe(client, granted, SETTINGS, granted.accounts[0], nobody)

    assert "PUBLIC_URL" in refused.value.remedy


@pytest.mark.parametrize(
    ("known", "is_left"),
    [
        ({"callback_url": "https://hub.example/api/connectors/meta/other", "active": True}, True),
        ({"callback_url": "https://hub.example/api/connectors/meta/other", "active": False}, False),
        ({"callback_url": "https://hub.example/api/connectors/whatsapp/other", "active": True}, False),
        ({"callback_url": "https://elsewhere.example/api/connectors/meta/other", "active": True}, False),
        ({"callback_url": None, "active": True}, False),
        (None, False),
    ],
)
async def test_the_apps_address_is_changed_only_where_it_is_none_of_ours(known: Any, is_left: bool) -> None:
    fields = [{"name": "leadgen", "version": "v25.0"}, {"name": "feed"}]
    listed = [] if known is None else [{"object": "page", "fields": fields, **known}]
    sent: list[dict[str, str]] = []

    class Subscribed(Scripted):
        async def post(self, path: str, query: Any = None, **more: Any) -> Answer:
            sent.append(more["form"])
            return await super().post(path, query)

        async def delete(self, path: str, query: Any = None, **_: Any) -> Answer:
            raise AssertionError("The app's subscription is everybody's.")

    script = Subscribed(
        answer({"data": [{"id": APP.id, "subscribed_fields": ["leadgen"]}]}),
        answer({"data": [{"object": "user"}, *listed]}),
        answer({"success": "true"}),
    )
    await subscribe(script, grant(page()), SETTINGS, page(), CALLBACK)

    if is_left:
        assert sent == []
        return
    assert (sent[0]["object"], sent[0]["callback_url"]) == ("page", CALLBACK.url)
    assert sent[0]["verify_token"] == "verify-me"
    assert sent[0]["fields"].split(",") == (["leadgen"] if known is None else ["leadgen", "feed"])


@pytest.mark.parametrize(("living", "is_left"), [({"abc", "other"}, True), ({"abc"}, False)])
async def test_an_address_of_a_connector_that_is_gone_gives_way(
    sandbox: Sandbox, client: HttpClient, living: set[str], *, is_left: bool
) -> None:
    # The sandbox asks the address that it is given, and nobody answers there.
    sandbox.set("meta", pushTo=f"{sandbox.url}/api/connectors/meta/other", subscribedPages=[PAGE])
    granted = grant(page("sandbox-page-" + PAGE))
    callback = Callback(f"{sandbox.url}/api/connectors/meta/abc", "verify-me", frozenset(living))

    asked = subscribe(client, granted, SETTINGS, granted.accounts[0], callback)

    if is_left:
        await asked
    else:
        with pytest.raises(BadProviderRequest, match="could not verify"):
            await asked


async def test_what_a_page_is_subscribed_to_besides_stays() -> None:
    app = {"id": APP.id, "subscribed_fields": ["feed", "messages"]}
    script = Scripted(
        answer({"data": [{"id": "another app"}, app]}),
        answer({"success": True}),
        answer({"data": [app | {"subscribed_fields": ["feed", "messages", "leadgen"]}]}),
    )

    await subscribe(script, grant(page()), SETTINGS, page(), Callback(CALLBACK.url))

    assert script.asked[1][1]["subscribed_fields"] == "feed,messages,leadgen"


async def test_a_subscription_that_meta_does_not_list_is_no_success() -> None:
    script = Scripted(answer({"data": []}), answer({"success": True}), answer({"data": []}))

    with pytest.raises(ProviderUnavailable, match="does not list"):
        await subscribe(script, grant(page()), SETTINGS, page(), CALLBACK)


async def test_a_missing_permission_is_named_when_a_page_is_subscribed() -> None:
    refused = refusal(200, message="(#200) Requires pages_manage_metadata permission to manage the object")
    script = Scripted(answer({"data": []}), refused)

    with pytest.raises(PermissionMissing, match="pages_manage_metadata"):
        await subscribe(script, grant(page()), SETTINGS, page(), CALLBACK)


async def test_only_the_pages_own_subscription_is_taken_back(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.set("meta", pushTo="/elsewhere", subscribedPages=[PAGE, OUTLET])
    recorder = Recorder(client)
    granted = grant(page("sandbox-page-" + PAGE))

    await unsubscribe(recorder, granted, SETTINGS, granted.accounts[0], CALLBACK)
    sandbox.fault("meta", token_expired=True)
    await unsubscribe(recorder, granted, SETTINGS, granted.accounts[0], CALLBACK)

    assert sandbox.state("meta")["settings"]["subscribedPages"] == [OUTLET]
    assert set(recorder.changes()) == {f"DELETE /v25.0/{PAGE}/subscribed_apps"}


# ---- tokens ---------------------------------------------------------------------------------------------


async def test_a_short_lived_token_becomes_one_of_sixty_days(sandbox: Sandbox, client: HttpClient) -> None:
    assert OAUTH.lengthen
    assert OAUTH.inspect

    longer = await OAUTH.lengthen(client, APP, SETTINGS, Tokens("sandbox-short"))
    again = await OAUTH.lengthen(client, APP, SETTINGS, longer)
    found = await OAUTH.inspect(client, APP, SETTINGS, again.access_token)

    assert longer.access_token not in ("sandbox-short", again.access_token)
    assert longer.expires_at is not None
    assert timedelta(days=59) < longer.expires_at - datetime.now(UTC) <= timedelta(days=60)
    assert longer.ends_at == CLOCK + timedelta(days=90)
    assert (found.is_alive, found.expires_at) == (True, CLOCK + timedelta(days=60))
    assert found.scopes is not None
    assert "leads_retrieval" in found.scopes


async def test_a_token_without_a_told_end_is_looked_up(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.fault("meta", no_expiry=True)
    assert OAUTH.lengthen

    longer = await OAUTH.lengthen(client, APP, SETTINGS, Tokens("sandbox-short"))

    assert longer.expires_at == CLOCK + timedelta(days=60)


async def test_a_dead_token_can_not_be_lengthened_and_a_wrong_app_is_told(sandbox: Sandbox, client: HttpClient) -> None:
    assert OAUTH.lengthen

    with pytest.raises(TokenRefused):
        await OAUTH.lengthen(client, APP, SETTINGS, Tokens("EAAdead"))
    with pytest.raises(AppRefused):
        await OAUTH.lengthen(client, App(APP.id, "wrong"), SETTINGS, Tokens("sandbox-short"))


async def test_what_was_declined_is_not_granted() -> None:
    assert OAUTH.granted
    listed = answer(sample("oauth_and_pages")["permissions"]["response"])

    found = await OAUTH.granted(Scripted(listed), APP, SETTINGS, Tokens("EAA"))

    assert found == {"leads_retrieval", "pages_show_list"}
    assert "pages_manage_metadata" in OAUTH.scopes


def test_least_is_asked_for_and_more_by_choice() -> None:
    assert OAUTH.more_scopes
    assert OAUTH.more_scopes(Settings()) == ("ads_management", "pages_manage_ads")
    assert OAUTH.more_scopes(Settings(ad_details=False, business_pages=True)) == ("business_management",)
    assert (OAUTH.scope_separator, OAUTH.uses_pkce, OAUTH.tokens_by_get) == (",", False, True)


def test_debug_token_tells_a_living_token_from_a_dead_one() -> None:
    told = sample("oauth_and_pages")
    alive = inspected(told["debug_token_page"]["response"]["data"])
    dead = inspected(told["debug_token_dead"]["response"]["data"])

    assert (alive.is_alive, alive.expires_at, alive.reason) == (True, None, None)
    assert alive.ends_at == datetime.fromtimestamp(1801236000, UTC)
    assert not dead.is_alive
    assert "password" in (dead.reason or "")


async def test_a_grant_is_taken_back_and_twice_is_no_problem(sandbox: Sandbox, client: HttpClient) -> None:
    assert OAUTH.revoke
    assert OAUTH.inspect

    for _ in range(2):
        await OAUTH.revoke(client, APP, SETTINGS, Tokens("sandbox-person"))

    assert not (await OAUTH.inspect(client, APP, SETTINGS, "sandbox-person")).is_alive


def test_a_person_who_refused_is_told_so() -> None:
    assert isinstance(explain("access_denied", "Permissions error"), AuthorizationNeeded)
    assert isinstance(explain("invalid_scope", ""), AppRefused)
    assert explain("something_new", "") is None


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ("Error validating client secret.", AppRefused, "id or secret"),
        ("Error validating application. Invalid application ID.", AppRefused, "id or secret"),
        ("This authorization code has been used.", AuthorizationNeeded, "did not take the code"),
        ("Error validating verification code. Please make sure your redirect_uri is identical", AppRefused, "callback"),
    ],
)
def test_what_the_token_address_refuses_is_told(message: str, kind: type[Problem], words: str) -> None:
    problem = explain("OAuthException", message)

    assert isinstance(problem, kind)
    assert words in problem.detail


# ---- the connection test --------------------------------------------------------------------------------


async def test_a_connection_that_works_says_with_whom(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.set("meta", pushTo="https://hub.example/api/connectors/meta/abc", subscribedPages=[PAGE])

    found = await check(client, grant(page("sandbox-page-" + PAGE)))

    assert found.is_ok, found.message
    assert "Asha Verma" in found.message
    assert "Example Traders" in found.message
    assert found.details["tokenType"] == "USER"


async def test_a_connection_test_names_each_thing_that_keeps_leads_away(sandbox: Sandbox, client: HttpClient) -> None:
    granted = grant(page("sandbox-page-" + PAGE), replace(page(id_="7"), name="Lost"))

    found = await check(client, granted)

    assert not found.is_ok
    for words in ("Example Traders is not subscribed", "does not send changes of pages", "Lost"):
        assert words in found.message
    assert "sandbox-person" not in json.dumps([found.message, dict(found.details)])


# ---- errors ---------------------------------------------------------------------------------------------

BY_MUST = {
    "mark connection": TokenRefused,
    "same as expired": TokenRefused,
    "user removed": TokenRefused,
    "back off": ProviderLimited,
    "permanent for this lead": LeadNotFound,
    "missing permission": PermissionMissing,
    "transient": ProviderUnavailable,
    "the app has 'require": AppRefused,
}


@pytest.mark.parametrize("case", sample("graph_errors"), ids=lambda case: str(case["body"]["error"]["code"]))
async def test_every_sampled_error_says_what_it_means(case: dict[str, Any]) -> None:
    kind = next(kind for words, kind in BY_MUST.items() if case["must"].startswith(words))
    headers = {name.replace("-", "_"): value for name, value in case["headers"].items()}
    script = Scripted(answer(case["body"], case["http_status"], **headers))

    with pytest.raises(kind) as refused:
        await resolve(script, grant(page(), app=None), SETTINGS, {"leadgen_id": "444", "page_id": PAGE})

    assert case["body"]["error"]["message"][:30] in refused.value.detail
    assert refused.value.remedy
    if "estimated_time" in case["must"]:
        assert refused.value.retry_after_seconds == 17 * 60


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        *[(code, 0, ProviderUnavailable) for code in (1, 2)],
        (1, 99, ProviderUnavailable),
        *[(code, 0, ProviderLimited) for code in (4, 32, 341, 613, 80000, 80001, 80004, 80005, 368)],
        *[(code, 2446079, ProviderLimited) for code in (17, 80000, 80004)],
        (613, 1996, ProviderLimited),
        *[(code, 0, PermissionMissing) for code in (10, 200, 210, 294, 299)],
        *[(190, subcode, TokenRefused) for subcode in (0, 458, 459, 460, 463, 464, 467, 492)],
        (102, 0, TokenRefused),
        (100, 33, LeadNotFound),
        *[(code, 0, BadProviderRequest) for code in (100, 803, 2500, 9999)],
    ],
)
async def test_every_error_of_the_document_says_what_happens_next(code: int, subcode: int, kind: type[Problem]) -> None:
    script = Scripted(refusal(code, subcode))

    with pytest.raises(kind) as refused:
        await resolve(script, grant(page(), app=None), SETTINGS, {"leadgen_id": "1", "page_id": PAGE})

    assert "Meta's words" in refused.value.detail
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("(#200) Requires pages_manage_metadata permission to manage the object", "pages_manage_metadata"),
        (
            "This endpoint requires the 'pages_read_engagement' permission or the 'Page Public' feature",
            "pages_read_engagement",
        ),
        ("CRM access has been revoked from Lead Access Manager", "Leads Access Manager"),
    ],
)
def test_a_missing_permission_is_named_and_so_is_leads_access_manager(message: str, words: str) -> None:
    problem = Fault(10, 0, message).problem()

    assert words in problem.detail + problem.remedy
    assert "Leads Access Manager" in problem.remedy


@pytest.mark.parametrize("fault", ["html", "broken", "empty", "wrong_types", "silent"])
async def test_what_is_no_answer_of_metas_passes(sandbox: Sandbox, client: HttpClient, fault: str) -> None:
    about = announced(sandbox)
    sandbox.fault("meta", **{fault: True})

    with pytest.raises(ProviderUnavailable):
        await resolve(client, grant(), SETTINGS, about)


async def test_the_id_that_metas_support_asks_for_is_in_the_log() -> None:
    case = sample("graph_errors")[0]

    with pytest.raises(TokenRefused), structlog.testing.capture_logs() as lines:
        await resolve(Scripted(answer(case["body"], 400)), grant(app=None), SETTINGS, {"leadgen_id": "1"})

    refused = [line for line in lines if line["event"] == "graph_refused"]
    assert {(line["code"], line["subcode"], line["trace_id"]) for line in refused} == {(190, 463, "AExampleTrace190")}


async def test_no_token_is_ever_quoted() -> None:
    token, secret = "EAABwzLixnjYBAKabcdefgh123456", "0123456789abcdef"
    script = Scripted(refusal(190, message=f"Malformed access token {token} of <b>{secret}</b> https://x/?a={token}"))

    with pytest.raises(TokenRefused) as refused:
        await resolve(script, grant(page(token), token=token, app=App("1", secret)), SETTINGS, {"leadgen_id": "1"})

    assert token not in refused.value.detail
    assert secret not in refused.value.detail
    assert "<b>" not in refused.value.detail


async def test_each_call_proves_that_the_secret_is_known() -> None:
    vectors = sample("signed_request_and_proof_vectors")
    proof = vectors["appsecret_proof"]
    script = Scripted(answer({"id": "1", "form_id": None, "field_data": []}))

    granted = grant(page(proof["access_token"]), app=App("1", vectors["app_secret"]))
    await resolve(script, granted, SETTINGS, {"leadgen_id": "1", "page_id": PAGE})

    assert {asked["appsecret_proof"] for _, asked in script.asked} == {proof["appsecret_proof"]}
    assert hmac.digest(vectors["app_secret"].encode(), b"EAAPAGEEXAMPLE1", "sha256").hex() == proof["appsecret_proof"]


# ---- the pace -------------------------------------------------------------------------------------------


async def test_nothing_is_asked_for_once_the_allowance_is_nearly_used_up(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.spread("meta", 300, CLOCK - timedelta(hours=2), CLOCK)
    sandbox.set("meta", usagePercent=96)
    granted = grant(page("sandbox-page-" + PAGE))

    with pytest.raises(ProviderLimited) as limited:
        await pulled(client, granted)

    assert (limited.value.retry_after_seconds or 0) > 60
    assert sandbox.state("meta")["counts"]["calls"] == 1


async def test_leads_are_fetched_more_slowly_from_eighty_percent_on(sandbox: Sandbox, client: HttpClient) -> None:
    abouts = [announced(sandbox) for _ in range(2)]
    granted = grant(page("sandbox-page-" + PAGE))
    sandbox.set("meta", usagePercent=85)
    await pulled(client, granted)

    with pytest.raises(ProviderLimited) as limited:
        await resolve(client, granted, SETTINGS, abouts[1])

    assert 1 <= (limited.value.retry_after_seconds or 0) <= 10


@pytest.mark.parametrize(
    ("headers", "rests"),
    [
        ({"x-app-usage": '{"call_count":79,"total_time":12}'}, False),
        ({"x-app-usage": '{"call_count":1,"total_cputime":96}'}, True),
        ({"x-ad-account-usage": '{"acc_id_util_pct":99.5}'}, True),
        ({"x-business-use-case-usage": '{"1":[{"type":"leadgen","call_count":100}]}'}, True),
        ({"x-business-use-case-usage": '{"1":"x"}', "x-app-usage": "no json"}, False),
        ({"x-app-usage": '{"call_count":"96","total_time":true}'}, False),
        ({}, False),
    ],
)
async def test_the_usage_headers_are_read_whatever_they_hold(headers: dict[str, str], rests: bool) -> None:
    pace = Pace()
    script = Scripted(Answer(200, b"{}", headers))
    graph = Graph(script, "EAA", pace=pace)

    await graph.get("me")
    if rests:
        with pytest.raises(ProviderLimited):
            await graph.get("me")
    else:
        await graph.get("me")
    assert len(script.asked) == (1 if rests else 2)
