"""The world of a sandbox: its clock, its buyers, its stand-ins, and the connection by which they push."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from pkgutil import iter_modules

import httpx2

from connector_master import sandbox
from connector_master.sandbox.consent import Consent
from connector_master.sandbox.enquiries import Enquiries
from connector_master.sandbox.stand_in import StandIn

Clock = Callable[[], datetime]


class World:
    """Everything that a sandbox knows. `hub` is where paths that are pushed to lie."""

    def __init__(self, seed: int = 1, clock: Clock | None = None, hub: str = "http://127.0.0.1:8080") -> None:
        self.hub = hub.rstrip("/")
        self.enquiries = Enquiries(seed)
        self.every_seconds: float | None = None
        self.http = httpx2.AsyncClient(timeout=30, trust_env=False)
        self._clock = clock or _real_time
        self._shift = timedelta(0)
        self._first = 1
        self._numbers = count(self._first)
        self.stand_ins: Mapping[str, StandIn] = {kind.name: kind(self) for kind in _kinds()}

    def now(self) -> datetime:
        """Return the sandbox's time."""
        return self._clock() + self._shift

    def advance(self, by: timedelta) -> None:
        """Let time pass, or go back."""
        self._shift += by

    def consent(self, name: str) -> Consent:
        """Return the OAuth half of a stand-in, also for another that goes by its tokens. Raises LookupError without one."""
        found = self.stand_ins[name].consent
        if found is None:
            raise LookupError(f"{name} asks nobody for consent")
        return found

    def next_number(self) -> int:
        """Return the number of the next enquiry."""
        return next(self._numbers)

    def count_from(self, number: int) -> None:
        """Begin to number enquiries anew: what has a number is the same enquiry with it, whoever asks."""
        self._first = number
        self._numbers = count(number)

    def address(self, target: str) -> str:
        """Return where a push goes: a path lies at the hub."""
        return target if "://" in target else f"{self.hub}/{target.lstrip('/')}"

    def reset(self, seed: int | None = None) -> None:
        """Begin anew."""
        self.enquiries = Enquiries(self.enquiries.seed if seed is None else seed)
        self.every_seconds = None
        self._shift = timedelta(0)
        self._numbers = count(self._first)
        for stand_in in self.stand_ins.values():
            stand_in.reset()

    async def send_traffic(self) -> None:
        """Let buyers write, one each `every_seconds`, to each provider in turn; never ends."""
        turn = 0
        while True:
            await asyncio.sleep(self.every_seconds or 0.5)
            if self.every_seconds:
                stand_in = list(self.stand_ins.values())[turn % len(self.stand_ins)]
                turn += 1
                entry = stand_in.add()
                await stand_in.push(entry)


def _real_time() -> datetime:
    return datetime.now(UTC)


def _kinds() -> list[type[StandIn]]:
    """Return the stand-ins of all modules beside this one."""
    modules = [import_module(f"{sandbox.__name__}.{module.name}") for module in iter_modules(sandbox.__path__)]
    found = {module.stand_in for module in modules if isinstance(getattr(module, "stand_in", None), type)}
    return sorted((kind for kind in found if issubclass(kind, StandIn)), key=lambda kind: kind.name)
