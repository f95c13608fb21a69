"""Meta's webhooks: the proofs that its pushes and its verification requests carry (WhatsApp, Lead Ads)."""

from hashlib import sha256
from hmac import compare_digest
from re import compile as pattern

from connector_master.connectors.connector import Secrets, Verified
from connector_master.connectors.signatures import hub_signature, refuse
from connector_master.model.event import Answer, Push
from connector_master.model.problem import ForbiddenChallenge

SIGNATURE = "x-hub-signature-256"

_SHAPE = pattern(r"sha256=[0-9A-Fa-f]{64}")
_LONGEST_CHALLENGE = 1_000


def verify_signature(push: Push, secrets: Secrets, *, is_required: bool) -> Verified:
    """Return that the app's secret signed the raw body; `unsigned` where it isn't known and needn't be.

    Once the secret is known Meta's every push can be checked, so every push has to be. Raises InvalidSignature.
    """
    if secrets.texts:
        if not hub_signature(push, secrets.texts):
            refuse()
        return Verified(SIGNATURE)
    if is_required or (SIGNATURE in push.headers and not _SHAPE.fullmatch(push.headers[SIGNATURE])):
        refuse()
    return Verified("unsigned")


def answer_challenge(push: Push, secrets: Secrets) -> Answer:
    """Return Meta's challenge as it came, if the request shows this connector's verify token.

    Raises ForbiddenChallenge.
    """
    presented = _digest(push.query.get("hub.verify_token", ""))
    challenge = push.query.get("hub.challenge", "")
    is_known = any(compare_digest(presented, _digest(token)) for token in secrets.verify_tokens)
    if not is_known or push.query.get("hub.mode") != "subscribe":
        raise ForbiddenChallenge("The verify token is not this connector's.")
    if not 0 < len(challenge) <= _LONGEST_CHALLENGE:
        raise ForbiddenChallenge("There is no challenge to answer.")
    return Answer(200, challenge, "text/plain; charset=utf-8")


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
