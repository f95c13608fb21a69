"""Normalize: what senders wrote, made comparable. Pure functions that accept any text whatever.

Each returns what it could make of a text; only a phone number, without which there is no lead, is refused.
"""

from .email import normalize_email
from .html import html_to_text
from .names import join_names, normalize_name
from .phone import Phone, normalize_phone, proven_phone
from .places import normalize_country, normalize_pincode, normalize_state, pincode_in
from .text import clean_lines, clean_text
from .times import parse_time

__all__ = [
    "Phone",
    "clean_lines",
    "clean_text",
    "html_to_text",
    "join_names",
    "normalize_country",
    "normalize_email",
    "normalize_name",
    "normalize_phone",
    "normalize_pincode",
    "normalize_state",
    "parse_time",
    "pincode_in",
    "proven_phone",
]
