"""The sandbox as benchmarks use it: steered through its control API, in a process of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.servers import running

SEED = 1
_PATIENCE_SECONDS = 120.0


class Sandbox:
    """A running sandbox at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, path: str, asked: Any = None) -> Any:
        """Return what the control API answers: a POST where something is `asked`, else a GET."""
        body = None if asked is None else json.dumps(asked).encode()
        request = Request(f"{self.url}/_control/{path}", data=body, headers={"Content-Type": "application/json"})
        with urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            return json.load(answer)

    def state(self, provider: str) -> dict[str, Any]:
        """Return what a stand-in counted."""
        found: dict[str, Any] = self.control("state")["providers"][provider]
        return found


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox whose buyers are the same every time."""
    with running("sandbox", ["connector_master", "sandbox", "--port", "0", "--seed", str(SEED)]) as server:
        yield Sandbox(f"http://{server.host}:{server.port}")
