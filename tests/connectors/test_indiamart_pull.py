"""IndiaMART's Pull API: both versions, each refusal by its meaning, nothing lost where clocks and windows meet."""

import base64
import json
import locale
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.connectors import indiamart
from connector_master.connectors.connector import Check
from connector_master.connectors.indiamart import MAPPING, Settings, connector, pulls_when
from connector_master.connectors.indiamart_pull import (
    IST,
    LIMITS,
    LIMITS_V1,
    Credentials,
    ist_time,
    limits_for,
    pull,
)
from connector_master.connectors.indiamart_pull import test as check
from connector_master.connectors.pulling import Page, Window
from connector_master.model.json import Json
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.outbound.client import Answer, Client, SecretPath
from connector_master.outbound.http import Bounds, HttpClient
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile, process
from connector_master.sandbox.indiamart import read_time
from tests.connectors.builders import push
from tests.connectors.scripted import Scripted, answer
from tests.support.sandbox import CLOCK, Sandbox, calling

SAMPLES = Path(__file__).parent.parent / "samples" / "indiamart"
PROFILE = Profile(zone=IST)
COMPILED = compile_mapping(MAPPING)
V2 = Credentials(mobile_key="sandbox/mobile+key==")
V1 = Credentials(mobile_key="sandbox/mobile+key==", mobile="+91 90000 00000")
WINDOW = Window(CLOCK - timedelta(days=1), CLOCK)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_bytes())


async def pages(client: Client, credentials: Credentials = V2, window: Window = WINDOW) -> list[Page]:
    return [page async for page in pull(client, credentials, Settings(), window)]


async def ids(client: Client, credentials: Credentials = V2, window: Window = WINDOW) -> list[str | None]:
    return [record.external_id for page in await pages(client, credentials, window) for record in page.records]


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[HttpClient]:
    async with calling(sandbox.url, bounds=Bounds(silence_seconds=1, total_seconds=5)) as made:
        yield made


# ---- against the stand-in -------------------------------------------------------------------------------


@pytest.mark.parametrize("credentials", [V2, V1], ids=["v2", "v1"])
async def test_the_enquiries_of_a_window_come_as_one_page_that_reaches_to_its_end(
    sandbox: Sandbox, client: HttpClient, credentials: Credentials
) -> None:
    before = sandbox.add_at("indiamart", WINDOW.start - timedelta(seconds=1))
    added = [sandbox.add_at("indiamart", WINDOW.start + timedelta(hours=hour)) for hour in range(5)]

    (page,) = await pages(client, credentials)

    found = [record.external_id for record in page.records]
    assert found == [one["UNIQUE_QUERY_ID"] for one in added]
    assert before["UNIQUE_QUERY_ID"] not in found
    assert page.read_until == WINDOW.end
    for record, sent in zip(page.records, added, strict=True):
        assert isinstance(record.value, dict)
        assert {name: record.value.get(name) for name in sent if sent[name] and name in record.value} == {
            name: value for name, value in sent.items() if value and name in record.value
        }
        draft = process(record.value, COMPILED, PROFILE)
        assert draft.phone_number.startswith("+919000")
        assert draft.enquired_at == datetime.fromisoformat(sent["QUERY_TIME"]).replace(tzinfo=IST)


async def test_a_push_and_a_pull_of_one_enquiry_are_one_event(sandbox: Sandbox, client: HttpClient) -> None:
    sent = sandbox.add_at("indiamart", CLOCK - timedelta(hours=1))
    pushed = indiamart.records({"CODE": 200, "RESPONSE": sent}, push(), Settings())

    (page,) = await pages(client)

    assert list(page.records) == list(pushed)


async def test_a_key_with_reserved_characters_arrives_as_it_is(sandbox: Sandbox, client: HttpClient) -> None:
    await pages(client, Credentials(mobile_key="sandbox+a/b =&?%41#"))
    await pages(client, Credentials(mobile_key="sandbox+a/b =&?%41#", mobile="9000000000"))
    assert [call["outcome"] for call in sandbox.control("indiamart/calls")["items"]] == ["no_leads", "no_leads"]


