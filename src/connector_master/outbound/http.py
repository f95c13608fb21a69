"""HTTP to providers: one pool per process, and clients that can do no more than call the address they were made for.

Every wait ends, no answer can fill the memory, no redirect is followed, no proxy is taken from the environment, no cookie
is kept, and neither a query nor a key ever reaches a log line or the text of a problem.
"""

import asyncio
import logging
import random
import ssl
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

import httpcore2
import httpx2
import orjson
import structlog
from prometheus_client import Counter, Histogram

from connector_master import __version__
from connector_master.model.json import Json
from connector_master.model.problem import AddressRefused, BadProviderRequest, ProviderUnavailable
from connector_master.outbound.addresses import Network
from connector_master.outbound.client import Answer, SecretPath
from connector_master.outbound.sockets import CheckedBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most that one call may take: seconds to connect, seconds of silence, seconds in all with repeats, bytes unpacked.

    `repeats` is how often it is made once more where that is harmless.
    """

    connect_seconds: float = 10
    silence_seconds: float = 30
    total_seconds: float = 60
    answer_bytes: int = 32 * 1024 * 1024
    repeats: int = 2


BOUNDS = Bounds()

_POOL = 200
_KEPT = 20
_AT_ONCE_PER_ADDRESS = 20
_FIRST_PAUSE_SECONDS = 0.4
_PASSING = frozenset({502, 503, 504})
_PACKED = frozenset({"", "identity", "gzip", "deflate"})
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

_calls = Counter("connector_master_provider_calls_total", "Calls to providers, by outcome.", ["provider", "outcome"])
_seconds = Histogram(
    "connector_master_provider_call_seconds",
    "How long calls to providers took, with repeats.",
    ["provider"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

log = structlog.get_logger()
# They log whole addresses, queries included.
for _library in ("httpx2", "httpcore2"):
    logging.getLogger(_library).setLevel(logging.WARNING)


class Outbound:
    """The connections of one process to everybody else: one pool for addresses that operators set, one for users'.

    `allow` are networks that users' addresses may lie in although they are private (OUTBOUND_ALLOW). A pool has at most
    `connections`, and keeps `kept` of them open for the next call.
    """

    def __init__(
        self,
        *,
        allow: Sequence[Network] = (),
        bounds: Bounds = BOUNDS,
        tls: ssl.SSLContext | None = None,
        connections: int = _POOL,
        kept: int = _KEPT,
    ) -> None:
        tls = tls or httpx2.create_ssl_context()
        self._bounds = bounds
        self._guard = CheckedBackend(guards=True, allow=allow)
        self._trusted = _pool(CheckedBackend(guards=False), tls, connections, kept)
        self._guarded = _pool(self._guard, tls, connections, kept)
        # One slow provider must not take every connection.
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE_PER_ADDRESS))

    def client(
        self, base: str, *, name: str, trusted: bool, repeats: bool = True, bounds: Bounds | None = None
    ) -> "HttpClient":
        """Return a client for `base` (scheme, host, port, perhaps a path before all others); `name` is for logs and metrics.

        `trusted` says that an operator chose the address: then it may be private. Without `repeats` nothing that was sent
        is sent again, for providers that count calls. Raises BadProviderRequest for what is no address.
        """
        origin = _origin(base)
        return HttpClient(
            base.rstrip("/"),
            name=name,
            http=self._trusted if trusted else self._guarded,
            places=self._places[f"{trusted} {origin}"],
            repeats=repeats,
            bounds=bounds or self._bounds,
        )

    async def address_of(self, host: str, port: int) -> str:
        """Return an address at which a user's host may be reached by something else than HTTP, once all were checked.

        Raises AddressRefused, and ProviderUnavailable where the name leads nowhere.
        """
        try:
            return (await self._guard.addresses_of(host, port))[0]
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise ProviderUnavailable(f"no connection ({error}).") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._trusted.aclose()
        await self._guarded.aclose()

    async def __aenter__(self) -> Self:
        """Return itself, to be closed at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.aclose()


