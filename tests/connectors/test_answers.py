"""Answers: each row of API.md's table "Receiving" that is about an outcome."""

from typing import Any
from uuid import UUID

import pytest

from connector_master.connectors.answers import answer
from connector_master.model.event import EventStatus, Outcome

EVENT, LEAD = UUID(int=1), UUID(int=2)


def outcome(status: EventStatus, **more: Any) -> Outcome:
    return Outcome(status, EVENT, **more)


CREATED = outcome(EventStatus.CREATED, lead_id=LEAD)
DUPLICATE = outcome(EventStatus.DUPLICATE, lead_id=LEAD)
IGNORED = outcome(EventStatus.IGNORED, reason="test")
RECEIVED = outcome(EventStatus.RECEIVED)
FAILED = outcome(EventStatus.FAILED, problem_code="missing_phone", detail="No phone.", remedy="Map one.")


@pytest.mark.parametrize(
    ("one", "body"),
    [
        (CREATED, {"status": "created", "leadId": str(LEAD), "eventId": str(EVENT)}),
        (DUPLICATE, {"status": "duplicate", "leadId": str(LEAD), "eventId": str(EVENT)}),
        (IGNORED, {"status": "ignored", "reason": "test", "eventId": str(EVENT)}),
        (RECEIVED, {"status": "received", "reason": "paused", "eventId": str(EVENT)}),
    ],
)
def test_one_record_is_answered_with_its_outcome(one: Outcome, body: dict[str, Any]) -> None:
    assert (answer([one], False).status, answer([one], False).body) == (200, body)


def test_the_same_event_again_gets_the_first_answer_and_a_mark() -> None:
    again = outcome(EventStatus.CREATED, lead_id=LEAD, repeated=True)
    assert answer([again], False).body == {
        "status": "created",
        "leadId": str(LEAD),
        "eventId": str(EVENT),
        "repeated": True,
    }


def test_a_failed_record_is_a_problem() -> None:
    got = answer([FAILED], False)
    assert (got.status, got.content_type) == (400, "application/problem+json")
    assert got.body == {
        "type": "about:blank",
        "title": "Phone number missing",
        "status": 400,
        "detail": "No phone.",
        "code": "missing_phone",
        "remedy": "Map one.",
        "eventId": str(EVENT),
    }


@pytest.mark.parametrize("status", [EventStatus.FAILED, EventStatus.DEAD])
@pytest.mark.parametrize("code", [None, "from_the_future", "internal_error", "storage_unavailable"])
def test_a_failure_of_unknown_kind_is_still_a_400_with_a_remedy(status: EventStatus, code: str | None) -> None:
    got: Any = answer([outcome(status, problem_code=code, repeated=True)], False)
    assert (got.status, got.body["repeated"]) == (400, True)
    assert got.body["detail"]
    assert got.body["remedy"]


def test_a_list_is_answered_with_counts_and_every_outcome_in_order() -> None:
    got: Any = answer([CREATED, FAILED, DUPLICATE, IGNORED, RECEIVED], True)
    assert got.status == 200
    results = got.body.pop("results")
    assert got.body == {
        "status": "processed",
        "created": 1,
        "duplicates": 1,
        "failed": 1,
        "ignored": 1,
        "received": 1,
    }
    assert [result["status"] for result in results] == ["created", "failed", "duplicate", "ignored", "received"]
    assert results[1]["code"] == "missing_phone"


@pytest.mark.parametrize(("outcomes", "is_list"), [([], False), ([], True), ([FAILED], True), ([CREATED] * 2, False)])
def test_whatever_is_not_a_single_record_is_answered_as_a_list(outcomes: list[Outcome], is_list: bool) -> None:
    got: Any = answer(outcomes, is_list)
    assert (got.status, got.body["status"], len(got.body["results"])) == (200, "processed", len(outcomes))
