"""Contacts that somebody typed into a comment: phone numbers and e-mail addresses. Pure.

Phones are what libphonenumber's matcher takes for valid, less what only looks like one. Nothing is mended: a number with
gaps, masks or letters in it stays text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import islice

import phonenumbers
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatch, PhoneNumberMatcher

FEWEST_DIGITS = 7

_LONGEST_READ = 10_000
_MOST_PHONES = 10
_MOST_TRIES = 30
"""How many candidates may turn out to be none: a text made of digits takes long to look through."""

_DIGIT = re.compile(r"\d")
_MARKUP = re.compile(r"<(?:br|a|b|i|s|span)\b[^<>]*>|&(?:#\w{1,8}|[a-z]{2,8});", re.IGNORECASE)
_WHATSAPP = r"(?:https?://)?(?:wa\.me/|api\.whatsapp\.com/send/?\?(?:[^\s\"'<>]*&)?phone=)(?:\+|%2B)?"
_CONTACT_LINK = re.compile(rf"{_WHATSAPP}(\d{{6,15}})(?!\d)[^\s\"'<>,;]*", re.IGNORECASE)
_CALL_LINK = re.compile(r"\btel:(?=[+\d(])", re.IGNORECASE)
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s\"'<>]+|(?<![a-z0-9.-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}/[^\s\"'<>]*", re.IGNORECASE
)
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}", re.IGNORECASE)

_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_TIMES = re.compile(
    rf"""(?<![\d:.+/-])(?:
        \d{{1,3}}(?::\d\d){{1,2}}                   # 1:23:45, a place in the video or a time of day
      | {_DAY}([./-]){_MONTH}\1{_YEAR}
      | {_MONTH}([./-]){_DAY}\2{_YEAR}
      | {_YEAR}([./-]){_MONTH}\3{_DAY}
      | {_YEAR}\s?[-–—/]\s?(?:{_YEAR}|\d\d)
    )(?![\d:])""",
    re.VERBOSE,
)

_MASK = "*•·●○■□█_#xX×"
_MASKED_BEFORE = re.compile(rf"(?<![^\W_])([{_MASK}]{{2,}})[ .-]?$")
_MASKED_AFTER = re.compile(rf"[ .-]?([{_MASK}]{{2,}})(?![^\W_])")
_OTHER_THING_BEFORE = re.compile(
    r"""(?<![^\W\d_])(?:
        rs\.? | inr | usd | aed | eur | gbp | rupees? | रु\.? | रुपये | upi\ ref(?:erence)? | utr | awb | pnr | imei | otp
      | a/c | txn | gstin | aadhaa?r | आधार
      | (?:order|invoice|bill|ticket|booking|tracking|transaction|reference|ref|account|serial|model|part|item)
        \s?(?:no|num|number|nr|id|code|\#)
    )\.?\s?(?:(?:no|number|id)\.?\s?)?(?:is\s)?[:=#-]*\s?$""",
    re.IGNORECASE | re.VERBOSE,
)
_OTHER_THING_AFTER = re.compile(
    r"\s?(?:/-|[₹$€£%]|(?:rs|inr|usd|rupees?|रुपये|views?|likes?|subs|subscribers?)(?!\w))", re.IGNORECASE
)
_SPAN_OF_NUMBERS = re.compile(r"([1-9]\d{2,6}00)\s?[-–—]\s?([1-9]\d{2,6}00)")


@dataclass(frozen=True, slots=True)
class Contacts:
    """Valid phones in E.164 and e-mail addresses, each once, in the order in which they were typed."""

    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


NO_CONTACTS = Contacts()


def find_contacts(text: str, region: str) -> Contacts:
    """Return the contacts in a plain text; `region` (ISO alpha-2) reads numbers without a country code.

    >>> find_contacts("Call 90000 00721 or wa.me/919000000722, order no 9000000723, asha@example.com", "IN")
    Contacts(phones=('+919000000721', '+919000000722'), emails=('asha@example.com',))
    """
    text = text[:_LONGEST_READ]
    emails = tuple(dict.fromkeys(found[0].rstrip(".-") for found in _EMAIL.finditer(text))) if "@" in text else ()
    if len(_DIGIT.findall(text)) < FEWEST_DIGITS:
        return Contacts((), emails) if emails else NO_CONTACTS
    phones = dict.fromkeys(islice(_phones(_without_addresses(text), region), _MOST_PHONES))
    return Contacts(tuple(phones), emails)


def plain_text(text: str) -> str:
    """Return a comment as it was typed: what came as HTML all the same without its mark-up, with the links that are contacts.

    >>> plain_text('Don&#39;t<br>call <a href="https://wa.me/919000000724">me</a>')
    "Don't\\ncall me https://wa.me/919000000724"
    """
    if not _MARKUP.search(text):
        return text.strip()
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return "".join(reader.parts).strip()


def _without_addresses(text: str) -> str:
    """Return the text with what names a phone in a link as a number, and without other links, e-mails and times."""
    # Lines of their own: what stood on both sides of something is not one number.
    text = _CONTACT_LINK.sub(r"\n+\1\n", text)
    text = _EMAIL.sub("\n", text)
    text = _LINK.sub("\n", text)
    return _TIMES.sub("\n", text)


def _phones(text: str, region: str) -> Iterator[str]:
    for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID, max_tries=_MOST_TRIES):
        # A number of one digit alone is what people type who have none to give.
        if len(set(str(match.number.national_number))) > 1 and not _is_other_thing(text, match):
            yield phonenumbers.format_number(match.number, PhoneNumberFormat.E164)


def _is_other_thing(text: str, match: PhoneNumberMatch) -> bool:
    before, after = text[max(0, match.start - 40) : match.start], text[match.end : match.end + 20]
    if _OTHER_THING_BEFORE.search(before) or _OTHER_THING_AFTER.match(after):
        return True
    span = _SPAN_OF_NUMBERS.fullmatch(match.raw_string)
    if span is not None and int(span[1]) < int(span[2]):
        return True
    return _is_masked(before, after)


def _is_masked(before: str, after: str) -> bool:
    """Return whether digits are hidden beside a number, and it is not only set in bold (`**90000 00701**`)."""
    left, right = _MASKED_BEFORE.search(before), _MASKED_AFTER.match(after)
    return (left[1] if left else "") != (right[1] if right else "")


class _Reader(HTMLParser):
    """Reads text out of YouTube's HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._contact: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a line's end, and of a link that is a contact."""
        if tag == "br":
            self.parts.append("\n")
        elif tag == "a":
            href = dict(attrs).get("href") or ""
            self._contact = href if _CONTACT_LINK.match(href) or _CALL_LINK.match(href) else None

    def handle_endtag(self, tag: str) -> None:
        """Put a contact behind the text of its link."""
        if tag == "a" and self._contact is not None:
            if self._contact not in self.parts:
                self.parts.append(f" {self._contact}")
            self._contact = None

    def handle_data(self, data: str) -> None:
        """Take the text."""
        self.parts.append(data)