class HttpClient:
    """Calls to one provider, as outbound/client.py promises them."""

    def __init__(
        self,
        base: str,
        *,
        name: str,
        http: httpx2.AsyncClient,
        places: asyncio.Semaphore,
        repeats: bool,
        bounds: Bounds,
    ) -> None:
        self._base = base
        self._name = name
        self._http = http
        self._places = places
        self._repeats = repeats
        self._bounds = bounds

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a GET. Raises ProviderUnavailable and AddressRefused."""
        return await self._call("GET", path, query, headers, None, None)

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a POST with a JSON or form body. Raises ProviderUnavailable and AddressRefused."""
        if form is not None:
            return await self._call(
                "POST", path, query, headers, urlencode(form).encode(), "application/x-www-form-urlencoded"
            )
        body = None if json is None else orjson.dumps(json)
        return await self._call("POST", path, query, headers, body, "application/json")

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a DELETE. Raises ProviderUnavailable and AddressRefused."""
        return await self._call("DELETE", path, query, headers, None, None)

    async def send(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Return the answer to a request of any method with these very bytes. Raises ProviderUnavailable, AddressRefused."""
        return await self._call(method, path, None, headers, body, None)

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        content_type: str | None,
    ) -> Answer:
        if not path.startswith("/"):
            raise BadProviderRequest("A path begins with a slash.")
        url = self._base + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        try:
            request = self._http.build_request(method, url, content=body, headers=headers)
        except httpx2.InvalidURL:
            # Without the cause, which quotes the address.
            raise BadProviderRequest("The address of the call can't be read.") from None
        if body is not None and content_type is not None:
            request.headers["Content-Type"] = content_type
        clock = asyncio.get_running_loop().time
        started, outcome, status = clock(), "cancelled", None
        try:
            async with asyncio.timeout(self._bounds.total_seconds), self._places:
                answer = await self._with_repeats(request, started + self._bounds.total_seconds)
            outcome, status = f"{answer.status // 100}xx", answer.status
            return answer
        except AddressRefused:
            outcome = "refused"
            raise
        except (httpx2.HTTPError, TimeoutError, _Unreadable) as error:
            outcome = "unreachable"
            raise ProviderUnavailable(f"{self._name} gave no answer: {_reason(error, self._bounds)}.") from error
        finally:
            seconds = clock() - started
            _calls.labels(self._name, outcome).inc()
            _seconds.labels(self._name).observe(seconds)
            label = path.label if isinstance(path, SecretPath) else path.partition("?")[0]
            # The ordinary is for the metrics; a log of it would bury what went wrong.
            (log.debug if outcome == "2xx" else log.info)(
                "provider_called",
                provider=self._name,
                method=method,
                path=label,
                outcome=outcome,
                status=status,
                milliseconds=round(seconds * 1000),
            )

    async def _with_repeats(self, request: httpx2.Request, ends: float) -> Answer:
        """Send `request`, again where that is harmless and may help, until `ends` on the loop's clock."""
        pause = _FIRST_PAUSE_SECONDS
        for repeat in range(self._bounds.repeats + 1):
            try:
                answer = await self._once(request)
                problem = None
            except (httpx2.NetworkError, httpx2.ConnectTimeout, httpx2.RemoteProtocolError) as error:
                problem = error
            may_repeat = isinstance(problem, _NEVER_SENT) or (self._repeats and request.method == "GET")
            rest = pause * random.uniform(0.5, 1.5)  # noqa: S311 - to spread the load, not to hide anything
            if problem is None:
                # Who asks for a longer wait gets it, from whoever called us.
                asked = answer.retry_after_seconds() or 0
                may_repeat = may_repeat and answer.status in _PASSING and asked <= rest
            if not may_repeat or repeat == self._bounds.repeats or asyncio.get_running_loop().time() + rest >= ends:
                break
            await asyncio.sleep(rest)
            pause *= 3
        if problem is not None:
            raise problem
        return answer

    async def _once(self, request: httpx2.Request) -> Answer:
        request.extensions["timeout"] = {
            "connect": self._bounds.connect_seconds,
            "read": self._bounds.silence_seconds,
            "write": self._bounds.silence_seconds,
            "pool": self._bounds.connect_seconds,
        }
        most = self._bounds.answer_bytes
        response = await self._http.send(request, stream=True)
        try:
            if response.headers.get("content-encoding", "").strip().lower() not in _PACKED:
                raise _Unreadable("it is packed in a way that was not asked for")
            declared = response.headers.get("content-length", "")
            if declared.isdigit() and int(declared[:18]) > most:
                raise _Unreadable(_too_large(most))
            parts, total = [], 0
            # Unpacked piece by piece, so that a small answer can't become a huge one before it is counted.
            async for part in response.aiter_bytes():
                total += len(part)
                if total > most:
                    raise _Unreadable(_too_large(most))
                parts.append(part)
        finally:
            await response.aclose()
        return Answer(
            response.status_code, b"".join(parts), {name.lower(): text for name, text in response.headers.items()}
        )


class _Unreadable(Exception):
    """An answer that came but can't be taken."""


class _Transport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, on connections that CheckedBackend opens."""

    def __init__(
        self, backend: httpcore2.AsyncNetworkBackend, tls: ssl.SSLContext, connections: int, kept: int
    ) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=kept,
            keepalive_expiry=5,
            network_backend=backend,
        )


def _pool(backend: CheckedBackend, tls: ssl.SSLContext, connections: int, kept: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=_Transport(backend, tls, connections, kept),
        trust_env=False,
        follow_redirects=False,
        # Connectors of different people share the pool: what a provider sets for one is not sent for another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={
            "User-Agent": f"connector-master/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
        },
    )


def _origin(base: str) -> str:
    """Return scheme, host and port of a base address. Raises BadProviderRequest."""
    try:
        httpx2.URL(base)
        parts = urlsplit(base)
        port = parts.port
    except (ValueError, httpx2.InvalidURL) as error:
        raise BadProviderRequest("The provider's address can't be read.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadProviderRequest("The provider's address must begin with http:// or https:// and name a host.")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadProviderRequest("The provider's address may hold no user, no query and no fragment.")
    return f"{parts.scheme}://{parts.hostname}:{port or ''}"


def _reason(error: Exception, bounds: Bounds) -> str:
    """Say in our own words what happened: libraries quote addresses."""
    if isinstance(error, _Unreadable):
        return str(error)
    if isinstance(error, (httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        return f"no connection within {bounds.connect_seconds:g} seconds"
    if isinstance(error, httpx2.TimeoutException):
        return f"silence for {bounds.silence_seconds:g} seconds"
    if isinstance(error, TimeoutError):
        return f"not complete within {bounds.total_seconds:g} seconds"
    if isinstance(error, httpx2.ConnectError):
        return f"no connection ({_connect_reason(error)})"
    if isinstance(error, httpx2.DecodingError):
        return "it can't be unpacked"
    if isinstance(error, (httpx2.NetworkError, httpx2.RemoteProtocolError)):
        return "the connection broke off"
    return "the address or the answer is malformed"


def _connect_reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not valid"
        if isinstance(cause, ssl.SSLError):
            return "no encrypted connection could be agreed on"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"
        if "name is not known" in str(cause):
            return "its name is not known"
        cause = cause.__cause__ or cause.__context__
    return "not reachable"


def _too_large(most: int) -> str:
    return f"it is larger than {most // 1024:,} KiB"
