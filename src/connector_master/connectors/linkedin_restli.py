"""Rest.li 2.0 as LinkedIn speaks it: queries whose structure stays raw while what is inside it is encoded, URNs, texts.

Addresses are put together here and nowhere else: what builds them otherwise encodes parentheses, colons and commas, too, or a
URN twice, and LinkedIn answers either with 400.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from connector_master.connectors.identity import sent_id
from connector_master.model.json import Json

_LONGEST_TEXT = 4_000
_URN = re.compile(r"urn:li:([A-Za-z]{1,60}):(.{1,300})", re.DOTALL)
_FORM_VERSION = re.compile(r"urn:li:versionedLeadGenForm:\(urn:li:leadGenForm:([0-9]{1,30}),\s*([0-9]{1,12})\)")


def address(resource: str, asked: Mapping[str, Json] | None = None, fields: str | None = None) -> str:
    """Return path and query of a call. `fields` has a grammar of its own and goes as it is.

    >>> address("leadForms", {"q": "owner", "owner": {"organization": "urn:li:organization:7"}})
    '/rest/leadForms?q=owner&owner=(organization:urn%3Ali%3Aorganization%3A7)'
    >>> address("adAccounts", {"search": {"status": {"values": ["ACTIVE"]}, "test": False}}, "id,form:(name)")
    '/rest/adAccounts?search=(status:(values:List(ACTIVE)),test:false)&fields=id,form:(name)'
    """
    pairs = [f"{name}={_structure(value)}" for name, value in (asked or {}).items()]
    if fields is not None:
        pairs.append(f"fields={fields}")
    return f"/rest/{resource}" + (f"?{'&'.join(pairs)}" if pairs else "")


def encoded(text: str) -> str:
    """Return a text as it may stand in a path, or within the structure of a query.

    >>> encoded("urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7300001,2)")
    'urn%3Ali%3AversionedLeadGenForm%3A%28urn%3Ali%3AleadGenForm%3A7300001%2C2%29'
    """
    return quote(text, safe="")


def urn(kind: str, id_: str) -> str:
    """Return the name that LinkedIn gives to a thing of its own.

    >>> urn("organization", "31000001")
    'urn:li:organization:31000001'
    """
    return f"urn:li:{kind}:{id_}"


def id_in(name: Json, kind: str | None = None) -> str | None:
    """Return the id in a URN (of that kind, if one is given), None for what is none.

    >>> id_in("urn:li:leadGenFormResponse:5b1d2c-7", "leadGenFormResponse"), id_in("urn:li:person:x", "organization")
    ('5b1d2c-7', None)
    """
    found = _URN.fullmatch(name.strip()) if isinstance(name, str) else None
    return sent_id(found[2]) if found is not None and kind in (None, found[1]) else None


def form_version(name: Json) -> tuple[str, str] | None:
    """Return a form's id and version, None for what names none. A blank may follow the comma.

    >>> form_version("urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7300009, 1)")
    ('7300009', '1')
    """
    found = _FORM_VERSION.fullmatch(name.strip()) if isinstance(name, str) else None
    return (found[1], found[2]) if found is not None else None


def text(value: Json) -> str | None:
    """Return a text without blanks around it, a number by its digits; None for what says nothing.

    >>> text(" Pumps "), text(7), text("  "), text(True)
    ('Pumps', '7', None, None)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return sent_id(value) or str(value)
    return value.strip()[:_LONGEST_TEXT] or None if isinstance(value, str) else None


def _structure(value: Json) -> str:
    if isinstance(value, dict):
        return f"({','.join(f'{name}:{_structure(one)}' for name, one in value.items())})"
    if isinstance(value, list):
        return f"List({','.join(map(_structure, value))})"
    return encoded(str(value).lower() if isinstance(value, bool) else str(value))
