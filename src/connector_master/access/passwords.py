"""Passwords: which ones are good enough, and how they are hashed and verified.

Unicode is normalized to NFC with every kind of space made an ordinary one (RFC 8265, OpaqueString): the same password
typed on two systems is the same, while NFKC would make passwords equal that a person chose to be different.
"""

import asyncio
import secrets
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from connector_master.access.predictable import is_predictable
from connector_master.model.problem import InvalidRequest
from connector_master.model.words import Words

MIN_CHARACTERS = 15
MAX_CHARACTERS = 1024

# 19 MiB, two passes, one lane: OWASP's least; 30 ms on a small server.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# As many threads as hashes may run at once: a flood of sign-ins waits here, and takes 38 MiB, not the machine.
_HASHING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
# No vowels and nothing that looks like something else, so it can be read out and spells nothing.
_ONE_TIME_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"


def check(password: str, about: Iterable[str] = ()) -> str:
    """Return `password` normalized, or raise InvalidRequest for `password`, saying what is wrong with it.

    `about` are texts that belong to the user (e-mail address, name). Any characters but control ones are welcome.
    """
    normal = _normalize(password)
    if len(normal) < MIN_CHARACTERS:
        raise _refused(
            Words(
                "Use %(least)s characters or more; several words in a row are easy to remember.", least=MIN_CHARACTERS
            )
        )
    if len(normal) > MAX_CHARACTERS:
        raise _refused(Words("Use %(most)s characters at most.", most=MAX_CHARACTERS))
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in normal):
        raise _refused(Words("Leave out line breaks and other control characters."))
    if is_predictable(normal, about):
        raise _refused(Words("This one is easily guessed; use words that have nothing to do with you or this product."))
    return normal


def one_time() -> str:
    """Return a random password for a first sign-in: four groups of five characters, 95 bits.

    >>> len(one_time())
    23
    """
    groups = ("".join(secrets.choice(_ONE_TIME_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


async def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`, which `check` has passed; in a thread, two at a time."""
    return await asyncio.get_running_loop().run_in_executor(_HASHING, _HASHER.hash, _normalize(password))


async def verify(password: str, password_hash: str | None) -> bool:
    """Return whether `password` is the one in `password_hash`; None (an unknown user) takes as long and is False."""
    if len(password) > MAX_CHARACTERS * 4:
        return False
    return await asyncio.get_running_loop().run_in_executor(_HASHING, _verify, _normalize(password), password_hash)


def needs_rehash(password_hash: str) -> bool:
    """Return whether `password_hash` was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def _verify(password: str, password_hash: str | None) -> bool:
    secret = password.encode("utf-8", "surrogatepass")
    if password_hash is None:
        _HASHER.hash(secret)
        return False
    try:
        return _HASHER.verify(password_hash, secret)
    except (VerificationError, InvalidHashError):
        return False


def _normalize(password: str) -> str:
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    return unicodedata.normalize("NFC", spaced)


def _refused(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, field="password")
