"""Enquiries: unique signed requests, made before the clock runs, so that sending one costs next to nothing."""

import hmac
import json

SECRET_HEADER = "X-Webhook-Signature"

_CITIES = ("Pune", "Indore", "Chennai", "Jaipur", "Kochi", "Surat", "Nagpur", "Lucknow")
_PRODUCTS = ("gate valve", "centrifugal pump", "ball bearing", "conveyor belt", "solar inverter")
# Odd and no multiple of 5, so multiplying by it permutes the numbers below 10^9: phones are unique and in no order,
# which is harder on a unique index than one after the other.
_SCATTER = 387_420_489
_NUMBERS = 1_000_000_000


def phone(number: int) -> str:
    """Return an Indian mobile, another one for every `number` below a thousand million.

    >>> phone(1), phone(2)
    ('9387420489', '9774840978')
    """
    return f"9{number * _SCATTER % _NUMBERS:09}"


def body(number: int) -> bytes:
    """Return the JSON of one enquiry, about 300 bytes as forms send them."""
    product = _PRODUCTS[number % len(_PRODUCTS)]
    return json.dumps(
        {
            "name": f"Asha Example {number}",
            "phone": phone(number),
            "email": f"asha.{number}@example.com",
            "city": _CITIES[number % len(_CITIES)],
            "product": product,
            "source": "website",
            "message": f"Please send your best price for the {product}, 20 pieces, delivered to our works before "
            "the end of next month. Kindly call in the morning.",
        }
    ).encode()


def request(host: str, path: str, secret: str, number: int) -> bytes:
    """Return one whole HTTP/1.1 request with the enquiry, signed over its bytes."""
    content = body(number)
    signature = hmac.digest(secret.encode(), content, "sha256").hex()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nUser-Agent: bench\r\n"
        f"{SECRET_HEADER}: sha256={signature}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
