"""Meta's connection test: whose token it is, which pages it reaches, whether their leads are announced, how long it lives."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector_master.connectors.connector import Check
from connector_master.connectors.graph import Fault, Graph
from connector_master.connectors.meta_calls import app_graph, as_str, get, graph_of
from connector_master.connectors.meta_oauth import AD_SCOPES, SCOPES, inspected
from connector_master.connectors.meta_pages import accounts, app_subscription, is_ours, is_subscribed
from connector_master.connectors.oauth import Account, Grant
from connector_master.model.json import Json, as_object
from connector_master.model.problem import Permanent
from connector_master.outbound.client import Client

_SOON_DAYS = 7


@dataclass(slots=True)
class _Findings:
    """What the calls told: `wrong` keeps leads away, `doubtful` may do so one day."""

    wrong: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    details: dict[str, Json] = field(default_factory=dict)


async def check_connection(client: Client, grant: Grant, settings: Any) -> Check:
    """Return what stands between this connector and its leads, each with its remedy. Raises what Graph's errors mean."""
    graph = await graph_of(client, grant, settings)
    me = await get(graph, "me", {"fields": "id,name"})
    found = _Findings(details={"name": as_str(me.get("name"))})
    await _judge_token(client, graph, grant, settings, found)
    pages = await accounts(client, grant, settings)
    await _judge_pages(graph, grant, pages, found)
    await _judge_app(client, grant, settings, found)
    names = ", ".join(page.name for page in grant.accounts or pages if page.is_selectable) or "no page"
    details = found.details | {"problems": list(found.wrong), "warnings": list(found.doubtful)}
    if found.wrong:
        return Check(False, " ".join(found.wrong), details)
    return Check(
        True, " ".join([f"Connected as {as_str(me.get('name')) or 'unknown'}, with {names}.", *found.doubtful]), details
    )


async def _judge_token(client: Client, graph: Graph, grant: Grant, settings: Any, found: _Findings) -> None:
    asks = graph if grant.app is None else app_graph(client, grant.app, settings)
    answer = await asks.ask("debug_token", {"input_token": grant.access_token})
    if isinstance(answer, Fault):
        found.doubtful.append(f"What the token may do can't be asked. {answer.problem().detail}")
        return
    data = as_object(answer.get("data"))
    told = inspected(data)
    found.details |= {
        "tokenType": as_str(data.get("type")),
        "tokenExpiresAt": _shown(told.expires_at),
        "dataAccessExpiresAt": _shown(told.ends_at),
        "scopes": [*sorted(told.scopes)] if told.scopes is not None else None,
    }
    if not told.is_alive:
        found.wrong.append(f"{told.reason or 'Meta says that the token is not valid.'} Connect again.")
    app_id = data.get("app_id")
    if grant.app is not None and app_id is not None and str(app_id) != grant.app.id:
        found.wrong.append("The token was made for another app: enter that app's id and secret, or connect again.")
    if told.scopes is not None:
        if lacking := [scope for scope in SCOPES if scope not in told.scopes]:
            found.wrong.append(f"The token lacks {' and '.join(lacking)}: connect again and agree to it.")
        if settings.ad_details and (lacking := [scope for scope in AD_SCOPES if scope not in told.scopes]):
            found.doubtful.append(f"Without {' and '.join(lacking)} leads may lack campaign, ad set and ad.")
    for moment, what in ((told.expires_at, "The token"), (told.ends_at, "The access to people's data")):
        if moment is not None and (moment - datetime.now(UTC)).days < _SOON_DAYS:
            found.doubtful.append(f"{what} ends on {moment:%Y-%m-%d}: connect again before that.")


async def _judge_pages(graph: Graph, grant: Grant, pages: list[Account], found: _Findings) -> None:
    shown: list[Json] = []
    reached = {page.id: page for page in pages}
    for page in grant.accounts or pages:
        is_chosen = bool(grant.accounts)
        known = reached.get(page.id)
        about: dict[str, Json] = {"id": page.id, "name": page.name, "selectable": bool(known and known.is_selectable)}
        shown.append(about)
        if not is_chosen:
            continue
        if known is None:
            found.wrong.append(
                f"The token does not reach the page {page.name} any more: connect again and tick the page."
            )
            continue
        if known.reason:
            found.wrong.append(f"{page.name}: {known.reason}")
        try:
            about["subscribed"] = await is_subscribed(grant, graph, page)
        except Permanent as problem:
            found.wrong.append(f"{page.name}: {problem.detail} {problem.remedy}")
            continue
        if not about["subscribed"]:
            found.wrong.append(
                f"The page {page.name} is not subscribed, so its leads are not announced: choose it again."
            )
    found.details["pages"] = shown
    if not any(page.is_selectable for page in pages):
        found.wrong.append(
            "The token reaches no page whose leads it may read: get the task Ads on the page, connect again."
        )
    elif not grant.accounts:
        found.doubtful.append("No page is chosen yet.")


async def _judge_app(client: Client, grant: Grant, settings: Any, found: _Findings) -> None:
    if grant.app is None:
        found.doubtful.append(
            "Without app ID and app secret it can't be seen whether the app sends its webhooks here, and no push can be checked."
        )
        return
    try:
        subscription = await app_subscription(client, grant, settings)
    except Permanent as problem:
        found.wrong.append(f"{problem.detail} {problem.remedy}")
        return
    found.details["callbackUrl"] = as_str(subscription.get("callback_url")) if subscription is not None else None
    if subscription is None or not is_ours(subscription):
        found.wrong.append(
            "The app does not send changes of pages (field leadgen) to this hub: choose the pages again, or enter the "
            "connector's webhook URL and verify token on the app's page Webhooks."
        )


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
