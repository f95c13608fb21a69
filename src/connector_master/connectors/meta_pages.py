"""Meta's pages: which of them a grant reaches, and what it takes that their leads are announced to us.

Two subscriptions are needed: the app's, once, which names our address, and each page's, to the app.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connector_master.connectors.graph import Fault, Graph
from connector_master.connectors.meta_calls import app_graph, as_page, as_str, get, graph_of, is_true, rows
from connector_master.connectors.meta_notices import decimal
from connector_master.connectors.oauth import Account, Callback, Grant
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import BadProviderRequest, PermissionMissing, ProviderUnavailable, TokenRefused
from connector_master.model.words import Words
from connector_master.outbound.client import Client

LEADS = "leadgen"
OUR_PATH = "/api/connectors/meta/"

_LIMIT = "100"
_INSTAGRAM = "instagram_business_account{id,username}"
_FIELDS = f"id,name,access_token,category,tasks,{_INSTAGRAM}"
_FEW_FIELDS = "id,name,access_token,category,tasks"
_FEWEST_FIELDS = "id,name,access_token"
_TASK = "ADVERTISE"


async def accounts(client: Client, grant: Grant, settings: Any) -> list[Account]:
    """Return every page that the token reaches; a page's own token reaches that one. Raises what Graph's errors mean."""
    graph = await graph_of(client, grant, settings)
    try:
        found = await _listed(graph, "me/accounts")
    except (BadProviderRequest, PermissionMissing):
        if (own := await _own_page(graph, grant)) is None:
            raise
        return [own]
    if found:
        return found
    if own := await _own_page(graph, grant):
        return [own]
    # A system user's pages can be assigned to it without being among its accounts.
    try:
        return await _listed(graph, "me/assigned_pages")
    except (BadProviderRequest, PermissionMissing):
        return []


async def subscribe(client: Client, grant: Grant, settings: Any, account: Account, callback: Callback) -> None:
    """Subscribe the page to the app, and the app to our address where it has none of ours, or that of a connector which
    is gone. Raises what Graph's errors mean.
    """
    graph = await graph_of(client, grant, settings)
    app_id = await _app_id(graph, grant)
    await as_page(grant, graph, account, lambda page: _subscribe_page(page, account.id, app_id))
    if grant.app is not None and callback.verify_token is not None:
        await _subscribe_app(app_graph(client, grant.app, settings), grant.app.id, callback)


async def unsubscribe(client: Client, grant: Grant, settings: Any, account: Account, callback: Callback) -> None:
    """Take the page's subscription back. The app's stays: all pages of all connectors hang on it."""
    graph = await graph_of(client, grant, settings)
    try:
        await as_page(grant, graph, account, lambda page: page.delete(f"{account.id}/subscribed_apps"))
    except TokenRefused:
        # With the token's end Meta has ended the subscription too.
        return


async def is_subscribed(grant: Grant, graph: Graph, account: Account) -> bool:
    """Return whether leads of this page are announced to the app. Raises what Graph's errors mean."""
    app_id = await _app_id(graph, grant)
    fields = await as_page(grant, graph, account, lambda page: _page_fields(page, account.id, app_id))
    return fields is not None and (not fields or LEADS in fields)


async def app_subscription(client: Client, grant: Grant, settings: Any) -> dict[str, Json] | None:
    """Return the app's subscription to pages' changes, None where it has none or can't be asked."""
    if grant.app is None:
        return None
    return await _app_subscription(app_graph(client, grant.app, settings), grant.app.id)


def is_ours(subscription: Mapping[str, Json], own: str | None = None) -> bool:
    """Return whether an app's subscription leads to one of our addresses (at the host of `own`), and brings leads."""
    url = urlsplit(as_str(subscription.get("callback_url")) or "")
    is_here = own is None or url.netloc.lower() == urlsplit(own).netloc.lower()
    is_active = subscription.get("active", True) is not False
    return is_active and is_here and _prefix(url.path, own) and LEADS in _names(subscription.get("fields"))


# ---- pages ----------------------------------------------------------------------------------------------


async def _listed(graph: Graph, path: str) -> list[Account]:
    found: dict[str, Account] = {}
    asked = (_FIELDS, _FEW_FIELDS, _FEWEST_FIELDS)
    async for page in rows(graph, path, {"limit": _LIMIT}, *asked):
        for one in page:
            if (id_ := decimal(one.get("id"))) is not None:
                found.setdefault(id_, _account(id_, one))
    return list(found.values())


