"""Meta's Graph API: calls, and what its errors mean for the person who entered the token.

Meta decides by `code` and `error_subcode`; the HTTP status says little: throttling too comes as 400.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import digest
from re import compile as pattern

import structlog

from connector_master.connectors.graph_usage import STOP_FROM, Pace, usage_in
from connector_master.model.json import Json
from connector_master.model.problem import (
    AppRefused,
    BadProviderRequest,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.model.words import Words
from connector_master.outbound.client import Answer, Client

BASE = "https://graph.facebook.com"
DEFAULT_VERSION = "v25.0"
VERSION = r"^v[0-9]{1,3}\.[0-9]{1,2}$"

_LONGEST_MESSAGE = 300
_TAG = pattern(r"<[^<>]*>")
_TOKEN = pattern(r"EA[A-Za-z0-9]{16,}|[A-Za-z0-9_-]{60,}")
_TRACE_ID = pattern(r"[A-Za-z0-9_-]{1,60}")
_SCOPE = pattern(r"\b(?:[a-z]+_){1,5}(?:[a-z]+)\b")
_OF_APP = pattern(r"(?i)client[ _]secret|validating application|application[ _]id|client_id|redirect_uri|app.?secret")
_PASSING = frozenset({1, 2, 131000})
_LIMITED = frozenset({4, 17, 32, 341, 613, 130429, *range(80000, 80015)})
_DEAD_TOKEN = frozenset({0, 102, 190})
_FORBIDDEN = frozenset({3, 10, 131005, *range(200, 300)})
_RESTRICTED = frozenset({368, 131031})
_NOT_REGISTERED = 133010
_INVISIBLE = 33
_UNKNOWN_APP = 101
_UNVERIFIED = 2200
_PATHS = frozenset({803, 2500})
_NO_SCOPES = frozenset({"access_token", "client_id", "app_id", "redirect_uri", "page_id", "user_id", "client_secret"})
_WHY_DEAD = {
    458: "the app was removed from the account",
    459: "the person has to pass a check at Facebook first",
    460: "the person's password was changed",
    463: "it has expired",
    464: "the person's account is not confirmed",
    467: "it is no longer valid",
    492: "its session has ended",
}

log = structlog.get_logger()


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
        if self.code == _UNKNOWN_APP or (self.code in (1, 100) and _OF_APP.search(self.message)):
            return self._of_app(told)
        if self.code in _DEAD_TOKEN:
            why = _WHY_DEAD.get(self.subcode)
            return TokenRefused(
                f"Meta refused the access token{f': {why}' if why else ''}. {told}",
                remedy="Connect again; where the token was entered by hand, make a new one at Meta, for a system user and "
                "without an end, and enter it as the access token.",
            )
        if self.lacks_permission:
            scope = self.lacking
            return PermissionMissing(
                f"The access token lacks a permission{f', {scope}' if scope else ''}: {told}",
                remedy=Words(
                    "Connect again and agree to %(scope)s; where the token was entered by hand, give its system user this "
                    "asset and the permissions that this connector's page names, and make a new one. For leads, also let "
                    "the app and the person read them in Leads Access Manager (Business settings, Integrations, Leads "
                    "Access).",
                    scope=scope or Words("every permission that is asked for"),
                ),
            )
        if self.is_invisible:
            return BadProviderRequest(
                f"Meta knows no such id, or the token may not see it: {told}",
                remedy="Compare the id with Meta's page (it is no phone number), and give the token's system user access.",
            )
        if self.code == _UNVERIFIED:
            return BadProviderRequest(
                f"Meta could not verify our callback address: {told}",
                remedy="Meta asks the address at once, from outside: see that PUBLIC_URL is the hub's public https:// "
                "address and that the connector's webhook URL answers there, then try again.",
            )
        if self.code in _PATHS:
            return BadProviderRequest(
                f"Meta does not know this address: {told}",
                remedy="Check the ids entered and the API version in the settings; if both are right, report it to us.",
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

    @property
    def is_invisible(self) -> bool:
        """Whether the object is unknown, or not for this token to see: Meta does not tell which."""
        return self.code == _INVISIBLE or (self.code == 100 and self.subcode == _INVISIBLE)

    @property
    def lacks_permission(self) -> bool:
        """Whether a permission is missing. Some are told as a bad parameter (code 100)."""
        return self.code in _FORBIDDEN or (
            self.code == 100 and not self.is_invisible and "permission" in self.message.lower()
        )

    @property
    def lacking(self) -> str | None:
        """Return the permission that Meta names, None when it names none."""
        return next((one for one in _SCOPE.findall(self.message) if one not in _NO_SCOPES), None)

    def _of_app(self, told: str) -> Problem:
        if "redirect_uri" in self.message:
            return AppRefused(
                f"The app at Meta does not know our callback address: {told}",
                remedy="Add the callback address that this connector's page shows, letter for letter, to the valid OAuth "
                "redirect URIs of the app (Facebook Login, Settings), then connect again.",
            )
        if "appsecret_proof" in self.message:
            return AppRefused(
                f"The app secret is missing, or not that of the token's app: {told}",
                remedy="Copy the app secret from App settings, Basic, of the app that the access token was made for.",
            )
        return AppRefused(
            f"Meta does not accept the app's id or secret: {told}",
            remedy="Copy app ID and app secret again from the app's page at Meta (App settings, Basic).",
        )


@dataclass(frozen=True, slots=True)
class Graph:
    """Graph with one token, at one version. The token goes into a header, so that no log of addresses holds it.

    With a `pace` no call is made that Meta's usage headers warn of: ProviderLimited is raised from `stops_from` percent on.
    """

    client: Client
    token: str = field(repr=False)
    version: str = DEFAULT_VERSION
    app_secret: str | None = field(default=None, repr=False)
    pace: Pace | None = field(default=None, repr=False)
    stops_from: float = STOP_FROM

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Json] | Fault:
        """Return the object at `path`, or Graph's error. Raises ProviderUnavailable where neither came."""
        self._mind_pace()
        return self._read(await self.client.get(self._at(path), self._signed(query), headers=self._headers()))

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Json]:
        """Return the object at `path`. Raises what Graph's error means."""
        return _or_raise(await self.ask(path, query))

    async def post(
        self, path: str, query: Mapping[str, str] | None = None, *, form: Mapping[str, str] | None = None
    ) -> dict[str, Json]:
        """Return the answer to a POST. Raises what Graph's error means."""
        self._mind_pace()
        answer = await self.client.post(self._at(path), self._signed(query), form=form, headers=self._headers())
        return _or_raise(self._read(answer))

    async def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Json]:
        """Return the answer to a DELETE. Raises what Graph's error means."""
        self._mind_pace()
        return _or_raise(
            self._read(await self.client.delete(self._at(path), self._signed(query), headers=self._headers()))
        )

    def _at(self, path: str) -> str:
        return f"/{self.version}/{path}"

    def _signed(self, query: Mapping[str, str] | None) -> dict[str, str]:
        signed = dict(query or {})
        if self.app_secret is not None:
            signed["appsecret_proof"] = appsecret_proof(self.app_secret, self.token)
        return signed

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _mind_pace(self) -> None:
        rest = self.pace.rest_seconds(self.stops_from) if self.pace is not None else None
        if rest is not None:
            raise ProviderLimited(
                "Meta's allowance is nearly used up, so nothing more is asked for now.", retry_after_seconds=rest
            )

    def _read(self, answer: Answer) -> dict[str, Json] | Fault:
        if self.pace is not None:
            self.pace.note(answer.headers)
        return read_answer(answer, self.token, self.app_secret)


