"""Signatures: the ways in which senders prove that a push is theirs (providers' sources: docs/connectors/webhook.md).

Every check reads the raw bytes, compares in constant time and returns a plain yes or no; a header that is present but
misshapen is a wrong signature. Every refusal is alike, so an answer tells a forger nothing.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest, digest
from types import MappingProxyType
from typing import Literal, Never

from connector_master.connectors.connector import Secrets, Verified
from connector_master.connectors.identity import bounded
from connector_master.model.event import Push
from connector_master.model.problem import InvalidSignature

SchemeName = Literal[
    "auto",
    "x-webhook-signature",
    "standard-webhooks",
    "github",
    "stripe",
    "shopify",
    "typeform",
    "calendly",
    "tally",
    "webflow",
    "token-header",
    "token-query",
    "none",
]

Check = Callable[[Push, Sequence[str]], bool]
"""(push that carries the scheme's header, secrets) → whether one of the secrets made the signature."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a connector asks of its senders. `token_header` is lower-case; `is_required` refuses unsigned pushes."""

    scheme: SchemeName
    is_required: bool
    token_header: str
    token_parameter: str


_TOLERANCE_SECONDS = 300
_DELIVERY_HEADERS = ("webhook-id", "svix-id", "x-github-delivery", "idempotency-key")


def verify_push(push: Push, secrets: Secrets, policy: Policy) -> Verified:
    """Return how `push` was verified; `unsigned` if it carries no signature and needs none.

    `auto` checks every proof that is there, a signature under any known header or a token at the configured places,
    and all have to be right. Raises InvalidSignature.
    """
    verified_by: str | None = None
    if policy.scheme == "auto":
        for header in _CHECKS:
            if header in push.headers:
                name, check = _CHECKS[header]
                if not check(push, secrets.texts):
                    refuse()
                verified_by = verified_by or name
    elif policy.scheme in _HEADERS:
        for header in _HEADERS[policy.scheme]:
            if header in push.headers:
                if not _CHECKS[header][1](push, secrets.texts):
                    refuse()
                verified_by = policy.scheme
    if policy.scheme in ("auto", "token-header") and policy.token_header in push.headers:
        if not token(_header_token(push, policy.token_header), secrets):
            refuse()
        verified_by = verified_by or "token-header"
    if policy.scheme in ("auto", "token-query") and policy.token_parameter in push.query:
        if not token(push.query[policy.token_parameter].encode("utf-8", "surrogatepass"), secrets):
            refuse()
        verified_by = verified_by or "token-query"
    if verified_by is None and policy.is_required:
        refuse()
    return Verified(verified_by or "unsigned", delivery_id(push.headers))


def delivery_id(headers: Mapping[str, str]) -> str | None:
    """Return the sender's id for this delivery, the same over its retries, if a header gives one."""
    for header in _DELIVERY_HEADERS:
        if header in headers and (found := bounded(headers[header])):
            return found
    return None


def x_webhook_signature(push: Push, secrets: Sequence[str]) -> bool:
    """Ours, and OpnForm's: `sha256=` and the hex HMAC of the body."""
    return _is_hex(push.headers["x-webhook-signature"], "sha256=", push.body, _texts(secrets))


def hub_signature(push: Push, secrets: Sequence[str]) -> bool:
    """GitHub and Meta: `sha256=` and the hex HMAC of the body. The old SHA-1 header alone proves nothing."""
    return _is_hex(push.headers.get("x-hub-signature-256", ""), "sha256=", push.body, _texts(secrets))


def shopify(push: Push, secrets: Sequence[str]) -> bool:
    """Shopify: the base64 HMAC of the body."""
    return _is_base64(push.headers["x-shopify-hmac-sha256"], "", push.body, _texts(secrets))


def typeform(push: Push, secrets: Sequence[str]) -> bool:
    """Typeform: `sha256=` and the base64 HMAC of the body."""
    return _is_base64(push.headers["typeform-signature"], "sha256=", push.body, _texts(secrets))


def tally(push: Push, secrets: Sequence[str]) -> bool:
    """Tally: the base64 HMAC of the body."""
    return _is_base64(push.headers["tally-signature"], "", push.body, _texts(secrets))


def stripe(push: Push, secrets: Sequence[str]) -> bool:
    """Stripe: `t=<seconds>,v1=<hex>`, more than one v1 while its secret rolls, over `t.body`."""
    return _is_timed_list(push.headers["stripe-signature"], push, secrets)


def calendly(push: Push, secrets: Sequence[str]) -> bool:
    """Calendly: `t=<seconds>,v1=<hex>` over `t.body`."""
    return _is_timed_list(push.headers["calendly-webhook-signature"], push, secrets)


def webflow(push: Push, secrets: Sequence[str]) -> bool:
    """Webflow: the hex HMAC of `timestamp:body`, the timestamp in milliseconds."""
    time = push.headers.get("x-webflow-timestamp", "")
    if not _is_recent(time, push, units_per_second=1000):
        return False
    return _is_hex(push.headers["x-webflow-signature"], "", time.encode() + b":" + push.body, _texts(secrets))


def standard_webhooks(push: Push, secrets: Sequence[str]) -> bool:
    """Standard Webhooks: `v1,<base64>` among others that are not ours to judge, over `id.timestamp.body`."""
    return _is_standard(push, secrets, "webhook-")


def svix(push: Push, secrets: Sequence[str]) -> bool:
    """Standard Webhooks under Svix's own header names."""
    return _is_standard(push, secrets, "svix-")


def token(presented: bytes, secrets: Secrets) -> bool:
    """Whether `presented` is one of the connector's secrets itself, kept as text or as SHA-256."""
    if not presented:
        return False
    hashed = sha256(presented).digest()
    known = [*secrets.hashes, *(sha256(text).digest() for text in _texts(secrets.texts))]
    return any(compare_digest(hashed, one) for one in known)


def refuse() -> Never:
    """Refuse a push in the words that all refusals share."""
    raise InvalidSignature("The signature or token is wrong or missing.")


_CHECKS: Mapping[str, tuple[SchemeName, Check]] = MappingProxyType(
    {
        "x-webhook-signature": ("x-webhook-signature", x_webhook_signature),
        "webhook-signature": ("standard-webhooks", standard_webhooks),
        "svix-signature": ("standard-webhooks", svix),
        "x-hub-signature-256": ("github", hub_signature),
        "x-hub-signature": ("github", hub_signature),
        "stripe-signature": ("stripe", stripe),
        "x-shopify-hmac-sha256": ("shopify", shopify),
        "typeform-signature": ("typeform", typeform),
        "calendly-webhook-signature": ("calendly", calendly),
        "tally-signature": ("tally", tally),
        "x-webflow-signature": ("webflow", webflow),
    }
)
"""By the header whose presence makes a push signed: the scheme and its check."""

_HEADERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {scheme: tuple(header for header, (name, _) in _CHECKS.items() if name == scheme) for scheme, _ in _CHECKS.values()}
)


