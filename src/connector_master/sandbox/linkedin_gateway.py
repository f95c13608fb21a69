"""The way into the stand-in for LinkedIn's API and out of it: what every call has to show, and how every answer looks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector_master.sandbox.grants import Token
from connector_master.sandbox.linkedin_restli import (
    Mask,
    Value,
    mask_of,
    page_by_number,
    page_by_token,
    parameters,
    picked,
)
from connector_master.sandbox.linkedin_terms import PAGES, PAGES_WRITTEN, REFUSALS, Refusal

if TYPE_CHECKING:
    from connector_master.sandbox.stand_in import StandIn

PAGED = frozenset({"start", "count", "fields"})
"""What every list takes."""

ONE = frozenset({"fields"})
"""What is taken where one thing is asked for."""

_DEAD = {"expired": "token_expired", "revoked": "token_revoked"}
_ONLY_WHEN_NAMED = frozenset({"ownerInfo", "leadMetadataInfo", "associatedEntityInfo", "form", "referenceInfo"})


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may go on. `name` is what LinkedIn calls it, `raw` its query as it came; `mask` None: no fields are named."""

    name: str
    version: str
    query: Mapping[str, Value]
    mask: Mask | None
    raw: str
    path: str


class Gateway:
    """Lets calls in and answers them, for a stand-in."""

    def __init__(self, stand_in: "StandIn") -> None:
        self._stand_in = stand_in
        self.reset()

    def reset(self) -> None:
        """Forget how often was called."""
        self._used: Counter[tuple[str, str]] = Counter()

    async def admitted(
        self, request: Request, name: str, scope: str, takes: frozenset[str] = frozenset()
    ) -> Call | Response:
        """Return a call that may go on, else LinkedIn's refusal. `takes` are the parameters that it knows."""
        if hindered := await self._stand_in.hindered(request):
            return hindered
        version = request.headers.get("linkedin-version", "")
        if not version:
            told = "A version must be present. Please specify a version by adding the LinkedIn-Version header."
            return self.refuse((400, None, "VERSION_MISSING", told))
        if self._fault("version_gone") or version not in self._stand_in.set["versions"]:
            return self.refuse((426, None, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active"))
        token = self._token(request)
        if isinstance(token, Response):
            return token
        if refusal := next((one for fault, one in REFUSALS.items() if self._fault(fault)), None):
            return self.refuse(refusal, name)
        raw = request.scope["query_string"].decode("latin-1")
        query, mask = _read(raw)
        call = Call(name, version, query or {}, mask, raw, request.url.path.removeprefix(self._stand_in.path))
        reach = token.scopes | {PAGES} if PAGES_WRITTEN in token.scopes else token.scopes
        if scope not in reach or self._fault("access_denied"):
            return self.denied(call)
        knows_structure = "(" not in raw or request.headers.get("x-restli-protocol-version") == "2.0.0"
        is_finder = call.query.get("q", "") == name.partition(".FINDER-")[2]
        if query is None or not knows_structure or not is_finder or not takes | {"q"} >= query.keys():
            return self.bad_request()
        return self.refuse(REFUSALS["day_limit"], name) if self._is_used_up(name) else call

    def list(self, call: Call, rows: Sequence[Mapping[str, Any]], *, by_token: bool = False) -> Response:
        """Return one page of a list."""
        most = int(self._stand_in.set["mostOnAPage"])
        shown = [_picked(call, one) for one in rows]
        try:
            if by_token:
                page = page_by_token(shown, call.query, most=most)
            else:
                is_endless = bool(self._fault("endless"))
                page = page_by_number(shown, call.query, most=most, path=call.path, raw=call.raw, is_endless=is_endless)
        except ValueError:
            return self.bad_request()
        if self._fault("no_total") and not by_token:
            page["paging"] = {"start": page["paging"]["start"], "count": page["paging"]["count"], "links": []}
        self._stand_in.note(call.name, found=len(page["elements"]))
        return JSONResponse(page)

    def give(self, call: Call, whole: Mapping[str, Any]) -> Response:
        """Return one thing."""
        self._stand_in.note(call.name)
        return JSONResponse(_picked(call, whole))

    def denied(self, call: Call) -> Response:
        """Refuse a call for which a scope or a role is missing."""
        told = f"Not enough permissions to access: {call.name}.{call.version}01"
        return self.refuse((403, 100, "ACCESS_DENIED", told))

    def not_found(self) -> Response:
        """Refuse a call for something that is not there, or that the person may not see."""
        return self.refuse(REFUSALS["not_found"])

    def bad_request(self) -> Response:
        """Refuse a call that can't be read."""
        return self.refuse(REFUSALS["bad_request"])

    def wrong_field(self, name: str, why: str) -> Response:
        """Refuse one field, in the newer kind of error."""
        told = f"{name} can't be set: {why}"
        one = {
            "code": "INVALID_VALUE_FOR_FIELD",
            "description": told,
            "input": {"inputPath": {"fieldPath": name}},
        }
        return self.refuse((400, None, "INVALID_VALUE_FOR_FIELD", told), errorDetails={"inputErrors": [one]})

    def refuse(self, refusal: Refusal, name: str | None = None, **more: Any) -> Response:
        """Return an error; `name` is noted as the call that it refuses."""
        status, number, code, message = refusal
        self._stand_in.note(code or str(status), **({"call": name} if name else {}))
        body: dict[str, Any] = {"message": message, "status": status}
        if number is not None:
            body["serviceErrorCode"] = number
        if code is not None:
            body["code"] = code
        return JSONResponse(body | more, status, {"x-li-uuid": "AAYSandbox==", "x-li-fabric": "sandbox"})

    def _token(self, request: Request) -> Token | Response:
        assert self._stand_in.consent
        # Only the header counts here.
        shown = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not shown:
            return self.refuse((401, 401, None, "Empty oauth2_access_token"))
        token = self._stand_in.consent.find(shown)
        if token.is_alive and not token.is_refresh:
            return token
        return self.refuse(REFUSALS[_DEAD.get(token.why_dead or "", "token_invalid")])

    def _is_used_up(self, name: str) -> bool:
        """Count a call; return whether it was one too many today. Days begin at 00:00 UTC."""
        most = self._stand_in.set["callsPerDay"]
        today = (f"{self._stand_in.world.now().astimezone(UTC):%Y-%m-%d}", name)
        self._used[today] += 1
        return most is not None and self._used[today] > most

    def _fault(self, name: str) -> Any:
        return self._stand_in.fault(name)


def _read(raw: str) -> tuple[dict[str, Value] | None, Mask | None]:
    """Return parameters and mask of a query; no parameters where it can't be read."""
    try:
        query = parameters(raw)
        return query, mask_of(str(query["fields"])) if "fields" in query else None
    except ValueError:
        return None, None


def _picked(call: Call, whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for."""
    if call.mask is not None:
        return picked(whole, call.mask)
    return {name: value for name, value in whole.items() if name not in _ONLY_WHEN_NAMED}
