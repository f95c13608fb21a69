"""LinkedIn, for one lead: announced by its URN alone, signed with the client secret. What is in it is fetched afterwards."""

import hashlib
import hmac
from typing import Any

from tests.contracts.senders import Headers, Sender

CLIENT_SECRET = "WPL_AP1.ExampleOnlySecret01.ZXhhbXBsZQ=="


def sign(body: bytes, secret: str) -> Headers:
    return {"X-LI-Signature": hmac.new(secret.encode(), b"hmacsha256=" + body, hashlib.sha256).hexdigest()}


def enquiry(phone: str | None, id_: str) -> tuple[dict[str, Any], Headers]:
    # The phone is in the lead, which is not sent.
    notice = {
        "type": "LEAD_ACTION",
        "leadGenFormResponse": f"urn:li:leadGenFormResponse:{id_}",
        "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7300001, 2)",
        "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:510000001"},
        "leadType": "SPONSORED",
        "leadAction": "CREATED",
        "occurredAt": 1793436061000,
        "note": "मूल्य? ₹",
    }
    return notice, {}


credentials = {"clientId": "77exampleonly01", "clientSecret": CLIENT_SECRET}
sender = Sender(enquiry, sign, {"signature": "required"}, CLIENT_SECRET, credentials)
