"""Authentication of an HTTP destination: the header that tells the receiver who calls, with OAuth 2.0's token where it wants one.

Client credentials by RFC 6749 section 4.4; a token is kept until it ends or is refused.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from connector_master.delivery.destination import Means
from connector_master.delivery.http_settings import Credentials, Settings, split_url
from connector_master.model.problem import DestinationRefused, ProviderUnavailable, ReceiverUnavailable
from connector_master.outbound.client import Answer, SecretPath

_SECONDS = 20.0
_ENDS_EARLY_SECONDS = 30.0
_LASTS_SECONDS = 300.0
"""How long a token is used that does not say when it ends."""
_LONGEST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    ends_at: float


async def authenticated(means: Means, settings: Settings, credentials: Credentials) -> dict[str, str]:
    """Return the headers that authenticate a call. Raises DestinationRefused or ReceiverUnavailable where there is no token."""
    match settings.authentication:
        case "bearer":
            return {"Authorization": f"Bearer {credentials.token}"}
        case "basic":
            return {"Authorization": _basic(credentials.username or "", credentials.password or "")}
        case "header":
            return {settings.token_header: settings.token_format.replace("{token}", credentials.token or "")}
        case "oauth2":
            return {"Authorization": f"Bearer {await _access_token(means, settings, credentials)}"}
    return {}


def forget_token(means: Means, settings: Settings, credentials: Credentials) -> bool:
    """Ask for another access token the next time; return whether there is one to ask for."""
    if settings.authentication != "oauth2":
        return False
    means.memory.forget(_key(settings, credentials))
    return True


async def _access_token(means: Means, settings: Settings, credentials: Credentials) -> str:
    key = _key(settings, credentials)

    async def ask() -> _Token:
        return await _ask(means, settings, credentials)

    token: _Token = await means.memory.get(key, ask, seconds=_LONGEST_SECONDS)
    if token.ends_at <= time.monotonic():
        means.memory.forget(key)
        token = await means.memory.get(key, ask, seconds=_LONGEST_SECONDS)
    return token.text


async def _ask(means: Means, settings: Settings, credentials: Credentials) -> _Token:
    base, path = split_url(settings.token_url or "")
    form = {"grant_type": "client_credentials"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if settings.scope:
        form["scope"] = settings.scope
    if settings.client_authentication == "basic":
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        name, secret = quote_plus(credentials.client_id or ""), quote_plus(credentials.client_secret or "")
        headers["Authorization"] = _basic(name, secret)
    else:
        form |= {"client_id": credentials.client_id or "", "client_secret": credentials.client_secret or ""}
    try:
        client = means.client(base, _SECONDS)
        answer = await client.send("POST", SecretPath(path, "/…"), headers=headers, body=urlencode(form).encode())
    except ProviderUnavailable as error:
        raise ReceiverUnavailable(f"No access token: the {error.detail}") from error
    return _token_in(answer)


def _token_in(answer: Answer) -> _Token:
    if answer.status >= 500 or answer.status == 429:
        raise ReceiverUnavailable(
            f"No access token: its address answered HTTP {answer.status}.",
            retry_after_seconds=answer.retry_after_seconds(),
        )
    try:
        body = answer.json()
    except ProviderUnavailable:
        body = None
    said: Mapping[str, object] = body if isinstance(body, dict) else {}
    token = said.get("access_token")
    if answer.status != 200 or not isinstance(token, str) or not token or not token.isprintable():
        why = f" ({said['error']})" if isinstance(said.get("error"), str) else ""
        raise DestinationRefused(f"The token address gave no access token: HTTP {answer.status}{why[:100]}.")
    lasts = said.get("expires_in")
    seconds = float(lasts) if isinstance(lasts, int | float) and 0 < lasts < _LONGEST_SECONDS else _LASTS_SECONDS
    return _Token(token, time.monotonic() + max(seconds - _ENDS_EARLY_SECONDS, seconds / 2))


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _key(settings: Settings, credentials: Credentials) -> str:
    parts = (settings.token_url, settings.scope, credentials.client_id, credentials.client_secret)
    return "token:" + hashlib.sha256(repr(parts).encode()).hexdigest()
