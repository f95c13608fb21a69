"""LinkedIn's webhooks: the challenge that proves our address, and the signature that proves LinkedIn's pushes.

Both are made with the app's client secret. So whoever got this door to sign a text of their choice could push as LinkedIn:
only what looks like a code is ever signed, and what looks like a code is no push.
"""

from hmac import compare_digest, digest
from re import compile as pattern

import structlog

from connector_master.connectors.connector import Secrets, Verified
from connector_master.connectors.signatures import refuse
from connector_master.model.event import Answer, Push
from connector_master.model.problem import InvalidChallenge

SIGNATURE = "x-li-signature"
DOCUMENTED, BARE = "x-li-signature", "x-li-signature of the bare body"

_CODE = pattern(r"[A-Za-z0-9-]{8,64}")
_PREFIX = "hmacsha256="
_SHAPE = pattern(rf"(?:{_PREFIX})?[0-9a-f]{{64}}")

log = structlog.get_logger()


def answer_challenge(push: Push, secrets: Secrets) -> Answer:
    """Return the proof that this address knows the app's client secret. Raises InvalidChallenge, having signed nothing."""
    code = push.query.get("challengeCode", "")
    if not _CODE.fullmatch(code):
        raise InvalidChallenge(
            "There is no challenge code of letters, digits and hyphens.",
            remedy="Nothing to do: LinkedIn asks with a code. Anything else is not signed.",
        )
    if not secrets.texts:
        raise InvalidChallenge(
            "The app's client secret is not known here yet, so LinkedIn's challenge can't be answered."
        )
    response = digest(_key(secrets.texts[0]), code.encode(), "sha256").hex()
    return Answer(200, {"challengeCode": code, "challengeResponse": response})


def verify_signature(push: Push, secrets: Secrets, *, is_required: bool) -> Verified:
    """Return that the app's client secret signed the raw body; `unsigned` where it isn't known and needn't be.

    LinkedIn's documents can be read in two ways; both are taken, and the one that they say less clearly is logged. Raises
    InvalidSignature.
    """
    presented = push.headers.get(SIGNATURE, "").strip().lower()
    is_shaped = _SHAPE.fullmatch(presented) is not None
    if not secrets.texts:
        if is_required or (SIGNATURE in push.headers and not is_shaped):
            refuse()
        return Verified("unsigned")
    if not is_shaped:
        refuse()
    given = presented.removeprefix(_PREFIX).encode()
    if _is_signed(given, _PREFIX.encode() + push.body, secrets):
        return Verified(DOCUMENTED)
    # The challenge signs such a text for anybody.
    if _CODE.fullmatch(push.body.decode("latin-1")) or not _is_signed(given, push.body, secrets):
        refuse()
    log.info("signature_matched", scheme=BARE)
    return Verified(BARE)


def _is_signed(given: bytes, signed: bytes, secrets: Secrets) -> bool:
    return any(compare_digest(given, digest(_key(one), signed, "sha256").hex().encode()) for one in secrets.texts)


def _key(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")
