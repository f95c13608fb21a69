"""Ids that senders give to what they send, bounded so that a unique index can hold them."""

from hashlib import sha256

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
