"""API keys: how one is made, recognized and stored.

A key is `cmk_`, 40 random base62 characters (238 bits) and their CRC-32 as 6 base62 characters. The prefix and the
checksum let secret scanners find a leaked one without asking us; only the SHA-256 is stored, which is enough because a
key is random, not chosen.
"""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from zlib import crc32

PREFIX = "cmk_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS = 40
_CHECKSUM_CHARACTERS = 6
_FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_RANDOM_CHARACTERS}}})([0-9A-Za-z]{{{_CHECKSUM_CHARACTERS}}})")


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key: `key` for its owner's eyes, once; `key_hash` and `hint` (its end) for the database."""

    key: str = field(repr=False)
    key_hash: bytes
    hint: str


def mint() -> Minted:
    """Return a new random key."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    key = f"{PREFIX}{random}{_checksum(random)}"
    return Minted(key, hash_key(key), f"…{key[-4:]}")


def looks_valid(key: str) -> bool:
    """Return whether `key` has the form and the checksum of one of ours: a mistyped one needs no look-up."""
    match = _FORM.fullmatch(key)
    return match is not None and _checksum(match[1]) == match[2]


def hash_key(key: str) -> bytes:
    """Return what the database holds of `key`: 32 bytes of SHA-256."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _checksum(random: str) -> str:
    number = crc32(random.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
