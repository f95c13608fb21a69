"""What every stand-in has: its book of enquiries, faults to switch on, settings, and a record of who called."""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import httpx2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from connector_master.sandbox.consent import Consent
from connector_master.sandbox.enquiries import Enquiry
from connector_master.sandbox.terms import Terms

if TYPE_CHECKING:
    from connector_master.sandbox.world import World

COMMON_FAULTS = {
    "html": "answers with a gateway's page in HTML (HTTP 502)",
    "slow": "answers only after so many seconds",
    "silent": "takes the request and never answers",
    "huge": "answers with 200 MB",
    "broken": "answers with half a JSON text",
    "wrong_types": "answers with JSON that is nothing like what is documented",
    "empty": "answers with nothing at all (HTTP 200)",
}

HUGE_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One enquiry in the book: when it was made, from when on it can be seen, and what its maker set."""

    number: int
    at: datetime
    visible_at: datetime
    fields: Mapping[str, str] = field(default_factory=dict)


class StandIn:
    """One provider. A subclass gives facts, `routes` and `show`; what it pushes, if it does, `push_request`.

    `path` is where it lies: its `routes` are the provider's own, beneath it. `address_settings` are the hub's settings that
    name its address. `faults` says for each what it does, `actions` what can be done to it at once. `settings` are the
    defaults of what can be set. With `terms` it has the OAuth half too, as `consent`; its faults, actions and settings then
    hold those of consent.py.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str] = ""
    path: ClassVar[str] = ""
    address_settings: ClassVar[tuple[str, ...]] = ()
    terms: ClassVar[Terms | None] = None
    actions: ClassVar[Mapping[str, str]] = {}
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS
    settings: ClassVar[Mapping[str, Any]] = {}
    pushes: ClassVar[bool] = False

    def __init__(self, world: "World") -> None:
        self.world = world
        self.consent = Consent(self, self.terms) if self.terms else None
        self.reset()

    def reset(self) -> None:
        """Forget everything: enquiries, faults, counts, settings."""
        self.book: list[Entry] = []
        self.active: dict[str, Any] = {}
        self.set = dict(self.settings)
        self.counts: Counter[str] = Counter()
        self.breaches: deque[dict[str, Any]] = deque(maxlen=100)
        self.calls: deque[dict[str, Any]] = deque(maxlen=200)
        self.pushed: Counter[str] = Counter()
        self.last_push: dict[str, Any] | None = None
        if self.consent:
            self.consent.reset()

    @classmethod
    def addresses(cls, at: str) -> dict[str, str]:
        """Return its address by the hub's settings that name it, for a sandbox that is `at` an address."""
        return dict.fromkeys(cls.address_settings, at + cls.path)

    # ---- to be filled in by each provider ---------------------------------------------------------------

    def routes(self) -> list[BaseRoute]:
        """Return the provider's own addresses, beneath `path`."""
        raise NotImplementedError

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return an enquiry in the provider's own words."""
        raise NotImplementedError

    def push_request(self, entry: Entry) -> httpx2.Request | None:
        """Return what is sent when an enquiry is pushed, None where nothing can be."""
        return None

    # ---- enquiries --------------------------------------------------------------------------------------

    def add(
        self, at: datetime | None = None, *, late: timedelta = timedelta(0), fields: Mapping[str, str] | None = None
    ) -> Entry:
        """Note an enquiry, made `at` (now) and to be seen `late` after that; return it.

        A subclass raises ValueError for one that can't have been made.
        """
        at = at or self.world.now()
        if self.active.get("late") and not late:
            late = timedelta(seconds=float(self.active["late"]))
        entry = Entry(self.world.next_number(), at, at + late, dict(fields or {}))
        if self.book and self.book[-1].at > at:
            insort(self.book, entry, key=_made_at)
        else:
            self.book.append(entry)
        return entry

    def enquiry(self, entry: Entry) -> Enquiry:
        """Return what the buyer asked: made up by number, with what its maker set."""
        made = self.world.enquiries.make(entry.number)
        own = {name: text for name, text in entry.fields.items() if name in Enquiry.__dataclass_fields__}
        return replace(made, **own) if own else made  # type: ignore[arg-type]

    def between(self, start: datetime, end: datetime) -> Iterator[Entry]:
        """Yield what can be seen now of the enquiries made from `start` to `end`, both included, the oldest first."""
        now = self.world.now()
        first = bisect_left(self.book, start, key=_made_at)
        for entry in self.book[first : bisect_right(self.book, end, key=_made_at)]:
            if entry.visible_at <= now:
                yield entry

    async def push(self, entry: Entry) -> int | None:
        """Push an enquiry; return the status of the answer, None when it was dropped or nobody answered."""
        request = self.push_request(entry)
        return None if request is None else await self.send(request)

    async def send(self, request: httpx2.Request) -> int | None:
        """Send what is pushed; return the status of the answer, None when it was dropped or nobody answered."""
        if self.fault("dropped_pushes"):
            self.pushed["dropped"] += 1
            return None
        try:
            answer = await self.world.http.send(request)
        except httpx2.HTTPError as error:
            self.pushed["unanswered"] += 1
            self.last_push = {"status": None, "error": type(error).__name__}
            return None
        self.pushed[str(answer.status_code)] += 1
        self.last_push = {"status": answer.status_code, "body": answer.text[:500]}
        self.pushed_and_answered(answer.status_code)
        return answer.status_code

    def pushed_and_answered(self, status: int) -> None:
        """Learn how a push was answered."""

    # ---- faults and counting ----------------------------------------------------------------------------

    def switch(self, fault: str, value: Any) -> None:
        """Switch a fault on (True, or a number: seconds where it is slow or late, else so many times) or off (None, False)."""
        if fault not in self.faults:
            raise KeyError(fault)
        if value is None or value is False:
            self.active.pop(fault, None)
        else:
            self.active[fault] = value

    def fault(self, name: str) -> Any:
        """Return the value of a fault that is on, and count it down where it is to happen only so many times."""
        value = self.active.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or name in _MEASURED:
            return value
        if value <= 1:
            self.active.pop(name, None)
        else:
            self.active[name] = value - 1
        return value > 0

    def note(self, outcome: str, **about: Any) -> None:
        """Count a call by what became of it."""
        self.counts["calls"] += 1
        self.counts[outcome] += 1
        self.calls.append({"at": self.world.now().isoformat(), "outcome": outcome, **about})

    def breach(self, rule: str, **about: Any) -> None:
        """Tell that a limit was not kept."""
        self.counts["breaches"] += 1
        self.breaches.append({"at": self.world.now().isoformat(), "rule": rule, **about})

    def act(self, action: str) -> str:
        """Do one of `actions`; return what to tell. A subclass with actions of its own does those itself."""
        return self.consent.act(action) if self.consent else ""

    async def hindered(self, request: Request) -> Response | None:
        """Return the answer of a fault that all providers can have, None when there is none; wait where it is slow."""
        if seconds := self.fault("slow"):
            await asyncio.sleep(1.0 if seconds is True else float(seconds))
        if self.fault("silent"):
            self.note("silent")
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return Response(status_code=204)
        for name, made in _HINDRANCES.items():
            if self.fault(name):
                self.note(name)
                return made()
        return None

    def state(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "title": self.title,
            "enquiries": len(self.book),
            "faults": dict(self.active),
            "settings": dict(self.set),
            "counts": dict(self.counts),
            "breaches": list(self.breaches),
            "pushed": dict(self.pushed),
            "lastPush": self.last_push,
        } | (self.consent.state() if self.consent else {})


_MEASURED = frozenset({"slow", "late", "token_slow"})


def _made_at(entry: Entry) -> datetime:
    return entry.at


def _html() -> Response:
    return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)


def _huge() -> Response:
    async def pour() -> AsyncIterator[bytes]:
        yield b"["
        for _ in range(HUGE_BYTES // 65_536):
            yield b'"' + b"x" * 65_532 + b'",\n'
        yield b"0]"

    return StreamingResponse(pour(), media_type="application/json")


_HINDRANCES: Mapping[str, Callable[[], Response]] = {
    "html": _html,
    "huge": _huge,
    "broken": lambda: Response('[{"rfi_id": "84", "CODE": 2', media_type="application/json"),
    "wrong_types": lambda: Response('{"a": [1, true, {"b": null}], "RESPONSE": 7}', media_type="application/json"),
    "empty": lambda: Response(b"", media_type="application/json"),
}
