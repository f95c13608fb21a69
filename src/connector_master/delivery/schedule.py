"""The schedule of retries: ten of them over almost four days, so that a failure on Friday evening outlives the weekend."""

from datetime import timedelta

WAITS = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
    timedelta(hours=24),
)
AT_LEAST = timedelta(hours=90)
"""Nothing is given up sooner, also where it was tried out of turn."""
_JITTER = 0.2


def next_wait(retries: int, failing_for: timedelta, chance: float) -> timedelta | None:
    """Return how long to wait before the next attempt after `retries` of them failed, None when it is given up.

    `chance` (0 to 1) spreads out what failed at the same moment.

    >>> next_wait(0, timedelta(0), 0.0), next_wait(10, timedelta(hours=92), 0.0)
    (datetime.timedelta(seconds=10), None)
    """
    if retries >= len(WAITS) and failing_for >= AT_LEAST:
        return None
    return WAITS[min(retries, len(WAITS) - 1)] * (1 + _JITTER * chance)
