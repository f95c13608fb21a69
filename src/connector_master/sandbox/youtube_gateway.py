"""The way into the stand-in for YouTube's API and out of it: tokens, the day's quota, parameters, and lists by pages."""

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector_master.sandbox import youtube_refusals as refusals
from connector_master.sandbox import youtube_words as words
from connector_master.sandbox.grants import Token
from connector_master.sandbox.youtube_methods import Method
from connector_master.sandbox.youtube_refusals import REFUSALS, Refusal

if TYPE_CHECKING:
    from connector_master.sandbox.stand_in import StandIn

_PACIFIC = ZoneInfo("America/Los_Angeles")
_MOST_IDS = 50


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may go on: its filter with the value, the parts that it asks for, and who calls."""

    method: Method
    query: Mapping[str, str]
    filter: str
    value: str
    parts: frozenset[str]
    token: Token

    @property
    def is_paged(self) -> bool:
        """Return whether it is answered in pages: what is asked for by ids comes at once."""
        return self.method.usual is not None and self.filter != "id"

    @property
    def ids(self) -> list[str]:
        """Return the ids that are asked for."""
        return [one.strip() for one in self.value.split(",") if one.strip()]


class Gateway:
    """Lets calls in and answers them, for a stand-in that goes by the tokens that Google's has issued.

    Every call here costs one unit of the quota of its project, for which an OAuth client stands. A new day begins at
    midnight Pacific time.
    """

    def __init__(self, stand_in: "StandIn") -> None:
        self._stand_in = stand_in
        self.renew_quota()

    def renew_quota(self) -> None:
        """Let the day begin anew for all projects."""
        self._exhausted_on: str | None = None
        self._used: Counter[tuple[str, str]] = Counter()
        self._told: set[tuple[str, str]] = set()

    def exhaust_quota(self) -> None:
        """Let all projects have used up what they may call today."""
        self._exhausted_on = self._today()

    def used(self) -> dict[str, int]:
        """Return the units that each project has used today."""
        today = self._today()
        return {client: units for (day, client), units in self._used.items() if day == today}

    async def admitted(self, request: Request, method: Method) -> Call | Response:
        """Return a call that may go on, else the refusal."""
        if hindered := await self._stand_in.hindered(request):
            return hindered
        token = self._stand_in.world.consent("google").bearer(request)
        if token is None or token.is_refresh or not token.is_alive:
            return self.refuse(refusals.AUTH_ERROR)
        if not token.scopes & method.scopes:
            return self.refuse(refusals.SCOPE_MISSING)
        for fault, refusal in REFUSALS.items():
            if self._stand_in.fault(fault):
                return self.refuse(refusal)
        if self._is_used_up(token.client):
            return self.refuse(refusals.QUOTA_EXCEEDED)
        found = _read(request, method, token)
        return self.refuse(found) if isinstance(found, Refusal) else found

    def list(
        self, call: Call, rows: Sequence[Any], show: Callable[[Any], Mapping[str, Any]], *, says_total: bool = False
    ) -> Response:
        """Return one page of `rows`, each as `show` writes it. `says_total`: it says how many there are on all pages."""
        start, length = 0, len(rows)
        if call.is_paged:
            length = int(call.query.get("maxResults") or call.method.usual or 0)
            try:
                start = self._position(call)
            except ValueError:
                return self.refuse(refusals.INVALID_PAGE_TOKEN)
        shown = rows[start : start + length]
        about: dict[str, Any] = {}
        if token := self._next_token(call, start + length, len(rows), is_empty=not shown):
            about["nextPageToken"] = token
        about["pageInfo"] = {"totalResults": len(rows) if says_total else len(shown), "resultsPerPage": length}
        self._stand_in.note(call.method.name, found=len(shown), filter=call.filter)
        return JSONResponse(words.page(call.method.kind, [show(row) for row in shown], about))

    def refuse(self, refusal: Refusal) -> Response:
        """Return an error, counted by its reason."""
        self._stand_in.note(refusal.reason)
        return refusal.response()

    def _position(self, call: Call) -> int:
        """Return where the page begins that is asked for. Raises ValueError for a token that was not given for this list."""
        token = call.query.get("pageToken", "")
        if not token:
            return 0
        try:
            key, _, start = base64.urlsafe_b64decode(token).decode("ascii").rpartition("|")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("pageToken") from error
        if key != _key(call) or self._stand_in.fault("bad_page_token"):
            raise ValueError("pageToken")
        return int(start)

    def _next_token(self, call: Call, end: int, count: int, *, is_empty: bool) -> str | None:
        if not call.is_paged:
            return None
        if self._stand_in.fault("same_token"):
            end = 0
        elif end >= count and (is_empty or not self._stand_in.fault("empty_last_page")):
            return None
        return base64.urlsafe_b64encode(f"{_key(call)}|{end}".encode()).decode()

    def _is_used_up(self, client: str) -> bool:
        """Take one unit; return whether there was none left. To call again after having been told so is a breach."""
        today = self._today()
        key = (today, client)
        if self._exhausted_on != today and self._used[key] < int(self._stand_in.set["quotaPerDay"]):
            self._used[key] += 1
            return False
        if key in self._told:
            self._stand_in.breach("called_without_quota", client=client)
        self._told.add(key)
        return True

    def _today(self) -> str:
        return f"{self._stand_in.world.now().astimezone(_PACIFIC):%Y-%m-%d}"


def _read(request: Request, method: Method, token: Token) -> Call | Refusal:
    """Return what a call asks for, or why that can't be answered."""
    query = dict(request.query_params)
    paged = frozenset({"maxResults", "pageToken"}) if method.usual is not None else frozenset()
    for name in query:
        if name not in method.filters | method.takes | paged | {"part", "access_token"}:
            return refusals.unexpected(name)
    parts = frozenset(one.strip() for one in query.get("part", "").split(",") if one.strip())
    if not parts:
        return refusals.missing("part", "The request is missing the required parameter: part.")
    for part in sorted(parts - method.parts):
        return refusals.invalid("part", part)
    filters = sorted(method.filters & query.keys())
    if not filters:
        names = ", ".join(sorted(method.filters))
        return refusals.missing("parameters.", f"No filter selected. Expected one of: {names}")
    if len(filters) > 1:
        return refusals.incompatible(", ".join(filters))
    length = query.get("maxResults", str(method.usual))
    if "maxResults" in query and not (length.isdecimal() and method.least <= int(length) <= method.most):
        return refusals.invalid("maxResults", length)
    (name,) = filters
    call = Call(method, query, name, query[name], parts, token)
    if name == "id" and not 0 < len(call.ids) <= _MOST_IDS:
        return refusals.invalid("id", query[name])
    return call


def _key(call: Call) -> str:
    """Return what the pages of one list have in common."""
    own = {name: value for name, value in call.query.items() if name not in ("pageToken", "access_token")}
    return f"{call.method.name}?{urlencode(sorted(own.items()))}"
