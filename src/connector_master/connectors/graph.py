"""Meta's Graph API: calls, and what its errors mean for the person who entered the token.

Meta decides by `code` and `error_subcode`; the HTTP status says little: throttling too comes as 400.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import digest
from re import compile as pattern

from connector_master.model.json import Json
from connector_master.model.json_text import read_json
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    InvalidBody,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.outbound.client import Answer, Client

BASE = "https://graph.facebook.com"
DEFAULT_VERSION = "v25.0"
VERSION = r"^v[0-9]{1,3}\.[0-9]{1,2}$"

_LONGEST_MESSAGE = 300
_TOKEN = pattern(r"EA[A-Za-z0-9]{16,}|[A-Za-z0-9_-]{60,}")
_PASSING = frozenset({1, 2, 131000})
_LIMITED = frozenset({4, 17, 32, 341, 613, 130429, *range(80000, 80015)})
_DEAD_TOKEN = frozenset({0, 102, 190})
_FORBIDDEN = frozenset({3, 10, 131005, *range(200, 300)})
_RESTRICTED = frozenset({368, 131031})
_NOT_REGISTERED = 133010
_INVISIBLE = 33
_WHY_DEAD = {
    458: "the app was removed from the account",
    459: "the person has to pass a check at Facebook first",
    460: "the person's password was changed",
    463: "it has expired",
    464: "the person's account is not confirmed",
    467: "it is no longer valid",
    492: "its session has ended",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as Graph tells it. `message` is Meta's own, without tokens; `rests_seconds` is when to come back, if told."""

    code: int
    subcode: int
    message: str
    is_transient: bool = False
    rests_seconds: int | None = None

    def problem(self) -> Problem:
        """Return what it means here: what happens next, and what a person can do."""
        told = f"{self.message} (Meta's code {self.code}{f'/{self.subcode}' if self.subcode else ''})"
        if self.code in _LIMITED:
            return ProviderLimited(f"Meta's limit is reached: {told}", retry_after_seconds=self.rests_seconds)
        if self.code in _DEAD_TOKEN:
            why = _WHY_DEAD.get(self.subcode)
            return CredentialsRefused(
                f"Meta refused the access token{f': {why}' if why else ''}. {told}",
                remedy="Make a new token at Meta, for a system user and without an end, and enter it as the access token.",
            )
        if self.code in _FORBIDDEN:
            return CredentialsRefused(
                f"The access token lacks a permission: {told}",
                remedy="Give the token's system user this asset and the permissions that this connector's page names, "
                "make a new token and enter it.",
            )
        if self.code == 100 and "appsecret_proof" in self.message:
            return CredentialsRefused(
                f"The app secret is not that of the token's app: {told}",
                remedy="Copy the app secret from App settings, Basic, of the app that the access token was made for.",
            )
        if self.code == _INVISIBLE or (self.code == 100 and self.subcode == _INVISIBLE):
            return BadProviderRequest(
                f"Meta knows no such id, or the token may not see it: {told}",
                remedy="Compare the id with Meta's page (it is no phone number), and give the token's system user access.",
            )
        if self.code in _RESTRICTED:
            return BadProviderRequest(
                f"Meta has restricted the account: {told}",
                remedy="Look in Meta's Business Support Home what it asks for.",
            )
        if self.code == _NOT_REGISTERED:
            return BadProviderRequest(
                f"The number is not registered for the Cloud API: {told}",
                remedy="Register the number in WhatsApp Manager, then test again.",
            )
        if self.is_transient or self.code in _PASSING:
            return ProviderUnavailable(f"Meta has a passing fault: {told}")
        return BadProviderRequest(f"Meta refused the request: {told}")


@dataclass(frozen=True, slots=True)
class Graph:
    """Graph with one token, at one version. The token goes into a header, so that no log of addresses holds it."""

    client: Client
    token: str = field(repr=False)
    version: str = DEFAULT_VERSION
    app_secret: str | None = field(default=None, repr=False)

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Json] | Fault:
        """Return the object at `path`, or Graph's error. Raises ProviderUnavailable where neither came."""
        signed = dict(query or {})
        if self.app_secret is not None:
            signed["appsecret_proof"] = appsecret_proof(self.app_secret, self.token)
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await self.client.get(f"/{self.version}/{path}", signed, headers=headers)
        return _read(answer, (self.token, self.app_secret))

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Json]:
        """Return the object at `path`. Raises what Graph's error means."""
        answer = await self.ask(path, query)
        if isinstance(answer, Fault):
            raise answer.problem()
        return answer


def appsecret_proof(app_secret: str, token: str) -> str:
    """Return the proof that whoever holds the token holds the app's secret, too."""
    return digest(app_secret.encode(), token.encode(), "sha256").hex()


def _read(answer: Answer, secrets: tuple[str | None, ...]) -> dict[str, Json] | Fault:
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        code, subcode = error.get("code"), error.get("error_subcode")
        if isinstance(code, int):
            return Fault(
                code,
                subcode if isinstance(subcode, int) else 0,
                _without(str(error.get("message") or ""), secrets),
                is_transient=error.get("is_transient") is True or answer.status >= 500,
                rests_seconds=_rest(answer.headers),
            )
    if not isinstance(body, dict) or not 200 <= answer.status < 300:
        raise ProviderUnavailable(f"Meta sent neither an object nor an error of its own (HTTP {answer.status}).")
    return body


def _without(message: str, secrets: tuple[str | None, ...]) -> str:
    # "Malformed access token EAAB…" quotes it.
    for secret in secrets:
        if secret:
            message = message.replace(secret, "…")
    return " ".join(_TOKEN.sub("…", message).split())[:_LONGEST_MESSAGE]


def _rest(headers: Mapping[str, str]) -> int | None:
    """Return the longest wait, in seconds, that the usage header names; it counts in minutes."""
    try:
        usage = read_json(headers.get("x-business-use-case-usage", ""))
    except InvalidBody:
        return None
    minutes = [
        wait
        for entries in (usage.values() if isinstance(usage, dict) else ())
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(wait := entry.get("estimated_time_to_regain_access"), int)
    ]
    return max(minutes) * 60 if minutes and max(minutes) > 0 else None
