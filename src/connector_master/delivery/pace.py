"""The pace: when calls may be made where a destination wants no more than so many a minute. They are spread out evenly."""

from datetime import datetime, timedelta

_LOOKS_AHEAD = timedelta(seconds=1)


def starts(next_call_at: datetime | None, now: datetime, per_minute: int | None, most: int) -> list[timedelta]:
    """Return, for up to `most` calls, how long each has to wait from now; none that would wait for more than a second.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 24, tzinfo=UTC)
    >>> starts(now, now, 120, 10), starts(None, now, None, 2)
    ([datetime.timedelta(0), datetime.timedelta(microseconds=500000), datetime.timedelta(seconds=1)],\
 [datetime.timedelta(0), datetime.timedelta(0)])
    """
    if per_minute is None:
        return [timedelta(0)] * max(0, most)
    first = max(now, next_call_at or now)
    waits = [first - now + n * timedelta(minutes=1) / per_minute for n in range(max(0, most))]
    return [wait for wait in waits if wait <= _LOOKS_AHEAD]
