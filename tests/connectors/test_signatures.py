"""Signatures: every scheme's own vectors, and what a forger or a careless sender may try."""

import json
from base64 import b64decode, b64encode
from hashlib import sha1, sha256
from hmac import digest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.connectors.connector import Secrets, Verified
from connector_master.connectors.signatures import Policy, delivery_id, verify_push
from connector_master.model.event import Push
from connector_master.model.problem import InvalidSignature
from tests.connectors.builders import NOW, push

SAMPLES = Path(__file__).parent.parent / "samples" / "webhook"
SIGNED = {
    name: sample for name, sample in json.loads((SAMPLES / "index.json").read_text()).items() if "secret" in sample
}

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
BODY = '{"name": "José", "phone": "+91 90000 00201"}'.encode()
SECONDS = str(int(NOW.timestamp()))
MILLISECONDS = str(int(NOW.timestamp()) * 1000)


def hexed(text: bytes, secret: str = SECRET) -> str:
    return digest(secret.encode(), text, "sha256").hex()


def based(text: bytes, secret: str = SECRET) -> str:
    return b64encode(digest(secret.encode(), text, "sha256")).decode()


def standard(text: bytes, secret: str = SECRET) -> str:
    return b64encode(digest(b64decode(secret.removeprefix("whsec_")), text, "sha256")).decode()


TIMED = SECONDS.encode() + b"." + BODY
VALID: dict[str, tuple[str, dict[str, str]]] = {
    "ours": ("x-webhook-signature", {"X-Webhook-Signature": "sha256=" + hexed(BODY)}),
    "ours in upper case": ("x-webhook-signature", {"X-Webhook-Signature": "sha256=" + hexed(BODY).upper()}),
    "standard": (
        "standard-webhooks",
        {
            "webhook-id": "msg_1",
            "webhook-timestamp": SECONDS,
            "webhook-signature": "v1a,QUJD v1 v2,x v1,%%% v1," + standard(b"msg_1." + TIMED),
        },
    ),
    "svix": (
        "standard-webhooks",
        {"svix-id": "msg_1", "svix-timestamp": SECONDS, "svix-signature": "v1," + standard(b"msg_1." + TIMED)},
    ),
    "github": ("github", {"X-Hub-Signature-256": "sha256=" + hexed(BODY), "X-Hub-Signature": "sha1=ab"}),
    "stripe": ("stripe", {"Stripe-Signature": f"t={SECONDS},v0=ab,v1=,v1={'0' * 64},v1={hexed(TIMED)},v1,,"}),
    "shopify": ("shopify", {"X-Shopify-Hmac-Sha256": based(BODY)}),
    "typeform": ("typeform", {"Typeform-Signature": "sha256=" + based(BODY)}),
    "calendly": ("calendly", {"Calendly-Webhook-Signature": f"t={SECONDS},v1={hexed(TIMED)}"}),
    "tally": ("tally", {"Tally-Signature": based(BODY)}),
    "webflow": (
        "webflow",
        {"x-webflow-timestamp": MILLISECONDS, "x-webflow-signature": hexed(MILLISECONDS.encode() + b":" + BODY)},
    ),
}
every_scheme = pytest.mark.parametrize(("scheme", "headers"), VALID.values(), ids=VALID)


def verify(what: Push, *secrets: str, scheme: Any = "auto", required: bool = False, **more: Any) -> Verified:
    policy = Policy(scheme, required, more.get("token_header", "x-webhook-token"), more.get("token_parameter", "token"))
    return verify_push(what, Secrets(secrets or (SECRET,), more.get("hashes", ())), policy)


def refused(what: Push, *secrets: str, **more: Any) -> bool:
    """Whether the push is refused, in the one way in which all are."""
    refusals = []
    try:
        verify(what, *secrets, **more)
    except InvalidSignature as problem:
        refusals.append((problem.detail, problem.errors))
    assert refusals in ([], [("The signature or token is wrong or missing.", ())])
    return bool(refusals)


# ---- vectors ----------------------------------------------------------------------------------------


def test_the_reference_vector_of_standard_webhooks_verifies() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    verified = verify(push(b'{"test": 2432232314}', headers, at=1614265330), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert verified == Verified("standard-webhooks", "msg_p5jXN8AQM9LWM0D4loKWxJek")


def test_the_vector_of_githubs_documentation_verifies() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "72d3162e"}
    assert verify(push(b"Hello, World!", headers), "It's a Secret to Everybody") == Verified("github", "72d3162e")


def sample(name: str, **change: Any) -> Push:
    facts = SIGNED[name]
    body = change.get("body", (SAMPLES / name).read_bytes())
    return push(body, facts["headers"], at=facts.get("verifyAtUnix", NOW.timestamp()) + change.get("late", 0))


