"""The reader's language: which one a browser gets."""

from datetime import UTC, datetime

import pytest
from markupsafe import Markup

from connector_master.model.words import Words
from connector_master.web.language import Reader, _, reader, reader_for, say


@pytest.mark.parametrize(
    ("preferred", "accepted", "language"),
    [
        ("hi", "en", "hi"),
        (None, "hi-IN,hi;q=0.9,en;q=0.8", "hi"),
        (None, "fr;q=0.9, en;q=0.5, hi;q=0.7", "hi"),
        (None, "hi;q=0, en", "en"),
        (None, "fr", "en"),
        (None, None, "en"),
        ("xx", "hi", "hi"),
        (None, "hi;q=zwei,;;,*", "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(
    preferred: str | None, accepted: str | None, language: str
) -> None:
    assert reader_for(preferred=preferred, accepted=accepted, zone=None).language == language


def test_an_unknown_zone_falls_back() -> None:
    assert reader_for(preferred=None, accepted=None, zone="../etc/passwd").zone == "Asia/Kolkata"


def test_what_other_layers_say_is_said_in_the_readers_language_and_zone() -> None:
    at = datetime(2026, 11, 3, 20, 30, tzinfo=UTC)
    before = reader.set(Reader("hi", "Asia/Kolkata"))
    try:
        said = say(Words("Last push %(moment)s", moment=at))
        listed = say(Words("Enter %(names)s.", names=["appId", "appSecret"]))
        unknown = say("LinkedIn answered for Asha & Sons.")
    finally:
        reader.reset(before)

    assert "4 नव॰ 2026, 2:00" in said
    assert "appId और appSecret" in listed
    assert "Enter" not in listed
    assert unknown == "LinkedIn answered for Asha & Sons."


def test_a_time_in_a_sentence_keeps_its_markup_and_texts_beside_it_are_escaped() -> None:
    said = _("%(name)s is here since %(ago)s.", name="<b>Asha</b>", ago=Markup("<time>now</time>"))

    assert said == "&lt;b&gt;Asha&lt;/b&gt; is here since <time>now</time>."
