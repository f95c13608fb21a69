"""Calls to LinkedIn's REST API in the name of a grant: versioned, page by page, and not while it asks to be left alone."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from connector_master.connectors.linkedin_errors import fault_in, problem_of
from connector_master.connectors.linkedin_patience import Patience
from connector_master.connectors.linkedin_restli import address, text
from connector_master.connectors.oauth import Grant
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import ProviderLimited, ProviderUnavailable
from connector_master.outbound.client import Answer, Client
from connector_master.outbound.memory import Memory

BASE = "https://api.linkedin.com"
DEFAULT_VERSION = "202609"
PAGE_SIZE = 100

_MOST_PAGES = 5_000
_PATIENCE_SECONDS = 2 * 86_400

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rest:
    """The API with one token, at one version. Every call raises what LinkedIn's error means (linkedin_errors.py)."""

    client: Client
    token: str = field(repr=False)
    version: str
    memory: Memory = field(repr=False)

    async def get(self, resource: str, fields: str | None = None) -> dict[str, Json]:
        """Return the object at `resource`, whose ids are encoded."""
        return await self._object("get", resource, address(resource, None, fields))

    async def rows(
        self, resource: str, asked: Mapping[str, Json], fields: str | None = None
    ) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield what a finder finds, page by page.

        The call for the next page is made anew: the address that LinkedIn names could be anybody's.
        """
        place: dict[str, Json] = {"count": PAGE_SIZE, "start": 0}
        last: list[Json] = []
        for _ in range(_MOST_PAGES):
            page = await self._object("find", resource, address(resource, {**asked, **place}, fields))
            elements = page.get("elements")
            if not isinstance(elements, list):
                raise ProviderUnavailable("LinkedIn sent no list where one was asked for.")
            if elements and elements == last:
                break
            last = elements
            yield [one for one in elements if isinstance(one, dict)]
            following = _next_place(page, place, len(elements))
            if following is None:
                return
            place = following
        raise ProviderUnavailable("LinkedIn's pages do not end: one was followed by itself.")

    async def create(self, resource: str, body: Mapping[str, Json]) -> None:
        """Make something. Its id comes in a header, and often nothing else does."""
        patience = await self._patience("create", resource)
        answer = await self.client.post(address(resource), json=dict(body), headers=self._headers())
        self._read(resource, patience, answer)

    async def delete(self, resource: str) -> None:
        """Take away what `resource` names."""
        patience = await self._patience("delete", resource)
        self._read(resource, patience, await self.client.delete(address(resource), headers=self._headers()))

    async def _object(self, method: str, resource: str, path: str) -> dict[str, Json]:
        patience = await self._patience(method, resource)
        answer = await self.client.get(path, headers=self._headers())
        self._read(resource, patience, answer)
        body = answer.json()
        if not isinstance(body, dict):
            raise ProviderUnavailable(f"LinkedIn sent something else than an object (HTTP {answer.status}).")
        return body

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "LinkedIn-Version": self.version,
            "X-Restli-Protocol-Version": "2.0.0",
        }

    async def _patience(self, method: str, resource: str) -> Patience:
        """Return what is known of an endpoint. Raises ProviderLimited while it is to be left alone."""
        # Ids are no part of an endpoint: adAccounts/…/creatives.
        key = f"linkedin patience {method} {'/'.join(resource.split('/')[::2])}"
        patience: Patience = await self.memory.get(key, _new_patience, seconds=_PATIENCE_SECONDS)
        if (rest := patience.rest_seconds()) is not None:
            raise ProviderLimited("LinkedIn was asked too often, and is left alone.", retry_after_seconds=rest)
        return patience

    def _read(self, resource: str, patience: Patience, answer: Answer) -> None:
        fault = fault_in(answer)
        if fault is None:
            patience.note_answer()
            return
        # What LinkedIn's support asks for.
        log.info("linkedin_refused", status=fault.status, code=fault.code, request_id=fault.request_id)
        rest = None
        if fault.is_limit:
            rest = patience.note_limit(
                datetime.now(UTC), is_of_the_day=fault.is_of_the_day, asked_seconds=fault.rests_seconds
            )
        raise problem_of(fault, resource, self.version, self.token, rests_seconds=rest)


def rest_of(client: Client, grant: Grant, settings: Any) -> Rest:
    """Return the API with the grant's token, at the version that the settings name."""
    return Rest(client, grant.access_token, settings.api_version, grant.memory)


def _next_place(page: Mapping[str, Json], place: Mapping[str, Json], found: int) -> dict[str, Json] | None:
    """Return where the next page begins, None after the last one."""
    if not found:
        return None
    if token := text(as_object(page.get("metadata")).get("nextPageToken")):
        return {"pageSize": PAGE_SIZE, "pageToken": token}
    paging = as_object(page.get("paging"))
    if "pageToken" in place or ("metadata" in page and not paging):
        return None
    start = (_whole(place.get("start")) or 0) + found
    total, size = _whole(paging.get("total")), _whole(paging.get("count")) or PAGE_SIZE
    has_next = any(as_object(one).get("rel") == "next" for one in as_list(paging.get("links")))
    # A server may put less on a page than was asked for.
    is_last = not has_next and (start >= total if total is not None else found < size)
    return None if is_last else {"count": PAGE_SIZE, "start": start}


def _whole(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


async def _new_patience() -> Patience:
    return Patience()
