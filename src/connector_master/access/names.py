"""The names that people give to users and API keys."""

import unicodedata

from connector_master.model.problem import InvalidRequest
from connector_master.model.words import Words

MAX_CHARACTERS = 200


def clean_name(text: str) -> str:
    """Return the name with its white space made single spaces. Raises InvalidRequest for `name`.

    Invisible marks that turn text around or end it are refused: they would make one name look like another in logs.

    >>> clean_name("  Asha   Rao ")
    'Asha Rao'
    """
    name = " ".join(text.split())
    # Joiners (ZWJ, ZWNJ) are format characters too, and belong to the spelling of Indian names.
    unseen = any(
        unicodedata.category(character).startswith("C") and character not in "\u200c\u200d" for character in name
    )
    if not name or len(name) > MAX_CHARACTERS or unseen:
        raise InvalidRequest(
            Words("Give a name of 1 to %(most)s visible characters.", most=MAX_CHARACTERS), field="name"
        )
    return name
