"""Signing: what goes with a call so that its receiver can tell that it is ours (Standard Webhooks 1.0).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import secrets as random
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a secret to sign with, in the form that receivers' libraries take."""
    return _PREFIX + base64.b64encode(random.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(id_: str, now: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers that sign `body`, with a signature by each of `secrets`: a receiver needs to know one of them.

    `id_` is the delivery's and the same over its attempts; `now` is the attempt's, so that what is replayed is told by its age.
    """
    seconds = str(int(now.timestamp()))
    signed = b".".join((id_.encode(), seconds.encode(), body))
    return {
        "webhook-id": id_,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{_signature(signed, secret)}" for secret in secrets),
    }


def _signature(signed: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, sha256)).decode()