async def test_a_window_at_its_limits_is_taken(sandbox: Sandbox, client: HttpClient) -> None:
    odd = timedelta(microseconds=999_999)
    start = CLOCK - LIMITS.history + timedelta(seconds=1)
    await pages(client, window=Window(start + odd, start + odd + LIMITS.window))
    assert sandbox.state("indiamart")["breaches"] == []


@pytest.mark.parametrize(
    ("fault", "kind", "seconds"),
    [
        ("key_expired", CredentialsRefused, None),
        ("rate_limit", ProviderLimited, 300),
        ("blocked", ProviderLimited, 900),
        ("maintenance", ProviderUnavailable, None),
        ("new_key", ProviderUnavailable, None),
        ("html", ProviderUnavailable, None),
        ("broken", ProviderUnavailable, None),
        ("wrong_types", ProviderUnavailable, None),
        ("empty", ProviderUnavailable, None),
        ("silent", ProviderUnavailable, None),
        ("huge", ProviderUnavailable, None),
    ],
)
async def test_a_fault_is_never_an_empty_page(
    sandbox: Sandbox, client: HttpClient, fault: str, kind: type[Problem], seconds: int | None
) -> None:
    sandbox.add("indiamart")
    sandbox.fault("indiamart", **{fault: True})
    with pytest.raises(Problem) as refusal:
        await pages(client)
    assert isinstance(refusal.value, kind)
    assert refusal.value.retry_after_seconds == seconds
    assert V2.mobile_key not in refusal.value.detail


@pytest.mark.parametrize("fault", ["duplicates", "code_as_text", "single_object"])
async def test_an_oddity_costs_nothing(sandbox: Sandbox, client: HttpClient, fault: str) -> None:
    sent = sandbox.add_at("indiamart", CLOCK - timedelta(minutes=1))
    sandbox.fault("indiamart", **{fault: True})
    assert set(await ids(client)) == {sent["UNIQUE_QUERY_ID"]}


@pytest.mark.parametrize(("credentials", "minutes"), [(V2, 5), (V1, 15)], ids=["v2", "v1"])
async def test_the_pace_of_its_limits_is_never_too_quick(
    sandbox: Sandbox, client: HttpClient, credentials: Credentials, minutes: int
) -> None:
    limits = limits_for(credentials)
    await pages(client, credentials)
    with pytest.raises(ProviderLimited) as refusal:
        await pages(client, credentials)
    assert (refusal.value.retry_after_seconds or 0) >= minutes * 60
    sandbox.pass_time(seconds=limits.between_calls.total_seconds())
    await pages(client, credentials)
    assert timedelta(minutes=minutes) < limits.between_calls < timedelta(minutes=minutes, seconds=30)
    assert [breach["rule"] for breach in sandbox.state("indiamart")["breaches"]] == ["too_soon"]


