"""Contacts in comments: what is a phone number, and everything that only looks like one."""

import json
from pathlib import Path
from typing import Any

import pytest

from connector_master.connectors.youtube_contacts import find_contacts, plain_text

VECTORS: Any = json.loads(
    (Path(__file__).parent.parent / "samples" / "youtube" / "contact_extraction_vectors.json").read_bytes()
)
PHONE = ("+919000000701",)


def phones(text: str, region: str = "IN") -> tuple[str, ...]:
    return find_contacts(text, region).phones


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["text"])
def test_the_vectors_give_what_they_say(case: Any) -> None:
    found = find_contacts(case["text"], VECTORS["region"])

    assert (list(found.phones), list(found.emails)) == (case["phones"], case["emails"])


@pytest.mark.parametrize(
    "text",
    [
        "9000000701",
        "at 12:34 90000 00701",
        "seen 10/11/2026, 2:30 90000 00701",
        "*9000000701*",
        "**9000000701**",
        "_call 9000000701_",
        "#9000000701",
        "• 9000000701",
        "9000000701.Call me",
        "9000000701...",
        "tel:+91-90000-00701",
        "wa.me/+919000000701?text=hi",
        "WA.ME/919000000701",
        "I want to order 9000000701",
        "price? 90000 00701",
        "phone no: 9000000701",
        "my number is 9000000701",
        "9000000701 xl size",
        "\u202a+91 90000 00701\u202c",
    ],
)
def test_a_number_is_found_however_it_stands_in_the_text(text: str) -> None:
    assert phones(text) == PHONE


@pytest.mark.parametrize(
    "text",
    [
        "98xxxxxx21",
        "9198765432**",
        "91987 65432 xx",
        "XX 9000000701",
        "+91 90000 00*** call",
        "9.1.2026 10.30",
        "11/12/2026-10/01/2027",
        "Rs 9000000701",
        "Rs. 9000000701",
        "₹9000000701",
        "9000000701/-",
        "9000000701 views",
        "80000-90000 budget",
        "order no. 9000000701",
        "Order ID: 9000000701",
        "invoice number 9000000701",
        "account no 9000000701",
        "UTR 9000000701",
        "1:23:45 2:34:56 3:45:67",
        "9000000701@example.com",
        "https://example.com/9000000701",
        "bit.ly/9000000701",
        "https://wa.me/9000000701",
        "call9000000701",
        "98765 4321O",
        "9999999999",
        "9,00,00,00,701",
    ],
)
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert phones(text) == ()


def test_years_are_no_number_where_numbers_have_eight_digits() -> None:
    assert phones("2019-2026", "NO") == ()
    assert phones("call 6123 4567", "SG") == ("+6561234567",)


def test_numbers_keep_the_order_in_which_they_were_typed_and_count_once() -> None:
    text = "wa.me/919000000702 or 90000-00701, tel:9000000703, again 09000000702"

    assert phones(text) == ("+919000000702", "+919000000701", "+919000000703")


def test_addresses_are_found_beside_numbers() -> None:
    found = find_contacts("Asha.Rao+x@example.com. or 9000000701, asha@example.co.in", "IN")

    assert found.emails == ("Asha.Rao+x@example.com", "asha@example.co.in")
    assert found.phones == PHONE


def test_html_becomes_what_was_typed_with_the_links_that_are_contacts() -> None:
    text = 'It&#39;s <b>me</b><br>call <a href="tel:+919000000701">us</a>, <a href="https://example.com/9000000702">shop</a>'

    assert plain_text(text) == "It's me\ncall us tel:+919000000701, shop"
    assert phones(plain_text(text)) == PHONE


@pytest.mark.parametrize("text", ["I <3 this & that", "a < b > c", "5 &6", "<", "&"])
def test_text_that_is_no_html_stays_as_it_is(text: str) -> None:
    assert plain_text(text) == text
