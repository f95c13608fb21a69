"""Questions of a form's own that ask for a phone, and the answers that look like one: for forms without a phone field."""

import re

FEWEST_DIGITS = 7

# The words for a phone in the languages that forms are written in most; digits under any other label are none.
_NAMES_A_PHONE = re.compile(
    r"\b(?:(?:tele)?phones?|mobiles?|mob|cell(?:ular)?|whats\s?app|contact\s(?:number|no)|calling\snumber|tel"
    r"|t[eé]l[eéè]fono?s?|t[eé]l[eé]phone|telefone?s?|telefonnummer|celular|m[oó]vil|handynummer)\b"
    r"|फ़ोन|फोन|मोबाइल|मोबाईल|व्हाट्सएप|व्हाट्सऐप|फोन|ফোন|மொபைல்|ఫోన్|هاتف|جوال",
    re.IGNORECASE,
)
_LOOKS_LIKE_A_PHONE = re.compile(r"(?:[a-z ]{0,12}:)?[+(]?[0-9][0-9 ()./+,-]{5,60}", re.IGNORECASE)
_DIGIT = re.compile(r"[0-9]")


def gives_phone(question: str, answer: str) -> bool:
    """Return whether a question asks for a phone, and is answered with what looks like one.

    >>> gives_phone("Your WhatsApp number", "98765 43210"), gives_phone("Order number", "98765 43210")
    (True, False)
    """
    if not _NAMES_A_PHONE.search(question):
        return False
    return bool(_LOOKS_LIKE_A_PHONE.fullmatch(answer)) and len(digits_in(answer)) >= FEWEST_DIGITS


def digits_in(text: str) -> str:
    """Return the digits of a text, and nothing else.

    >>> digits_in("+91 98765-43210")
    '919876543210'
    """
    return "".join(_DIGIT.findall(text))