def _account(id_: str, page: Mapping[str, Json]) -> Account:
    tasks = [one for one in as_list(page.get("tasks")) if isinstance(one, str)]
    instagram = as_object(page.get("instagram_business_account"))
    details: dict[str, Json] = {
        "category": as_str(page.get("category")),
        "tasks": list(tasks),
        "instagramId": decimal(instagram.get("id")),
        "instagramName": as_str(instagram.get("username")),
    }
    reason = None
    if _TASK not in tasks:
        reason = Words(
            "Your role on this page lacks the task %(task)s (it has: %(tasks)s), and Meta gives leads to nobody without it. "
            "Have an administrator of the page give you full control, or the task Ads, then connect again.",
            task=_TASK,
            tasks=", ".join(tasks) or Words("none"),
        )
    return Account(
        id=id_,
        name=as_str(page.get("name")) or id_,
        kind="page",
        is_selectable=reason is None,
        reason=reason,
        token=as_str(page.get("access_token")),
        details={name: value for name, value in details.items() if value is not None},
    )


async def _own_page(graph: Graph, grant: Grant) -> Account | None:
    """Return the page whose own token this is, None for a person's or a system user's."""
    me = await graph.ask("me", {"fields": "id,name,category"})
    if isinstance(me, Fault):
        # Only pages have a category.
        return None
    id_ = decimal(me.get("id"))
    if id_ is None or (as_str(me.get("category")) is None and await _kind(graph) != "PAGE"):
        return None
    name, category = as_str(me.get("name")) or id_, as_str(me.get("category"))
    return Account(id=id_, name=name, kind="page", details={"category": category} if category else {})


async def _kind(graph: Graph) -> str | None:
    answer = await graph.ask("debug_token", {"input_token": graph.token})
    return None if isinstance(answer, Fault) else as_str(as_object(answer.get("data")).get("type"))


# ---- subscriptions --------------------------------------------------------------------------------------


async def _app_id(graph: Graph, grant: Grant) -> str | None:
    """Return the id of the token's app, None where nobody tells it."""
    if grant.app is not None:
        return grant.app.id
    answer = await graph.ask("debug_token", {"input_token": graph.token})
    return None if isinstance(answer, Fault) else decimal(as_object(answer.get("data")).get("app_id"))


async def _subscribe_page(page: Graph, page_id: str, app_id: str | None) -> None:
    fields = await _page_fields(page, page_id, app_id)
    if fields is not None and LEADS in fields:
        return
    # A new list takes the old one's place.
    wanted = ",".join(dict.fromkeys((*(fields or ()), LEADS)))
    answer = await page.post(f"{page_id}/subscribed_apps", {"subscribed_fields": wanted})
    if not is_true(answer):
        raise ProviderUnavailable("Meta did not say that it has subscribed the page.")
    made = await _page_fields(page, page_id, app_id)
    if made is None or (made and LEADS not in made):
        raise ProviderUnavailable("Meta took the page's subscription, but does not list it (yet).")


async def _page_fields(page: Graph, page_id: str, app_id: str | None) -> list[str] | None:
    """Return the fields that the page is subscribed to for this app (empty: untold), None where it is not."""
    async for listed in rows(page, f"{page_id}/subscribed_apps", {"limit": _LIMIT}, "id,name,subscribed_fields", "id"):
        for app in listed:
            if app_id is None or as_id(app.get("id")) == app_id:
                return _names(app.get("subscribed_fields"))
    return None


async def _subscribe_app(graph: Graph, app_id: str, callback: Callback) -> None:
    known = await _app_subscription(graph, app_id)
    if known is not None and is_ours(known, callback.url) and _is_reached(known, callback):
        return
    form = {
        "object": "page",
        "callback_url": callback.url,
        "fields": ",".join(dict.fromkeys((*(_names(known.get("fields")) if known else ()), LEADS))),
        "verify_token": callback.verify_token or "",
        "include_values": "true",
    }
    if not is_true(await graph.post(f"{app_id}/subscriptions", form=form)):
        raise ProviderUnavailable("Meta did not say that it has taken our address for the app.")


async def _app_subscription(graph: Graph, app_id: str) -> dict[str, Json] | None:
    answer = await get(graph, f"{app_id}/subscriptions")
    found = [one for one in as_list(answer.get("data")) if isinstance(one, dict) and one.get("object") == "page"]
    return next(iter(found), None)


def _is_reached(subscription: Mapping[str, Json], callback: Callback) -> bool:
    """Return whether there still is a connector at the address to which an app's subscription leads."""
    path = urlsplit(as_str(subscription.get("callback_url")) or "").path
    return callback.webhook_ids is None or path.rstrip("/").rpartition("/")[2] in callback.webhook_ids


def _prefix(path: str, own: str | None) -> bool:
    """Return whether a path is a door of ours, also where the hub lies beneath a path."""
    if own is None:
        return OUR_PATH in path
    before, found, _ = urlsplit(own).path.partition(OUR_PATH)
    return path.startswith(before + found) if found else path.startswith(OUR_PATH)


def _names(value: Json) -> list[str]:
    """Return the names of fields, listed as texts or as objects."""
    listed = [one.get("name") if isinstance(one, dict) else one for one in as_list(value)]
    return [one for one in listed if isinstance(one, str)]


def as_id(value: Json) -> str | None:
    """Return an app's id as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else as_str(value)