async def test_a_test_of_the_connection_tells_what_it_found(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.control("clock", {"now": datetime.now(UTC).isoformat()})
    sandbox.add("indiamart")
    assert (
        await check(client, V2, Settings())
    ).message == "IndiaMART accepted the key; 1 enquiries in the last ten minutes."
    limited = await check(client, V2, Settings())
    assert limited == Check(
        True,
        "IndiaMART knows the key. It was asked a short while ago, and wants 5 minutes between two calls.",
        {"waitMinutes": 5},
    )


@pytest.mark.parametrize("mobile", [None, "9000000000"])
async def test_a_test_with_a_wrong_key_says_so_in_indiamarts_words(
    sandbox: Sandbox, client: HttpClient, mobile: str | None
) -> None:
    with pytest.raises(CredentialsRefused, match=r"IndiaMART refused the key: “.*incorrect") as refusal:
        await check(client, Credentials(mobile_key="wrong", mobile=mobile), Settings())
    assert refusal.value.field == "mobileKey"
    assert "Lead Manager" in refusal.value.remedy


async def test_a_gateways_429_proves_nothing_about_the_key() -> None:
    with pytest.raises(ProviderLimited):
        await check(Scripted(answer("<html>slow down</html>", 429)), V2, Settings())


# ---- answers that the documents show --------------------------------------------------------------------


async def test_the_sample_of_version_2_yields_its_three_leads() -> None:
    (page,) = await pages(Scripted(answer(sample("pull-v2-success.json"))))
    drafts = [process(record.value, COMPILED, PROFILE) for record in page.records]
    assert [draft.phone_number for draft in drafts] == ["+919000000020", "+919000000021", "+919000000022"]
    assert [draft.external_id for draft in drafts] == ["2900000020", "2900000021", "2900000022"]
    assert [draft.attributes["queryType"] for draft in drafts] == ["W", "WA", "BIZ"]
    assert drafts[0].enquired_at == datetime(2026, 10, 12, 5, 47, 14, tzinfo=UTC)
    assert drafts[2].notes == "Catalog View"


async def test_the_sample_of_version_1_yields_its_two_leads_in_the_names_of_version_2() -> None:
    (page,) = await pages(Scripted(answer(sample("pull-v1-success.json"))), V1)
    first, call = [process(record.value, COMPILED, PROFILE) for record in page.records]
    assert [record.external_id for record in page.records] == ["1140000001", "1140000002"]
    assert (first.phone_number, first.name, first.business_name) == ("+919000000030", "Ravi Sample", "Sample Labs")
    assert (first.product_name, first.city, first.state) == ("Biochemistry Analyzer", "Jhunjhunun", "Rajasthan")
    assert first.notes is not None
    assert "Semi Automatic" in first.notes
    assert "<br>" not in first.notes
    assert first.enquired_at == datetime(2026, 4, 16, 4, 3, 16, tzinfo=UTC)
    assert (call.phone_number, call.name, call.attributes["callDuration"]) == ("+919000000031", None, "45")
    assert call.enquired_at == datetime(2026, 4, 16, 22, 37, 24, tzinfo=IST)


OUTCOMES: dict[str, tuple[type[Problem] | None, int | None]] = {
    "no leads in window": (None, None),
    "called again within 5 minutes": (ProviderLimited, 300),
    "key blocked 15 minutes (too many hits per minute)": (ProviderLimited, 900),
    "wrong key": (CredentialsRefused, None),
    "range beyond history": (BadProviderRequest, None),
    "provider fault": (ProviderUnavailable, None),
    "gateway page, not JSON": (ProviderUnavailable, None),
    "called again within 15 minutes": (ProviderLimited, 900),
    "no leads": (None, None),
}


@pytest.mark.parametrize(
    ("credentials", "case"),
    [(V2, case) for case in sample("pull-v2-errors.json")] + [(V1, case) for case in sample("pull-v1-errors.json")],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
async def test_each_sample_of_a_refusal_means_what_the_document_says(credentials: Credentials, case: Any) -> None:
    kind, seconds = OUTCOMES[case["name"]]
    client = Scripted(answer(case.get("body", case.get("bodyText")), case["httpStatus"]))
    if kind is None:
        (page,) = await pages(client, credentials)
        assert (list(page.records), page.read_until) == ([], WINDOW.end)
        return
    with pytest.raises(kind) as refusal:
        await pages(client, credentials)
    assert refusal.value.retry_after_seconds == seconds


LEAD: dict[str, Json] = {"UNIQUE_QUERY_ID": 29, "SENDER_MOBILE": "+91-9000000001"}


@pytest.mark.parametrize(
    "body",
    [
        {"CODE": 200, "RESPONSE": [LEAD]},
        {"CODE": "200", "RESPONSE": [LEAD]},
        {"CODE": 200.0, "RESPONSE": LEAD},
        {"CODE": " 200 ", "RESPONSE": json.dumps([LEAD])},
    ],
    ids=repr,
)
@pytest.mark.parametrize("status", [200, 429, 500])
async def test_the_code_decides_before_the_http_status(body: Json, status: int) -> None:
    assert await ids(Scripted(answer(body, status))) == ["29"]


@pytest.mark.parametrize(
    "body",
    [
        {"CODE": 200},
        {"CODE": 200, "RESPONSE": []},
        {"CODE": 200, "RESPONSE": {}},
        {"CODE": 200, "TOTAL_RECORDS": "0"},
        {"CODE": 200, "RESPONSE": None, "TOTAL_RECORDS": 0},
        {"CODE": "204", "MESSAGE": None},
    ],
    ids=repr,
)
async def test_nothing_found_is_an_empty_page(body: Json) -> None:
    assert await ids(Scripted(answer(body))) == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"CODE": 200, "RESPONSE": None, "TOTAL_RECORDS": 5}, 200, ProviderUnavailable),
        ({"CODE": 200, "RESPONSE": 7}, 200, ProviderUnavailable),
        ({"CODE": 403, "MESSAGE": "?"}, 200, ProviderUnavailable),
        ({"CODE": None, "RESPONSE": [LEAD]}, 200, ProviderUnavailable),
        ({"CODE": [200], "RESPONSE": [LEAD]}, 200, ProviderUnavailable),
        ({}, 401, CredentialsRefused),
        ([], 200, ProviderUnavailable),
        ([LEAD], 200, ProviderUnavailable),
        ("null", 200, ProviderUnavailable),
        ("", 200, ProviderUnavailable),
        ("", 429, ProviderLimited),
        ("<html>", 401, CredentialsRefused),
        ("<html>", 500, ProviderUnavailable),
        ("", 302, ProviderUnavailable),
    ],
)
async def test_what_is_undocumented_is_an_error(body: Any, status: int, kind: type[Problem]) -> None:
    with pytest.raises(kind):
        await pages(Scripted(answer(body, status)))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ([{"Error_Message": "Mobile number or key is incorrect"}], CredentialsRefused),
        ({"Error_Message": "Key expired"}, CredentialsRefused),
        ([{"Error_Message": "Oh"}], ProviderUnavailable),
        ([LEAD, {"Error_Message": "There are no leads in the given time"}], ProviderUnavailable),
        ({"CODE": 429, "MESSAGE": "Too Many  Requests"}, ProviderLimited),
        (7, ProviderUnavailable),
        ("<html>", ProviderUnavailable),
    ],
    ids=repr,
)
async def test_an_error_message_of_version_1_is_never_a_lead(body: Any, kind: type[Problem]) -> None:
    with pytest.raises(kind):
        await pages(Scripted(answer(body)), V1)


