"""Phone numbers: the key by which leads are recognised, hence never a guess.

libphonenumber reads letters as keypad digits and skips what it doesn't know, so a masked number
(`9XXXXXX811`, `98******10`) becomes a stranger's. It is therefore given only digits that stood in the
text as one number, with nothing beside them that could stand for a hidden digit.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from connector_master.model.problem import InvalidPhone, MissingPhone

from .html import html_to_text
from .text import clean_lines

_FIELD = "phoneNumber"
_LONGEST = 300
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)

# The commonest forms by far; 20 times faster than libphonenumber, and tested to agree with it.
_INDIAN_MOBILE = re.compile(r"(?:p:)?(?:\+91[ -]?|91|0)?([6-9][0-9]{4})[ -]?([0-9]{5})")

# A run of digits and what people write between them. A second plus begins a second number.
_RUN = re.compile(r"\(?(?:\+[ (]*)?[0-9][0-9 ().\-]*")
_PLUS_SIGNS = "+\uff0b\ufe62"
_HYPHENS = "-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"
_SAME = {ord(sign): "+" for sign in _PLUS_SIGNS} | {ord(sign): "-" for sign in _HYPHENS}
_TRUNK = re.compile(r"\( *0 *\)")
_BEYOND_DIGITS = re.compile(r"[^0-9]")
_RUNS_AT_MOST = 12
_PARTS_AT_MOST = 12
_DIGITS = range(4, 21)
_DIGITS_WITH_CODE = 10

# What may hide digits: signs used as masks wherever they touch the number, x's, dots and hyphens in rows.
_MASK = "*•·∙●○◦■□▪▫◆◯⬤█\u00d7✕✖✗…"
_NEAR = r"[ .()\[\]/\-]*"
# `Contact # 98765 43210` is no mask.
_MASKED_BEFORE = re.compile(
    rf"(?:[{_MASK}]|(?<![a-wyz] )(?<![a-wyz])#|[?_~]{{2}}|(?<=[0-9])_|\.{{3}}|-{{3}}|(?<![a-z])[x\u0445]+){_NEAR}$",
    re.IGNORECASE,
)
_MASKED_WITHIN = re.compile(r"(?:[.\-] *){3}")
_MASKED_AFTER = re.compile(rf"{_NEAR}(?:[{_MASK}#]|[?_~]{{2}}|_[0-9]|[x\u0445]+(?![a-z]))|-{{3}}", re.IGNORECASE)
_EXTENSION = re.compile(r"[ ,;]*(?:ext(?:n|ension)?|xtn|x)[ .:=]*[0-9]{1,6}(?![0-9a-z*#])", re.IGNORECASE)
# Letters that touch the number belong to it (`1800-FLOWERS`, `98765o3210`), unless they only say what it is.
_LABEL = re.compile(
    r"(?<![a-z])(?:p|ph|phone|tel|telephone|m|mb|mo|mob|mobile|cell|call|contact|no|number|wa|whatsapp)$", re.IGNORECASE
)
_VANITY = re.compile(r"[ ()]?[.\-]+[A-Z]{2,}(?![a-z])")

# Sheets and Java write 9876543210 as 9.87654321E9, pandas as 9876543210.0.
_SCIENTIFIC = re.compile(r"([1-9])\.([0-9]{1,14})[eE](\+?)([0-9]{1,2})")
_FLOAT = re.compile(r"(\+?[0-9]{7,15})\.0{1,2}")
_SHEET_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Phone:
    """One person's number in E.164, and further numbers from the same field."""

    e164: str
    others: tuple[str, ...]


def normalize_phone(text: str, region: str, fallback_region: str | None = None) -> Phone:
    """Return the first valid number in `text` as E.164, and the others after it, each once.

    `region` (upper-case ISO alpha-2) reads numbers without a country code, then `fallback_region`; an unknown
    one reads none. Meta writes a `p:` in front (docs/connectors/meta.md). Extensions are dropped.
    Raises MissingPhone for an empty text, InvalidPhone when it holds no valid number or a masked one only.

    >>> normalize_phone("p:098765 43210 / 080-22345678", "IN")
    Phone(e164='+919876543210', others=('+918022345678',))
    """
    if region == "IN" and (mobile := _INDIAN_MOBILE.fullmatch(text)):
        number = "+91" + mobile[1] + mobile[2]
        if number.count(number[3], 3) < 10:
            return Phone(number, ())
    text = _readable(text)
    if not text:
        raise MissingPhone("The phone number is empty", field=_FIELD)
    regions: list[str | None] = [known for known in (region, fallback_region) if known in _REGIONS]
    numbers = list(dict.fromkeys(_numbers(text, regions or [None])))
    if not numbers:
        raise InvalidPhone(
            f"No complete number that is valid in {regions[0] if regions else 'any country'}", field=_FIELD
        )
    return Phone(numbers[0], tuple(numbers[1:]))


