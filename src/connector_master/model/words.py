"""Words: a text with its sentence and its values apart, so that pages can say it in the reader's language."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Self


class Words(str):
    """A text in English that still knows the sentence it was made of, `%(name)s` where each value went.

    A value may be Words itself, a moment, a day, a number, or several of them. tools/messages.py finds every sentence that is
    written as `Words("…")`.

    >>> Words("Enter %(names)s.", names=["appId", "appSecret"])
    'Enter appId and appSecret.'
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        words = super().__new__(
            cls, template % {name: _plain(one) for name, one in values.items()} if values else template
        )
        words.template = template
        words.values = MappingProxyType(values)
        return words


def sentences(*texts: str) -> Words:
    """Return texts as one, of which pages say each in the reader's language where a catalog knows it.

    >>> sentences(Words("Connect again."), "LinkedIn says why.")
    'Connect again. LinkedIn says why.'
    """
    parts = {f"part{place}": text if isinstance(text, Words) else Words(text) for place, text in enumerate(texts)}
    template = " ".join(f"%({name})s" for name in parts)
    return Words(template, **parts)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " and ".join(map(_plain, value))
    return str(value)
