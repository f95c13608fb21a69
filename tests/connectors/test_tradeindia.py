"""TradeIndia: days, pages that end, refusals in every form, and what its messages hold."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.connectors import registry, tradeindia
from connector_master.connectors.pulling import Page, Window
from connector_master.connectors.tradeindia import IST, LIMITS, MAPPING, Credentials, Settings, connector, pull, records
from connector_master.connectors.tradeindia import test as check
from connector_master.connectors.tradeindia_message import read_message
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    InvalidBody,
    Permanent,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.outbound.client import Answer, Client
from connector_master.outbound.http import Bounds, HttpClient
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile, process
from tests.connectors.builders import push
from tests.connectors.scripted import Scripted, answer
from tests.support.sandbox import CLOCK, Sandbox, calling

SAMPLES = Path(__file__).parent.parent / "samples" / "tradeindia"
COMPILED = compile_mapping(MAPPING)
CREDENTIALS = Credentials(user_id="1000001", profile_id="2000002", api_key="sandbox0123456789abcdef01234567")
TODAY = Window(CLOCK, CLOCK)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_bytes())


def split(body: Any) -> list[Record]:
    return list(records(body, push(), Settings()))


def lead(record: Record) -> LeadDraft:
    return process(record.value, COMPILED, Profile(zone=IST))


def one(**fields: Any) -> Record:
    """The record of an inquiry that holds these fields."""
    (record,) = split([{"rfi_id": "84", **fields}])
    return record


async def pages(client: Client, window: Window = TODAY) -> list[Page]:
    return [page async for page in pull(client, CREDENTIALS, Settings(), window)]


async def ids(client: Client, window: Window = TODAY) -> list[str | None]:
    return [record.external_id for page in await pages(client, window) for record in page.records]


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[HttpClient]:
    sandbox.set("tradeindia", betweenSeconds=0)
    async with calling(sandbox.url, bounds=Bounds(silence_seconds=1, total_seconds=5)) as made:
        yield made


def test_the_registry_finds_it_and_it_has_no_door() -> None:
    assert registry()["tradeindia"] is connector
    assert (connector.pushes, connector.pulls, connector.door) == (False, True, None)


def test_its_mapping_begins_with_the_specifications_and_never_reads_the_seller() -> None:
    assert list(MAPPING.items())[:11] == [
        ("sender_mobile", "phoneNumber"),
        ("sender_name", "name"),
        ("sender_email", "email"),
        ("sender_company", "businessName"),
        ("sender_address", "addressLine1"),
        ("sender_city", "city"),
        ("sender_state", "state"),
        ("sender_country", "country"),
        ("product_name", "productName"),
        ("inquiry_message", "notes"),
        ("rfi_id", "externalId"),
    ]
    assert not any(source.startswith("receiver") or source in ("ago_time", "view_status") for source in MAPPING)


# ---- the samples ----------------------------------------------------------------------------------------


def test_list_two_yields_two_leads() -> None:
    first, second = map(lead, split(sample("list-two.json")))
    assert (first.phone_number, first.business_name, first.external_id) == (
        "+919000000101",
        "Example Foods",
        "840000001",
    )
    assert first.notes == "Buyer is looking for Chickpea Isolate Protein.\nQuantity: 100 Kg"
    assert first.enquired_at == datetime(2026, 10, 12, 9, 40, tzinfo=UTC)
    assert (first.country, first.state, first.city) == ("IN", "Telangana", "Hyderabad")
    assert first.attributes == {
        "inquirySource": "DIRECT",
        "inquiryType": "Product Inquiry",
        "quantity": "100 Kg",
        "productId": "5100001",
        "senderUid": "3200001",
    }
    assert (second.phone_number, second.email, second.name) == (
        "+919000000102",
        "sunita@example.com",
        "Sunita Sample",
    )


def test_the_specifications_own_names_yield_a_lead() -> None:
    (draft,) = map(lead, split(sample("spec-flat.json")))
    assert (draft.phone_number, draft.business_name) == ("+919000000103", "Demo Exports")
    assert (draft.notes, draft.address_line1) == ("Need 2 tons of cotton yarn per month.", "22 Sample Nagar")
    assert draft.enquired_at == datetime(2026, 10, 12, 15, 20, tzinfo=IST)


def test_a_call_yields_its_number_and_neither_an_address_nor_a_name() -> None:
    (draft,) = map(lead, split(sample("phone-inquiry-noreply.json")))
    assert (draft.phone_number, draft.email, draft.name) == ("+919000000104", None, None)
    assert draft.attributes["inquirySource"] == "PHONE_INQUIRY"
    assert draft.warnings == ()


def test_mark_up_around_a_number_and_a_mobile_behind_a_city_are_understood() -> None:
    first, second = map(lead, split(sample("html-mobile.json")))
    assert (first.phone_number, first.name) == ("+919000000105", "Mr Vikas & Co")
    assert first.notes == 'Looking for steel pipes\nSize: 2"'
    assert first.attributes["otherPhones"] == ["+919000000106", "+919000000107"]
    assert second.phone_number == "+919000000108"


def test_numbers_abroad_are_read_by_their_country() -> None:
    assert [lead(record).phone_number for record in split(sample("foreign.json"))] == [
        "+9779800000001",
        "+971500000001",
    ]
    assert [lead(record).name for record in split(sample("foreign.json"))] == ["Ram Sample", "Omar Sample"]


def test_a_wrapped_list_is_unwrapped() -> None:
    assert [record.external_id for record in split(sample("wrapped.json"))] == ["840000020"]


async def test_two_pages_yield_four_inquiries_and_a_third_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tradeindia, "LIMITS", replace(LIMITS, page_size=3))
    client = Scripted(answer(sample("page-1.json")), answer(sample("page-2.json")))
    assert await ids(client) == ["840000010", "840000011", "840000012", "840000013"]
    assert [query["page_no"] for _, query in client.asked] == ["1", "2"]


OUTCOMES: dict[str, type[Problem] | None] = {
    "required parameter missing": BadProviderRequest,
    "credentials refused (text claims maintenance)": CredentialsRefused,
    "error as one-element list": CredentialsRefused,
    "plain text": CredentialsRefused,
    "login page": ProviderUnavailable,
    "no inquiries: empty body": None,
    "no inquiries: empty list": None,
}


@pytest.mark.parametrize("case", sample("errors.json"), ids=lambda case: case["name"])
async def test_each_sample_of_a_refusal_means_what_the_document_says(case: Any) -> None:
    client = Scripted(answer(case["bodyText"], case["httpStatus"]))
    if (kind := OUTCOMES[case["name"]]) is None:
        assert [(list(page.records), page.read_until) for page in await pages(client)] == [([], CLOCK)]
        return
    with pytest.raises(kind):
        await pages(client)


# ---- against the stand-in -------------------------------------------------------------------------------


async def test_every_day_is_read_to_its_end_and_the_oldest_first(sandbox: Sandbox, client: HttpClient) -> None:
    start, end = CLOCK - timedelta(days=6), CLOCK
    sandbox.spread("tradeindia", 700, start, end)

    found = await pages(client, Window(start, end))

    numbers = [int(record.external_id or 0) for page in found for record in page.records]
    assert len(numbers) == len(set(numbers)) == 700
    marks = [page.read_until for page in found]
    assert marks == sorted(marks)
    assert marks[-1] == end
    for position, page in enumerate(found):
        later = [record for page in found[position + 1 :] for record in page.records]
        assert all((lead(record).enquired_at or start) >= page.read_until for record in later)
    assert all(lead(record).phone_number.startswith("+919") for page in found for record in page.records)


async def test_the_day_is_the_indian_one_around_midnight(sandbox: Sandbox, client: HttpClient) -> None:
    for midnight in (
        datetime(2026, 10, 1, tzinfo=IST),
        datetime(2028, 2, 29, tzinfo=IST),
        datetime(2028, 3, 1, tzinfo=IST),
        datetime(2027, 1, 1, tzinfo=IST),
    ):
        sandbox.control("reset", {"seed": 1})
        sandbox.set("tradeindia", betweenSeconds=0)
        sandbox.control("clock", {"now": (midnight + timedelta(days=1)).isoformat()})
        before = sandbox.add_at("tradeindia", midnight - timedelta(seconds=1))["rfi_id"]
        after = sandbox.add_at("tradeindia", midnight)["rfi_id"]
        moment = midnight.astimezone(UTC)
        assert await ids(client, Window(moment - timedelta(seconds=1), moment - timedelta(seconds=1))) == [before]
        assert await ids(client, Window(moment, moment + timedelta(hours=1))) == [after]
        assert await ids(client, Window(moment - timedelta(hours=1), moment + timedelta(hours=1))) == [before, after]


@pytest.mark.parametrize(
    ("fault", "kind", "seconds"),
    [
        ("key_expired", CredentialsRefused, None),
        ("rate_limit", ProviderLimited, 600),
        ("maintenance", ProviderUnavailable, None),
        ("error_list", ProviderUnavailable, None),
        ("text", CredentialsRefused, None),
        ("login_page", ProviderUnavailable, None),
        ("html", ProviderUnavailable, None),
        ("broken", ProviderUnavailable, None),
        ("wrong_types", ProviderUnavailable, None),
        ("silent", ProviderUnavailable, None),
        ("huge", ProviderUnavailable, None),
    ],
)
async def test_a_fault_is_never_a_day_without_inquiries(
    sandbox: Sandbox, client: HttpClient, fault: str, kind: type[Problem], seconds: int | None
) -> None:
    sandbox.add("tradeindia")
    sandbox.fault("tradeindia", **{fault: True})
    with pytest.raises(Problem) as refusal:
        await pages(client)
    assert isinstance(refusal.value, kind)
    assert refusal.value.retry_after_seconds == seconds
    assert CREDENTIALS.api_key not in refusal.value.detail


@pytest.mark.parametrize("fault", ["duplicates", "same_page", "wrapped"])
async def test_an_oddity_costs_nothing_and_ends(sandbox: Sandbox, client: HttpClient, fault: str) -> None:
    sandbox.spread("tradeindia", 120, CLOCK - timedelta(hours=3), CLOCK)
    sandbox.fault("tradeindia", **{fault: True})
    found = await ids(client)
    assert len(found) == len(set(found)) == (50 if fault == "same_page" else 120)


async def test_pages_that_never_end_are_given_up(
    sandbox: Sandbox, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tradeindia, "_PAGES_A_DAY", 20)
    sandbox.fault("tradeindia", endless=True)
    with pytest.raises(ProviderUnavailable, match="do not end"):
        await pages(client)
    assert sandbox.state("tradeindia")["counts"]["calls"] == 20


async def test_a_failure_in_the_middle_keeps_what_came_before(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.spread("tradeindia", 120, CLOCK - timedelta(hours=3), CLOCK)
    pulling = pull(client, CREDENTIALS, Settings(), TODAY)
    assert len((await anext(pulling)).records) == 50
    sandbox.fault("tradeindia", html=True)
    with pytest.raises(ProviderUnavailable):
        await anext(pulling)


async def test_a_test_of_the_connection_asks_for_today(sandbox: Sandbox, client: HttpClient) -> None:
    sandbox.control("clock", {"now": datetime.now(UTC).isoformat()})
    sandbox.add("tradeindia")
    made = await check(client, CREDENTIALS, Settings())
    assert made.is_ok
    assert made.message == "TradeIndia accepted the credentials; 1 inquiries on today's first page."


async def test_a_test_with_a_wrong_key_says_so_and_does_not_believe_in_maintenance(client: HttpClient) -> None:
    with pytest.raises(CredentialsRefused, match=r"refused the credentials .*maintenance") as refusal:
        await check(client, Credentials(user_id="1", profile_id="2", api_key="wrong"), Settings())
    assert "API key" in refusal.value.remedy


# ---- answers --------------------------------------------------------------------------------------------

ROW: dict[str, Json] = {"rfi_id": "84", "sender_mobile": "+919000000101"}


@pytest.mark.parametrize(
    "body",
    [
        [ROW],
        ROW,
        {"data": [ROW]},
        {"success": True, "data": {"inquiries": [ROW]}},
        {"inquiry": ROW},
        *({name: [ROW]} for name in ("inquiries", "leads", "results", "items", "records", "RESPONSE", "inquiry_list")),
    ],
    ids=repr,
)
async def test_every_shape_yields_the_inquiry(body: Json) -> None:
    assert await ids(Scripted(answer(body))) == ["84"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        " \n",
        "[]",
        {"data": []},
        {"success": True, "data": []},
        [{"Error_Message": "There are no leads"}],
        {"status": "error", "message": "No inquiries found"},
        {"message": "No new inquiry"},
    ],
    ids=repr,
)
async def test_nothing_found_is_an_empty_day(body: Any) -> None:
    assert await ids(Scripted(answer(body))) == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({}, 200, ProviderUnavailable),
        ({"data": {}}, 200, ProviderUnavailable),
        ({"ok": 1}, 200, ProviderUnavailable),
        ("null", 200, ProviderUnavailable),
        ("7", 200, ProviderUnavailable),
        ("", 500, ProviderUnavailable),
        ("", 403, CredentialsRefused),
        ("", 302, ProviderUnavailable),
        ([ROW], 500, ProviderUnavailable),
        ({"success": False, "data": [ROW]}, 200, ProviderUnavailable),
        ([ROW, {"Error_Message": "Oh"}], 200, ProviderUnavailable),
        ("Too many requests", 200, ProviderLimited),
        ("", 429, ProviderLimited),
        ({"status": "error", "message": "Required parameters missing"}, 400, BadProviderRequest),
        ("Please provide all the required parameters.", 200, BadProviderRequest),
        ("Unauthorized", 401, CredentialsRefused),
    ],
    ids=repr,
)
async def test_what_is_no_list_is_an_error(body: Any, status: int, kind: type[Problem]) -> None:
    with pytest.raises(kind):
        await pages(Scripted(answer(body, status)))


async def test_a_longer_wait_in_the_header_is_kept() -> None:
    with pytest.raises(ProviderLimited) as refusal:
        await pages(Scripted(answer("", 429, retry_after="3600")))
    assert refusal.value.retry_after_seconds == 3600


async def test_one_odd_element_spoils_none_of_its_neighbours() -> None:
    rows = [ROW, None, 7, "x", {}, [], {"a": 1}, {"rfi_id": 85}, {"sender_mobile": "9000000102"}]
    (page,) = await pages(Scripted(answer(rows)))
    assert [record.ignored is None for record in page.records] == [True, *[False] * 6, True, True]
    assert [record.external_id for record in page.records][0::7] == ["84", "85"]
    assert None not in [record.external_id for record in page.records]


@pytest.mark.parametrize("body", [None, 7, "text", {}, {"a": 1}])
def test_a_body_without_inquiries_is_unreadable(body: Any) -> None:
    with pytest.raises(InvalidBody):
        split(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["data", "rfi_id", "message", "sender_mobile", "sender_email", "Error_Message", "source"]
                ),
                inner,
            )
        ),
    ),
    st.integers(200, 599),
)
async def test_whatever_comes_is_pages_or_a_problem(body: Any, status: int) -> None:
    try:
        found = await pages(Scripted(Answer(status, json.dumps(body).encode())))
    except Problem:
        return
    for page in found:
        for record in page.records:
            assert record.external_id
            again = records([record.value], push(), Settings())
            assert [one.value for one in again] == [record.value]
            with contextlib.suppress(Permanent):
                lead(record)


# ---- records --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "id_"),
    [
        ({"rfi_id": 84}, "84"),
        ({"rfi_id": " 84 "}, "84"),
        ({"rfi_id": "", "inquiry_id": "85"}, "85"),
        ({"rfi_id": "__RFI_ID__", "oid": 86}, "86"),
    ],
)
def test_the_id_is_found_wherever_it_is(row: dict[str, Json], id_: str) -> None:
    (record,) = split([row | {"sender_mobile": "9000000101"}])
    assert (record.external_id, lead(record).external_id) == (id_, id_)


def test_the_mark_of_a_template_is_no_id() -> None:
    first, second = split([{"rfi_id": "__RFI_ID__", "sender_mobile": f"900000010{digit}"} for digit in (1, 2)])
    assert first.external_id != second.external_id
    assert lead(first).external_id is None


def test_without_an_id_what_changes_by_itself_makes_no_other_inquiry() -> None:
    row = {"sender_mobile": "9000000101", "ago_time": "1 hour ago", "view_status": "UNREAD", "message": "Pipes"}
    later = row | {"ago_time": "2 hours ago", "view_status": "READ"}
    first, second, third = split([row, later, row | {"message": "Pumps"}])
    assert first.external_id == second.external_id != third.external_id


DASHES = "-" * 59
BLOCK = f"{DASHES}\r\nSender Details\r\nName - Asha Example\r\nMobile - +91-9000000101\r\nEmail - asha@example.com\r\n"


def test_the_block_fills_what_is_missing_and_is_then_cut() -> None:
    draft = lead(one(message=f"Need pipes\r\n{BLOCK}Contact buyer with your best offer.", sender_mobile="null"))
    assert (draft.phone_number, draft.email, draft.name) == ("+919000000101", "asha@example.com", "Asha Example")
    assert draft.notes == "Need pipes"


def test_the_block_overrides_nothing() -> None:
    record = one(message=f"x\n{BLOCK}", sender_mobile="9000000102", sender_email="b@example.com", sender_name="B")
    draft = lead(record)
    assert (draft.phone_number, draft.email, draft.name) == ("+919000000102", "b@example.com", "B")


def test_the_message_as_it_was_sent_is_kept() -> None:
    record = one(message=f"Need pipes\r\n{BLOCK}")
    assert isinstance(record.value, dict)
    assert record.value["message_as_sent"] == f"Need pipes\r\n{BLOCK}"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Need pipes", "Need pipes"),
        ("Need pipes\nSENDER DETAILS\nName - A", "Need pipes"),
        ("Need pipes\r\nDetails of the sender:\r\nName - A", "Need pipes"),
        (f"Need pipes<br>{DASHES}<br>Details of sender<br>Name - A", "Need pipes"),
        ("<p>Need pipes</p><p>Sender Details</p><p>Mobile : 1</p>", "<p>Need pipes</p>"),
        ("Please send details of the sender by post", "Please send details of the sender by post"),
        ("Our sender details are well known to you", "Our sender details are well known to you"),
        (f"{DASHES}\nSender Details\nName - A", ""),
        ("Sender Details", ""),
    ],
)
def test_a_message_is_cut_at_its_heading_only(message: str, text: str) -> None:
    found = read_message(message).text
    assert found.removesuffix("<p>") == text.removesuffix("</p>") or found == text


def test_a_message_of_nothing_but_the_block_leaves_the_subject() -> None:
    assert lead(one(message=BLOCK, subject="Inquiry for pipes")).notes == "Inquiry for pipes"


def test_a_number_in_the_text_of_a_written_inquiry_is_nobodys() -> None:
    record = one(message="My old dealer was +919000000199", source="DIRECT", sender_email="a@example.com")
    assert isinstance(record.value, dict)
    assert record.value["sender_mobile"] == ""


@pytest.mark.parametrize(
    ("fields", "moment"),
    [
        (
            {"generated_date": "27 September 2026", "generated_time": "21:00:13"},
            datetime(2026, 9, 27, 21, 0, 13, tzinfo=IST),
        ),
        ({"generated_date": "2026-09-27", "generated_time": "21:00:13"}, datetime(2026, 9, 27, 21, 0, 13, tzinfo=IST)),
        ({"generated_date": "7 May 2026"}, datetime(2026, 5, 7, tzinfo=IST)),
        (
            {"generated_date": "29 February 2028", "generated_time": "00:10:00"},
            datetime(2028, 2, 29, 0, 10, tzinfo=IST),
        ),
        (
            {"inquiry_time": "2026-10-12 15:20:00", "generated_date": "1 May 2026"},
            datetime(2026, 10, 12, 15, 20, tzinfo=IST),
        ),
    ],
)
def test_the_time_is_the_indian_one(fields: dict[str, Any], moment: datetime) -> None:
    assert lead(one(sender_mobile="9000000101", **fields)).enquired_at == moment


def test_a_landline_is_the_last_resort_and_a_list_is_left_alone() -> None:
    assert lead(one(landline_number="0141-2200000")).phone_number == "+911412200000"
    assert lead(one(sender_mobile=["9000000101"])).phone_number == "+919000000101"


@pytest.mark.parametrize("text", ["-" * 100_000, " " * 100_000, "\n-----" * 20_000, "<" * 100_000, "+91" * 50_000])
def test_a_message_made_to_take_long_takes_no_time(text: str) -> None:
    started = datetime.now(UTC)
    one(message=text + "Sender Details x" + text, source="PHONE_INQUIRY")
    one(message=text + "\nSender Details\n" + text, source="PHONE_INQUIRY")
    assert datetime.now(UTC) - started < timedelta(seconds=1)
