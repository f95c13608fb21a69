"""E-mail addresses as the names that users sign in with.

Nothing is sent to them, so an address of a closed network (`asha@office.local`, `admin@localhost`) is as good as any;
only what could be mistaken for another address is refused.
"""

import re
import unicodedata

from connector_master.model.problem import InvalidRequest

_MAX_CHARACTERS = 254
_FORM = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"/_.]+(\.[^\s@<>()\[\]\\,;:\"/_.]+)*")


def normalize_email(text: str) -> str:
    """Return the address as it is stored and compared: trimmed, NFKC, lower case. Raises InvalidRequest for `email`.

    >>> normalize_email(" Asha@Example.COM ")
    'asha@example.com'
    """
    email = unicodedata.normalize("NFKC", text.strip()).lower()
    unseen = any(unicodedata.category(character).startswith("C") for character in email)
    if unseen or len(email) > _MAX_CHARACTERS or not _FORM.fullmatch(email):
        raise InvalidRequest("Give an e-mail address such as asha@example.com.", field="email")
    return email
