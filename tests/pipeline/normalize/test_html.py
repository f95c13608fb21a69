"""Mark-up: what goes, what only looks like it and stays."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import clean_lines, html_to_text
from connector_master.pipeline.normalize.html import decode_entities


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("I want Gate Valve.<br> Quantity :   6<br>", "I want Gate Valve.\nQuantity : 6"),
        ("one<br/>two<BR />three", "one\ntwo\nthree"),
        ("one<br />\r\ntwo", "one\ntwo"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<div>one</div>\n<div>two</div>", "one\ntwo"),
        ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("<table><tr><td>Size</td><td>2 inch</td></tr></table>", "Size 2 inch"),
        ("<a href='tel:+919000000105'>+91-9000000105</a>", "+91-9000000105"),
        ("Mr Vikas &amp; Co", "Mr Vikas & Co"),
        ("Mr Vikas &amp;amp; Co", "Mr Vikas & Co"),
        ("&lt;b&gt;urgent&lt;/b&gt; &#8377;500&nbsp;each", "urgent ₹500 each"),
        ("a<script>alert('</p>')</script>b<style>p{}</style>c<!-- <p> -->d", "abcd"),
        ("<!DOCTYPE html><html><head><title>Enquiry</title></head><body>Hi</body></html>", "Hi"),
        ("one\r\rtwo", "one\ntwo"),
        ("<o:p>Word</o:p>", "Word"),
    ],
)
def test_markup_becomes_the_text_that_a_person_would_see(written: str, text: str) -> None:
    assert html_to_text(written) == text


@pytest.mark.parametrize(
    "text",
    [
        "5 < 6 and 7 > 6",
        "AT&T",
        "Demo & Sons",
        "a <b and c> d",
        "Kiran <kiran@example.com>",
        "<a@example.com>",
        "see <https://example.com/?a=1&copy=2>",
        "if x<y",
        "<script> is a word",
        "<3",
        "R&D; more",
    ],
)
def test_text_that_only_looks_like_markup_stays(text: str) -> None:
    assert html_to_text(text) == text.replace("<script> ", "")


@given(st.text(st.characters(codec=None, exclude_characters="<&")))
def test_text_without_markup_is_only_cleaned(text: str) -> None:
    assert html_to_text(text) == clean_lines(text)


@given(
    st.lists(st.sampled_from(["<", ">", "&", ";", "br", "/", "p", "!--", "-->", "script", "amp", "lt", " ", "x", "="]))
)
def test_any_pile_of_markup_is_read(pieces: list[str]) -> None:
    assert html_to_text("".join(pieces)).count("<br>") == 0


@given(st.text())
def test_entities_come_back_as_what_they_stand_for(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    again = escaped.replace("&", "&amp;")
    if "&" not in text:
        assert decode_entities(decode_entities(again)) == text


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<script>", "<b", "<b =", "<p>", "</", "&amp;", "&", "&#", "<br>\r", "< ", "&lt;p&gt;", "<script><!--"],
)
def test_hostile_markup_takes_linear_time(piece: str) -> None:
    begin = perf_counter()
    html_to_text(piece * (600_000 // len(piece)))
    assert perf_counter() - begin < 10