@pytest.mark.parametrize("name", SIGNED)
def test_a_senders_sample_verifies_with_its_secret_and_no_other(name: str) -> None:
    scheme = SIGNED[name]["scheme"].lower()
    assert verify(sample(name), SIGNED[name]["secret"]).scheme == scheme
    assert verify(sample(name), SIGNED[name]["secret"], scheme=scheme, required=True).scheme == scheme
    assert refused(sample(name), SIGNED[name]["secret"] + "x")


@pytest.mark.parametrize("name", SIGNED)
def test_a_sample_written_anew_is_refused(name: str) -> None:
    body = json.dumps(json.loads((SAMPLES / name).read_bytes()), indent=1).encode()
    assert refused(sample(name, body=body), SIGNED[name]["secret"])


@pytest.mark.parametrize("name", [name for name in SIGNED if "verifyAtUnix" in SIGNED[name]])
def test_a_sample_with_a_time_verifies_for_five_minutes_either_way(name: str) -> None:
    secret = SIGNED[name]["secret"]
    assert not any(refused(sample(name, late=late), secret) for late in (-300, 0, 300))
    assert all(refused(sample(name, late=late), secret) for late in (-301, 301, 86_400))


# ---- every scheme -----------------------------------------------------------------------------------


@every_scheme
def test_a_signature_of_each_scheme_verifies_by_itself_and_by_name(scheme: str, headers: dict[str, str]) -> None:
    assert verify(push(BODY, headers)).scheme == scheme
    assert verify(push(BODY, headers), scheme=scheme, required=True).scheme == scheme


@every_scheme
def test_one_secret_in_rotation_is_enough(scheme: str, headers: dict[str, str]) -> None:
    other = "whsec_" + b64encode(b"n" * 32).decode()
    assert verify(push(BODY, headers), other, SECRET).scheme == scheme
    assert verify(push(BODY, headers), SECRET, other).scheme == scheme
    assert refused(push(BODY, headers), other)
    assert refused(push(BODY, headers), "")


@every_scheme
def test_other_bytes_of_the_same_content_are_refused(scheme: str, headers: dict[str, str]) -> None:
    assert refused(push(json.dumps(json.loads(BODY)).encode(), headers))
    assert refused(push(BODY + b"\n", headers))


@every_scheme
@pytest.mark.parametrize(
    "garbage", ["", " ", "sha256=", "v1,", "t=,v1=", ",", "é" * 64, "\ud800", "sha256=" + "g" * 64]
)
def test_a_misshapen_signature_is_a_wrong_one(scheme: str, headers: dict[str, str], garbage: str) -> None:
    broken = {name: garbage if "ignature" in name or "Hmac" in name else value for name, value in headers.items()}
    assert refused(push(BODY, broken))
    assert refused(push(BODY, broken), scheme=scheme)


@every_scheme
@given(garbage=st.text(alphabet=st.characters(max_codepoint=255), max_size=100))
def test_any_header_is_answered_with_a_refusal_never_with_an_error(
    scheme: str, headers: dict[str, str], garbage: str
) -> None:
    for name in headers:
        what = push(BODY, headers | {name: garbage})
        assert isinstance(refused(what), bool)
        assert isinstance(refused(what, garbage, "whsec_" + garbage), bool)


@pytest.mark.parametrize(
    ("header", "time"),
    [(name, time) for name in ("webhook", "svix") for time in ("", "abc", "-5", "1e9", "٣", "²", " 1", "9" * 5000)],
)
def test_a_time_that_is_no_whole_number_is_refused(header: str, time: str) -> None:
    signed = b"m." + time.encode() + b"." + BODY
    headers = {f"{header}-id": "m", f"{header}-timestamp": time, f"{header}-signature": "v1," + standard(signed)}
    assert refused(push(BODY, headers))


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_standard_webhooks_needs_all_three_headers(missing: str) -> None:
    _, headers = VALID["standard"]
    assert refused(push(BODY, {name: value for name, value in headers.items() if name != missing}))


def test_a_stripe_signature_signs_the_first_time_that_it_names() -> None:
    late = str(int(SECONDS) - 4000)
    assert refused(push(BODY, {"Stripe-Signature": f"t={SECONDS},t={late},v1={hexed(late.encode() + b'.' + BODY)}"}))
    assert refused(push(BODY, {"Stripe-Signature": f"t={late},t={SECONDS},v1={hexed(late.encode() + b'.' + BODY)}"}))


def test_githubs_old_signature_alone_is_refused() -> None:
    old = digest(SECRET.encode(), BODY, sha1).hex()
    assert refused(push(BODY, {"X-Hub-Signature": "sha1=" + old}))
    assert refused(push(BODY, {"X-Hub-Signature": "sha1=" + old}), scheme="github")


def test_a_base64_signature_under_our_headers_name_is_refused() -> None:
    assert refused(push(BODY, {"X-Webhook-Signature": based(BODY)}))
    assert refused(push(BODY, {"X-Webhook-Signature": hexed(BODY)}))