def _is_hex(presented: str, prefix: str, signed: bytes, keys: Iterable[bytes]) -> bool:
    if not presented.startswith(prefix):
        return False
    given = _bytes(presented[len(prefix) :].lower())
    for key in keys:  # noqa: SIM110 (a generator would cost half as much as the HMAC)
        if compare_digest(given, digest(key, signed, "sha256").hex().encode()):
            return True
    return False


def _is_base64(presented: str, prefix: str, signed: bytes, keys: Iterable[bytes]) -> bool:
    if not presented.startswith(prefix):
        return False
    given = _bytes(presented[len(prefix) :])
    return any(compare_digest(given, b64encode(digest(key, signed, "sha256"))) for key in keys)


def _is_timed_list(header: str, push: Push, secrets: Sequence[str]) -> bool:
    pairs = [(name.strip(), value.strip()) for name, _, value in (item.partition("=") for item in header.split(","))]
    time = next((value for name, value in pairs if name == "t"), "")
    if not _is_recent(time, push):
        return False
    signed = time.encode() + b"." + push.body
    expected = [digest(key, signed, "sha256").hex().encode() for key in _texts(secrets)]
    given = {_bytes(value.lower()) for name, value in pairs if name == "v1"}
    return any(compare_digest(one, other) for one in given for other in expected)


def _is_standard(push: Push, secrets: Sequence[str], prefix: str) -> bool:
    delivery, time = push.headers.get(prefix + "id", ""), push.headers.get(prefix + "timestamp", "")
    if not delivery or not _is_recent(time, push):
        return False
    signed = b".".join((delivery.encode("latin-1", "replace"), time.encode(), push.body))
    keys = [key for secret in secrets if (key := _decoded(secret))]
    expected = [b64encode(digest(key, signed, "sha256")) for key in keys]
    entries = [entry.partition(",") for entry in push.headers[prefix + "signature"].split(" ")]
    given = {_bytes(value) for version, _, value in entries if version == "v1"}
    return any(compare_digest(one, other) for one in given for other in expected)


def _is_recent(time: str, push: Push, *, units_per_second: int = 1) -> bool:
    """Whether `time` is whole units since 1970, at most five minutes from the push's arrival, either way."""
    if not (time.isascii() and time.isdigit() and len(time) <= 16):
        return False
    return abs(push.received_at.timestamp() - int(time) / units_per_second) <= _TOLERANCE_SECONDS


def _texts(secrets: Sequence[str]) -> list[bytes]:
    return [secret.encode("utf-8", "surrogatepass") for secret in secrets if secret]


def _decoded(secret: str) -> bytes:
    """Return the key of a Standard Webhooks secret, empty if it is none: the prefix and the padding may be missing."""
    text = secret.strip().removeprefix("whsec_").rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Base64Error, ValueError):
        return b""


def _bytes(presented: str) -> bytes:
    # A header may hold any character; one that is not ASCII equals nothing expected.
    return presented.encode("utf-8", "surrogatepass")


def _header_token(push: Push, header: str) -> bytes:
    # Headers were decoded as Latin-1, so this gives back the bytes that were sent.
    value = push.headers[header].strip().encode("latin-1", "backslashreplace")
    if header == "authorization" and value[:7].lower() == b"bearer ":
        return value[7:].strip()
    return value
