"""A provider's own words about a refusal, made fit to be shown: short, without mark-up, secrets and numbers of people."""

import re
from collections.abc import Iterable
from html import unescape

_LONGEST = 200
_LONGEST_READ = 20_000
_TITLE = re.compile(r"<title[^<>]*>([^<>]*)</title>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_LONG_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{6,}[0-9]")
_ADDRESS = re.compile(r"\S+@\S+|https?://\S+")


def tell(fact: str, text: str, *secrets: str | None) -> str:
    """Return `fact` as a sentence, with what the provider said in quotation marks. Of a page its title is enough.

    >>> tell("It failed", "<html><title>Login</title>...</html>"), tell("It failed", "Key abc is wrong", "abc")
    ('It failed: “Login”.', 'It failed: “Key … is wrong”.')
    """
    words = _readable(text, secrets)
    return f"{fact}: “{words}”." if words else f"{fact}."


def _readable(text: str, secrets: Iterable[str | None]) -> str:
    text = text[:_LONGEST_READ]
    if title := _TITLE.search(text):
        text = title[1]
    text = unescape(_TAG.sub(" ", text))[: 10 * _LONGEST]
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    text = _LONG_NUMBER.sub("…", _ADDRESS.sub("…", text))
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rstrip() + "…"
    return text.rstrip(".")
