"""Functions: what expressions can call beyond CEL's own, one table for mappings, rules and templates alike.

Each takes whatever JSON holds, and none but `readTime` fails on it: what makes no sense gives an empty text. All can be
written both ways, `phone(value)` and `value.phone()`. docs/expressions.md lists them; the examples are its, and are tested.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from cel_expr_python import cel  # type: ignore[import-untyped]

from connector_master.model.json import Json
from connector_master.model.problem import InvalidPhone, MissingPhone
from connector_master.pipeline.normalize import normalize_email, normalize_name, normalize_phone, parse_time
from connector_master.pipeline.values import is_filled, text_of

DEFAULT_REGION = "IN"
"""Whose phone numbers come without a country code, where an expression does not say."""

_LONGEST_PHONE = 60
_LONGEST_EMAIL = 254
_LONGEST_NUMBER = 200
_LONGEST_PATTERN = 200
_NUMBER = re.compile(r"(?:(?<!\S)-)?[0-9][0-9,]*(?:\.[0-9]+)?")
_DIRECTIVE = re.compile(r"%(.?)")
_DIRECTIVES = frozenset("YmdHMSybBaAjpIzZ%")

_ANY = (cel.Type.STRING, cel.Type.INT, cel.Type.DOUBLE, cel.Type.BOOL, cel.Type.NULL, cel.Type.LIST, cel.Type.MAP)
_TAKEN = {
    "any": _ANY,
    "moment": (*_ANY, cel.Type.TIMESTAMP),
    "text": (cel.Type.STRING,),
    "count": (cel.Type.INT,),
    "number": (cel.Type.INT, cel.Type.DOUBLE),
    "table": (cel.Type.MAP,),
}
"""CEL's types for what a parameter takes. Its library finds no overload for a value by `dyn`, so each has its own."""
_RETURNED = {"text": cel.Type.STRING, "truth": cel.Type.BOOL, "number": cel.Type.DOUBLE, "moment": cel.Type.TIMESTAMP}


class InvalidArgument(ValueError):
    """A constant argument that can never be right: an unknown time zone, a pattern that can't be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function. `signature` is how people write it, `says` what it returns, `example` an expression and its result.

    `takes` has a kind for each parameter, of which the last `optional` may be left out. A call costs `work` beside reading
    its arguments, and its result is no longer than `growth` times these (0: always short).
    """

    name: str
    signature: str
    says: str
    example: tuple[str, Json]
    run: Callable[..., Any]
    takes: Sequence[str]
    optional: int = 0
    returns: str = "text"
    work: float = 100.0
    growth: float = 0.0
    check: Callable[[Sequence[str | None]], None] | None = None
    """Raises InvalidArgument for constant texts among the arguments (None: not constant) that can never be right."""

    def declaration(self) -> Any:
        """Return it as CEL's library takes it: an overload for every combination of types, as function and as method."""
        result = _RETURNED[self.returns]
        overloads = []
        for count in range(len(self.takes) - self.optional, len(self.takes) + 1):
            for number, types in enumerate(product(*(_TAKEN[kind] for kind in self.takes[:count]))):
                overloads += [
                    cel.Overload(f"{self.name}_{count}_{number}_{form}", result, list(types), is_member, impl=self.run)
                    for form, is_member in (("function", False), ("method", True))
                ]
        return cel.FunctionDecl(self.name, overloads)


def phone(value: Json, region: str = DEFAULT_REGION) -> str:
    """Return the first phone number in E.164."""
    try:
        return normalize_phone((text_of(value) or "")[:_LONGEST_PHONE], region.upper(), DEFAULT_REGION).e164
    except (MissingPhone, InvalidPhone):
        return ""


def phone_country(value: Json) -> str:
    """Return the country of a phone number, as ISO alpha-2."""
    number = phone(value)
    return (phonenumbers.region_code_for_number(phonenumbers.parse(number)) or "") if number else ""


def email(value: Json) -> str:
    """Return the first e-mail address that can be written to, in lower case."""
    return normalize_email((text_of(value) or "")[:_LONGEST_EMAIL]) or ""


def email_domain(value: Json) -> str:
    """Return what stands behind the @ of the first e-mail address."""
    return email(value).rpartition("@")[2]


def title(value: Json) -> str:
    """Return words with a capital each; those that have capitals within stay as they are."""
    words = (text_of(value) or "").split(" ")
    return " ".join(
        word if word[1:] != word[1:].lower() and not word.isupper() else word.capitalize() for word in words
    )


