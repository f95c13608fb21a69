"""How long LinkedIn is left alone after it said "too many": 1, 5, 15 minutes, then until its day is over.

Calls are counted for each endpoint, from midnight to midnight in UTC. A refusal may also be a brief protection.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

_RESTS = (60, 300, 900)
_AFTER_MIDNIGHT = timedelta(minutes=5)


class Patience:
    """What one endpoint's last answers said, for the calls that follow with the same grant. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals = 0
        self._until = 0.0

    def rest_seconds(self) -> int | None:
        """Return how long to wait before the next call, None when there is no need."""
        left = self._until - self._clock()
        return max(1, round(left)) if left > 0 else None

    def note_answer(self) -> None:
        """Learn that a call went through."""
        # One that was under way already when another was refused proves nothing.
        if self.rest_seconds() is None:
            self._refusals = 0

    def note_limit(self, now: datetime, *, is_of_the_day: bool, asked_seconds: int | None) -> int:
        """Learn that a call was refused at `now`; return how long to rest. Several refused at once count as one."""
        if (left := self.rest_seconds()) is not None:
            return left
        is_over = is_of_the_day or self._refusals >= len(_RESTS)
        rest = seconds_to_next_day(now) if is_over else _RESTS[self._refusals]
        self._refusals += 1
        rest = max(rest, asked_seconds or 0)
        self._until = self._clock() + rest
        return rest


def seconds_to_next_day(now: datetime) -> int:
    """Return the seconds from `now`, in UTC, to five minutes past the next midnight.

    >>> from datetime import UTC
    >>> seconds_to_next_day(datetime(2026, 10, 12, 23, 0, tzinfo=UTC))
    3900
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return round((midnight + _AFTER_MIDNIGHT - now).total_seconds())
