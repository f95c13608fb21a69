"""Meta, for one message to a WhatsApp number: signed with the app's secret."""

import hashlib
import hmac
from typing import Any

from tests.contracts.senders import Headers, Sender

APP_SECRET = "example_app_secret_0123456789abcdef"


def sign(body: bytes, secret: str) -> Headers:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def enquiry(phone: str | None, id_: str) -> tuple[dict[str, Any], Headers]:
    sender = {"from": phone.removeprefix("+")} if phone else {"from_user_id": "IN.2081978709342942"}
    message = {**sender, "id": f"wamid.{id_}", "timestamp": "1793436000", "type": "text", "text": {"body": "मूल्य? ₹"}}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "919000000000", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Asha Rao"}, "wa_id": sender.get("from")}],
        "messages": [message],
    }
    change = {"field": "messages", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}, {}


sender = Sender(enquiry, sign, {"signature": "required"}, APP_SECRET, {"appSecret": APP_SECRET})
