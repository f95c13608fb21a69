"""Meta's OAuth: short-lived tokens changed for those of sixty days, and what is asked of a token afterwards.

Meta knows no refresh tokens: a token that is alive is changed for a fresh one. Its errors at the token address are Graph's.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_master.connectors import graph
from connector_master.connectors.graph import Fault, Graph, read_answer
from connector_master.connectors.meta_calls import app_graph, as_str, get
from connector_master.connectors.meta_notices import decimal
from connector_master.connectors.meta_requests import is_signed, person_in
from connector_master.connectors.oauth import Address, App, Inspected, OAuth, Renounced, Tokens
from connector_master.connectors.words import tell
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    BadProviderRequest,
    Problem,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Client

SCOPES = ("leads_retrieval", "pages_show_list", "pages_manage_metadata", "pages_read_engagement")
AD_SCOPES = ("ads_management", "pages_manage_ads")
BUSINESS_SCOPE = "business_management"

_TOKEN_PATH = "/{version}/oauth/access_token"  # noqa: S105 (an address, not a secret)
_CODE = re.compile(r"(?:authorization|verification) code(?!.*redirect_uri)", re.IGNORECASE)
_LATEST = 253_402_300_799
_LONGEST_LIFE = 10 * 366 * 86_400


def more_scopes(settings: Any) -> tuple[str, ...]:
    """Return what is asked for besides, and can be declined."""
    return (
        *(AD_SCOPES if settings.ad_details else ()),
        *((BUSINESS_SCOPE,) if settings.business_pages else ()),
    )


async def lengthen(client: Client, app: App, settings: Any, tokens: Tokens) -> Tokens:
    """Return a token of about sixty days for one that is alive. Raises what Graph's errors mean."""
    query = {
        "grant_type": "fb_exchange_token",
        "client_id": app.id,
        "client_secret": app.secret,
        "fb_exchange_token": tokens.access_token,
    }
    answer = await client.get(_TOKEN_PATH.format(version=settings.api_version), query)
    body = read_answer(answer, tokens.access_token, app.secret)
    if isinstance(body, Fault):
        raise body.problem()
    token = as_str(body.get("access_token"))
    if token is None:
        raise ProviderUnavailable("Meta answered the exchange of the token without a token.")
    longer = replace(tokens, access_token=token, expires_at=_after(body.get("expires_in")))
    try:
        found = await inspect(client, app, settings, token)
    except Problem:
        # The token is good; its dates are asked for again every day.
        return longer
    return replace(
        longer,
        expires_at=longer.expires_at or found.expires_at,
        ends_at=found.ends_at or longer.ends_at,
        person=found.person or longer.person,
    )


async def granted(client: Client, app: App, settings: Any, tokens: Tokens) -> frozenset[str]:
    """Return the permissions that the person has granted. Raises what Graph's errors mean."""
    own = Graph(client, tokens.access_token, settings.api_version, app.secret)
    answer = await own.ask("me/permissions")
    if isinstance(answer, Fault):
        problem = answer.problem()
        if not isinstance(problem, BadProviderRequest):
            raise problem
        # A page has no permissions of its own, but its token has scopes.
        found = await inspect(client, app, settings, tokens.access_token)
        return found.scopes or frozenset()
    listed = [as_object(one) for one in as_list(answer.get("data"))]
    names = [as_str(one.get("permission")) for one in listed if one.get("status") == "granted"]
    return frozenset(name for name in names if name)


async def inspect(client: Client, app: App, settings: Any, token: str) -> Inspected:
    """Return what Meta says of a token. After `ends_at` a person has to agree again. Raises what Graph's errors mean."""
    answer = await get(app_graph(client, app, settings), "debug_token", {"input_token": token})
    return inspected(as_object(answer.get("data")))


def inspected(data: dict[str, Json]) -> Inspected:
    """Return what debug_token's `data` says."""
    scopes = data.get("scopes")
    is_alive = data.get("is_valid") is True
    return Inspected(
        is_alive=is_alive,
        expires_at=_moment(data.get("expires_at")),
        ends_at=_moment(data.get("data_access_expires_at")),
        scopes=frozenset(one for one in scopes if isinstance(one, str)) if isinstance(scopes, list) else None,
        reason=None if is_alive else _why_dead(as_object(data.get("error"))),
        person=decimal(data.get("user_id")),
    )


async def revoke(client: Client, app: App | None, settings: Any, tokens: Tokens) -> None:
    """Take all permissions back. A token that is dead already has none. Raises what Graph's other errors mean."""
    secret = app.secret if app is not None else None
    try:
        await Graph(client, tokens.access_token, settings.api_version, secret).delete("me/permissions")
    except TokenRefused:
        return


def explain(error: str, description: str) -> Problem | None:
    """Return what an `error` means, from the browser's return or from the token address; None for an unknown one.

    The token address answers in Graph's form: there the kind of error (`OAuthException`) stands for it, and its message
    describes it.
    """
    if error == "access_denied":
        return AuthorizationNeeded(
            tell("Access was not granted at Facebook (access_denied)", description),
            remedy="Choose Connect again, and agree to every permission and to the pages whose leads you want.",
        )
    if error in ("invalid_scope", "invalid_scopes"):
        return AppRefused(
            tell(f"The app may not ask for these permissions ({error})", description),
            remedy="Add the permissions to the app at Meta (use case for leads; App Review for other people's pages), or "
            "switch off in the settings what you don't need, then connect again.",
        )
    if error in ("invalid_client", "unauthorized_client"):
        return AppRefused(
            tell(f"Meta does not accept the app's id or secret ({error})", description),
            remedy="Copy app ID and app secret again from the app's page at Meta (App settings, Basic).",
        )
    if _CODE.search(description):
        return AuthorizationNeeded(
            tell("Meta did not take the code that it had sent with the browser", description),
            remedy="Choose Connect again: a code is good once, and for ten minutes.",
        )
    if error in ("OAuthException", "GraphMethodException"):
        problem = Fault(1, 0, graph.tidy(description)).problem()
        return problem if isinstance(problem, AppRefused) else None
    return None


OAUTH = OAuth(
    browser=Address("https://www.facebook.com", "META_OAUTH_URL"),
    server=Address(graph.BASE, "META_GRAPH_URL"),
    authorize_path="/{version}/dialog/oauth",
    token_path=_TOKEN_PATH,
    scopes=SCOPES,
    app=("appId", "appSecret"),
    app_setting="META",
    more_scopes=more_scopes,
    scope_separator=",",
    uses_pkce=False,
    # Without it nobody is asked again for what was declined once.
    asks={"auth_type": "rerequest"},
    tokens_by_get=True,
    has_refresh_tokens=False,
    lengthen=lengthen,
    granted=granted,
    inspect=inspect,
    revoke=revoke,
    explain=explain,
    renews_before=timedelta(days=14),
    renounced=Renounced(person_in, is_signed),
)


def _why_dead(error: dict[str, Json]) -> str:
    told = graph.tidy(as_str(error.get("message")) or "Meta says that the token is not valid.")
    code, subcode = error.get("code"), error.get("subcode")
    if isinstance(code, int) and isinstance(subcode, int | None):
        return Fault(code, subcode or 0, told).problem().detail
    return told


def _after(seconds: Json) -> datetime | None:
    """Return the moment that lies so many seconds ahead, None where nothing is told."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
        return None
    return datetime.now(UTC) + timedelta(seconds=min(seconds, _LONGEST_LIFE))


def _moment(value: Json) -> datetime | None:
    """Return a moment in seconds since 1970; None for 0, which is never."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return None
    return datetime.fromtimestamp(min(value, _LATEST), UTC)