def first_name(value: Json) -> str:
    """Return a name without its last part, or all of it where it has only one."""
    parts = (normalize_name(text_of(value) or "") or "").split()
    return " ".join(parts[:-1] or parts)


def last_name(value: Json) -> str:
    """Return the last part of a name that has several."""
    parts = (normalize_name(text_of(value) or "") or "").split()
    return parts[-1] if len(parts) > 1 else ""


def number(value: Json, otherwise: float) -> float:
    """Return the one number in a text, with commas between its digits or without."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = _NUMBER.findall((text_of(value) or "")[:_LONGEST_NUMBER])
    # Of several nobody knows which is meant.
    return float(found[0].replace(",", "")) if len(found) == 1 else float(otherwise)


def lookup(value: Json, table: Mapping[str, Json], otherwise: str = "") -> str:
    """Return what a table says of a text, without regard to case and blanks around."""
    wanted = (text_of(value) or "").strip().casefold()
    for key, found in table.items():
        if str(key).strip().casefold() == wanted:
            return text_of(found) or ""
    return otherwise


def left(value: Json, count: int) -> str:
    """Return at most the first `count` characters."""
    return (text_of(value) or "")[: max(0, count)]


def read_time(value: Json | datetime, zone: str = "UTC") -> datetime:
    """Return the moment that a text or number names. Raises ValueError where it names none."""
    moment = _moment(value, zone)
    if moment is None:
        raise ValueError("there is no time in it that can be read")
    return moment


def format_time(value: Json | datetime, pattern: str, zone: str = "UTC") -> str:
    """Return a moment as `pattern` writes it, in a time zone."""
    _check_pattern(pattern)
    moment = _moment(value, zone)
    return moment.astimezone(_zone(zone)).strftime(pattern) if moment else ""


def _moment(value: Json | datetime, zone: str) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return parse_time(value, _zone(zone))


def _text(value: Json) -> str:
    return text_of(value) or ""


def _digest(name: str) -> Callable[[Json], str]:
    def digest(value: Json) -> str:
        # Receivers compare by it (audiences, mailing lists); nothing is kept secret by it.
        return hashlib.new(name, _text(value).encode(), usedforsecurity=False).hexdigest()

    return digest


@lru_cache(maxsize=128)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidArgument(f"{name[:100]!r} is no time zone; one is 'Asia/Kolkata'") from error


@lru_cache(maxsize=128)
def _check_pattern(pattern: str) -> None:
    if len(pattern) > _LONGEST_PATTERN:
        raise InvalidArgument(f"A pattern has at most {_LONGEST_PATTERN} characters")
    for found in _DIRECTIVE.finditer(pattern):
        if found[1] not in _DIRECTIVES:
            known = " ".join(f"%{one}" for one in sorted(_DIRECTIVES - {"%"}))
            raise InvalidArgument(f"'%{found[1]}' is nothing that a time is written with; known are {known}")


def _check_zone(place: int) -> Callable[[Sequence[str | None]], None]:
    def check(texts: Sequence[str | None]) -> None:
        if len(texts) > place and (name := texts[place]) is not None:
            _zone(name)

    return check


def _check_format(texts: Sequence[str | None]) -> None:
    if (pattern := texts[1]) is not None:
        _check_pattern(pattern)
    _check_zone(2)(texts)


FUNCTIONS: Mapping[str, Function] = {
    one.name: one
    for one in (
        Function(
            name="phone",
            signature="phone(value, region?)",
            says="the first phone number in it, in E.164; `region` (IN unless given) reads numbers without a country code",
            example=("phone('p:098765 43210')", "+919876543210"),
            run=phone,
            takes=("any", "text"),
            optional=1,
            work=3_000,
        ),
        Function(
            name="phoneCountry",
            signature="phoneCountry(value)",
            says="the country of a phone number, as two letters",
            example=("phoneCountry('+44 20 7183 8750')", "GB"),
            run=phone_country,
            takes=("any",),
            work=4_000,
        ),
        Function(
            name="email",
            signature="email(value)",
            says="the first e-mail address that can be written to, in lower case",
            example=("email('Kiran Demo <Kiran@Example.COM>')", "kiran@example.com"),
            run=email,
            takes=("any",),
            work=3_000,
        ),
        Function(
            name="emailDomain",
            signature="emailDomain(value)",
            says="what stands behind the @ of an e-mail address",
            example=("emailDomain('Kiran@Example.COM')", "example.com"),
            run=email_domain,
            takes=("any",),
            work=3_000,
        ),
        Function(
            name="lower",
            signature="lower(value)",
            says="in small letters, of any script",
            example=("lower('ÄRGER Ltd')", "ärger ltd"),
            run=lambda value: _text(value).lower(),
            takes=("any",),
            growth=3,
        ),
        Function(
            name="upper",
            signature="upper(value)",
            says="in capital letters, of any script",
            example=("'ärger'.upper()", "ÄRGER"),
            run=lambda value: _text(value).upper(),
            takes=("any",),
            growth=3,
        ),
        Function(
            name="title",
            signature="title(value)",
            says="each word with a capital; a word with capitals within, such as McDonald, stays as it is",
            example=("title('ASHA de McDonald')", "Asha De McDonald"),
            run=title,
            takes=("any",),
            growth=3,
        ),
        Function(
            name="firstName",
            signature="firstName(value)",
            says="a name without its last part, or all of it where it has only one",
            example=("firstName('Asha Devi Rao')", "Asha Devi"),
            run=first_name,
            takes=("any",),
        ),
        Function(
            name="lastName",
            signature="lastName(value)",
            says="the last part of a name that has several",
            example=("lastName('Asha Devi Rao')", "Rao"),
            run=last_name,
            takes=("any",),
        ),
        Function(
            name="text",
            signature="text(value)",
            says="anything as text: numbers, choices' labels, lists joined by commas",
            example=("text(['Pump', 5])", "Pump, 5"),
            run=_text,
            takes=("any",),
            growth=3,
        ),
        Function(
            name="filled",
            signature="filled(value)",
            says="whether there is anything in it: blanks, null and 'null' are nothing",
            example=("filled(' ')", False),
            run=is_filled,
            takes=("any",),
            returns="truth",
        ),
        Function(
            name="left",
            signature="left(value, count)",
            says="at most its first `count` characters",
            example=("left('Gate valve', 4)", "Gate"),
            run=left,
            takes=("any", "count"),
            growth=1,
        ),
        Function(
            name="digits",
            signature="digits(value)",
            says="only its digits",
            example=("digits('PIN 452 001')", "452001"),
            run=lambda value: "".join(filter(str.isdecimal, _text(value))),
            takes=("any",),
            growth=1,
        ),
        Function(
            name="number",
            signature="number(value, otherwise)",
            says="the one number in it, with commas or without; `otherwise` where there is none, or several",
            example=("number('₹ 1,50,000.50', 0)", 150000.5),
            run=number,
            takes=("any", "number"),
            returns="number",
        ),
        Function(
            name="lookup",
            signature="lookup(value, table, otherwise?)",
            says="what the table has for it, without regard to case; else `otherwise`, or an empty text",
            example=("lookup('GJ', {'gj': 'Gujarat', 'mh': 'Maharashtra'}, 'elsewhere')", "Gujarat"),
            run=lookup,
            takes=("any", "table", "text"),
            optional=1,
            growth=1,
        ),
        Function(
            name="readTime",
            signature="readTime(value, zone?)",
            says="the moment that it names, in any form that providers write; without an offset in `zone` (UTC). "
            "Fails where it names none",
            example=("readTime('16-Apr-2022 09:33 AM', 'Asia/Kolkata')", "2022-04-16T04:03:00+00:00"),
            run=read_time,
            takes=("moment", "text"),
            optional=1,
            returns="moment",
            work=300,
            check=_check_zone(1),
        ),
        Function(
            name="formatTime",
            signature="formatTime(moment, pattern, zone?)",
            says="a moment, or what names one, written as the pattern says (`%d.%m.%Y %H:%M`), in `zone` (UTC)",
            example=("formatTime('2026-10-12T10:00:00Z', '%d.%m.%Y %H:%M', 'Asia/Kolkata')", "12.10.2026 15:30"),
            run=format_time,
            takes=("moment", "text", "text"),
            optional=1,
            work=400,
            check=_check_format,
        ),
        Function(
            name="sha256",
            signature="sha256(value)",
            says="the SHA-256 of it in UTF-8, in hexadecimal",
            example=(
                "sha256('asha@example.com')",
                "ea4e36a829983d27e865b649cd10fcb61f2f1bcd857b47ab709e7adbe941ab68",
            ),
            run=_digest("sha256"),
            takes=("any",),
        ),
        Function(
            name="md5",
            signature="md5(value)",
            says="the MD5 of it in UTF-8, in hexadecimal, for receivers that compare by it",
            example=("md5('asha@example.com')", "4a1510e2de119558027b5907568d35a2"),
            run=_digest("md5"),
            takes=("any",),
        ),
    )
}
"""Every function by its name."""
