"""Outcomes: what becomes of a delivery after an attempt, by the kind of what went wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector_master.delivery.destination import Attempt
from connector_master.delivery.schedule import WAITS, next_wait
from connector_master.model.delivery import DeliveryStatus, Occasion
from connector_master.model.problem import (
    AddressRefused,
    CredentialsRefused,
    DestinationRefused,
    Permanent,
    Problem,
    ReceiverGone,
    ReceiverLimited,
)
from connector_master.storage.outbox import Due, Tried

_REFUSES_ALL = (DestinationRefused, AddressRefused, CredentialsRefused)
"""Permanent until a person mends the destination, so the lead waits for that."""


@dataclass(frozen=True, slots=True)
class Made:
    """An attempt that was made for a delivery: when it began, and how long it took."""

    due: Due
    attempt: Attempt
    began_at: datetime
    took: timedelta

    @property
    def failed(self) -> Problem | None:
        """What speaks against the destination, None where it works, though it may refuse this lead."""
        problem = self.attempt.problem
        if problem is None or isinstance(problem, ReceiverGone):
            return None
        is_of_the_lead = isinstance(problem, Permanent) and not isinstance(problem, _REFUSES_ALL)
        return None if is_of_the_lead else problem

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing more."""
        return isinstance(self.attempt.problem, ReceiverGone)


def settled(made: Made, now: datetime, chance: float) -> Tried:
    """Return what is to be kept of an attempt, and what becomes of its delivery; `chance` (0 to 1) spreads retries."""
    due, problem = made.due, made.attempt.problem
    status, due_at, retries = DeliveryStatus.DELIVERED, None, due.retries
    failing_since = None
    if problem is not None:
        failing_since = due.failing_since or made.began_at
        wait = _wait(made, now - failing_since, chance)
        status = DeliveryStatus.DEAD if wait is None else DeliveryStatus.RETRYING
        due_at = None if wait is None else now + wait
        if not _waits_its_turn(problem):
            retries += 1
    return Tried(
        delivery_id=due.id,
        status=status,
        at=made.began_at,
        milliseconds=round(made.took.total_seconds() * 1000),
        attempt=due.attempts + 1,
        retries=retries,
        due_at=due_at,
        failing_since=failing_since,
        code=None if problem is None else problem.code,
        detail=None if problem is None else problem.detail,
        external_id=made.attempt.external_id,
        request=made.attempt.request,
        answer_status=made.attempt.status,
        # What is said of a lead that is erased is not kept: it may repeat it.
        answer=None if due.occasion == Occasion.ERASED else made.attempt.answer,
    )


def _wait(made: Made, failing_for: timedelta, chance: float) -> timedelta | None:
    problem = made.failed
    if problem is None:
        return None
    asked = min(timedelta(seconds=problem.retry_after_seconds or 0), WAITS[-1])
    if _waits_its_turn(problem):
        return max(asked, timedelta(seconds=1)) * (1 + chance / 10)
    wait = next_wait(made.due.retries, failing_for, chance)
    return None if wait is None else max(wait, asked)


def _waits_its_turn(problem: Problem) -> bool:
    """Whether nothing failed: the receiver only said when it takes more."""
    return isinstance(problem, ReceiverLimited) and problem.retry_after_seconds is not None
