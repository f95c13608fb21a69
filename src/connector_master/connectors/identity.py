"""Ids that senders give to what they send, bounded so that a unique index can hold them; and stand-ins where they give none."""

import json
from collections.abc import Container
from hashlib import sha256

from connector_master.model.json import Json

_MAX_CHARACTERS = 200


def bounded(text: str) -> str | None:
    """Return `text` trimmed, a digest of it where it is over-long or unprintable, None where it is blank.

    >>> bounded(" msg_1 "), bounded("  "), len(bounded("x" * 9_000) or "")
    ('msg_1', None, 71)
    """
    trimmed = text.strip()
    if not trimmed:
        return None
    if len(trimmed) <= _MAX_CHARACTERS and trimmed.isprintable():
        return trimmed
    return "sha256:" + sha256(trimmed.encode("utf-8", "surrogatepass")).hexdigest()


def sent_id(value: Json) -> str | None:
    """Return an id that was sent as text or as a number, None for what is no id.

    >>> sent_id(29), sent_id("29 "), sent_id(29.0), sent_id("null"), sent_id(True)
    ('29', '29', '29', None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return None if text.lower() in _BLANK_IDS else bounded(text)


def digest_of(value: Json, changing: Container[str] = ()) -> str:
    """Return an id for a pulled record that has none, made of all that it holds except the `changing` fields.

    A pull reads the same record again and again; without an id each time would be one more event.
    """
    if isinstance(value, dict):
        value = {name: one for name, one in value.items() if name not in changing}
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return "content:" + sha256(text.encode()).hexdigest()


_BLANK_IDS = frozenset({"", "null", "none"})
