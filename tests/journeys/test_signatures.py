"""Signatures and tokens at the running product's door: who gets in, who does not, and what is kept of a secret."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, TestConnector, new_phone, sign
from tests.support.wire import Wire, post


def _hex(body: bytes, secret: str) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def _base64(body: bytes, key: bytes) -> str:
    return base64.b64encode(hmac.digest(key, body, hashlib.sha256)).decode()


def _standard(body: bytes, secret: str, prefix: str = "webhook") -> dict[str, str]:
    now = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = _base64(b".".join((b"msg_1", now.encode(), body)), key)
    # Entries of other versions are not ours to judge.
    listed = f"v1a,{'A' * 86}== v1,{signature}"
    return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": now, f"{prefix}-signature": listed}


def _timed(header: str, body: bytes, secret: str) -> dict[str, str]:
    now = int(time.time())
    return {header: f"t={now},v1={_hex(f'{now}.'.encode() + body, secret)}"}


def _webflow(body: bytes, secret: str) -> dict[str, str]:
    now = int(time.time() * 1000)
    return {"x-webflow-timestamp": str(now), "x-webflow-signature": _hex(f"{now}:".encode() + body, secret)}


SCHEMES: Mapping[str, Callable[[bytes, str], dict[str, str]]] = {
    "x-webhook-signature": sign,
    "standard-webhooks": _standard,
    "github": lambda body, secret: {"X-Hub-Signature-256": f"sha256={_hex(body, secret)}"},
    "stripe": lambda body, secret: _timed("Stripe-Signature", body, secret),
    "shopify": lambda body, secret: {"X-Shopify-Hmac-Sha256": _base64(body, secret.encode())},
    "typeform": lambda body, secret: {"Typeform-Signature": f"sha256={_base64(body, secret.encode())}"},
    "calendly": lambda body, secret: _timed("Calendly-Webhook-Signature", body, secret),
    "tally": lambda body, secret: {"Tally-Signature": _base64(body, secret.encode())},
    "webflow": _webflow,
}


def secret_of(connector: TestConnector) -> str:
    assert connector.secret
    return connector.secret


def payload() -> bytes:
    """A body that is not how our own JSON writer would put it."""
    return b'{ "phone":"%b" ,"name" : "Jos\\u00e9 \xe0\xa4\x9c", "path":"a\\/b" }' % new_phone().encode()


# ---- schemes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("required", ["optional", "required"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_scheme_is_told_by_its_headers(scheme: str, required: str, hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": required})
    body = payload()
    headers = SCHEMES[scheme](body, secret_of(connector))

    reply = await hub.send(connector, body, headers=headers)
    changed = await hub.send(connector, body + b"\n", headers=headers)

    assert reply.status == "created", reply.body
    assert changed.status_code == 401


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_chosen_scheme_accepts_no_other(scheme: str, hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": "required", "signatureScheme": scheme})
    other = "github" if scheme != "github" else "typeform"
    body = payload()

    reply = await hub.send(connector, body, headers=SCHEMES[scheme](body, secret_of(connector)))
    by_other = await hub.send(connector, body, headers=SCHEMES[other](body, secret_of(connector)))

    assert reply.status == "created", reply.body
    assert by_other.status_code == 401


async def test_standard_webhooks_under_svix_s_names_are_read(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})
    body = payload()

    reply = await hub.send(connector, body, headers=_standard(body, secret_of(connector), "svix"))

    assert reply.status == "created"


@pytest.mark.parametrize("secret_or_own", ["our secret", "the sender's own"])
async def test_a_sender_may_sign_with_our_secret_or_with_its_own(secret_or_own: str, hub: Hub) -> None:
    connector = await hub.create_connector(
        settings={"signature": "required"}, credentials={"signingSecret": "sender's own ✓"}
    )
    secret = secret_of(connector) if secret_or_own == "our secret" else "sender's own ✓"
    body = payload()

    assert (await hub.send(connector, body, headers=sign(body, secret))).status == "created"


@pytest.mark.parametrize("seconds", [-400, 400])
@pytest.mark.parametrize("scheme", ["standard-webhooks", "stripe", "calendly", "webflow"])
async def test_a_signature_too_old_or_from_the_future_is_refused(
    scheme: str, seconds: int, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = await hub.create_connector()
    body = payload()
    then = time.time() + seconds
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: then)
        headers = SCHEMES[scheme](body, secret_of(connector))

    assert (await hub.send(connector, body, headers=headers)).status_code == 401


# ---- optional and required --------------------------------------------------------------------------

BROKEN: list[dict[str, str]] = [
    {"X-Webhook-Signature": ""},
    {"X-Webhook-Signature": "sha256="},
    {"X-Webhook-Signature": "sha256=zz"},
    {"X-Webhook-Signature": "SHA256=" + "0" * 64},
    {"X-Webhook-Signature": "x" * 20_000},
    {"webhook-signature": "v1,AAAA"},
    {"webhook-id": "1", "webhook-timestamp": "now", "webhook-signature": "v1,"},
    {"webhook-id": "1", "webhook-timestamp": "9" * 400, "webhook-signature": "v1"},
    {"svix-signature": ""},
    {"X-Hub-Signature": "sha1=" + "0" * 40},
    {"X-Hub-Signature-256": "sha256=" + "0" * 64},
    {"Stripe-Signature": "t=,v1="},
    {"Stripe-Signature": ",,,=,=,"},
    {"X-Shopify-Hmac-Sha256": "not base64 at all!"},
    {"Typeform-Signature": "sha256"},
    {"Calendly-Webhook-Signature": "t=1791799500"},
    {"Tally-Signature": "null"},
    {"x-webflow-signature": "0" * 64},
    {"x-webflow-timestamp": "-1", "x-webflow-signature": "0" * 64},
    {"X-Webhook-Token": "a guess"},
    {"X-Webhook-Token": ""},
]


@pytest.mark.parametrize("headers", BROKEN)
async def test_where_signatures_are_optional_a_broken_one_is_still_refused(headers: dict[str, str], hub: Hub) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, {"phone": new_phone()}, headers=headers)

    assert (reply.status_code, reply.body["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize(
    "line",
    [
        b"X-Webhook-Signature: sha256=\xff\xfe",
        b"X-Webhook-Token: \xe2\x82\xac",
        b"Stripe-Signature: t=\xd9\xa1,v1=\xff",
    ],
)
async def test_a_header_value_beyond_ascii_is_a_wrong_signature(line: bytes, hub: Hub) -> None:
    connector = await hub.create_connector()
    async with Wire(hub.address) as wire:
        await wire.send(post(connector.url, b'{"phone": "1"}', line.decode("latin-1")))

        answer = await wire.answer()

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")


async def test_one_right_signature_does_not_excuse_a_wrong_one_beside_it(hub: Hub) -> None:
    connector = await hub.create_connector()
    body = payload()

    reply = await hub.send(
        connector, body, headers={**sign(body, secret_of(connector)), "X-Hub-Signature-256": "sha256=" + "0" * 64}
    )

    assert reply.status_code == 401


async def test_a_second_header_of_the_same_name_does_not_replace_the_first(hub: Hub) -> None:
    connector = await hub.create_connector()
    body = payload()
    right = f"X-Webhook-Signature: {sign(body, secret_of(connector))['X-Webhook-Signature']}"
    wrong = "X-Webhook-Signature: sha256=" + "0" * 64
    async with Wire(hub.address) as wire:
        await wire.send(post(connector.url, body, wrong, right))
        await wire.send(post(connector.url, body, right, wrong))

        assert [(await wire.answer()).status_code, (await wire.answer()).status_code] == [401, 200]


async def test_a_body_written_anew_no_longer_matches_its_signature(hub: Hub) -> None:
    connector = await hub.create_connector()
    body = payload()
    rewritten = json.dumps(json.loads(body)).encode()
    assert json.loads(rewritten) == json.loads(body)

    reply = await hub.send(connector, rewritten, headers=sign(body, secret_of(connector)))

    assert reply.status_code == 401


async def test_the_hex_of_a_signature_may_be_in_upper_case(hub: Hub) -> None:
    connector = await hub.create_connector()
    body = payload()
    signature = sign(body, secret_of(connector))["X-Webhook-Signature"].removeprefix("sha256=").upper()

    reply = await hub.send(connector, body, headers={"X-Webhook-Signature": f"sha256={signature}"})

    assert reply.status == "created"


async def test_with_the_scheme_none_nothing_is_checked(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signatureScheme": "none"})

    reply = await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Signature": "sha256=0"})

    assert reply.status == "created"


# ---- tokens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["auto", "token-header"])
@pytest.mark.parametrize("header", ["X-Webhook-Token", "Authorization", "X-Api-Key"])
async def test_a_token_is_accepted_in_the_header_of_the_owner_s_choice(header: str, scheme: str, hub: Hub) -> None:
    connector = await hub.create_connector(
        settings={"signature": "required", "signatureScheme": scheme, "tokenHeader": header}
    )
    token = secret_of(connector)
    value = f"Bearer {token}" if header == "Authorization" else token

    right = await hub.send(connector, {"phone": new_phone()}, headers={header: value})
    wrong = await hub.send(connector, {"phone": new_phone()}, headers={header: value[:-1]})
    absent = await hub.send(connector, {"phone": new_phone()})

    assert (right.status, wrong.status_code, absent.status_code) == ("created", 401, 401)


@pytest.mark.parametrize("scheme", ["auto", "token-query"])
async def test_a_token_is_accepted_in_the_address(scheme: str, hub: Hub) -> None:
    connector = await hub.create_connector(
        settings={"signature": "required", "signatureScheme": scheme, "tokenParameter": "key"}
    )

    async def pushed(**query: Any) -> int:
        answer = await hub.client.post(connector.url, params=query, json={"phone": new_phone()})
        return answer.status_code

    assert await pushed(key=secret_of(connector)) == 200
    assert await pushed(key=secret_of(connector) + "x") == 401
    assert await pushed(key="") == 401
    assert await pushed(token=secret_of(connector)) == 401
    assert await pushed() == 401
    assert await pushed(key=["wrong", secret_of(connector)]) == 401


async def test_a_token_is_kept_with_no_event(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(settings={"tokenHeader": "X-Sender"})
    token = secret_of(connector)

    reply = await hub.send(
        connector,
        {"phone": new_phone()},
        headers={"X-Sender": token, "Cookie": f"a={token}", "X-My-Auth": token, "X-Kept": "yes"},
    )

    event = await rows.event(reply.event_id)
    assert event["headers"]["x-kept"] == "yes"
    assert token not in json.dumps(event, default=str)


async def kept_of(connector: TestConnector, rows: Rows) -> list[dict[str, Any]]:
    return await rows.all(
        "SELECT sealed, hash, fingerprint, valid_until FROM webhook_secrets WHERE connector_id = %s ORDER BY id",
        connector.id,
    )


async def test_of_a_token_only_its_hash_is_kept(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(settings={"signatureScheme": "token-header"})

    (kept,) = await kept_of(connector, rows)

    assert kept["sealed"] is None
    assert kept["hash"] == hashlib.sha256(secret_of(connector).encode()).digest()


async def test_a_signing_secret_is_kept_sealed_and_not_hashed(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()

    (kept,) = await kept_of(connector, rows)

    assert kept["hash"] is None
    assert secret_of(connector).encode() not in kept["sealed"]


async def test_choosing_a_token_scheme_forgets_the_secret_and_keeps_its_hash(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    token = secret_of(connector)

    changed = await hub.api("PUT", f"/api/connectors/{connector.id}", {"settings": {"signatureScheme": "token-header"}})

    assert changed.status_code == 200
    assert changed.json().get("webhookSecret") is None
    (kept,) = await kept_of(connector, rows)
    assert (kept["sealed"], kept["hash"]) == (None, hashlib.sha256(token.encode()).digest())
    reply = await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Token": token})
    assert reply.status == "created"


async def test_leaving_a_token_scheme_makes_a_new_secret_for_the_old_one_is_not_known(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signatureScheme": "token-header"})

    changed = (
        await hub.api("PUT", f"/api/connectors/{connector.id}", {"settings": {"signatureScheme": "auto"}})
    ).json()

    new = changed["webhookSecret"]
    assert new != connector.secret
    body = payload()
    assert (await hub.send(connector, body, headers=sign(body, new))).status == "created"
    assert (await hub.send(connector, body, headers=sign(body, secret_of(connector)))).status_code == 401
    assert (await hub.send(connector, body, headers={"X-Webhook-Token": secret_of(connector)})).status_code == 401


async def test_neither_hash_nor_fingerprint_of_a_secret_can_sign_or_pass(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(settings={"signature": "required", "signatureScheme": "token-header"})
    (kept,) = await kept_of(connector, rows)
    for guess in (kept["hash"].hex(), base64.b64encode(kept["hash"]).decode(), kept["fingerprint"]):
        reply = await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Token": guess})
        assert reply.status_code == 401


async def test_a_secret_is_never_shown_again(hub: Hub) -> None:
    connector = await hub.create_connector(credentials={"signingSecret": "a secret of the sender"})
    path = f"/api/connectors/{connector.id}"
    answers = [
        await hub.api("GET", path),
        await hub.api("GET", "/api/connectors"),
        await hub.api("GET", f"{path}/logs"),
    ]
    answers.append(await hub.api("PUT", path, {"name": "Renamed"}))

    for answer in answers:
        assert answer.status_code == 200
        assert secret_of(connector) not in answer.text
        assert "a secret of the sender" not in answer.text


# ---- rotation ---------------------------------------------------------------------------------------


async def regenerate(connector: TestConnector, hub: Hub, body: Any = None) -> dict[str, Any]:
    answer = await hub.api("POST", f"/api/connectors/{connector.id}/regenerate-secret", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def accepts(connector: TestConnector, secret: str, hub: Hub) -> bool:
    body = payload()
    return (await hub.send(connector, body, headers=sign(body, secret))).status_code == 200


async def test_after_a_rotation_both_secrets_count_until_the_time_that_was_told(hub: Hub) -> None:
    connector = await hub.create_connector()

    made = await regenerate(connector, hub)

    assert made == {"webhookSecret": ANY, "previousSecretValidUntil": ANY}
    assert await accepts(connector, secret_of(connector), hub)
    assert await accepts(connector, made["webhookSecret"], hub)
    until = datetime.fromisoformat(made["previousSecretValidUntil"])
    assert timedelta(hours=23, minutes=55) < until - datetime.now(UTC) <= timedelta(hours=24)


async def test_the_previous_secret_ends_with_its_time(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    made = await regenerate(connector, hub, {"graceHours": 1})
    # An hour passes: for the product only what the row says counts.
    await rows.connection.execute(
        "UPDATE webhook_secrets SET valid_until = now() WHERE connector_id = %s AND valid_until IS NOT NULL",
        [connector.id],
    )
    await hub.api("PUT", f"/api/connectors/{connector.id}", {"name": "Read again"})

    assert not await accepts(connector, secret_of(connector), hub)
    assert await accepts(connector, made["webhookSecret"], hub)


async def test_without_grace_the_previous_secret_ends_at_once(hub: Hub) -> None:
    connector = await hub.create_connector()
    assert await accepts(connector, secret_of(connector), hub)

    made = await regenerate(connector, hub, {"graceHours": 0})

    assert not await accepts(connector, secret_of(connector), hub)
    assert await accepts(connector, made["webhookSecret"], hub)


async def test_a_second_rotation_without_grace_ends_every_earlier_secret(hub: Hub) -> None:
    connector = await hub.create_connector()
    first = await regenerate(connector, hub)

    last = await regenerate(connector, hub, {"graceHours": 0})

    assert not await accepts(connector, secret_of(connector), hub)
    assert not await accepts(connector, first["webhookSecret"], hub)
    assert await accepts(connector, last["webhookSecret"], hub)


async def test_a_token_is_rotated_with_grace_too(hub: Hub) -> None:
    connector = await hub.create_connector(settings={"signatureScheme": "token-header"})
    made = await regenerate(connector, hub)

    for token in (secret_of(connector), made["webhookSecret"]):
        reply = await hub.send(connector, {"phone": new_phone()}, headers={"X-Webhook-Token": token})
        assert reply.status == "created"


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "a day", None])
async def test_a_grace_that_makes_no_sense_is_refused(hours: Any, hub: Hub) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("POST", f"/api/connectors/{connector.id}/regenerate-secret", {"graceHours": hours})

    assert answer.status_code == 422
    assert await accepts(connector, secret_of(connector), hub)
