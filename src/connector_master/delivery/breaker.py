"""The breaker: a destination that keeps failing rests, is probed with one delivery, and drains in order once that succeeds."""

from dataclasses import replace
from datetime import datetime, timedelta

from connector_master.model.problem import Problem, ReceiverLimited
from connector_master.storage.gates import Breaker

OPENS_AFTER = 5
"""So many failures in a row, and it is not this lead or that one any more."""
PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=10),
    timedelta(minutes=15),
)
_JITTER = 0.2
_LONGEST_REST = timedelta(hours=24)
"""A receiver that asks for a longer rest is asked again after this one."""


def after_success(breaker: Breaker) -> Breaker:
    """Return the breaker after a call that was answered well, or with a fault of the lead's alone."""
    # A rest that the receiver asked for lasts, whatever else was under way.
    return Breaker(rests_until=None if breaker.is_open else breaker.rests_until)


def after_failure(breaker: Breaker, problem: Problem, began_at: datetime, now: datetime, chance: float) -> Breaker:
    """Return the breaker after a call that began then and failed with `problem`; `chance` (0 to 1) spreads probes."""
    asked = problem.retry_after_seconds
    if isinstance(problem, ReceiverLimited) and asked is not None:
        return replace(breaker, rests_until=_later(breaker.rests_until, now, timedelta(seconds=max(1, asked))))
    if breaker.opened_at is not None and began_at < breaker.opened_at:
        # It was under way when the breaker opened, and tells nothing that is not known.
        return breaker
    told = replace(
        breaker,
        failures=breaker.failures + 1,
        failing_since=breaker.failing_since or began_at,
        problem_code=problem.code,
        problem_detail=problem.detail,
    )
    rest = timedelta(seconds=asked) if asked is not None else timedelta(0)
    if told.failures >= OPENS_AFTER:
        pause = PAUSES[min(told.pauses, len(PAUSES) - 1)] * (1 + _JITTER * chance)
        told = replace(told, pauses=told.pauses + 1, opened_at=now)
        rest = max(rest, pause)
    return replace(told, rests_until=_later(told.rests_until, now, rest)) if rest else told


def _later(until: datetime | None, now: datetime, rest: timedelta) -> datetime:
    then = now + min(rest, _LONGEST_REST)
    return then if until is None else max(until, then)
