"""A client that answers from a script, for answers that no server gives by itself; the last one for ever."""

from collections.abc import Mapping
from typing import Any

import orjson

from connector_master.outbound.client import Answer


class Scripted:
    """Gives its answers in turn and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.asked.append((path, dict(query or {})))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def post(self, path: str, query: Mapping[str, str] | None = None, **_: Any) -> Answer:
        return await self.get(path, query)

    async def delete(self, path: str, query: Mapping[str, str] | None = None, **_: Any) -> Answer:
        return await self.get(path, query)


def answer(body: Any = b"", status: int = 200, **headers: str) -> Answer:
    """An answer: bytes and text as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Answer(status, raw, {name.replace("_", "-"): value for name, value in headers.items()})
