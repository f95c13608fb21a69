"""YouTube's comments as records: who becomes a lead, what is kept of everybody else, and what is never looked at."""

from typing import Any

import pytest
from pydantic import ValidationError

from connector_master.connectors.youtube import connector
from connector_master.connectors.youtube_comment import MAPPING
from connector_master.connectors.youtube_settings import Settings
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.lead import LeadDraft
from connector_master.model.problem import InvalidBody
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile, process
from tests.connectors.builders import push
from tests.connectors.youtube_world import CHANNEL, comment, listed, sample, thread

AT = "2026-11-10T09:30:00Z"


def read(body: Json, **settings: Any) -> list[Record]:
    return list(connector.records(body, push(), Settings.model_validate(settings)))


def only(text: str, *, snippet: Any = None, **settings: Any) -> Record:
    """The record of one comment with this text."""
    (record,) = read(comment("c1", text, AT, **(snippet or {})), **settings)
    return record


def value_of(record: Record) -> dict[str, Json]:
    assert isinstance(record.value, dict)
    return record.value


def lead_of(record: Record) -> LeadDraft:
    assert record.ignored is None
    return process(record.value, compile_mapping(MAPPING), Profile(source=connector.title))


# ---- leads ----------------------------------------------------------------------------------------------


def test_the_samples_give_what_they_must() -> None:
    records = [*read(sample("comment_threads_page1")), *read(sample("comment_threads_page2_last"))]
    found = {record.external_id: record for record in records}

    leads = {id_: lead_of(record) for id_, record in found.items() if record.ignored is None}
    first, anil = leads["UgySample0000000001AaABAg"], leads["UgySample0000000004AaABAg"]
    assert len(leads) == 2
    assert (first.phone_number, first.name, first.campaign) == ("+919000000701", "sample-viewer-1", "SampleVid01")
    assert (anil.phone_number, anil.name, anil.email) == ("+919000000704", "Anil Demo", "anil.demo@example.com")
    assert anil.attributes["phones"] == ["+919000000705"]
    assert {record.external_id: record.ignored for record in records if record.ignored} == {
        "UgySample0000000002AaABAg": "interaction",
        "UgySample0000000003AaABAg": "interaction",
        "UgySample0000000005AaABAg": "own_comment",
        "UgySample0000000006AaABAg": "interaction",
    }
    assert value_of(found["UgySample0000000003AaABAg"])["email"] == "kiran.sample@example.com"


def test_a_lead_says_where_it_comes_from() -> None:
    (_, reply) = read(thread("t1", "Price?", AT, comment("t1.r1", "Call 9000000701", AT, parentId="t1", author="asha")))

    lead = lead_of(reply)

    assert (lead.source, lead.external_id, lead.notes) == ("youtube", "t1.r1", "Call 9000000701")
    assert lead.enquired_at is not None
    assert lead.enquired_at.isoformat() == "2026-11-10T09:30:00+00:00"
    assert lead.attributes == {
        "videoId": "SampleVid01",
        "commentUrl": "https://www.youtube.com/watch?v=SampleVid01&lc=t1.r1",
        "authorChannelId": "UCasha",
        "parentId": "t1",
        "consent": "public comment",
    }


def test_html_is_read_as_it_was_typed() -> None:
    (record,) = read(sample("comment_html_format"))

    lead = lead_of(record)

    assert (lead.phone_number, "phones" in lead.attributes) == ("+919000000710", False)
    assert lead.notes == "Don't miss me\ncall +91 90000 00710 & thanks 12:34"


def test_the_region_reads_numbers_without_a_country_code() -> None:
    assert only("call 6123 4567").ignored == "interaction"
    assert lead_of(only("call 6123 4567", defaultRegion="SG")).phone_number == "+6561234567"


def test_an_author_that_is_gone_is_no_reason_to_lose_a_lead() -> None:
    record = only("Call 9000000701", snippet={"authorChannelId": None, "authorDisplayName": ""})

    lead = lead_of(record)

    assert (lead.phone_number, lead.name, "authorChannelId" in lead.attributes) == ("+919000000701", None, False)


def test_what_the_channel_writes_itself_is_neither_lead_nor_interaction() -> None:
    record = only("Call our office on 9000000701", snippet={"authorChannelId": {"value": CHANNEL}})

    assert record.ignored == "own_comment"


# ---- interactions ---------------------------------------------------------------------------------------


def test_an_interaction_keeps_who_wrote_what_and_where() -> None:
    record = only("Great video!", snippet={"videoId": "SampleVid01", "authorDisplayName": "@asha"})

    value = value_of(record)

    assert (record.ignored, record.external_id) == ("interaction", "c1")
    assert (value["author"], value["text"]) == ("asha", "Great video!")
    assert value["link"] == "https://www.youtube.com/watch?v=SampleVid01&lc=c1"
    assert "consent" not in value


