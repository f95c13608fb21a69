"""How much of its allowance Meta says is used up: the usage headers of Graph's answers, and when they say to rest."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connector_master.model.json import Json, as_list, as_object
from connector_master.model.json_text import read_json
from connector_master.model.problem import InvalidBody

SLOW_FROM = 80
"""From this percentage on, who has time calls more slowly."""

STOP_FROM = 95
"""From this percentage on, nobody calls: at 100 Meta refuses, and for longer."""

_SHORT_REST = 5
_LONG_REST = 300
_LONGEST_REST = 86_400
_SHARES = ("call_count", "total_cputime", "total_time", "acc_id_util_pct")
_HEADERS = ("x-app-usage", "x-business-use-case-usage", "x-ad-account-usage")


@dataclass(frozen=True, slots=True)
class Usage:
    """The highest share that an answer names, in percent, and the longest wait that it asks for."""

    percent: float = 0
    rest_seconds: int | None = None


def usage_in(headers: Mapping[str, str]) -> Usage:
    """Return what the headers of an answer say; nothing where they are missing or make no sense.

    >>> usage_in({"x-app-usage": '{"call_count": 28, "total_time": 81}'})
    Usage(percent=81, rest_seconds=None)
    """
    found = [entry for name in _HEADERS for entry in _entries(headers.get(name, ""))]
    shares = [share for entry in found for name in _SHARES if (share := _number(entry.get(name))) is not None]
    waits = [wait for entry in found if (wait := _number(entry.get("estimated_time_to_regain_access")))]
    rest = min(int(max(waits) * 60), _LONGEST_REST) if waits and max(waits) > 0 else None
    return Usage(max(shares, default=0), rest)


class Pace:
    """What the last answers said, for the calls that follow with the same grant."""

    def __init__(self) -> None:
        self._percent = 0.0
        self._until = 0.0

    def note(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer."""
        usage = usage_in(headers)
        if usage.percent < SLOW_FROM:
            return
        rest = max(_LONG_REST, usage.rest_seconds or 0) if usage.percent >= STOP_FROM else _SHORT_REST
        until = time.monotonic() + rest
        if until >= self._until or usage.percent >= self._percent:
            self._percent, self._until = usage.percent, until

    def rest_seconds(self, limit: float) -> int | None:
        """Return how long to wait before the next call, None when there is no need: `limit` percent are not reached."""
        left = self._until - time.monotonic()
        return max(1, round(left)) if left > 0 and self._percent >= limit else None


def _entries(text: str) -> Iterator[Mapping[str, Json]]:
    """Yield the objects of a header: itself, or those in its lists by account."""
    try:
        value = as_object(read_json(text)) if text else {}
    except InvalidBody:
        return
    yield value
    for listed in value.values():
        yield from (one for one in as_list(listed) if isinstance(one, dict))


def _number(value: Json) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and -1e9 < value < 1e9 else None  # type: ignore[operator,return-value]
