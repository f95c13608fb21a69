"""Google, for one lead of a lead form: the key that proves it lies in the body."""

import json
from typing import Any

from tests.contracts.senders import Headers, Sender


def prove(body: bytes, key: str) -> bytes:
    """Put the key into each lead of a body; what is no lead stays as it is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    leads = value if isinstance(value, list) else [value]
    if not all(isinstance(lead, dict) for lead in leads) or body != json.dumps(value, ensure_ascii=False).encode():
        return body
    for lead in leads:
        lead["google_key"] = key
    return json.dumps(value, ensure_ascii=False).encode()


def enquiry(phone: str | None, id_: str) -> tuple[dict[str, Any], Headers]:
    columns = [{"column_id": "FULL_NAME", "column_name": "Full Name", "string_value": "Asha Rao ₹"}]
    if phone:
        columns.append({"column_id": "PHONE_NUMBER", "column_name": "User Phone", "string_value": phone})
    return {"lead_id": id_, "user_column_data": columns, "campaign_id": 20660009001, "is_test": False}, {}


sender = Sender(enquiry, prove=prove)
