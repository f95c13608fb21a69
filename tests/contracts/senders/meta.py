"""Meta, for one lead: announced by its id alone, signed with the app's secret. What is in it is fetched afterwards."""

import hashlib
import hmac
from typing import Any

from tests.contracts.senders import Headers, Sender

APP_SECRET = "example_app_secret_0123456789abcdef"
PAGE = "104857600112233"


def sign(body: bytes, secret: str) -> Headers:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def enquiry(phone: str | None, id_: str) -> tuple[dict[str, Any], Headers]:
    # Meta's ids are digits; the phone is in the lead, which is not sent.
    lead_id = str(int(hashlib.sha256(id_.encode()).hexdigest()[:14], 16))
    value = {"leadgen_id": lead_id, "page_id": PAGE, "form_id": "771234567890123", "created_time": 1793436000}
    change = {"field": "leadgen", "value": value}
    return {"object": "page", "entry": [{"id": PAGE, "name": "मूल्य", "time": 1793436003, "changes": [change]}]}, {}


credentials = {"appId": "1234567890123456", "appSecret": APP_SECRET}
sender = Sender(enquiry, sign, {"signature": "required"}, APP_SECRET, credentials)
