"""IndiaMART: the shapes in which enquiries come, and the answers that keep Push switched on."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.connectors import registry
from connector_master.connectors.indiamart import MAPPING, Settings, acknowledge, connector, records
from connector_master.model.event import EventStatus, Outcome, Record
from connector_master.model.json import Json
from connector_master.model.problem import InvalidBody
from tests.connectors.builders import push

SAMPLES = Path(__file__).parent.parent / "samples" / "indiamart"
EVENT, LEAD = UUID(int=1), UUID(int=2)
ENQUIRY: dict[str, Json] = {"UNIQUE_QUERY_ID": "29", "SENDER_MOBILE": "+91-9000000001"}
FOUND = [Record(ENQUIRY, external_id="29")]


def split(body: Any) -> list[Record]:
    return list(records(body, push(), Settings()))


def test_the_registry_finds_it() -> None:
    assert registry()["indiamart"] is connector
    assert connector.unsigned_by_nature
    assert connector.verify is None


@pytest.mark.parametrize(
    ("name", "last_digits"),
    [
        ("push-wrapped-direct.json", ["01"]),
        ("push-flat-spec.json", ["02"]),
        ("push-wrapped-call.json", ["03"]),
        ("push-wrapped-buylead-html.json", ["04"]),
        ("push-wrapped-array.json", ["05", "06", "05"]),
        ("push-email-only.json", ["07"]),
        ("push-dirty-phone.json", ["08", "09", "10", "11", "12", "13"]),
    ],
)
def test_each_sample_yields_its_enquiries(name: str, last_digits: list[str]) -> None:
    found = split(json.loads((SAMPLES / name).read_bytes()))
    assert [record.external_id for record in found] == [f"29000000{digits}" for digits in last_digits]
    assert all(record.ignored is None for record in found)
    assert all(isinstance(record.value, dict) and "SENDER_NAME" in record.value for record in found)


@pytest.mark.parametrize(
    "body",
    [
        [ENQUIRY],
        {"CODE": 200, "STATUS": "SUCCESS", "RESPONSE": ENQUIRY},
        {"RESPONSE": [ENQUIRY]},
        {"RESPONSE": json.dumps(ENQUIRY)},
        {"body": {"RESPONSE": ENQUIRY}},
        {"body": {"RESPONSE": [ENQUIRY]}, "headers": {}, "query": {}},
        {"body": ENQUIRY},
        {"body": json.dumps({"RESPONSE": [ENQUIRY]})},
        [{"RESPONSE": ENQUIRY}],
        [{"body": {"RESPONSE": [ENQUIRY]}}],
        ENQUIRY,
    ],
    ids=repr,
)
def test_every_shape_seen_yields_the_enquiry(body: Json) -> None:
    assert split(body) == FOUND


def test_an_empty_list_is_no_error_and_no_record() -> None:
    assert split({"CODE": 200, "RESPONSE": []}) == []
    assert split([]) == []


@pytest.mark.parametrize(
    "body",
    [{}, {"a": 1}, {"CODE": 204, "STATUS": "FAILURE"}, {"RESPONSE": None}, {"RESPONSE": {}}, {"body": {"a": 1}}],
)
def test_what_is_no_enquiry_is_kept_as_an_ignored_record(body: Json) -> None:
    assert split(body) == [Record(body, ignored="unrecognized")]


def test_in_a_list_only_what_is_no_object_is_passed_over() -> None:
    assert split([ENQUIRY, "x", {}, {"NAME": "y"}]) == [
        *FOUND,
        Record("x", ignored="unrecognized"),
        Record({}, ignored="unrecognized"),
        Record({"NAME": "y"}),
    ]


@pytest.mark.parametrize("body", [None, 7, "text"])
def test_a_body_that_is_no_object_is_unreadable(body: Json) -> None:
    with pytest.raises(InvalidBody):
        split(body)


@pytest.mark.parametrize(
    ("sent", "known_as"),
    [
        ("29", "29"),
        (" 29 ", "29"),
        (29, "29"),
        (29.0, "29"),
        ("null", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_an_id_is_the_same_as_text_and_as_number(sent: Json, known_as: str | None) -> None:
    assert split({"UNIQUE_QUERY_ID": sent}) == [Record({"UNIQUE_QUERY_ID": sent}, external_id=known_as)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["RESPONSE", "body", "UNIQUE_QUERY_ID", "SENDER_X", "z"]), inner, max_size=4)
    ),
)


@given(JSON)
def test_whatever_comes_is_split_or_refused(body: Any) -> None:
    if isinstance(body, dict | list):
        assert all(isinstance(record, Record) for record in split(body))
    else:
        with pytest.raises(InvalidBody):
            split(body)


def test_its_mapping_begins_with_the_specifications_and_never_reads_the_sellers_phone() -> None:
    assert list(MAPPING.items())[:12] == [
        ("SENDER_MOBILE", "phoneNumber"),
        ("SENDER_NAME", "name"),
        ("SENDER_EMAIL", "email"),
        ("SENDER_COMPANY", "businessName"),
        ("SENDER_ADDRESS", "addressLine1"),
        ("SENDER_CITY", "city"),
        ("SENDER_STATE", "state"),
        ("SENDER_PINCODE", "pincode"),
        ("SENDER_COUNTRY_ISO", "country"),
        ("PRODUCT_NAME", "productName"),
        ("QUERY_MESSAGE", "notes"),
        ("UNIQUE_QUERY_ID", "externalId"),
    ]
    assert not any("RECEIVER" in source for source in MAPPING)


CREATED = Outcome(EventStatus.CREATED, EVENT, lead_id=LEAD)
FAILED = Outcome(EventStatus.FAILED, EVENT, problem_code="missing_phone", detail="None.", remedy="Map it.")


def test_a_lead_is_answered_in_indiamarts_words_and_ours() -> None:
    answer = acknowledge([CREATED], False)
    assert (answer.status, answer.content_type) == (200, "application/json")
    expected = {"CODE": 200, "STATUS": "SUCCESS", "status": "created", "leadId": str(LEAD), "eventId": str(EVENT)}
    assert answer.body == expected


def test_a_lead_without_a_phone_is_answered_200_and_named() -> None:
    answer = acknowledge([FAILED], False)
    assert answer.status == 200
    assert answer.body == {
        "CODE": 200,
        "STATUS": "SUCCESS",
        "status": "failed",
        "code": "missing_phone",
        "detail": "None.",
        "remedy": "Map it.",
        "eventId": str(EVENT),
    }


def test_several_and_none_are_answered_with_counts() -> None:
    body: Any = acknowledge([CREATED, FAILED], True).body
    assert (body["CODE"], body["created"], body["failed"], len(body["results"])) == (200, 1, 1, 2)
    assert acknowledge([], False).status == 200
