"""TradeIndia's messages: what the buyer wrote, and the block beneath it that repeats who he is."""

import re
from dataclasses import dataclass
from html import unescape

_LONGEST = 100_000
# The heading stands on a line of its own: a buyer may well write "send details of the sender" in a sentence.
_HEADING = re.compile(
    r"(?:^|[\r\n>]|-{5})[ \t]*(?:sender[ \t]+details|details[ \t]+of[ \t]+(?:the[ \t]+)?sender)[ \t]*:?[ \t]*(?=[\r\n<]|$)",
    re.IGNORECASE,
)
_END = re.compile(r"<(?:br|hr|/?p|/?b|/?div)[ \t]*/?>$", re.IGNORECASE)
_LONGEST_TAG = 10
_BREAK = re.compile(r"<br[ \t]*/?>|</(?:p|div|li|tr)>|\r\n?", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_LINE = re.compile(
    r"[ \t]*(?P<label>name|mobile|phone|email|e-mail)[A-Za-z ./]{0,20}[ \t]*[-:][ \t]*(?P<value>.+)", re.IGNORECASE
)
_INDIAN = re.compile(r"\+91[ -]?[0-9]{10}(?![0-9])")
_ANY = re.compile(r"\+[0-9]{8,15}(?![0-9])")
_LABELS = {"name": "name", "mobile": "phone", "phone": "phone", "email": "email", "e-mail": "email"}


@dataclass(frozen=True, slots=True)
class Message:
    """A message without its block, and what the block says; empty texts where it says nothing."""

    text: str
    name: str = ""
    phone: str = ""
    email: str = ""


def read_message(message: str) -> Message:
    """Return a message (text or HTML) split at the heading of its block; whole where there is none.

    >>> read_message("Need pipes<br/>Sender Details<br/>Mobile : +919000000105")
    Message(text='Need pipes', name='', phone='+919000000105', email='')
    """
    heading = _HEADING.search(message[:_LONGEST])
    if heading is None:
        return Message(message)
    # The closing bracket of a tag before the heading belongs to what the buyer wrote.
    begin = heading.start() + (message[heading.start()] == ">")
    found: dict[str, str] = {}
    for line in _plain(message[heading.end() : _LONGEST]).split("\n"):
        if said := _LINE.fullmatch(line):
            found.setdefault(_LABELS[said["label"].lower()], said["value"].strip())
    return Message(_without_rule(message[:begin]), **found)


def phone_in(message: str) -> str:
    """Return the first number with a plus in a message, for calls, where it stands nowhere else; empty if there is none.

    >>> phone_in("A call on <b>12 October</b> from <b>+919000000104</b>. Call duration: 42 sec.")
    '+919000000104'
    """
    text = _plain(message[:_LONGEST])
    found = _INDIAN.search(text) or _ANY.search(text)
    return found[0] if found else ""


def _without_rule(text: str) -> str:
    """Return `text` without the dashes, blanks and breaks that it ends with."""
    while True:
        text = text.rstrip("- \t\r\n")
        end = _END.search(text[-_LONGEST_TAG:])
        if end is None:
            return text
        text = text[: -len(end[0])]


def _plain(text: str) -> str:
    return unescape(_TAG.sub("", _BREAK.sub("\n", text)))
