"""The client that connectors are handed: calls to one provider, at its address, at its pace."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Protocol, Self

from connector_master.model.json import Json
from connector_master.model.json_text import read_json
from connector_master.model.problem import InvalidBody, ProviderUnavailable


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: any status, whole body, header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Json:
        """Return the body as JSON. Raises ProviderUnavailable when it is something else, such as a gateway's HTML."""
        try:
            return read_json(self.body.decode("utf-8-sig"))
        except (InvalidBody, UnicodeDecodeError) as error:
            raise ProviderUnavailable(f"The provider sent no JSON (HTTP {self.status}).") from error

    def text(self) -> str:
        """Return the body as text, what is not UTF-8 replaced."""
        return self.body.decode("utf-8", "replace")

    def retry_after_seconds(self) -> int | None:
        """Return how long the provider asks to wait, None when it does not say so in a form that can be read.

        >>> Answer(429, b"", {"retry-after": "120"}).retry_after_seconds()
        120
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(int(text[:9]), _LONGEST_REST)
        try:
            # A moment counts from the provider's own clock, which may not be ours.
            rest = parsedate_to_datetime(text) - parsedate_to_datetime(self.headers.get("date", ""))
            return max(0, min(round(rest.total_seconds()), _LONGEST_REST))
        except (ValueError, TypeError, OverflowError):
            return None


_LONGEST_REST = 7 * 86_400


class SecretPath(str):
    """A path with a secret in it: `label` is what may be seen of it in logs."""

    label: str

    def __new__(cls, path: str, label: str) -> Self:
        """Return `path`, to be logged as `label`."""
        made = super().__new__(cls, path)
        made.label = label
        return made


class Client(Protocol):
    """Calls to one provider. Paths are the provider's own, beneath its base address.

    All raise ProviderUnavailable when no whole answer came (network, time-out, too large) and AddressRefused; an answer
    of any status is returned, also a redirect, which is never followed. Keys in queries and headers are never logged; a
    path that holds one is given as a SecretPath.
    """

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a GET."""
        ...

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a POST with a JSON or form body."""
        ...

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a DELETE."""
        ...
