"""Meta's signed requests: what it posts when a person takes the app away, or asks that what came of it is deleted.

The signature is over the encoded payload as it came; padding is only for decoding (docs/connectors/meta.md).
"""

import hmac
from base64 import urlsafe_b64decode
from collections.abc import Mapping

from connector_master.connectors.meta_notices import decimal
from connector_master.model.json import Json, as_object
from connector_master.model.json_text import read_json
from connector_master.model.problem import InvalidBody

_MEMBER = "signed_request"
_LONGEST = 10_000
_ALGORITHM = "HMAC-SHA256"


def person_in(form: Mapping[str, str]) -> str | None:
    """Return the person whom a request names, as the app knows them; None where it names none that can be read.

    >>> person_in({"signed_request": "c2ln.eyJ1c2VyX2lkIjoiMTIiLCJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiJ9"})
    '12'
    """
    _, _, payload = form.get(_MEMBER, "")[:_LONGEST].partition(".")
    about = _read(payload)
    algorithm = about.get("algorithm")
    if not isinstance(algorithm, str) or algorithm.upper() != _ALGORITHM:
        return None
    return decimal(about.get("user_id"))


def is_signed(form: Mapping[str, str], secret: str) -> bool:
    """Return whether the app's secret signed a request."""
    signature, _, payload = form.get(_MEMBER, "")[:_LONGEST].partition(".")
    expected = hmac.digest(secret.encode(), payload.encode("utf-8", "surrogatepass"), "sha256")
    return hmac.compare_digest(_decoded(signature), expected)


def _read(payload: str) -> Mapping[str, Json]:
    try:
        return as_object(read_json(_decoded(payload).decode()))
    except (InvalidBody, UnicodeDecodeError):
        return {}


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return b""
