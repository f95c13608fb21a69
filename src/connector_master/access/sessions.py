"""Sessions: the token in a browser's cookie, the proof that a form is ours, and how long both hold.

A token is 256 random bits; the database holds its SHA-256 only. A form's proof (against forgery from other sites) is made
from the token itself, so that nothing has to be kept for it, and masked anew for every page, so that a compressed page
gives nothing of it away.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

IDLE = timedelta(hours=12)
"""A session that was not used for so long is over (ASVS 7.3.1)."""
LONGEST = timedelta(days=7)
"""However much it is used, after so long a person signs in again (ASVS 7.3.2)."""

_TOKEN_BYTES = 32
_PROOF_BYTES = 32


def cookie_name(*, is_https: bool) -> str:
    """Return the name of the cookie that holds the token; over HTTPS one that no other host can set (RFC 6265bis)."""
    return "__Host-session" if is_https else "session"


def new_token() -> str:
    """Return a random token for a new session's cookie."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """Return what the database holds of `token`: 32 bytes of SHA-256."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def form_proof(token: str) -> str:
    """Return the proof that a form was made for the session of `token`; another text each time.

    >>> token = new_token()
    >>> form_proof(token) == form_proof(token), is_proof(form_proof(token), token)
    (False, True)
    """
    pad = secrets.token_bytes(_PROOF_BYTES)
    return urlsafe_b64encode(pad + _xor(pad, _proof(token))).decode()


def is_proof(text: str, token: str) -> bool:
    """Return whether `text` is a proof that was made for the session of `token`."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return False
    if len(raw) != 2 * _PROOF_BYTES:
        return False
    return hmac.compare_digest(_xor(raw[:_PROOF_BYTES], raw[_PROOF_BYTES:]), _proof(token))


def comes_from_us(headers: Mapping[str, str], address: str) -> bool:
    """Return whether a request that changes something was made by a page of ours, as far as its browser says.

    `headers` has lower-case names; `address` is ours as others reach it. Browsers send Sec-Fetch-Site, older ones Origin.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := headers.get("origin")) is not None:
        return urlsplit(origin).netloc in (headers.get("host"), urlsplit(address).netloc)
    return True


def _proof(token: str) -> bytes:
    return hmac.digest(token.encode("utf-8", "surrogatepass"), b"form", sha256)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
