"""Mark-up: messages that arrive as HTML, read as the text a person would see.

Only what is certainly mark-up goes. "5 < 6", "AT&T" and "Kiran <kiran@example.com>" are what they seem.
Not a defence: pages and CSV escape what they show, whatever was stripped here.
"""

import html
import re

from .text import clean_lines

_BLOCK = re.compile(
    "address|article|aside|blockquote|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|html|body"
    "|li|main|nav|ol|p|pre|section|table|tbody|tfoot|thead|tr|ul"
)
_CELL = re.compile("td|th")
_INLINE = re.compile(
    "a|abbr|acronym|b|bdi|bdo|big|button|cite|code|del|em|font|head|i|img|input|ins|label|link|mark|meta|option"
    "|q|s|script|select|small|span|strike|strong|style|sub|sup|textarea|title|tt|u|wbr|br|[a-z]+:[a-z]+"
)

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# `&amp;amp;lt;` was escaped again and again on its way; one pass takes all layers off.
_AMPERSAND = re.compile(r"&(?:(?:amp|#38|#x26);)+", re.IGNORECASE)
# What is dropped with its content. `[^<>]*` ends at the next bracket, so no text is scanned twice.
_HIDDEN = re.compile(r"<(?:(!--)|(script|style|head|title)(?:\s[^<>]*)?>)", re.IGNORECASE)
_HIDDEN_END = {
    "!--": re.compile("-->"),
    **{name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "head", "title")},
}
# Office writes `<o:p>`. A line break in the source right after `<br>` is the same break (PHP's nl2br).
_TAG = re.compile(
    r"<(?:!doctype|\?xml)\b[^<>]*>|<(/?)([a-z][a-z0-9]*(?::[a-z]+)?)([\s/][^<>]*)?>(\r*\n|\r+)?", re.IGNORECASE
)


def html_to_text(value: str) -> str:
    """Return the text of an HTML fragment, cleaned, with `\\n` where it broke lines.

    Text without mark-up comes back cleaned and otherwise unchanged.

    >>> html_to_text("I want <b>Gate&nbsp;Valve</b>.<br> Quantity :   6<br>")
    'I want Gate Valve.\\nQuantity : 6'
    >>> html_to_text("5 < 6 at Demo & Sons")
    '5 < 6 at Demo & Sons'
    """
    if "&" in value:
        # Twice: mark-up that was escaped as a whole holds entities of its own.
        value = decode_entities(decode_entities(value))
    if "<" in value:
        value = _without_tags(_without_hidden(value))
    return clean_lines(value)


def decode_entities(value: str) -> str:
    """Return `value` with the entities that end in `;` decoded: `&copy=1` is part of an address, not ©.

    >>> decode_entities("Demo &amp;amp; Sons &#8377;5 ?a=1&copy=1")
    'Demo & Sons ₹5 ?a=1&copy=1'
    """
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), _AMPERSAND.sub("&", value))


def _without_hidden(value: str) -> str:
    kept = []
    position = 0
    never_closed = set()
    for opening in _HIDDEN.finditer(value):
        kind = (opening[1] or opening[2]).lower()
        if opening.start() < position or kind in never_closed:
            continue
        closing = _HIDDEN_END[kind].search(value, opening.end())
        if closing is None:
            # Searching again for each further opening would take quadratic time.
            never_closed.add(kind)
            continue
        kept.append(value[position : opening.start()])
        position = closing.end()
    return "".join([*kept, value[position:]])


def _without_tags(value: str) -> str:
    kept: list[str] = []
    position = 0
    for tag in _TAG.finditer(value):
        name = (tag[2] or "").lower()
        if name and not _is_tag(name, tag[3] or ""):
            continue
        if tag.start() > position:
            kept.append(value[position : tag.start()])
        position = tag.end()
        if name == "br":
            kept.append("\n")
        elif _BLOCK.fullmatch(name):
            # One break between two blocks, not one for the end and one for the beginning.
            if kept and not kept[-1].rstrip(" \t").endswith("\n"):
                kept.append("\n")
        elif _CELL.fullmatch(name):
            kept.append(" ")
        elif tag[4]:
            kept.append(tag[4])
    return "".join([*kept, value[position:]])


def _is_tag(name: str, rest: str) -> bool:
    if not any(names.fullmatch(name) for names in (_INLINE, _BLOCK, _CELL)):
        return False
    # "a <b and c> d" has no attribute in it.
    return "=" in rest or not rest.strip("/ \t\r\n")
