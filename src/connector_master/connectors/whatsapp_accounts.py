"""WhatsApp's numbers: which of them a token reaches, and that messages to their business account are pushed to the app."""

from collections.abc import AsyncIterator
from typing import Any

from connector_master.connectors.graph import Fault, Graph
from connector_master.connectors.meta_notices import decimal
from connector_master.connectors.oauth import Account, Callback, Grant
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import BadProviderRequest, ProviderUnavailable
from connector_master.model.words import Words
from connector_master.outbound.client import Client

_FIELDS = "id,display_phone_number,verified_name,quality_rating,status,platform_type"
_FEW_FIELDS = "id,display_phone_number,verified_name"
_LIMIT = "100"
_MOST_PAGES = 20
_SCOPE = "whatsapp_business_management"
_ENTER = "Enter the WhatsApp Business account ID, which stands beside the phone number ID under WhatsApp, API setup."


async def accounts(client: Client, grant: Grant, settings: Any) -> list[Account]:
    """Return the numbers of the business account that was entered, or of those that the token was made for.

    Raises what Graph's errors mean, and BadProviderRequest where no business account is known.
    """
    graph = _graph(client, grant, settings)
    entered = grant.credentials.business_account_id
    found: dict[str, Account] = {}
    for business in [entered] if entered else await _businesses(graph):
        async for number in _numbers(graph, business):
            if (id_ := decimal(number.get("id"))) is not None:
                found.setdefault(id_, _account(id_, number, business))
    return list(found.values())


async def subscribe(client: Client, grant: Grant, settings: Any, account: Account, callback: Callback) -> None:
    """Have the messages of the number's business account pushed to the token's app. Raises what Graph's errors mean.

    The app's own callback address is entered once on its page at Meta.
    """
    graph = _graph(client, grant, settings)
    business = decimal(account.details.get("businessAccountId")) or grant.credentials.business_account_id
    if business is None:
        raise BadProviderRequest("Which business account the number belongs to is not known.", remedy=_ENTER)
    if await _is_subscribed(graph, business):
        return
    answer = await graph.post(f"{business}/subscribed_apps")
    if answer.get("success") not in (True, "true"):
        raise ProviderUnavailable("Meta did not say that it has subscribed the app to the business account.")


def _graph(client: Client, grant: Grant, settings: Any) -> Graph:
    return Graph(client, grant.access_token, settings.api_version, grant.credentials.app_secret)


async def _businesses(graph: Graph) -> list[str]:
    """Return the business accounts that the token was made for."""
    about = await _about_token(graph)
    ids = [
        decimal(id_)
        for scope in map(as_object, as_list(about.get("granular_scopes")))
        if scope.get("scope") == _SCOPE
        for id_ in as_list(scope.get("target_ids"))
    ]
    found = list(dict.fromkeys(id_ for id_ in ids if id_ is not None))
    if not found:
        raise BadProviderRequest("Meta does not tell for which WhatsApp Business account the token is.", remedy=_ENTER)
    return found


async def _about_token(graph: Graph) -> dict[str, Json]:
    answer = await graph.ask("debug_token", {"input_token": graph.token})
    return {} if isinstance(answer, Fault) else as_object(answer.get("data"))


async def _numbers(graph: Graph, business: str) -> AsyncIterator[dict[str, Json]]:
    after: str | None = None
    for _ in range(_MOST_PAGES):
        query = {"limit": _LIMIT} | ({"after": after} if after else {})
        page = await graph.ask(f"{business}/phone_numbers", {"fields": _FIELDS} | query)
        # One field that the token may not read fails them all.
        if isinstance(page, Fault) and page.code == 100 and not page.is_invisible:
            page = await graph.ask(f"{business}/phone_numbers", {"fields": _FEW_FIELDS} | query)
        if isinstance(page, Fault):
            raise page.problem()
        for one in as_list(page.get("data")):
            yield as_object(one)
        paging = as_object(page.get("paging"))
        cursor = _text(as_object(paging.get("cursors")).get("after"))
        # The last page has cursors too, but no next one.
        if "next" not in paging or cursor is None or cursor == after:
            return
        after = cursor


def _account(id_: str, number: dict[str, Json], business: str) -> Account:
    shown, name = _text(number.get("display_phone_number")), _text(number.get("verified_name"))
    platform = _text(number.get("platform_type"))
    details: dict[str, Json] = {
        "phoneNumber": shown,
        "businessAccountId": business,
        "status": _text(number.get("status")),
        "qualityRating": _text(number.get("quality_rating")),
    }
    reason = None
    if platform not in (None, "CLOUD_API"):
        reason = Words(
            "It is not registered for the Cloud API (%(platform)s): register it in WhatsApp Manager.", platform=platform
        )
    return Account(
        id=id_,
        name=f"{name} ({shown})" if name and shown else name or shown or id_,
        kind="number",
        is_selectable=reason is None,
        reason=reason,
        details={name: value for name, value in details.items() if value is not None},
    )


async def _is_subscribed(graph: Graph, business: str) -> bool:
    answer = await graph.get(f"{business}/subscribed_apps")
    apps = [
        as_object(as_object(one).get("whatsapp_business_api_data")).get("id") for one in as_list(answer.get("data"))
    ]
    app_id = (await _about_token(graph)).get("app_id")
    return str(app_id) in map(str, apps) if app_id is not None else bool(apps)


def _text(value: Json) -> str | None:
    """Return a text, or a whole number as text; None for a blank one and for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None
