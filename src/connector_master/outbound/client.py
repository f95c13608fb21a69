"""The client that connectors are handed: calls to one provider, at its address, at its pace."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

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


class Client(Protocol):
    """Calls to one provider. Paths are the provider's own, beneath its base address.

    Both raise ProviderUnavailable when no whole answer came (network, time-out, too large) and AddressRefused; an answer
    of any status is returned. Keys in queries and headers are never logged.
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
