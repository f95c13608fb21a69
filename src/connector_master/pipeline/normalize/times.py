"""Times as providers and forms write them, read as moments in UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_LONGEST = 80
_YEARS = range(2000, 2101)
_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6} | {
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_DATE = (
    r"(?:(?P<y1>[0-9]{4})[-/.](?P<m1>[0-9]{1,2})[-/.](?P<d1>[0-9]{1,2})"
    # Day before month, as India writes; no provider is known to send the other order.
    r"|(?P<d2>[0-9]{1,2})[-/.](?P<m2>[0-9]{1,2})[-/.](?P<y2>[0-9]{4})"
    r"|(?P<d3>[0-9]{1,2})[-/., ]{1,2}(?P<m3>[a-z]{3,9})[-/., ]{1,2}(?P<y3>[0-9]{4})"
    r"|(?P<m4>[a-z]{3,9})\.? (?P<d4>[0-9]{1,2}),? (?P<y4>[0-9]{4}))"
)
_CLOCK = (
    # IndiaMART has been seen to forget the blank: `10-Oct-202609:25:00`.
    r"(?:[ t,]{0,3}(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?)?"
)
_OFFSET = r"(?: ?(?:(?P<utc>z|utc|gmt)|(?P<ist>ist)|(?:gmt|utc)?(?P<sign>[+-])(?P<oh>[0-9]{2}):?(?P<om>[0-9]{2})))?"
_WRITTEN = re.compile(rf"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{{0,6}},? )?{_DATE}{_CLOCK}{_OFFSET}(?: \([a-z ]+\))?")
_NUMBER = re.compile(r"[0-9]{8,17}(?:\.[0-9]+)?")
_INDIA = timezone(timedelta(hours=5, minutes=30))


def parse_time(value: str | int | float, zone: tzinfo) -> datetime | None:
    """Return the moment `value` names, in UTC, or None when it names none between 2000 and 2100.

    Reads ISO 8601, the written forms of the providers (day before month), and Unix time in seconds,
    milliseconds or microseconds. A text without offset is read in `zone`.

    >>> from zoneinfo import ZoneInfo
    >>> parse_time("16-Apr-2022 09:33:16 AM", ZoneInfo("Asia/Kolkata")).isoformat()
    '2022-04-16T04:03:16+00:00'
    >>> parse_time(1791801000, UTC).isoformat()
    '2026-10-12T10:30:00+00:00'
    """
    try:
        moment = _written(value, zone) if isinstance(value, str) else _counted(value, zone)
        moment = moment and moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment and moment.year in _YEARS else None


def _written(value: str, zone: tzinfo) -> datetime | None:
    value = value.strip()
    if len(value) > _LONGEST or not value.isascii():
        return None
    if _NUMBER.fullmatch(value):
        return _counted(float(value) if "." in value else int(value), zone)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _spelt(" ".join(value.lower().split()), zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _counted(value: int | float, zone: tzinfo) -> datetime | None:
    # The ranges of all units between 2000 and 2100 are far apart, so the size tells the unit.
    if 20000101 <= value <= 21001231:
        return datetime.strptime(str(int(value)), "%Y%m%d").replace(tzinfo=zone)
    if 20000101000000 <= value <= 21001231235959:
        return datetime.strptime(str(int(value)), "%Y%m%d%H%M%S").replace(tzinfo=zone)
    for unit in (1, 1_000, 1_000_000):
        if 946_000_000 * unit <= value <= 4_134_000_000 * unit:
            return datetime.fromtimestamp(value / unit, UTC)
    return None


def _spelt(value: str, zone: tzinfo) -> datetime | None:
    written = _WRITTEN.fullmatch(value)
    if not written:
        return None
    form = next(number for number in "1234" if written[f"y{number}"])
    month = written[f"m{form}"]
    return datetime(
        int(written[f"y{form}"]),
        int(month) if month.isdigit() else _MONTHS.get(month[:3], 0),
        int(written[f"d{form}"]),
        _hour(int(written["hour"] or 0), written["half"]),
        int(written["minute"] or 0),
        int(written["second"] or 0),
        tzinfo=_offset(written) or zone,
    )


def _offset(written: re.Match[str]) -> tzinfo | None:
    if written["utc"]:
        return UTC
    if written["ist"]:
        return _INDIA
    if not written["sign"]:
        return None
    offset = timedelta(hours=int(written["oh"]), minutes=int(written["om"]))
    return timezone(offset if written["sign"] == "+" else -offset)


def _hour(hour: int, half: str | None) -> int:
    if half == "p" and hour < 12:
        return hour + 12
    return 0 if half == "a" and hour == 12 else hour