def test_subscribers_are_interactions_and_what_they_say_of_themselves_is_not_kept() -> None:
    records = read([sample("subscriptions_recent_page1"), sample("subscriptions_recent_last")])

    assert [record.ignored for record in records] == ["interaction"] * 3
    assert [record.external_id for record in records] == [f"subscription:sample-subscription-{n}" for n in (1, 2, 3)]
    assert [value_of(record)["author"] for record in records] == [
        "Viewer Thirty One",
        "Shop Demo",
        "Viewer Thirty Three",
    ]
    assert "9000000732" not in str(records)


@pytest.mark.parametrize(
    "body",
    [sample("live_chat_messages"), sample("websub")["notification"], {}, {"kind": "youtube#comment"}, [7], {"a": 1}],
    ids=["live chat", "websub", "empty", "bare", "number", "other"],
)
def test_what_is_no_comment_makes_no_lead(body: Json) -> None:
    assert {record.ignored for record in read(body)} == {"unrecognized"}


def test_lists_that_are_empty_hold_nothing() -> None:
    assert read(sample("comment_threads_empty")) == []
    assert read(listed("comment")) == []


@pytest.mark.parametrize("body", ["text", 7, None])
def test_what_is_no_answer_of_youtube_s_is_refused(body: Json) -> None:
    with pytest.raises(InvalidBody):
        read(body)


# ---- keywords -------------------------------------------------------------------------------------------


def test_keywords_mark_an_intent_in_any_language_and_whatever_the_capitals() -> None:
    keywords = ["price", "buy", "कीमत", "价格"]

    marked = only("PRICE? कीमत क्या है, 多少价格", keywords=keywords)

    assert (marked.ignored, marked.detail) == ("interaction", "Intent: price, कीमत, 价格")
    assert value_of(marked)["intent"] is True
    assert "intent" not in value_of(only("Overpriced, typically", keywords=keywords))


def test_keywords_alone_suppress_no_lead() -> None:
    assert lead_of(only("Call 9000000701", keywords=["price"])).phone_number == "+919000000701"
    assert lead_of(only("Price? 9000000701", keywords=["price"])).attributes["keywords"] == ["price"]


def test_a_lead_needs_a_keyword_where_that_is_set() -> None:
    wanted = {"keywords": ["price"], "onlyWithKeywords": True}

    suppressed = only("Call 9000000701", **wanted)

    assert (suppressed.ignored, suppressed.detail) == (
        "interaction",
        "There is a phone number, but none of the keywords.",
    )
    assert lead_of(only("Price? 9000000701", **wanted)).phone_number == "+919000000701"
    assert lead_of(only("Call 9000000701", onlyWithKeywords=True)).phone_number == "+919000000701"


# ---- versions -------------------------------------------------------------------------------------------


def test_another_text_is_another_version_and_the_same_text_is_not() -> None:
    edited = sample("comment_edited")
    (before,) = read(edited["first_sync"])
    (after,) = read(edited["second_sync"])
    liked = only("How much?", snippet={"likeCount": 7, "updatedAt": "2026-11-12T05:00:00Z"})

    assert before.external_id == after.external_id
    assert before.version not in (None, after.version)
    assert before.version == liked.version
    assert (before.ignored, lead_of(after).phone_number) == ("interaction", "+919000000709")


def test_a_stored_record_read_once_more_stays_as_it_is() -> None:
    (record,) = read(comment("c1", "Call 9000000701, a@example.com", AT, videoId="SampleVid01"), keywords=["call"])
    value = value_of(record) | {"video_title": "Pump demo"}

    (again,) = read(value, keywords=["call"])

    assert again.value == value
    assert lead_of(again).campaign == "Pump demo"
    assert again.stands_for == {"campaign": "SampleVid01"}


# ---- the forms ------------------------------------------------------------------------------------------


def test_the_forms_are_what_the_api_promises() -> None:
    assert connector.credentials.names() == ("clientId", "clientSecret", "refreshToken")
    assert {"subscribers", "keywords", "onlyWithKeywords"} <= set(connector.settings.names())
    assert (Settings().subscribers, Settings().keywords, Settings().only_with_keywords) == (False, (), False)
    assert connector.oauth is not None
    assert connector.oauth.scopes == ("https://www.googleapis.com/auth/youtube.force-ssl",)


def test_that_a_comment_is_no_consent_can_t_be_denied() -> None:
    schema = Settings.model_json_schema(by_alias=True)["properties"]["publicComments"]

    assert schema["confirm"] is True
    with pytest.raises(ValidationError):
        Settings.model_validate({"publicComments": False})
