"""The reader's language and time zone, and everything that is written their way: texts, numbers, dates.

Texts are gettext's: English in the code and the templates, other languages in `languages/<code>/messages.po`.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from types import MappingProxyType
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, dates, lists, numbers
from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

from connector_master.model.words import Words

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "hi": "हिन्दी"})
"""What pages speak, each by its own name."""

_LOCALES = {"en": "en_IN", "hi": "hi_IN"}
_DEFAULT_ZONE = "Asia/Kolkata"

LONGEST_LANGUAGE_MEMORY = 365 * 24 * 3600
"""Seconds for which a browser remembers the language of a person who is not signed in."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How somebody reads: a language of LANGUAGES, and a zone of the IANA database."""

    language: str = "en"
    zone: str = _DEFAULT_ZONE

    @property
    def locale(self) -> Locale:
        """Babel's locale, for numbers and dates."""
        return _locale(self.language)


reader: ContextVar[Reader] = ContextVar("reader", default=Reader())  # noqa: B039 - a frozen value
"""Who reads the answer that is being made."""


def reader_for(*, preferred: str | None, accepted: str | None, zone: str | None) -> Reader:
    """Return the reader who chose `preferred`, or whose browser asks for `accepted` (Accept-Language).

    What nobody offers, or no database knows, falls back to the default.
    """
    language = preferred if preferred is not None and preferred in LANGUAGES else _negotiated(accepted or "")
    return Reader(language, zone if zone is not None and zone in zones() else _DEFAULT_ZONE)


@cache
def zones() -> frozenset[str]:
    """Return every time zone's name."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def _(message: str, /, **values: object) -> str:
    """Return `message` in the reader's language, with `values` put in by `%(name)s`."""
    # To gettext the empty message is the catalog's own header.
    return _put(_catalog(reader.get().language).gettext(message), values) if message else ""


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """Return the form of a message that fits `count`, which is `%(num)s` in it."""
    return _put(_catalog(reader.get().language).ngettext(one, many, count), {"num": number(count)} | values)


def pgettext(context: str, message: str, /, **values: object) -> str:
    """Return `message` as it is meant in `context`."""
    return _put(_catalog(reader.get().language).pgettext(context, message), values)


def say(text: str) -> str:
    """Return in the reader's language what another layer says; what no catalog knows stays as it is."""
    if isinstance(text, Words):
        return _(text.template, **{name: _said(value) for name, value in text.values.items()})
    return _(text)


def number(value: float, digits: int = 0) -> str:
    """Return a number with the reader's separators, rounded to `digits` places."""
    return _number(reader.get().language, round(value, digits))


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 in per cent; a dash for None."""
    if share is None:
        return "–"
    return numbers.format_percent(round(share, 3), locale=reader.get().locale, decimal_quantization=False)


def moment(at: datetime) -> str:
    """Return date and time in the reader's zone."""
    return dates.format_datetime(local(at), "medium", locale=reader.get().locale)


def day(at: datetime) -> str:
    """Return the date in the reader's zone."""
    return dates.format_date(local(at), "medium", locale=reader.get().locale)


def plain_day(day: date) -> str:
    """Return a date that is no moment, such as a day that was counted."""
    return dates.format_date(day, "medium", locale=reader.get().locale)


def clock(at: datetime) -> str:
    """Return the time of day in the reader's zone."""
    return dates.format_time(local(at), "short", locale=reader.get().locale)


def local(at: datetime) -> datetime:
    """Return an aware moment in the reader's zone."""
    return at.astimezone(ZoneInfo(reader.get().zone))


def ago(at: datetime, now: datetime | None = None) -> str:
    """Return how long ago (or in how long) a moment is, in words."""
    away = at - (now or datetime.now(UTC))
    if abs(away) < timedelta(seconds=45):
        return _("just now") if away <= timedelta(0) else _("in a moment")
    return dates.format_timedelta(away, add_direction=True, threshold=0.9, locale=reader.get().locale)


def duration(span: timedelta) -> str:
    """Return a span in words, or in seconds and milliseconds where it is short."""
    seconds = span.total_seconds()
    if seconds < 1:
        return _("%(number)s ms", number=number(seconds * 1000))
    if seconds < 10:
        return _("%(number)s s", number=number(seconds, 1))
    return dates.format_timedelta(span, threshold=0.9, locale=reader.get().locale)


def _put(text: str, values: Mapping[str, object]) -> str:
    if any(isinstance(value, Markup) for value in values.values()):
        text = Markup(text)  # noqa: S704 - messages are ours, and the other values are escaped by it
    return text % values if values else text


def _said(value: object) -> object:
    if isinstance(value, Words):
        return say(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return plain_day(value)
    if isinstance(value, int):
        return number(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return lists.format_list([str(_said(one)) for one in value], locale=reader.get().locale)
    return value


@cache
def _catalog(language: str) -> NullTranslations:
    source = files("connector_master.web") / "languages" / language / "messages.po"
    if not source.is_file():
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache(10_000)
def _number(language: str, value: float) -> str:
    return numbers.format_decimal(value, locale=_locale(language))


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


def _negotiated(accepted: str) -> str:
    weighted = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _sep, parameters = part.strip().partition(";")
        weight = parameters.strip().removeprefix("q=") or "1"
        weighted.append((-_weight(weight), place, tag.strip().replace("-", "_")))
    wanted = [tag for weight, _place, tag in sorted(weighted) if weight < 0]
    wanted = [tag.split("_")[0] for tag in wanted]
    return negotiate_locale(wanted, list(LANGUAGES)) or "en"


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
