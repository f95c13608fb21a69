"""E-mail addresses: the same person gives the same text, and nothing ever raises."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import normalize_email
from connector_master.pipeline.normalize.email import _is_plain

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
ADDRESS_PARTS = [*"ab1.-_+@ <>,;:'\"/&é\u0663\u0130", "xn--", "test", "mailto:", "noreply", "example.com"]
ADDRESS_LIKE = st.lists(st.sampled_from(ADDRESS_PARTS), max_size=40).map("".join)
DOMAIN_PARTS = [*"ab1.-_", "xn--", "a" * 63, "test", "com"]
DOMAIN_LIKE = st.lists(st.sampled_from(DOMAIN_PARTS), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("asha@example.com", "asha@example.com"),
        ("Kiran.Demo@Example.COM", "kiran.demo@example.com"),
        ("  asha@example.com\n", "asha@example.com"),
        ("mailto:asha@example.com", "asha@example.com"),
        ("MAILTO:asha@example.com?subject=Hi", "asha@example.com"),
        ("Asha Example <asha@example.com>", "asha@example.com"),
        ('"Example, Asha" <asha@example.com>', "asha@example.com"),
        ("asha@example.com, ravi@example.com", "asha@example.com"),
        ("asha@example.com/ravi", None),
        ("not this@, asha@example.com;ravi@example.com", "asha@example.com"),
        ("E-mail: asha@example.com.", "asha@example.com"),
        ("<a href='mailto:asha@example.com'>asha@example.com</a>", "asha@example.com"),
        ("noreply@example.com; asha@example.com", "asha@example.com"),
        ("o'brien+leads@mail.example.co.in", "o'brien+leads@mail.example.co.in"),
        ("noreplying@example.com", "noreplying@example.com"),
        ("\u0930\u0935\u093f@example.com", "\u0930\u0935\u093f@example.com"),
        ("asha@b\u00fccher.example.com", "asha@b\u00fccher.example.com"),
        ("asha\u200b@example.com", "asha@example.com"),
    ],
)
def test_an_address_is_found_and_put_in_lower_case(written: str, address: str | None) -> None:
    assert normalize_email(written) == address


@pytest.mark.parametrize(
    "written",
    [
        "",
        "asha",
        "asha@",
        "@example.com",
        "asha@example",
        "asha@@example.com",
        "asha@example..com",
        "asha@192.168.1.1",
        "asha@site.invalid",
        "null",
        "noreply@example.com",
        "NO-REPLY@example.com",
        "no.reply+tag@example.com",
        "do-not-reply@example.com",
        "donotreply@example.com",
        "asha@example.com" * 100,
    ],
)
def test_what_nobody_can_be_reached_at_is_none(written: str) -> None:
    assert normalize_email(written) is None


@given(ADDRESS_LIKE | st.builds("{}@{}".format, DOMAIN_LIKE, DOMAIN_LIKE))
@example("a@a." + "a" * 63)
@example("a@ab--c.com")
@example("a@b.test")
@example("a" * 250 + "@b.co")
def test_the_short_cut_accepts_only_what_email_validator_accepts(address: str) -> None:
    if address.isascii() and _is_plain(address):
        assert validate_email(address, check_deliverability=False).normalized == address


@given(st.emails())
def test_every_plain_address_is_accepted_that_email_validator_accepts(address: str) -> None:
    try:
        expected = validate_email(address.lower(), check_deliverability=False).normalized
    except EmailNotValidError:
        expected = None

    if not set(address) & set("|/*`'") and "mailto:" not in address.lower() and "&" not in address:
        assert normalize_email(address) == expected


@given(ANY_TEXT | ADDRESS_LIKE)
@example("\u0130@example.com")
@example("\u1e9e\u0345@example.com")
def test_normalizing_twice_changes_nothing_more(text: str) -> None:
    address = normalize_email(text)

    assert address is None or normalize_email(address) == address


@pytest.mark.parametrize(
    "piece", ["a@", "@", "a.", "a@b.", "<", "&amp;", "mailto:", "a@b.co,", "x@\u0663", "\ud800@a.com "]
)
def test_a_megabyte_is_read(piece: str) -> None:
    normalize_email(piece * 200_000)
