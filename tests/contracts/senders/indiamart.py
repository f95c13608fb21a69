"""IndiaMART's Push API: wrapped, unsigned, its own id in the record."""

from typing import Any

from tests.contracts.senders import Headers, Sender


def enquiry(phone: str | None, id_: str) -> tuple[dict[str, Any], Headers]:
    record = {"UNIQUE_QUERY_ID": id_, "QUERY_TYPE": "W", "SENDER_NAME": "Asha Rao", "SENDER_MOBILE": phone or ""}
    return {"CODE": 200, "STATUS": "SUCCESS", "RESPONSE": record}, {}


sender = Sender(enquiry)