@pytest.mark.parametrize("secret", [SECRET.removeprefix("whsec_"), SECRET.rstrip("=")])
def test_a_standard_secret_may_lack_its_prefix_or_its_padding(secret: str) -> None:
    assert verify(push(BODY, VALID["standard"][1]), secret).scheme == "standard-webhooks"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_===", "not base64!", "é"])
def test_a_secret_that_is_no_base64_can_not_verify_standard_webhooks(secret: str) -> None:
    headers = dict(VALID["standard"][1])
    headers["webhook-signature"] = "v1," + b64encode(digest(b"", b"msg_1." + TIMED, "sha256")).decode()
    assert refused(push(BODY, headers), secret)


@pytest.mark.parametrize("version", ["v1a", "v2", "", "V1"])
def test_a_right_signature_under_another_version_is_no_signature(version: str) -> None:
    header = {"webhook-signature": f"{version},{standard(b'msg_1.' + TIMED)}"}
    assert refused(push(BODY, VALID["standard"][1] | header))
    assert refused(push(BODY, {"Stripe-Signature": f"t={SECONDS},v0={hexed(TIMED)}"}))


# ---- which scheme -----------------------------------------------------------------------------------


def test_every_signature_that_is_there_has_to_be_right() -> None:
    both = VALID["ours"][1] | VALID["tally"][1]
    assert verify(push(BODY, both)).scheme == "x-webhook-signature"
    assert refused(push(BODY, both | {"Tally-Signature": "wrong"}))


def test_an_unsigned_push_passes_only_where_signatures_are_optional() -> None:
    assert verify(push(BODY)) == Verified("unsigned")
    assert refused(push(BODY), required=True)
    assert verify(push(BODY), scheme="none").scheme == "unsigned"


def test_a_chosen_scheme_is_not_satisfied_by_another() -> None:
    assert refused(push(BODY, VALID["ours"][1]), scheme="github", required=True)


def test_an_unknown_secret_verifies_nothing() -> None:
    policy = Policy("auto", False, "x-webhook-token", "token")
    with pytest.raises(InvalidSignature):
        verify_push(push(BODY, VALID["ours"][1]), Secrets(), policy)


# ---- tokens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["auto", "token-header"])
@pytest.mark.parametrize("secrets", [{"texts": ("old", "tökén")}, {"hashes": (sha256("tökén".encode()).digest(),)}])
def test_a_token_in_a_header_is_compared_with_texts_and_hashes(scheme: Any, secrets: dict[str, Any]) -> None:
    policy = Policy(scheme, True, "x-api-key", "token")
    sent = "tökén".encode().decode("latin-1")
    assert verify_push(push(headers={"X-Api-Key": sent}), Secrets(**secrets), policy).scheme == "token-header"
    for wrong in ("", "t", sent + "x", "Bearer " + sent, sha256("tökén".encode()).hexdigest(), "\ud800"):
        with pytest.raises(InvalidSignature):
            verify_push(push(headers={"X-Api-Key": wrong}), Secrets(**secrets), policy)


@pytest.mark.parametrize("value", ["Bearer " + SECRET, "bearer  " + SECRET, SECRET])
def test_an_authorization_header_may_say_bearer(value: str) -> None:
    what = push(headers={"Authorization": value})
    assert verify(what, scheme="token-header", token_header="authorization").scheme == "token-header"


@pytest.mark.parametrize("scheme", ["auto", "token-query"])
def test_a_token_in_the_address_is_compared(scheme: str) -> None:
    assert verify(push(query={"token": "tökén"}), "tökén", scheme=scheme, required=True).scheme == "token-query"
    assert refused(push(query={"token": "token"}), "tökén", scheme=scheme)
    assert refused(push(query={"token": ""}), "tökén", scheme=scheme)


def test_no_token_is_no_proof() -> None:
    assert refused(push(), scheme="token-header", required=True)
    assert refused(push(), scheme="token-query", required=True)
    assert verify(push(), scheme="token-query").scheme == "unsigned"


def test_an_empty_token_is_wrong_even_where_a_secret_is_empty() -> None:
    assert refused(push(query={"token": ""}), "", hashes=(sha256(b"").digest(),))


# ---- delivery ids -----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["webhook-id", "svix-id", "x-github-delivery", "idempotency-key"])
def test_a_delivery_is_known_by_its_senders_id(header: str) -> None:
    assert delivery_id({header: " d-1 "}) == "d-1"
    assert delivery_id({header: "  "}) is None


def test_an_overlong_or_unprintable_delivery_id_is_bounded_and_still_tells_deliveries_apart() -> None:
    ids = {delivery_id({"idempotency-key": text}) for text in ("x" * 201, "x" * 9_000, "a\x00b", "a\x01b")}
    assert len(ids) == 4
    assert all(one is not None and len(one) <= 200 and one.isprintable() for one in ids)