async def test_a_longer_wait_in_the_header_is_kept() -> None:
    with pytest.raises(ProviderLimited) as refusal:
        await pages(Scripted(answer({"CODE": 429, "MESSAGE": "soon"}, retry_after="1200")))
    assert refusal.value.retry_after_seconds == 1200


async def test_one_odd_element_spoils_none_of_its_neighbours() -> None:
    rows = [LEAD, None, 7, "x", {}, [], {"SENDER_MOBILE": "1"}, LEAD | {"UNIQUE_QUERY_ID": "30"}]
    (page,) = await pages(Scripted(answer({"CODE": 200, "RESPONSE": rows})))
    assert [record.ignored is None for record in page.records] == [True, *[False] * 5, True, True]
    found = [record.external_id for record in page.records]
    assert (found[0], found[-1]) == ("29", "30")
    assert len(set(found)) == 8
    assert None not in found


async def test_a_key_of_version_1_without_a_mobile_is_recognised() -> None:
    key = base64.b64encode(b"1649671200.1234#12345678").decode()
    body = {"CODE": 401, "MESSAGE": f"Key {key} is incorrect"}
    with pytest.raises(CredentialsRefused) as refusal:
        await pages(Scripted(answer(body)), Credentials(mobile_key=key))
    assert "enter the registered mobile number too" in refusal.value.remedy
    assert key not in refusal.value.detail


async def test_without_a_key_nothing_is_asked() -> None:
    client = Scripted(answer())
    with pytest.raises(CredentialsRefused):
        await pages(client, Credentials())
    assert client.asked == []