def appsecret_proof(app_secret: str, token: str) -> str:
    """Return the proof that whoever holds the token holds the app's secret, too."""
    return digest(app_secret.encode(), token.encode(), "sha256").hex()


def read_answer(answer: Answer, *secrets: str | None) -> dict[str, Json] | Fault:
    """Return the object that Graph answered, or its error, in which `secrets` are hidden.

    Raises ProviderUnavailable where neither came.
    """
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        code, subcode = _code(error.get("code")), _code(error.get("error_subcode"))
        if code is not None:
            # Meta's support asks for this id, and nobody else needs it.
            log.info("graph_refused", code=code, subcode=subcode, trace_id=_trace_id(error.get("fbtrace_id")))
            return Fault(
                code,
                subcode or 0,
                tidy(_message(error), *secrets),
                is_transient=error.get("is_transient") is True or answer.status >= 500,
                rests_seconds=usage_in(answer.headers).rest_seconds,
            )
    if not isinstance(body, dict) or error is not None or not 200 <= answer.status < 300:
        raise ProviderUnavailable(f"Meta sent neither an object nor an error of its own (HTTP {answer.status}).")
    return body


def _or_raise(answer: dict[str, Json] | Fault) -> dict[str, Json]:
    if isinstance(answer, Fault):
        raise answer.problem()
    return answer


def _code(value: Json) -> int | None:
    """Return an error's number, also one that came as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _trace_id(value: Json) -> str | None:
    return value if isinstance(value, str) and _TRACE_ID.fullmatch(value) else None


def _message(error: Mapping[str, Json]) -> str:
    told = error.get("message")
    return told if isinstance(told, str) else ""


def tidy(message: str, *secrets: str | None) -> str:
    """Return Meta's words fit to be shown: short, without mark-up and tokens ("Malformed access token EAAB…" quotes one)."""
    for secret in secrets:
        if secret:
            message = message.replace(secret, "…")
    return " ".join(_TAG.sub(" ", _TOKEN.sub("…", message)).split())[:_LONGEST_MESSAGE]
