"""Values: what a thing found in a record says, as the text that a lead's field can hold.

One-element lists are unwrapped, longer ones joined; choices give their label; numbers their digits. Objects say nothing
as text, except where a field expects parts: names, phones and addresses.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from connector_master.model.json import Json
from connector_master.pipeline.paths import nested

_LONGEST_LIST = 100
_MOST_DIGITS = 320
_DEEPEST = 8
_LONGEST_KEY = 200
_NOT_IN_KEYS = re.compile(r"[^0-9a-z]+")

_NAME_PARTS = (
    ("first", "firstname", "given", "givenname"),
    ("middle", "middlename"),
    ("last", "lastname", "surname", "familyname"),
)
_WHOLE_NAME = ("full", "fullname", "name")
_WHOLE_PHONE = ("full", "fullnumber", "e164", "international", "number", "phonenumber", "phone", "value")
_ADDRESS_PARTS: Mapping[str, Sequence[str]] = {
    "addressLine1": ("addrline1", "addressline1", "address1", "line1", "street", "streetaddress", "address", "street1"),
    "addressLine2": ("addrline2", "addressline2", "address2", "line2", "street2"),
    "city": ("city", "town", "locality"),
    "state": ("state", "stateprovince", "province", "region"),
    "pincode": ("postal", "postalcode", "zip", "zipcode", "postcode", "pincode", "pin"),
    "country": ("country", "countrycode"),
}


_LONGEST_NULL = 12
"""A text longer than this is not taken for a padded "null"."""


def is_filled(value: Json) -> bool:
    """Tell whether there is anything in `value`: blanks and the text "null" are nothing."""
    if isinstance(value, str):
        if not value or value.isspace():
            return False
        return len(value) > _LONGEST_NULL or "ull" not in value.lower() or value.strip().lower() != "null"
    if isinstance(value, (list, dict)):
        return any(is_filled(one) for one in (value if isinstance(value, list) else value.values()))
    return value is not None


def text_of(value: Json, depth: int = 0) -> str | None:
    """Return `value` as text, None when it has none.

    >>> text_of(["Pump"]), text_of({"label": "Gate Valve"}), text_of(9.0e9), text_of({"a": 1})
    ('Pump', 'Gate Valve', '9000000000', None)
    """
    if isinstance(value, str):
        return value if is_filled(value) else None
    if value is None or isinstance(value, bool) or depth > _DEEPEST:
        return None
    if isinstance(value, int):
        # 2,000 bits are some 600 digits; str() refuses 4,300.
        return str(value)[:_MOST_DIGITS] if value.bit_length() <= 2_000 else None
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list):
        texts = [text for one in value[:_LONGEST_LIST] if (text := text_of(one, depth + 1))]
        return ", ".join(texts) or None
    for key in ("label", "labels", "text"):
        if key in value:
            return text_of(value[key], depth + 1)
    if "value" in value and ("type" in value or "title" in value or "id" in value):
        return text_of(value["value"], depth + 1)
    return None


def name_of(value: Json) -> str | None:
    """Return a person's name from a text, or from an object with a whole name or first, middle and last one.

    >>> name_of({"prefix": "", "first": "Sunita", "last": "Sample"})
    'Sunita Sample'
    """
    parts = _parts_of(value)
    if parts is None:
        return text_of(value)
    names = [text for keys in _NAME_PARTS if (text := _first(parts, keys))]
    return " ".join(names) or _first(parts, _WHOLE_NAME) or text_of(value)


def phones_in(value: Json, depth: int = 0) -> Iterator[str]:
    """Yield the texts in `value` that may each hold phone numbers: list elements, a whole number, or area and number.

    >>> list(phones_in({"area": "900", "phone": "000-0208"}))
    ['900 000-0208']
    """
    if isinstance(value, list) and depth < _DEEPEST:
        for one in value[:_LONGEST_LIST]:
            yield from phones_in(one, depth + 1)
        return
    parts = _parts_of(value)
    if parts is None:
        text = text_of(value)
    elif (area := _first(parts, ("area", "areacode"))) and (rest := _first(parts, ("phone", "number"))):
        text = " ".join(part for part in (_first(parts, ("country", "countrycode")), area, rest) if part)
        if not _first(parts, ("full",)) and text[0] != "+" and _first(parts, ("country", "countrycode")):
            text = f"+{text}"
        text = _first(parts, ("full",)) or text
    else:
        text = _first(parts, _WHOLE_PHONE) or text_of(value)
    if text:
        yield text


def address_part(value: Json, field: str) -> str | None:
    """Return what `value` says about one field of an address, be it a text or an object with the parts.

    >>> address_part({"addr_line1": "9 Demo Street", "postal": "452001"}, "pincode")
    '452001'
    """
    parts = _parts_of(value)
    if parts is None:
        return text_of(value)
    return _first(parts, _ADDRESS_PARTS[field]) or text_of(value)


class Keeper:
    """Copies JSON into a lead's attributes, cleaned of what PostgreSQL refuses, until its allowance is used up."""

    __slots__ = ("left",)

    def __init__(self, characters: int = 200_000) -> None:
        self.left = characters

    def keep(self, value: Json, depth: int = 0) -> Json:
        """Return `value` without NUL, lone surrogates, infinities, and what is too deep or beyond the allowance."""
        self.left -= 8
        if self.left <= 0 or depth > _DEEPEST:
            return None
        if isinstance(value, str):
            kept = _storable(value[: max(0, min(10_000, self.left))])
            self.left -= len(kept)
            return kept
        if isinstance(value, list):
            return [self.keep(one, depth + 1) for one in value[: max(0, self.left // 8)]]
        if isinstance(value, dict):
            keys = list(value)[: max(0, self.left // 8)]
            return {_storable(key[:_LONGEST_KEY]): self.keep(value[key], depth + 1) for key in keys}
        if isinstance(value, float):
            return value if abs(value) < float("inf") else None
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
            return text_of(value)
        return value


def _storable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else text.replace("\0", "").encode("utf-8", "ignore").decode()


def _parts_of(value: Json) -> dict[str, Json] | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and value[:1] == "{":
        value = nested(value)
    if not isinstance(value, dict):
        return None
    return {_NOT_IN_KEYS.sub("", key.lower()): one for key, one in list(value.items())[:_LONGEST_LIST]}


def _first(parts: Mapping[str, Json], keys: Sequence[str]) -> str | None:
    for key in keys:
        if key in parts and (text := text_of(parts[key])):
            return text
    return None
