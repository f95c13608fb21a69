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
from connector_master.model.words import Words, sentences
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
    names = ", ".join(page.name for page in grant.accounts or pages if page.is_selectable) or Words("no page")
    details = found.details | {"problems": list(found.wrong), "warnings": list(found.doubtful)}
    if found.wrong:
        return Check(False, sentences(*found.wrong), details)
    who = as_str(me.get("name")) or Words("unknown")
    connected = Words("Connected as %(who)s, with %(pages)s.", who=who, pages=names)
    return Check(True, sentences(connected, *found.doubtful), details)


async def _judge_token(client: Client, graph: Graph, grant: Grant, settings: Any, found: _Findings) -> None:
    asks = graph if grant.app is None else app_graph(client, grant.app, settings)
    answer = await asks.ask("debug_token", {"input_token": grant.access_token})
    if isinstance(answer, Fault):
        found.doubtful.append(sentences(Words("What the token may do can't be asked."), answer.problem().detail))
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
        reason = told.reason or Words("Meta says that the token is not valid.")
        found.wrong.append(sentences(reason, Words("Connect again.")))
    app_id = data.get("app_id")
    if grant.app is not None and app_id is not None and str(app_id) != grant.app.id:
        found.wrong.append(
            Words("The token was made for another app: enter that app's id and secret, or connect again.")
        )
    if told.scopes is not None:
        if lacking := [scope for scope in SCOPES if scope not in told.scopes]:
            found.wrong.append(Words("The token lacks %(scopes)s: connect again and agree to it.", scopes=lacking))
        if settings.ad_details and (lacking := [scope for scope in AD_SCOPES if scope not in told.scopes]):
            found.doubtful.append(Words("Without %(scopes)s leads may lack campaign, ad set and ad.", scopes=lacking))
    if told.expires_at is not None and _is_soon(told.expires_at):
        day = told.expires_at.date()
        found.doubtful.append(Words("The token ends on %(day)s: connect again before that.", day=day))
    if told.ends_at is not None and _is_soon(told.ends_at):
        day = told.ends_at.date()
        found.doubtful.append(Words("The access to people's data ends on %(day)s: connect again before that.", day=day))


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
                Words(
                    "The token does not reach the page %(page)s any more: connect again and tick the page.",
                    page=page.name,
                )
            )
            continue
        if known.reason:
            found.wrong.append(Words("%(account)s: %(problem)s", account=page.name, problem=Words(known.reason)))
        try:
            about["subscribed"] = await is_subscribed(grant, graph, page)
        except Permanent as problem:
            said = sentences(problem.detail, problem.remedy)
            found.wrong.append(Words("%(account)s: %(problem)s", account=page.name, problem=said))
            continue
        if not about["subscribed"]:
            found.wrong.append(
                Words(
                    "The page %(page)s is not subscribed, so its leads are not announced: choose it again.",
                    page=page.name,
                )
            )
    found.details["pages"] = shown
    if not any(page.is_selectable for page in pages):
        found.wrong.append(
            Words("The token reaches no page whose leads it may read: get the task Ads on the page, connect again.")
        )
    elif not grant.accounts:
        found.doubtful.append(Words("No page is chosen yet."))


async def _judge_app(client: Client, grant: Grant, settings: Any, found: _Findings) -> None:
    if grant.app is None:
        found.doubtful.append(
            Words(
                "Without app ID and app secret it can't be seen whether the app sends its webhooks here, and no push can be "
                "checked."
            )
        )
        return
    try:
        subscription = await app_subscription(client, grant, settings)
    except Permanent as problem:
        found.wrong.append(sentences(problem.detail, problem.remedy))
        return
    found.details["callbackUrl"] = as_str(subscription.get("callback_url")) if subscription is not None else None
    if subscription is None or not is_ours(subscription):
        found.wrong.append(
            Words(
                "The app does not send changes of pages (field leadgen) to this hub: choose the pages again, or enter the "
                "connector's webhook URL and verify token on the app's page Webhooks."
            )
        )


def _is_soon(moment: datetime) -> bool:
    return (moment - datetime.now(UTC)).days < _SOON_DAYS


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
