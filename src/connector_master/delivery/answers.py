"""Answers: what a receiver's HTTP status means for the lead, and for everything else that waits to go there."""

import re

from connector_master.model.problem import (
    DestinationRefused,
    LeadRefused,
    Problem,
    ReceiverGone,
    ReceiverLimited,
    ReceiverUnavailable,
)
from connector_master.outbound.client import Answer

_LONGEST_KEPT = 500
_REFUSES_US = frozenset({401, 403, 404, 405, 407})
_PASSES = frozenset({408, 425})
_UNSEEN = re.compile(r"[^\S\n]+|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def problem_of(answer: Answer) -> Problem | None:
    """Return what is wrong by the status alone, None for 200 to 299."""
    status = answer.status
    if 200 <= status < 300:
        return None
    said = f"The receiver answered HTTP {status}"
    if status == 410:
        return ReceiverGone(f"{said}: nothing is to be sent there any more.")
    if status == 429:
        return ReceiverLimited(f"{said}: too many calls.", retry_after_seconds=answer.retry_after_seconds())
    if 300 <= status < 400:
        return DestinationRefused(f"{said}, a redirect to another address. Redirects are not followed.")
    if status in _REFUSES_US:
        return DestinationRefused(f"{said}.")
    if 400 <= status < 500 and status not in _PASSES:
        return LeadRefused(f"{said}.")
    return ReceiverUnavailable(f"{said}.", retry_after_seconds=answer.retry_after_seconds())


def beginning(text: str) -> str | None:
    """Return the first few hundred characters of what a receiver said, on lines that can be shown; None for nothing."""
    return _UNSEEN.sub(" ", text[: 4 * _LONGEST_KEPT]).strip()[:_LONGEST_KEPT] or None
