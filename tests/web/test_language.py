"""The reader's language: which one a browser gets."""

import pytest

from connector_master.web.language import reader_for


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