async def test_a_path_with_a_key_is_labelled_for_the_log() -> None:
    client = Scripted(answer([]))
    await pages(client, V1)
    path = client.asked[0][0]
    assert isinstance(path, SecretPath)
    assert "sandbox" not in path.label
    assert path.startswith(
        "/wservce/enquiry/listing/GLUSR_MOBILE/9000000000/GLUSR_MOBILE_KEY/sandbox%2Fmobile%2Bkey%3D%3D/"
    )
    assert path.endswith("/Start_Time/11-Oct-2026%2016%3A00%3A00/End_Time/12-Oct-2026%2016%3A00%3A00/")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["CODE", "RESPONSE", "MESSAGE", "TOTAL_RECORDS", "Error_Message", "LOG_TIME", "MOB"]), inner
        )
    ),
)


@given(
    JSON | st.fixed_dictionaries({"CODE": st.sampled_from([200, "204", 429, 401]), "RESPONSE": JSON}),
    st.sampled_from([V1, V2]),
    st.integers(200, 599),
)
async def test_whatever_comes_is_a_page_or_a_problem(body: Any, credentials: Credentials, status: int) -> None:
    try:
        found = await pages(Scripted(Answer(status, json.dumps(body).encode())), credentials)
    except Problem:
        return
    assert len(found) == 1


# ---- times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 10, 9, 18, 29, 59, tzinfo=UTC), "09-Oct-202623:59:59"),
        (datetime(2026, 10, 9, 18, 30, tzinfo=UTC), "10-Oct-202600:00:00"),
        (datetime(2028, 2, 28, 18, 30, tzinfo=UTC), "29-Feb-202800:00:00"),
        (datetime(2026, 12, 31, 18, 30, tzinfo=UTC), "01-Jan-202700:00:00"),
        (datetime(2026, 12, 31, 18, 29, 59, 999_999, tzinfo=UTC), "31-Dec-202623:59:59"),
    ],
)
def test_times_are_indian_at_midnight_on_29_february_and_at_the_years_end(moment: datetime, written: str) -> None:
    assert ist_time(moment) == written


@given(st.integers(1_577_836_800, 4_102_444_799))
def test_a_time_is_read_as_it_was_meant(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert read_time(ist_time(moment)) == moment.replace(microsecond=0)


def test_months_are_english_whatever_the_locale() -> None:
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "hi_IN.UTF-8", "C.UTF-8"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert ist_time(datetime(2026, 5, 1, tzinfo=UTC)) == "01-May-202605:30:00"
    finally:
        locale.setlocale(locale.LC_TIME, before)


# ---- facts ----------------------------------------------------------------------------------------------


def test_connectors_that_share_a_key_share_its_limits_and_version_1_waits_longer() -> None:
    assert connector.limit_key is not None
    assert connector.limit_key(V2) == connector.limit_key(V1) == V2.mobile_key
    assert (limits_for(V2), limits_for(V1)) == (LIMITS, LIMITS_V1)
    assert (LIMITS.window, LIMITS.history, LIMITS.overlap) == (
        timedelta(days=7),
        timedelta(days=365),
        timedelta(minutes=5),
    )


@pytest.mark.parametrize(
    ("settings", "silent_hours", "pulls"),
    [
        (Settings(), 23, False),
        (Settings(), 24, True),
        (Settings(catch_up_after_hours=2), 2, True),
        (Settings(catch_up_after_hours=None), 9_999, False),
        (Settings(pull_fallback=True), 0, True),
        (Settings(pull_fallback=True, catch_up_after_hours=None), 0, True),
    ],
)
@pytest.mark.parametrize("has_pushed", [True, False])
def test_it_is_pulled_where_that_is_set_or_pushes_have_stopped(
    settings: Settings, silent_hours: int, pulls: bool, has_pushed: bool
) -> None:
    silent_since = CLOCK - timedelta(hours=silent_hours)
    if has_pushed:
        assert pulls_when(settings, CLOCK - timedelta(days=900), silent_since, CLOCK) is pulls
    else:
        assert pulls_when(settings, silent_since, None, CLOCK) is pulls
