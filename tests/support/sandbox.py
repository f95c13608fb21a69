"""The sandbox on a real port, in a thread of its own: the provider's side of tests. conftest offers it as `sandbox`."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from connector_master.outbound.http import BOUNDS, Bounds, HttpClient, Outbound
from connector_master.sandbox.app import build
from tests.support.serving import serving

CLOCK = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)
"""What the sandbox's clock shows when a test begins. It stands still until a test moves it."""


@dataclass
class Sandbox:
    """A running sandbox, and the control API of it."""

    url: str
    http: httpx2.Client = field(repr=False)

    def control(self, path: str, asked: Any = None) -> Any:
        """Return what the control API answers: a POST where something is `asked`, else a GET."""
        url = f"{self.url}/_control/{path}"
        answer = self.http.get(url) if asked is None else self.http.post(url, json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add(self, provider: str, **lead: str) -> dict[str, Any]:
        """Let a buyer write now; return the enquiry in the provider's words."""
        return self.add_at(provider, self.now(), **lead)

    def add_at(self, provider: str, at: datetime, **lead: str) -> dict[str, Any]:
        """Let a buyer have written at a moment."""
        added: dict[str, Any] = self.control(f"{provider}/leads", {"at": at.isoformat(), "lead": lead})["added"][0]
        return added

    def spread(self, provider: str, count: int, start: datetime, end: datetime) -> None:
        """Let buyers have written evenly between two moments."""
        asked = {"count": count, "from": start.isoformat(), "to": end.isoformat(), "push": False}
        self.control(f"{provider}/leads", asked)

    def fault(self, provider: str, **faults: Any) -> None:
        """Switch faults: True, a number of times, or None for off."""
        self.control(f"{provider}/faults", faults)

    def set(self, provider: str, **settings: Any) -> None:
        """Change settings of a stand-in."""
        self.control(f"{provider}/settings", settings)

    def pass_time(self, **by: float) -> None:
        """Move the clock: minutes=5."""
        self.control("clock", {"advanceSeconds": timedelta(**by).total_seconds()})

    def now(self) -> datetime:
        """Return what its clock shows."""
        return datetime.fromisoformat(self.control("state")["now"])

    def state(self, provider: str) -> dict[str, Any]:
        """Return what a stand-in knows: enquiries, counts, breaches."""
        found: dict[str, Any] = self.control("state")["providers"][provider]
        return found


@contextlib.contextmanager
def running_sandbox(clock: Callable[[], datetime] | None = lambda: CLOCK) -> Iterator[Sandbox]:
    """Run a sandbox on a free port; with None as clock it goes by the real time."""
    with serving(build(clock=clock)) as url, httpx2.Client(timeout=60, trust_env=False) as http:
        yield Sandbox(url, http)


@pytest.fixture(scope="session")
def _sandbox_process() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox_process: Sandbox) -> Sandbox:
    """A sandbox that has just begun: no enquiries, no faults, the clock at CLOCK."""
    _sandbox_process.control("reset", {"seed": 1})
    return _sandbox_process


@contextlib.asynccontextmanager
async def calling(url: str, *, bounds: Bounds = BOUNDS, repeats: bool = False) -> AsyncIterator[HttpClient]:
    """Give the client that a connector is handed, for the provider at `url`."""
    async with Outbound(bounds=bounds) as outbound:
        yield outbound.client(url, name="test", trusted=True, repeats=repeats)
