"""google_key: the plain secret inside a push's body, which proves its sender and must not be kept.

Google neither signs nor sends a header, so the body has to be read before it is believed; only the key is taken of it.
"""

import json
from re import DOTALL
from re import compile as pattern

from connector_master.connectors.connector import Secrets, Verified
from connector_master.connectors.google_lead import KEY
from connector_master.connectors.signatures import refuse, token
from connector_master.model.event import Push
from connector_master.model.json import Json
from connector_master.model.json_text import read_json
from connector_master.model.problem import InvalidBody

_BOM = b"\xef\xbb\xbf"
# One that is cut off goes to the end: tried from its every quotation mark, a long one would take for ever.
_STRING = pattern(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', DOTALL)
_COLON = pattern(rb"\s*:\s*")
_COMMA = pattern(rb"\s*,\s*")
_COMMA_BEFORE = pattern(rb",\s*$")
_TO_THE_END = pattern(rb'[^"\[\]{},]++')
_MOST_BACK = 64


def verify(push: Push, secrets: Secrets) -> Verified:
    """Return that the body shows one of the connector's secrets; each body of a list has to.

    Raises InvalidSignature, and InvalidBody where no key can be in the body because it is no JSON object.
    """
    body = _read(push.body)
    if not isinstance(body, dict | list) or not body:
        raise InvalidBody("The body is not a JSON object.")
    for one in body if isinstance(body, list) else [body]:
        key = one.get(KEY) if isinstance(one, dict) else None
        if not isinstance(key, str) or not token(key.encode("utf-8", "surrogatepass"), secrets):
            refuse()
    return Verified(KEY)


def conceal(body: bytes) -> bytes:
    """Return a body without any member `google_key`, at whatever depth and however spelt; all else stays byte by byte.

    >>> conceal(b'{"lead_id": "a", "google_key": "k", "is_test": true}')
    b'{"lead_id": "a", "is_test": true}'
    >>> conceal(b'{"a": 1, "google_key": "k"'), conceal(b'{"google_key":{"x":[1,"}"]},"b":2}')
    (b'{"a": 1', b'{"b":2}')
    """
    if b"key" not in body.lower() and b"\\" not in body:
        return body
    kept: list[bytes] = []
    start = position = 0
    while (name := _STRING.search(body, position)) is not None:
        position = name.end()
        colon = _COLON.match(body, position)
        if colon is None or not _is_key(name[0]):
            continue
        before, after = name.start(), _end_of_value(body, colon.end())
        if comma := _COMMA.match(body, after):
            after = comma.end()
        elif comma := _COMMA_BEFORE.search(body, max(start, before - _MOST_BACK), before):
            before = comma.start()
        kept.append(body[start:before])
        start = position = after
    return b"".join([*kept, body[start:]])


def _read(body: bytes) -> Json:
    return read_json(body.removeprefix(_BOM))


def _is_key(name: bytes) -> bool:
    try:
        return bool(json.loads(name.decode("utf-8", "replace"), strict=False) == KEY)
    except ValueError:
        return False


def _end_of_value(body: bytes, position: int) -> int:
    """Return where the value that begins at `position` ends, at the end of the body where it is cut off."""
    depth = 0
    while position < len(body):
        if string := _STRING.match(body, position):
            position = string.end()
        elif other := _TO_THE_END.match(body, position):
            position = other.end()
        elif body[position : position + 1] in (b"[", b"{"):
            depth += 1
            position += 1
        elif depth == 0:
            return position
        else:
            depth -= body[position : position + 1] in (b"]", b"}")
            position += 1
        if depth == 0 and (string is not None or body[position - 1 : position] in (b"]", b"}")):
            return position
    return position