def proven_phone(text: str) -> str | None:
    """Return `text` if it is a number in E.164 of a possible length, None otherwise.

    For numbers that their source has proven itself, such as WhatsApp: they may be newer than libphonenumber's tables.

    >>> proven_phone("+15550783881"), proven_phone("15550783881"), proven_phone("+12345")
    ('+15550783881', None, None)
    """
    if not _E164.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException:
        return None
    # A zero that libphonenumber drops would make another number of it.
    formatted = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return text if phonenumbers.is_possible_number(number) and formatted == text else None


def _readable(text: str) -> str:
    """Return at most 300 characters of `text` in ASCII digits, without mark-up, cut where no number is."""
    text = text.strip()
    is_cut = len(text) > 10 * _LONGEST
    if "<" in text or "&" in text:
        text = html_to_text(text[: 10 * _LONGEST])
    is_cut = is_cut or len(text) > _LONGEST
    text = clean_lines(text[:_LONGEST])
    if not text.isascii():
        text = "".join(map(_digit, text)).translate(_SAME)
    if is_cut:
        # Half a number would be another one.
        text = text.rstrip("0123456789+-. ()") or text[:1]
    if plain := _FLOAT.fullmatch(text):
        return plain[1]
    if scientific := _SCIENTIFIC.fullmatch(text):
        return _expanded(*scientific.groups())
    return text


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _expanded(first: str, fraction: str, plus: str, exponent: str) -> str:
    digits = first + fraction.rstrip("0")
    missing = int(exponent) + 1 - len(digits)
    # A sheet shows 919876543210 as 9.19877E+11: the digits it left out can't be known.
    rounded = plus and len(digits) < _SHEET_DIGITS
    return "x" if rounded or not 0 <= missing <= 14 else digits + "0" * missing


def _numbers(text: str, regions: list[str | None]) -> Iterator[str]:
    position = 0
    for _ in range(_RUNS_AT_MOST):
        run = _RUN.search(text, position)
        if not run:
            return
        written = run[0].rstrip(" ().-")
        end = run.start() + len(written)
        extension = _EXTENSION.match(text, end)
        if extension and extension[0][0] in "xX" and len(_BEYOND_DIGITS.sub("", written)) < _DIGITS_WITH_CODE:
            # "98765432X0" hides a digit; "(202) 555-0143x12" has none to hide.
            extension = None
        position = extension.end() if extension else run.end()
        if _is_whole(text, run.start(), end, extension is not None) and not _MASKED_WITHIN.search(written):
            yield from _read(written, regions)


def _is_whole(text: str, start: int, end: int, has_extension: bool) -> bool:
    """Tell whether nothing beside the run could stand for one of its digits."""
    before = text[max(0, start - 40) : start]
    if _MASKED_BEFORE.search(before) or (before[-1:].isalpha() and not _LABEL.search(before)):
        return False
    if has_extension:
        return True
    after = text[end : end + 40]
    return not (after[:1].isalpha() or after[:1] == "@" or _MASKED_AFTER.match(after) or _VANITY.match(after))


def _read(written: str, regions: list[str | None]) -> list[str]:
    if number := _valid(written, regions):
        return [number]
    # Two numbers with only blanks between: every part must belong to a valid one.
    parts = written.split()
    if not 2 <= len(parts) <= _PARTS_AT_MOST:
        return []
    numbers = []
    begin = 0
    for end in range(1, len(parts) + 1):
        if number := _valid(" ".join(parts[begin:end]), regions):
            numbers.append(number)
            begin = end
    return numbers if begin == len(parts) else []


def _valid(written: str, regions: list[str | None]) -> str | None:
    """Return `written` as E.164 when a region, or else the whole world, has such a number."""
    digits = _BEYOND_DIGITS.sub("", _TRUNK.sub("", written))
    if len(digits) not in _DIGITS:
        return None
    if "+" in written and not digits.startswith("0"):
        return _e164("+" + digits, None)
    for region in regions:
        if number := _e164(digits, region):
            return number
    if digits.startswith("00"):
        return _e164("+" + digits[2:], None)
    # Shorter ones would make a far island's number of any order number.
    return _e164("+" + digits, None) if len(digits) >= _DIGITS_WITH_CODE else None


def _e164(digits: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(digits, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or len(set(str(number.national_number))) == 1:
        return None
    formatted = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return formatted if _E164.fullmatch(formatted) else None
