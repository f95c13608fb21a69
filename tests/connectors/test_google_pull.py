"""Google Ads pulls: windows, pages, names, manager accounts, and every refusal with its meaning."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector_master.connectors.connector import Check
from connector_master.connectors.google import connector
from connector_master.connectors.google_accounts import accounts
from connector_master.connectors.google_api import Credentials, Settings
from connector_master.connectors.google_errors import fault_in, problem_of
from connector_master.connectors.google_pull import LIMITS, pull
from connector_master.connectors.google_pull import test as check
from connector_master.connectors.oauth import Account, App, Grant
from connector_master.connectors.pulling import Page, Window
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import (
    AppRefused,
    BadProviderRequest,
    CredentialsRefused,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer
from tests.connectors.scripted import answer

SAMPLES = Path(__file__).parent.parent / "samples" / "google"
NOVEMBER = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC))
CUSTOMER = "5556667778"
LEADS = "FROM lead_form_submission_data"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


@dataclass
class Call:
    path: str
    query: str
    token: str | None
    headers: dict[str, str]


@dataclass
class Google:
    """Answers calls by a function, and keeps them."""

    respond: Callable[[Call], Any]
    calls: list[Call] = field(default_factory=list)

    def _answer(self, path: str, asked: Any, headers: Mapping[str, str] | None) -> Answer:
        body = asked if isinstance(asked, dict) else {}
        assert set(body) <= {"query", "pageToken"}, "Google refuses a page size"
        call = Call(path, str(body.get("query", "")), body.get("pageToken"), dict(headers or {}))
        self.calls.append(call)
        given = self.respond(call)
        return given if isinstance(given, Answer) else answer(given)

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self._answer(path, None, headers)

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return self._answer(path, json, headers)

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        raise AssertionError("nothing is deleted at Google")

    def asked(self, of: str = LEADS) -> list[Call]:
        return [call for call in self.calls if of in call.query]


def grant(*chosen: Account, **credentials: Any) -> Grant:
    form = Credentials.model_validate(credentials or ({} if chosen else {"customerId": CUSTOMER}))
    return Grant(credentials=form, access_token="ya29.secret-token", app=App("id", "app-secret"), accounts=chosen)


def leads(pages: Mapping[str | None, Any], others: Any = None) -> Callable[[Call], Any]:
    """Answer questions for leads by their page token, all others alike."""
    return lambda call: pages[call.token] if LEADS in call.query else ({} if others is None else others)


def row(id_: str, at: str, **more: Any) -> dict[str, Any]:
    lead = {"id": id_, "submissionDateTime": at, "campaign": f"customers/{CUSTOMER}/campaigns/77", **more}
    return {"leadFormSubmissionData": lead, "campaign": {"id": "77", "name": "Autumn"}}


async def pages(google: Google, access: Grant, window: Window = NOVEMBER, **settings: Any) -> list[Page]:
    return [page async for page in pull(google, access, Settings.model_validate(settings), window)]


async def pulled(google: Google, access: Grant | None = None, window: Window = NOVEMBER) -> list[Record]:
    return [one for page in await pages(google, access or grant(), window) for one in page.records]


def refused(code: str, status: int = 403, family: str = "authorizationError", **more: Any) -> Answer:
    error = {"errorCode": {family: code}, "message": f"Google's words on {code}.", **more}
    details = [{"@type": "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure", "errors": [error]}]
    return answer({"error": {"code": status, "message": "Refused.", "status": "X", "details": details}}, status)


# ---- windows and pages ----------------------------------------------------------------------------------


async def test_all_pages_are_read_with_the_same_question() -> None:
    first, last = sample("search_page1"), sample("search_page2_last")
    google = Google(leads({None: first, first["nextPageToken"]: last}))

    records = await pulled(google)

    assert [one.external_id for one in records] == ["sample-pull-0021", "sample-pull-0022", "sample-pull-0023"]
    assert len({call.query for call in google.asked()}) == 1
    assert google.calls[0].path == f"/v26/customers/{CUSTOMER}/googleAds:search"
    assert google.calls[0].headers["Authorization"] == "Bearer ya29.secret-token"
    assert "login-customer-id" not in google.calls[0].headers
    assert [one.stands_for for one in records] == [{"campaign": "20660009001"}] * 2 + [{"campaign": "20660009006"}]


async def test_an_array_of_pages_is_understood_and_an_error_in_one_is_no_empty_answer() -> None:
    assert len(await pulled(Google(leads({None: sample("search_stream")})))) == 3
    with pytest.raises(CredentialsRefused, match="USER_PERMISSION_DENIED") as problem:
        await pulled(Google(leads({None: answer(sample("search_stream_error"), 403)})))
    assert "loginCustomerId" in problem.value.remedy
    broken_off = [*sample("search_stream"), *sample("search_stream_error")]
    with pytest.raises(CredentialsRefused):
        await pulled(Google(leads({None: broken_off})))


async def test_an_empty_answer_is_a_success_that_moves_on() -> None:
    answers: list[Any] = [sample("search_empty"), {}, []]
    for empty in answers:
        (page,) = await pages(Google(leads({None: empty})), grant())
        assert (page.records, page.read_until) == ([], NOVEMBER.end)


async def test_nothing_counts_as_read_before_everything_is() -> None:
    google = Google(
        leads({None: sample("search_page1"), "CPii5aS87vfFTBAKGJvk-sample-token": sample("search_page2_last")})
    )

    found = await pages(google, grant())

    assert [page.read_until for page in found] == [NOVEMBER.start, NOVEMBER.start, NOVEMBER.end]


async def test_the_question_begins_a_day_early_and_the_answer_is_cut_to_the_second() -> None:
    window = Window(datetime(2026, 11, 2, 18, 30, tzinfo=UTC), datetime(2026, 11, 3, 18, 30, tzinfo=UTC))
    rows = [
        row("too early", "2026-11-02 23:59:59+05:30"),
        row("first", "2026-11-03 00:00:00+05:30"),
        row("elsewhere", "2026-11-03 04:30:00-08:00"),
        row("last", "2026-11-04 00:00:00+05:30"),
        row("too late", "2026-11-04 00:00:01+05:30"),
        row("no zone", "2026-11-09 10:00:00"),
        row("no time", ""),
    ]
    google = Google(leads({None: {"results": rows}}))

    records = await pulled(google, window=window)

    assert ">= '2026-11-01'" in google.asked()[0].query
    assert [one.external_id for one in records] == ["first", "elsewhere", "last", "no zone", "no time"]


async def test_pages_beyond_the_window_are_not_asked_for() -> None:
    late = {"results": [row("late", "2026-12-24 10:00:00+05:30")], "nextPageToken": "more"}
    google = Google(leads({None: late}))

    assert await pulled(google) == []
    assert len(google.asked()) == 1


async def test_a_dead_page_token_begins_the_question_anew_a_few_times() -> None:
    first = sample("search_page1")
    gone = refused("INVALID_PAGE_TOKEN", 400, "requestError")
    answers = iter([first, gone, first, sample("search_page2_last")])
    google = Google(lambda call: next(answers) if LEADS in call.query else {})

    assert len({one.external_id for one in await pulled(google)}) == 3
    assert [call.token is None for call in google.asked()] == [True, False, True, False]
    with pytest.raises(ProviderUnavailable):
        await pulled(Google(lambda call: gone if call.token else first))


async def test_pages_that_never_end_are_given_up() -> None:
    again = {"results": [], "nextPageToken": "same"}

    with pytest.raises(ProviderUnavailable, match="do not end"):
        await pulled(Google(lambda call: again))


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "text",
        "<html>",
        {"a": 1},
        {"results": {"a": 1}},
        {"results": None, "x": 1},
        [1],
        [[]],
        7,
        None,
        {"RESPONSE": 7},
    ],
)
async def test_what_google_does_not_document_is_never_no_leads(odd: Any) -> None:
    given = answer(odd) if odd is not None else answer(b"null")

    with pytest.raises(ProviderUnavailable):
        await pulled(Google(lambda call: given))


async def test_a_row_that_is_no_lead_spoils_only_itself() -> None:
    rows: list[Any] = [None, 7, {}, {"leadFormSubmissionData": []}, row("good", "2026-11-03 10:00:00+05:30")]

    records = await pulled(Google(leads({None: {"results": rows}})))

    assert [one.ignored for one in records] == ["unrecognized"] * 4 + [None]


async def test_the_window_and_history_are_what_google_keeps() -> None:
    days = timedelta(days=1)

    assert (LIMITS.history, LIMITS.first, LIMITS.overlap) == (60 * days, 30 * days, days)
    assert (Settings().sync_interval_minutes, connector.reconciles) == (15, True)


# ---- versions and headers -------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "sent"), [("v24", True), ("v25", True), ("v26", False), ("v30", False)])
async def test_the_developer_token_goes_only_to_versions_that_take_it(version: str, sent: bool) -> None:
    google = Google(leads({None: {}}))

    await pages(google, grant(customerId=CUSTOMER, developerToken="dev-token"), apiVersion=version)

    assert google.calls[0].path.startswith(f"/{version}/")
    assert (google.calls[0].headers.get("developer-token") == "dev-token") is sent


async def test_a_customer_id_is_asked_through_its_manager() -> None:
    google = Google(leads({None: {}}))

    await pages(google, grant(customerId="555-666-7778", loginCustomerId="123-456-7890"))

    assert google.calls[0].path == f"/v26/customers/{CUSTOMER}/googleAds:search"
    assert google.calls[0].headers["login-customer-id"] == "1234567890"


# ---- names ----------------------------------------------------------------------------------------------


def with_names(call: Call) -> Any:
    if "FROM ad_group " in call.query:
        return {"results": [{"adGroup": {"id": "153210009001", "name": "Valves"}}]}
    if "FROM asset " in call.query:
        return {"results": [{"asset": {"id": 46210009001, "name": "Quote form"}}]}
    return sample("search_page2_last") if call.token else sample("search_page1")


async def test_names_of_ad_groups_and_forms_are_asked_once() -> None:
    google, access = Google(with_names), grant()

    first, *_, last = await pulled(google, access)
    await pulled(google, access)

    assert isinstance(first.value, dict)
    assert isinstance(last.value, dict)
    assert (first.value["adgroup_name"], first.value["form_name"]) == ("Valves", "Quote form")
    assert (last.value.get("adgroup_name"), last.value["form_name"]) == (None, "Quote form")
    assert (len(google.asked("FROM ad_group ")), len(google.asked("FROM asset "))) == (1, 1)
    assert "IN (153210009001)" in google.asked("FROM ad_group ")[0].query


async def test_leads_come_without_names_where_google_refuses_to_tell_them() -> None:
    google = Google(lambda call: with_names(call) if LEADS in call.query else refused("UNRECOGNIZED_FIELD", 400))

    assert len(await pulled(google)) == 3


# ---- accounts -------------------------------------------------------------------------------------------


def client_of(id_: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"customerClient": {"id": id_, "descriptiveName": name, "status": "ENABLED", **more}}


def an_agency(call: Call) -> Any:
    """One manager with two clients, and an account that is reached directly and through the manager."""
    if call.path.endswith("listAccessibleCustomers"):
        return {"resourceNames": ["customers/2223334445", "customers/1234567890"]}
    if "FROM customer_client" in call.query and "/1234567890/" in call.path:
        rows = [
            client_of("1234567890", "Sample Agency", manager=True, level="0"),
            client_of("5556667778", "Sample Traders", manager=False, level="1", timeZone="Asia/Kolkata"),
            client_of("5556667779", "Gone", status="CANCELED", level="1"),
            client_of("2223334445", "Own", level="1"),
        ]
        return {"results": rows}
    if "FROM customer_client" in call.query:
        return {"results": [client_of("2223334445", "Own", level="0")]}
    return {}


async def test_accounts_are_those_reached_directly_and_those_of_managers() -> None:
    found = {one.id: one for one in await accounts(Google(an_agency), grant(clientId="x"), Settings())}

    assert {id_ for id_, one in found.items() if one.is_selectable} == {"5556667778", "2223334445"}
    assert "manager" in (found["1234567890"].reason or "")
    assert "cancelled" in (found["5556667779"].reason or "")
    assert found["5556667778"].details["loginCustomerId"] == "1234567890"
    assert found["2223334445"].details["loginCustomerId"] is None, "reached directly, it needs no manager"
    assert (found["5556667778"].name, found["1234567890"].kind) == ("Sample Traders", "manager")


async def test_the_sample_of_a_manager_gives_its_client() -> None:
    said = sample("list_accessible_customers")

    def respond(call: Call) -> Any:
        if call.path.endswith("listAccessibleCustomers"):
            return said["accessible"]["response"]
        return (
            said["clients_of_a_manager"]["response"] if "/1234567890/" in call.path else refused("CUSTOMER_NOT_ENABLED")
        )

    found = await accounts(Google(respond), grant(clientId="x"), Settings())

    assert [(one.id, one.is_selectable) for one in found] == [
        ("5556667778", True),
        ("2223334445", False),
        ("1234567890", False),
    ]
    assert await accounts(Google(lambda call: said["none"]["response"]), grant(clientId="x"), Settings()) == []


async def test_an_account_that_refuses_hides_no_other_and_says_why() -> None:
    def respond(call: Call) -> Any:
        return refused("CUSTOMER_NOT_ENABLED") if "/2223334445/" in call.path else an_agency(call)

    found = {one.id: one for one in await accounts(Google(respond), grant(clientId="x"), Settings())}

    assert found["5556667778"].is_selectable
    assert found["2223334445"].is_selectable, "the manager reaches it"
    assert found["2223334445"].details["loginCustomerId"] == "1234567890"
    with pytest.raises(CredentialsRefused):
        await accounts(
            Google(lambda call: refused("USER_PERMISSION_DENIED") if call.query else an_agency(call)),
            grant(),
            Settings(),
        )


async def test_without_a_choice_all_that_can_be_asked_are_each_through_its_manager() -> None:
    google = Google(an_agency)

    await pulled(google, grant(clientId="x"))

    asked = {call.path.split("/")[3]: call.headers.get("login-customer-id") for call in google.asked()}
    assert asked == {"5556667778": "1234567890", "2223334445": None}


async def test_the_chosen_accounts_are_asked_and_no_other() -> None:
    chosen = (
        Account(id="5556667778", name="A", kind="account", details={"loginCustomerId": "1234567890"}),
        Account(id="2223334445", name="B", kind="account", details={"loginCustomerId": None}),
    )
    google = Google(leads({None: {}}))

    await pulled(google, grant(*chosen, customerId="999", loginCustomerId="888"))

    assert [(call.path.split("/")[3], call.headers.get("login-customer-id")) for call in google.asked()] == [
        ("5556667778", "1234567890"),
        ("2223334445", None),
    ]


async def test_where_the_token_reaches_nothing_it_is_no_empty_success() -> None:
    with pytest.raises(CredentialsRefused, match="reaches no"):
        await pulled(Google(lambda call: {}), grant(clientId="x"))


async def test_an_account_that_fails_keeps_no_other_from_being_read() -> None:
    chosen = [Account(id=id_, name=id_, kind="account") for id_ in ("1", "2", "3")]
    good = {"results": [row("lead", "2026-11-03 10:00:00+05:30")]}
    google = Google(
        lambda call: refused("CUSTOMER_NOT_ENABLED") if "/2/" in call.path else good if LEADS in call.query else {}
    )
    read: list[Page] = []

    async def read_all() -> None:
        async for page in pull(google, grant(*chosen), Settings(), NOVEMBER):
            read.append(page)  # noqa: PERF401 (what was read before it fails counts)

    with pytest.raises(CredentialsRefused, match=r"^2: .*CUSTOMER_NOT_ENABLED") as refused_one:
        await read_all()

    assert [len(page.records) for page in read] == [1, 1]
    assert {page.read_until for page in read} == {NOVEMBER.start}
    assert "choose an account that is open" in refused_one.value.remedy


async def test_a_test_says_which_accounts_answered() -> None:
    found: Check = await check(Google(an_agency), grant(clientId="x"), Settings())

    assert found.is_ok
    assert (
        found.details["accounts"] == ["222-333-4445", "555-666-7778"]
        or found.details["accounts"]
        == [
            "222-333-4445",
            "555-666-7778",
        ][::-1]
    )
    with pytest.raises(TokenRefused):
        await check(
            Google(lambda call: refused("OAUTH_TOKEN_EXPIRED", 401, "authenticationError")), grant(), Settings()
        )


# ---- refusals -------------------------------------------------------------------------------------------

MEANINGS: list[tuple[type[Problem], str]] = [
    (TokenRefused, "Connect"),
    (TokenRefused, "Connect"),
    (TokenRefused, "2-step verification"),
    (CredentialsRefused, "loginCustomerId"),
    (CredentialsRefused, "account"),
    (AppRefused, "Explorer or Basic access"),
    (AppRefused, "Explorer or Basic access"),
    (AppRefused, "enable the Google Ads API"),
    (PermissionMissing, "Connect again"),
    (ProviderLimited, "wait"),
    (ProviderLimited, "wait"),
    (BadProviderRequest, "report it"),
    (ProviderUnavailable, "tried again"),
    (BadProviderRequest, "report it"),
    (BadProviderRequest, "apiVersion"),
    (ProviderUnavailable, "tried again"),
    (ProviderUnavailable, "tried again"),
]


@pytest.mark.parametrize("number", range(len(MEANINGS)))
async def test_each_refusal_of_the_samples_says_what_it_means_and_what_to_do(number: int) -> None:
    one = sample("api_errors")[number]
    kind, remedy = MEANINGS[number]

    with pytest.raises(Problem) as raised:
        await pulled(Google(lambda call: answer(one["body"], one["http_status"])))

    problem = raised.value
    assert isinstance(problem, kind), one["must"]
    assert isinstance(problem, TokenRefused) == (kind is TokenRefused)
    assert remedy.lower() in problem.remedy.lower(), problem.remedy
    assert "<" not in problem.detail
    assert "ya29" not in problem.detail
    if isinstance(one["body"], dict) and kind is not ProviderUnavailable:
        assert one["body"]["error"]["message"][:15] in problem.detail or "“" in problem.detail


def test_the_id_that_googles_support_asks_for_is_in_the_log() -> None:
    with structlog.testing.capture_logs() as lines:
        fault_in(answer(sample("api_errors")[3]["body"], 403))

    assert [(line["codes"], line["request_id"]) for line in lines] == [
        (("USER_PERMISSION_DENIED",), "sampleRequestId02")
    ]


def test_there_is_a_meaning_for_each_sample() -> None:
    assert len(sample("api_errors")) == len(MEANINGS)


@pytest.mark.parametrize(
    ("code", "status", "family", "kind"),
    [
        *((code, 401, "authenticationError", TokenRefused) for code in ("OAUTH_TOKEN_EXPIRED", "OAUTH_TOKEN_INVALID")),
        *(
            (code, 401, "authenticationError", TokenRefused)
            for code in ("OAUTH_TOKEN_REVOKED", "GOOGLE_ACCOUNT_DELETED")
        ),
        ("SOMETHING_NEW", 401, "authenticationError", TokenRefused),
        ("CUSTOMER_NOT_FOUND", 401, "authenticationError", CredentialsRefused),
        ("ACCESS_DENIED_FOR_ACCOUNT_TYPE", 403, "authorizationError", CredentialsRefused),
        ("SOMETHING_NEW", 403, "authorizationError", CredentialsRefused),
        ("CUSTOMER_NOT_ENABLED", 429, "authorizationError", CredentialsRefused),
        ("DEVELOPER_TOKEN_INVALID", 401, "authenticationError", AppRefused),
        ("DEVELOPER_TOKEN_PROHIBITED", 403, "authorizationError", AppRefused),
        ("EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION", 429, "quotaError", ProviderLimited),
        ("EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION", 400, "quotaError", ProviderLimited),
        ("PROHIBITED_ZERO_METRICS", 400, "queryError", BadProviderRequest),
        ("UNSUPPORTED_VERSION", 400, "requestError", BadProviderRequest),
        ("INTERNAL_ERROR", 500, "internalError", ProviderUnavailable),
        ("DEADLINE_EXCEEDED", 504, "internalError", ProviderUnavailable),
        ("TRANSIENT_ERROR", 400, "internalError", ProviderUnavailable),
    ],
)
def test_the_error_code_decides_before_the_status(code: str, status: int, family: str, kind: type[Problem]) -> None:
    fault = fault_in(refused(code, status, family))
    assert fault is not None

    problem = problem_of(fault, "v26")

    assert type(problem) is kind
    assert code in problem.detail
    assert problem.remedy


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (refused("RESOURCE_EXHAUSTED", 429, "quotaError", details={"quotaErrorDetails": {"retryDelay": "900s"}}), 900),
        (refused("RESOURCE_EXHAUSTED", 429, "quotaError", message="Too many requests. Retry in 12000 seconds."), 12000),
        (refused("RESOURCE_EXHAUSTED", 429, "quotaError"), 3 * 3600),
        (refused("RESOURCE_TEMPORARILY_EXHAUSTED", 429, "quotaError"), 5),
        (answer("<html><title>Sorry</title></html>", 429, retry_after="77"), 77),
        (answer({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": "odd"}}, 429), 5),
    ],
)
def test_a_limit_says_how_long_to_wait(given: Answer, seconds: int) -> None:
    fault = fault_in(given)
    assert fault is not None

    problem = problem_of(fault, "v26")

    assert (type(problem), problem.retry_after_seconds) == (ProviderLimited, seconds)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer("<html><title>502</title></html>", 502), ProviderUnavailable),
        (answer(b"", 401), TokenRefused),
        (answer({"error": "text"}, 403), CredentialsRefused),
        (
            answer(
                {"error": {"details": [None, 7, {"errors": [None, {"errorCode": None}, {"errorCode": {"a": 1}}]}]}}, 403
            ),
            CredentialsRefused,
        ),
        (answer([], 500), ProviderUnavailable),
        (answer({}, 404), BadProviderRequest),
        (answer("moved", 302), ProviderUnavailable),
    ],
)
def test_an_error_in_any_other_form_is_understood_by_its_status(given: Answer, kind: type[Problem]) -> None:
    fault = fault_in(given)
    assert fault is not None

    assert type(problem_of(fault, "v26")) is kind


def test_no_problem_repeats_a_token() -> None:
    fault = fault_in(answer({"error": {"code": 401, "message": "Bad token ya29.secret-token"}}, 401))
    assert fault is not None

    assert "ya29" not in problem_of(fault, "v26", "ya29.secret-token").detail
