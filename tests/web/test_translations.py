"""Translations: every message that a page can show is there in every language, whole."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from connector_master.web.language import LANGUAGES
from tools.messages import WEB, catalog, is_translated, update

OTHERS = [language for language in LANGUAGES if language != "en"]
_PLACES = re.compile(r"%\((\w+)\)s")


def _path(language: str) -> Path:
    return WEB / "languages" / language / "messages.po"


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated(language: str) -> None:
    missing = [message.id for message in update(language) if message.id and not is_translated(message.string)]

    assert not missing, f"run `python -m tools.messages`, then translate: {missing[:20]}"


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_left_over(language: str) -> None:
    wanted = {message.id for message in catalog() if message.id}
    known = {message.id for message in read_po(_path(language).open("rb")) if message.id}

    assert not known - wanted


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_the_values_that_are_put_in(language: str) -> None:
    wrong = []
    for message in read_po(_path(language).open("rb")):
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        places = {name for one in ids for name in _PLACES.findall(one)}
        wrong += [
            one for one in strings if set(_PLACES.findall(one)) - places or one.count("%") != len(_PLACES.findall(one))
        ]

    assert not wrong
