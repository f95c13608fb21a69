"""E-mail addresses. A bad one never costs the lead: it becomes None."""

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from .html import html_to_text
from .text import clean_text

# Plain ASCII addresses on which email-validator agrees (tests/pipeline/normalize/test_email.py proves it):
# labels of at most 63 characters, none with "--" where Punycode has it, a last label of letters.
_PLAIN = re.compile(
    r"[a-z0-9_+\-]+(?:\.[a-z0-9_+\-]+)*"
    r"@(?:(?!..--)[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+([a-z]{2,63})"
)
_LONGEST = 254
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES)
# Nobody reads these. Whole words only: "noreplying@" may be somebody.
_NO_REPLY = re.compile(r"(?:no|do[._-]?not|dont)[._-]?reply(?![a-z])")

_BETWEEN = re.compile(r"[\s,;|<>()\[\]\"\u201c\u201d]+")
_AROUND = ".:'`\u2018\u2019/*"
_SEVERAL = 5


def normalize_email(text: str) -> str | None:
    """Return the first address in `text` in lower case, or None when there is none to write to.

    Lower case throughout, because leads are compared by it and no provider tells capitals apart.

    >>> normalize_email("Kiran Demo <Kiran.Demo@Example.COM>")
    'kiran.demo@example.com'
    >>> normalize_email("noreply@example.com, mailto:asha@example.com?subject=Hi")
    'asha@example.com'
    """
    address = text.lower() if len(text) <= _LONGEST else text
    if not (text.isascii() and _is_plain(address)):
        return _first_of(text)
    return None if _NO_REPLY.match(address) else address


def _is_plain(address: str) -> bool:
    return len(address) <= _LONGEST and (plain := _PLAIN.fullmatch(address)) is not None and plain[1] not in _RESERVED


def _first_of(text: str) -> str | None:
    text = text[: 4 * _LONGEST]
    text = html_to_text(text) if "<" in text or "&" in text else clean_text(text)
    candidates = [candidate for candidate in _BETWEEN.split(text) if "@" in candidate]
    for candidate in candidates[:_SEVERAL]:
        address = _valid(candidate.strip(_AROUND))
        if address and not _NO_REPLY.match(address):
            return address
    return None


def _valid(candidate: str) -> str | None:
    if candidate[:7].lower() == "mailto:":
        candidate = candidate[7:].partition("?")[0]
    for _ in range(2):
        # Lower case can need composing again, and then another look.
        candidate = unicodedata.normalize("NFC", candidate.lower())
        if len(candidate) > _LONGEST:
            return None
        try:
            candidate = validate_email(candidate, check_deliverability=False).normalized
        except EmailNotValidError:
            return None
    return candidate if candidate == unicodedata.normalize("NFC", candidate.lower()) else None
