"""Rest.li 2.0 as LinkedIn's API speaks it: queries with structure, masks of fields, and lists by pages."""

import base64
import binascii
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Value = str | list[Any] | dict[str, Any]
"""What a parameter holds: a text, a list or a record of such."""

Mask = dict[str, Any]
"""The fields that were asked for, each with the mask of what lies beneath it, or None for all of that."""

_TOKENS = re.compile(r"List\(|[(),:]|[^(),:']+")
_DEFAULT_COUNT = "10"


def parameters(query: str) -> dict[str, Value]:
    """Return the parameters of a raw query. Raises ValueError for one that Rest.li can't read.

    Parentheses, commas and colons are structure where they stand raw, and text where they are encoded.

    >>> parameters("q=owner&owner=(organization:urn%3Ali%3Aorganization%3A7)&roles=List(A,B)")
    {'q': 'owner', 'owner': {'organization': 'urn:li:organization:7'}, 'roles': ['A', 'B']}
    """
    found: dict[str, Value] = {}
    for pair in filter(None, query.split("&")):
        name, _, text = pair.partition("=")
        if name in found:
            raise ValueError(f"{name} is given twice")
        tokens = _tokens(text)
        # What is asked for in `fields` has a grammar of its own.
        found[name] = text if name == "fields" else _value(tokens)
        if tokens and name != "fields":
            raise ValueError(f"{name} goes on after its end")
    return found


def mask_of(text: str) -> Mask:
    """Return what `fields` asks for. Raises ValueError where its structure is encoded or broken.

    >>> mask_of("id,form:(name,content)")
    {'id': None, 'form': {'name': None, 'content': None}}
    """
    tokens = _tokens(text)
    found = _mask(tokens)
    if tokens or "%" in text:
        raise ValueError("fields")
    return found


def picked(whole: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """Return what a mask lets through."""
    return {
        name: value if mask[name] is None or not isinstance(value, dict) else picked(value, mask[name])
        for name, value in whole.items()
        if name in mask
    }


def page_by_number(
    rows: Sequence[Mapping[str, Any]], query: Mapping[str, Value], *, most: int, path: str, raw: str, is_endless: bool
) -> dict[str, Any]:
    """Return a page by `start` and `count`, however much is asked for no more than `most` rows.

    Raises ValueError for what is no number. `path` and `raw` are what was called, for the links.
    """
    start, count = (int(str(query.get(name, other))) for name, other in (("start", "0"), ("count", _DEFAULT_COUNT)))
    if start < 0 or count < 1:
        raise ValueError("start and count")
    count = min(count, most)
    shown = rows[:count] if is_endless else rows[start : start + count]
    kept = [one for one in raw.split("&") if not one.startswith(("start=", "count="))]

    def link(rel: str, to: int) -> dict[str, str]:
        href = f"{path}?{'&'.join([*kept, f'count={count}', f'start={to}'])}"
        return {"rel": rel, "type": "application/json", "href": href}

    links = [link("prev", max(0, start - count))] if start else []
    if is_endless or start + len(shown) < len(rows):
        links.append(link("next", start + count))
    return {"paging": {"start": start, "count": count, "links": links, "total": len(rows)}, "elements": list(shown)}


def page_by_token(rows: Sequence[Mapping[str, Any]], query: Mapping[str, Value], *, most: int) -> dict[str, Any]:
    """Return a page by `pageToken` and `pageSize`, as newer finders list. Raises ValueError for a token never given."""
    token = str(query.get("pageToken", ""))
    try:
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except binascii.Error as error:
        raise ValueError("pageToken") from error
    end = start + min(int(str(query.get("pageSize", _DEFAULT_COUNT))), most)
    more = {"nextPageToken": base64.urlsafe_b64encode(str(end).encode()).decode()} if end < len(rows) else {}
    return {"metadata": more, "elements": list(rows[start:end])}


def _tokens(text: str) -> deque[str]:
    tokens = _TOKENS.findall(text)
    if "".join(tokens) != text:
        raise ValueError("a character that has to be encoded")
    return deque(tokens)


def _value(tokens: deque[str]) -> Value:
    first = tokens.popleft() if tokens else ""
    if first == "List(":
        items: list[Value] = []
        while tokens and tokens[0] != ")":
            items.append(_value(tokens))
            _comma(tokens)
        _expect(tokens, ")")
        return items
    if first == "(":
        record: dict[str, Value] = {}
        while tokens and tokens[0] != ")":
            name = tokens.popleft()
            _expect(tokens, ":")
            record[name] = _value(tokens)
            _comma(tokens)
        _expect(tokens, ")")
        return record
    if not first or first in "),:":
        raise ValueError("a value is missing")
    return unquote(first, errors="strict")


def _mask(tokens: deque[str]) -> Mask:
    found: Mask = {}
    while tokens and tokens[0] != ")":
        name = tokens.popleft()
        if name in ("(", ",", ":"):
            raise ValueError("fields")
        found[name] = None
        if tokens and tokens[0] == ":":
            tokens.popleft()
            _expect(tokens, "(")
            found[name] = _mask(tokens)
            _expect(tokens, ")")
        _comma(tokens)
    return found


def _comma(tokens: deque[str]) -> None:
    """Step over the comma between two of a list. Raises ValueError where something else stands there."""
    if tokens and tokens[0] != ")":
        _expect(tokens, ",")


def _expect(tokens: deque[str], wanted: str) -> None:
    if not tokens or tokens.popleft() != wanted:
        raise ValueError(f"{wanted} is missing")
