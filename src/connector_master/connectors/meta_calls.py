"""Calls to Graph in the name of a grant: with a page's own token, page by page, and never too fast."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from connector_master.connectors.graph import Fault, Graph
from connector_master.connectors.graph_usage import SLOW_FROM, STOP_FROM, Pace
from connector_master.connectors.oauth import Account, App, Grant
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import Problem, ProviderLimited, ProviderUnavailable, TokenRefused
from connector_master.outbound.client import Client

T = TypeVar("T")

_MOST_PAGES = 10_000
_BLOCKED = 368
_BLOCKED_SECONDS = 3_600


async def graph_of(client: Client, grant: Grant, settings: Any, *, is_patient: bool = True) -> Graph:
    """Return Graph with the grant's own token. A patient caller goes on until the allowance is nearly used up."""
    pace: Pace = await grant.memory.get(f"meta pace {digest(grant.access_token)}", _new_pace)
    secret = grant.app.secret if grant.app is not None else grant.credentials.app_secret
    stops_from = STOP_FROM if is_patient else SLOW_FROM
    return Graph(client, grant.access_token, settings.api_version, secret, pace, stops_from)


def app_graph(client: Client, app: App, settings: Any) -> Graph:
    """Return Graph with the app's own token, which is made of its id and secret."""
    return Graph(client, f"{app.id}|{app.secret}", settings.api_version, app.secret)


async def as_page(grant: Grant, graph: Graph, account: Account | None, ask: Callable[[Graph], Awaitable[T]]) -> T:
    """Return what `ask` gives with the page's token.

    A page's token dies with the session that it came of, while the grant may live: then the page's present one is fetched.
    """
    if account is None or account.token is None or account.token == grant.access_token:
        return await ask(graph)
    page = replace(graph, token=account.token)
    try:
        return await ask(page)
    except TokenRefused as refused:
        key = f"meta page {account.id} {digest(grant.access_token)}"

        async def read() -> Json:
            answer = await get(graph, account.id, {"fields": "access_token"})
            return answer.get("access_token")

        token = await grant.memory.get(key, read)
        if not isinstance(token, str) or not token or token == account.token:
            grant.memory.forget(key)
            raise
        try:
            return await ask(replace(graph, token=token))
        except TokenRefused:
            grant.memory.forget(key)
            raise refused from None


async def get(graph: Graph, path: str, query: Mapping[str, str] | None = None) -> dict[str, Json]:
    """Return the object at `path`. Raises what Graph's error means to a source of leads."""
    answer = await graph.ask(path, query)
    if isinstance(answer, Fault):
        raise problem_of(answer)
    return answer


async def ask_some(graph: Graph, path: str, query: Mapping[str, str], *fields: str) -> dict[str, Json] | Fault:
    """Return the object at `path` with the first list of fields that the token may read, or Graph's error."""
    answer: dict[str, Json] | Fault = {}
    for wanted in fields:
        answer = await graph.ask(path, {**query, "fields": wanted})
        if not isinstance(answer, Fault) or not _is_about_fields(answer):
            break
    return answer


async def rows(graph: Graph, path: str, query: Mapping[str, str], *fields: str) -> AsyncIterator[list[dict[str, Json]]]:
    """Yield the objects of a list, page by page. Raises as `get` does.

    The call for the next page is made anew: the address that Meta names holds the token, and could be anybody's.
    """
    after: str | None = None
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        page = await ask_some(graph, path, {**query, **({"after": after} if after else {})}, *fields)
        if isinstance(page, Fault):
            raise problem_of(page)
        if not isinstance(page.get("data"), list):
            raise ProviderUnavailable("Meta sent no list where one was asked for.")
        yield [one for one in as_list(page["data"]) if isinstance(one, dict)]
        paging = as_object(page.get("paging"))
        after = as_str(as_object(paging.get("cursors")).get("after"))
        # The last page has cursors too, but no next one.
        if not paging.get("next") or after is None or after in seen:
            return
        seen.add(after)
    raise ProviderUnavailable(f"Meta's pages do not end: {_MOST_PAGES} were read.")


def problem_of(fault: Fault) -> Problem:
    """Return what an error means here. A block for breaking rules passes, but only slowly, and people have to look."""
    if fault.code != _BLOCKED:
        return fault.problem()
    told = fault.problem()
    return ProviderLimited(told.detail, remedy=told.remedy, retry_after_seconds=fault.rests_seconds or _BLOCKED_SECONDS)


def is_true(answer: Mapping[str, Json]) -> bool:
    """Return whether Graph said `success`, which its documents write as a text and its answers as a boolean."""
    return answer.get("success") in (True, "true")


def as_str(value: Json) -> str | None:
    """Return a text that is not blank, None for anything else."""
    return value.strip() or None if isinstance(value, str) else None


def _is_about_fields(fault: Fault) -> bool:
    """Return whether fewer fields may help: one that the token may not read fails them all."""
    is_permission = fault.code == 10 or 200 <= fault.code < 300
    return is_permission or (fault.code == 100 and not fault.is_invisible and "appsecret_proof" not in fault.message)


async def _new_pace() -> Pace:
    return Pace()


def digest(token: str) -> str:
    """Return what tells one token's memories from another's without holding the token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:32]
