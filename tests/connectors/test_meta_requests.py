"""Meta's signed requests: whom they name, and what is no signature."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connector_master.connectors.meta_requests import is_signed, person_in
from tests.support.hub import ROOT

VECTORS = json.loads((ROOT / "tests/samples/meta/signed_request_and_proof_vectors.json").read_bytes())
SECRET = VECTORS["app_secret"]


def form(name: str) -> dict[str, str]:
    return dict(parse_qsl(VECTORS[name]["form_body"]))


def test_the_vectors_are_judged_as_they_say() -> None:
    for name in ("signed_request", "signed_request_tampered"):
        assert is_signed(form(name), SECRET) is VECTORS[name]["valid"]
    assert person_in(form("signed_request")) == VECTORS["signed_request"]["decoded"]["user_id"]


def test_padding_is_not_part_of_what_is_signed() -> None:
    signed = form("signed_request")["signed_request"]

    assert not is_signed({"signed_request": signed + "="}, SECRET)


@pytest.mark.parametrize("secret", ["", "another", SECRET + "x"])
def test_another_secret_signed_nothing(secret: str) -> None:
    assert not is_signed(form("signed_request"), secret)


@pytest.mark.parametrize(
    "about",
    [
        {"user_id": "1", "algorithm": "none"},
        {"user_id": "1", "algorithm": "HMAC-SHA1"},
        {"user_id": "1"},
        {"algorithm": "HMAC-SHA256"},
        {"user_id": "x", "algorithm": "HMAC-SHA256"},
        ["user_id"],
        "text",
    ],
)
def test_a_payload_that_is_not_as_documented_names_nobody(about: Any) -> None:
    payload = base64.urlsafe_b64encode(json.dumps(about).encode()).decode().rstrip("=")

    assert person_in({"signed_request": f"c2ln.{payload}"}) is None


@pytest.mark.parametrize("text", ["", ".", "a.b", "a.é", "no dot", "a." + "b" * 20_000, "\x00.\x00"])
def test_what_is_no_request_is_nobodys(text: str) -> None:
    assert person_in({"signed_request": text}) is None
    assert not is_signed({"signed_request": text}, SECRET)
    assert person_in({}) is None
