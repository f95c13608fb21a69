"""OAuth 2.0 as a client: the address of consent, and what a provider's token address gives for a code or a refresh token.

RFC 6749 and 7636 by Authlib's own functions, over our guarded client; what a provider does in its own way is told by its
connector (connectors/oauth.py). No detail of a problem holds a token.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from connector_master.connectors.oauth import App, OAuth, Tokens
from connector_master.connectors.words import tell
from connector_master.model.json import Json
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    BadProviderRequest,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.outbound.client import Answer, Client

_LONGEST_TEXT = 300
_BETWEEN_SCOPES = re.compile(r"[\s,]+")


def scopes_of(oauth: OAuth, settings: Any) -> tuple[str, ...]:
    """Return the scopes that are asked for: those that are needed, and those that the settings ask for besides."""
    more = oauth.more_scopes(settings) if oauth.more_scopes is not None else ()
    return tuple(dict.fromkeys((*oauth.scopes, *more)))


def authorization_url(
    oauth: OAuth, base: str, app: App, settings: Any, *, redirect_uri: str, state: str, verifier: str | None
) -> str:
    """Return the address at which a person agrees; with a `verifier` it carries its PKCE S256 challenge."""
    further = dict(oauth.asks)
    if verifier is not None:
        further |= {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
    url: str = prepare_grant_uri(
        base.rstrip("/") + _path(oauth.authorize_path, settings),
        client_id=app.id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=oauth.scope_separator.join(scopes_of(oauth, settings)),
        state=state,
        **further,
    )
    # A plus is a blank only to those who read the query as a form.
    return url.replace("+", "%20")


async def exchange(
    client: Client, oauth: OAuth, app: App, settings: Any, *, code: str, redirect_uri: str, verifier: str | None
) -> Tokens:
    """Return what the code of the browser's return gives, made to live as long as it can.

    Raises AuthorizationNeeded for a code that counts no more, AppRefused, ProviderUnavailable, BadProviderRequest.
    """
    asked = {"code": code, "redirect_uri": redirect_uri}
    if verifier is not None:
        asked["code_verifier"] = verifier
    tokens = await _ask(client, oauth, app, settings, "authorization_code", asked)
    return await oauth.lengthen(client, app, settings, tokens) if oauth.lengthen is not None else tokens


async def renew(client: Client, oauth: OAuth, app: App, settings: Any, tokens: Tokens) -> Tokens:
    """Return new tokens; what the answer leaves out stays as it was. Raises as `exchange` does."""
    if tokens.refresh_token is not None:
        asked = {"refresh_token": tokens.refresh_token}
        fresh = await _ask(client, oauth, app, settings, "refresh_token", asked)
        return replace(
            fresh,
            refresh_token=fresh.refresh_token or tokens.refresh_token,
            ends_at=fresh.ends_at or tokens.ends_at,
            scopes=fresh.scopes or tokens.scopes,
        )
    if oauth.lengthen is None or oauth.has_refresh_tokens:
        raise AuthorizationNeeded("The provider gave nothing with which the connection could be renewed.")
    fresh = await oauth.lengthen(client, app, settings, tokens)
    return replace(fresh, scopes=fresh.scopes or tokens.scopes)


async def _ask(
    client: Client, oauth: OAuth, app: App, settings: Any, grant_type: str, asked: Mapping[str, str]
) -> Tokens:
    body = prepare_token_request(grant_type, client_id=app.id, client_secret=app.secret, **asked)
    form = dict(parse_qsl(body, keep_blank_values=True))
    path = _path(oauth.token_path, settings)
    answer = await (client.get(path, form) if oauth.tokens_by_get else client.post(path, form=form))
    return _tokens(oauth, grant_type, answer, (app.secret, *asked.values()))


def _tokens(oauth: OAuth, grant_type: str, answer: Answer, secrets: Iterable[str]) -> Tokens:
    if answer.status == 429:
        raise ProviderLimited("Too many requests for tokens.", retry_after_seconds=answer.retry_after_seconds())
    if answer.status >= 500:
        raise ProviderUnavailable(f"The provider's token address failed (HTTP {answer.status}).")
    body = answer.json()
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(body, dict) or answer.status >= 400 or not isinstance(token, str) or not token:
        _refuse(oauth, grant_type, answer.status, body if isinstance(body, dict) else {}, secrets)
    assert isinstance(body, dict)
    assert isinstance(token, str)
    now = datetime.now(UTC)
    refresh, scope = body.get("refresh_token"), body.get("scope")
    return Tokens(
        access_token=token,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        expires_at=_after(now, body.get("expires_in")),
        ends_at=_after(now, body.get("refresh_token_expires_in")),
        # Not named is granted as asked; named and empty is nothing.
        scopes=frozenset(filter(None, _BETWEEN_SCOPES.split(scope))) if isinstance(scope, str) else None,
    )


def _refuse(oauth: OAuth, grant_type: str, status: int, body: Mapping[str, Json], secrets: Iterable[str]) -> None:
    error, description = body.get("error"), body.get("error_description")
    if isinstance(error, dict):
        # Meta's token address answers as its Graph does.
        description = error.get("message")
        error = error.get("type")
    code = str(error or "")[:_LONGEST_TEXT]
    said = " ".join(str(description or "").split())[:_LONGEST_TEXT]
    for secret in secrets:
        said = said.replace(secret, "…")
    named = code or f"HTTP {status}"
    if code == "invalid_grant" and grant_type == "authorization_code":
        # Whatever the provider says of agreements that end: here there is none yet, only a code (RFC 6749 section 5.2).
        raise AuthorizationNeeded(
            tell(
                "The provider did not take its one-time code: it was used already, came too late, or was made for another "
                f"authorization ({named})",
                said,
            ),
            remedy="Choose Connect again, and come back from the provider within a few minutes.",
        )
    if oauth.explain is not None and (problem := oauth.explain(code, said)) is not None:
        raise problem
    if code == "invalid_grant":
        raise AuthorizationNeeded(tell(f"The agreement has ended or was taken back ({named})", said))
    if code in ("invalid_client", "unauthorized_client"):
        raise AppRefused(tell(f"The provider does not accept the app's id or secret ({named})", said))
    raise BadProviderRequest(tell(f"The provider gave no token ({named})", said))


def _path(path: str, settings: Any) -> str:
    return path.replace("{version}", str(getattr(settings, "api_version", "")))


def _after(now: datetime, seconds: Json) -> datetime | None:
    try:
        # Texts, too; what lies beyond ten years is no end at all.
        count = float(seconds) if isinstance(seconds, str | int | float) and not isinstance(seconds, bool) else 0.0
    except ValueError:
        return None
    return now + timedelta(seconds=count) if 0 < count < 315_360_000 else None
