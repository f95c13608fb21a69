"""Suggestions: what a person may want to map, and why. Bolder than the guesses, for a person looks before it counts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from connector_master.model.json import Json
from connector_master.pipeline.guess import propose
from connector_master.pipeline.guess.collect import Labelled, collect, is_meaningless
from connector_master.pipeline.guess.labels import meaning_of
from connector_master.pipeline.values import text_of

Reason = Literal["name", "sender", "content"]
"""The key or question says so, the sender's way to build or declare it does, or what is there looks like it."""

_MOST = 5_000
_BY_CONTENT = frozenset({"phoneNumber", "email"})
_PINCODE = re.compile(r"[1-9]\d{2} ?\d{3}")
_NAME_WORD = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0dff.'-])+")
_LONGEST_NAME = 60
_MOST_NAME_WORDS = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One source path, the lead field that it seems to be, and what makes it seem so."""

    path: str
    field: str
    reason: Reason


def suggest(record: Json) -> list[Suggestion]:
    """Return what seems to belong where: the guesses, and pincode and name by content where no label tells of them.

    >>> suggest({"input_1": "Asha Rao", "input_2": "98765 43210", "input_3": "395001"})[-1]
    Suggestion(path='input_1', field='name', reason='content')
    """
    if not isinstance(record, dict):
        return []
    labelled = {one.path: one for one in collect(record, _MOST)}
    proposed = propose(record, _MOST)
    found = [Suggestion(path, field, _reason(labelled.get(path), field)) for path, field in proposed.items()]
    known = set(proposed.values())
    free = [one for one in labelled.values() if one.path not in proposed and one.field is None]
    if "pincode" not in known and (pincode := _pincode(free)):
        found.append(Suggestion(pincode.path, "pincode", "content"))
        free.remove(pincode)
    if "name" not in known and (name := _name(free, [labelled[path] for path in proposed if path in labelled])):
        found.append(Suggestion(name.path, "name", "content"))
    return found


def _reason(one: Labelled | None, field: str) -> Reason:
    if one is None or one.field is not None:
        return "sender"
    meant = meaning_of(one.label)
    if meant is not None and meant[0].partition(".")[0] == field.partition(".")[0]:
        return "name"
    return "content" if field in _BY_CONTENT else "sender"


def _pincode(free: Sequence[Labelled]) -> Labelled | None:
    for one in free:
        if is_meaningless(one.label) and _PINCODE.fullmatch((text_of(one.value) or "").strip()):
            return one
    return None


def _name(free: Sequence[Labelled], known: Sequence[Labelled]) -> Labelled | None:
    """Return what looks like the name of the person whose e-mail address or phone number lies beside it."""
    places = {one.place for one in known}
    mail = next((text for one in known if (text := text_of(one.value)) and "@" in text), "")
    local = mail.partition("@")[0].casefold()
    likely = [one for one in free if one.place in places and _looks_like_name(one.value)]
    for one in likely:
        words = (text_of(one.value) or "").casefold().split()
        if any(len(word) > 2 and word in local for word in words):
            return one
    return next((one for one in likely if is_meaningless(one.label)), None)


def _looks_like_name(value: Json) -> bool:
    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST_NAME else ""
    words = text.split()
    return 2 <= len(words) <= _MOST_NAME_WORDS and all(
        (word[0].isupper() or not word.isascii()) and _NAME_WORD.fullmatch(word) for word in words
    )
