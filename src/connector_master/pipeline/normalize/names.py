"""Names of people, as they were written: nobody's spelling or capitals are improved."""

import re

from .html import decode_entities
from .text import clean_lines, clean_text

_LONGEST = 200
# A placeholder only when it is the whole value: Null and None are people's names too, but with another part.
_PLACEHOLDERS = frozenset(
    {"indiamart buyer", "tradeindia buyer", "null", "null null", "undefined", "undefined undefined", "none"}
    | {"n/a", "n.a.", "unknown", "anonymous", "noname", "no name", "not available", "not provided", "not specified"}
)
_MARKS = " -\u2013\u2014_.,;:/\\|*#?'\"()[]"
# Formstack sends a compound field as lines (docs/connectors/webhook.md).
_PART = re.compile(r"(?:prefix|title|first|middle|last|suffix) ?=([^=]*)", re.IGNORECASE)


def normalize_name(text: str) -> str | None:
    """Return the name in `text`, cleaned, at most 200 characters; None for an empty one or a placeholder.

    >>> normalize_name(" KIRAN   DEMO ")
    'KIRAN DEMO'
    >>> normalize_name("first = John\\nlast = Sample")
    'John Sample'
    >>> normalize_name("IndiaMART Buyer") is None
    True
    """
    if "=" in text or "&" in text:
        text = _without_form(text[: 10 * _LONGEST])
    name = clean_text(text)
    if len(name) > _LONGEST:
        name = name[:_LONGEST].rstrip()
    if not name.strip(_MARKS) or name.casefold() in _PLACEHOLDERS:
        return None
    return name


def join_names(first: str | None, last: str | None) -> str | None:
    """Return first and last name as one, leaving out a placeholder or missing part.

    >>> join_names("Asha", " Example ")
    'Asha Example'
    >>> join_names(None, "null") is None
    True
    """
    parts = [name for part in (first, last) if part and (name := normalize_name(part))]
    return normalize_name(" ".join(parts))


def _without_form(text: str) -> str:
    while (better := clean_lines(decode_entities(text))) != text:
        text = better
    lines = text.split("\n")
    parts = [part[1] for line in lines if (part := _PART.fullmatch(line))]
    return " ".join(parts) if len(parts) == len(lines) > 1 else text
