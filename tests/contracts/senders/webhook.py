"""A form on somebody's website, with the signature that SPEC.md asks for."""

from typing import Any

from tests.contracts.senders import Headers, Sender
from tests.support.hub import sign


def enquiry(phone: str | None, id_: str) -> tuple[dict[str, Any], Headers]:
    payload = {"name": "Asha Rao", "message": "Grüße, ₹ 500"} | ({"phone": phone} if phone else {})
    return payload, {"Idempotency-Key": id_}


sender = Sender(enquiry, sign, {"signature": "required"})
