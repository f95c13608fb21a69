"""Signing as Standard Webhooks has it: its own example, and what our own webhook connector makes of it."""

import base64
from datetime import UTC, datetime

import pytest

from connector_master.connectors.connector import Secrets
from connector_master.connectors.signatures import Policy, verify_push
from connector_master.delivery.signing import new_secret, signed_headers
from connector_master.model.event import Push
from connector_master.model.problem import InvalidSignature

AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'


def test_the_example_of_the_specification_comes_out_as_published() -> None:
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", AT, BODY, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_replaced_receivers_with_either_are_satisfied() -> None:
    new, old, foreign = new_secret(), new_secret(), new_secret()
    headers = signed_headers("d", AT, BODY, [new, old])
    push = Push(headers, {}, BODY, "", AT)
    policy = Policy("standard-webhooks", True, "x", "x")

    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        assert verify_push(push, Secrets((secret,)), policy).scheme == "standard-webhooks"
    with pytest.raises(InvalidSignature):
        verify_push(push, Secrets((foreign,)), policy)


def test_a_new_secret_holds_256_bits_and_is_never_made_twice() -> None:
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert {len(base64.b64decode(one.removeprefix("whsec_"))) for one in made} == {32}
