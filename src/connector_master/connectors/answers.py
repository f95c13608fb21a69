"""Answers: what became of a push, in the words of API.md "Receiving", for every door that has no words of its own."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

from connector_master.model.event import Answer, EventStatus, Outcome
from connector_master.model.json import Json
from connector_master.model.problem import Permanent, Problem
from connector_master.model.problem_kinds import kind_of

_FAILED = (EventStatus.FAILED, EventStatus.DEAD)


def answer(outcomes: Sequence[Outcome], is_list: bool) -> Answer:
    """Return the answer to a push: its outcome, the sum of several, or the problem of a single one that failed."""
    if len(outcomes) != 1 or is_list:
        return Answer(200, several(outcomes))
    outcome = outcomes[0]
    if outcome.status not in _FAILED:
        return Answer(200, one(outcome))
    kind = _problem(outcome.problem_code)
    body: dict[str, Json] = {"type": "about:blank", "title": kind.title, "status": kind.status, **_fault(outcome)}
    if outcome.repeated:
        body["repeated"] = True
    return Answer(kind.status, body, "application/problem+json")


def one(outcome: Outcome) -> dict[str, Json]:
    """Return one outcome as an object; a failed one says why, with `status` `failed`."""
    body: dict[str, Json]
    if outcome.status in (EventStatus.CREATED, EventStatus.DUPLICATE):
        lead = str(outcome.lead_id) if outcome.lead_id else None
        body = {"status": outcome.status.value, "leadId": lead, "eventId": str(outcome.event_id)}
    elif outcome.status in _FAILED:
        body = {"status": EventStatus.FAILED.value, **_fault(outcome)}
    else:
        reason = outcome.reason or ("paused" if outcome.status is EventStatus.RECEIVED else "not_an_enquiry")
        body = {"status": outcome.status.value, "reason": reason, "eventId": str(outcome.event_id)}
    if outcome.repeated:
        body["repeated"] = True
    return body


def several(outcomes: Sequence[Outcome]) -> dict[str, Json]:
    """Return the counts of all outcomes, and each in the order of its record."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {
        "status": "processed",
        "created": counts[EventStatus.CREATED],
        "duplicates": counts[EventStatus.DUPLICATE],
        "failed": counts[EventStatus.FAILED] + counts[EventStatus.DEAD],
        "ignored": counts[EventStatus.IGNORED],
        "received": counts[EventStatus.RECEIVED],
        "results": [one(outcome) for outcome in outcomes],
    }


def _fault(outcome: Outcome) -> dict[str, Json]:
    kind = _problem(outcome.problem_code)
    return {
        "detail": outcome.detail or kind.title,
        "code": outcome.problem_code or kind.code,
        "remedy": outcome.remedy or kind.remedy,
        "eventId": str(outcome.event_id),
    }


class _Unusable(Permanent):
    """Stands for a problem that this version does not know by its code."""

    code = "record_failed"
    title = "Record could not be used"
    status = 400
    remedy = "Look at the event, mend what it names, then retry it."


@cache
def _problem(code: str | None) -> type[Problem]:
    """Return the kind of problem that has this code, as one that a sender can be answered with."""
    kind = kind_of(code)
    return _Unusable if kind is None or kind.status >= 500 else kind
