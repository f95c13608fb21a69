"""The public doors: where senders push. Plain ASGI ahead of the framework, for this is the path that must be fast.

Order: address, size, encoding, signature over the raw bytes, limit, decode, split, store, answer. Nothing of a body is
believed before its signature, nothing is answered with 2xx before its commit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
import structlog

from connector_master.connectors import registry
from connector_master.connectors.connector import Challenge, Verified
from connector_master.ingest.bodies import decode, refuse_compressed
from connector_master.ingest.challenges import Challenges
from connector_master.ingest.intake import NO_OWNERS, Arrival, Intake
from connector_master.ingest.limits import Limits
from connector_master.ingest.refusals import CHALLENGE, Refusals
from connector_master.ingest.source import Source
from connector_master.ingest.sources import Sources
from connector_master.model.event import Answer, Push, Record
from connector_master.model.problem import (
    BodyTooLarge,
    ConnectorNotFound,
    ForbiddenChallenge,
    InvalidBody,
    InvalidRecord,
    InvalidSignature,
    MethodNotAllowed,
    Problem,
    StorageUnavailable,
    UnsupportedMediaType,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/api/connectors/"
_MOST_QUERY_BYTES = 8_192
_MOST_HEADERS = 60
_LONGEST_HEADER = 500
_SECRET_WORDS = ("auth", "cookie", "token", "secret", "key", "password", "signature")

log = structlog.get_logger()


class Door:
    """An ASGI application that answers the public addresses and hands everything else on."""

    def __init__(
        self,
        onward: Application,
        sources: Sources,
        intake: Intake,
        limits: Limits,
        refusals: Refusals,
        challenges: Challenges,
        *,
        max_body_bytes: int,
    ) -> None:
        self._onward = onward
        self._sources = sources
        self._intake = intake
        self._limits = limits
        self._refusals = refusals
        self._challenges = challenges
        self._max_body_bytes = max_body_bytes
        self._doors = frozenset(one.door for one in registry().values() if one.door is not None)
        self._members = {one.door: one.refusal_member for one in registry().values() if one.refusal_member is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(PREFIX):
                door, _, webhook_id = path[len(PREFIX) :].partition("/")
                if door in self._doors:
                    await self._answer(door, webhook_id, scope, receive, send)
                    return
        await self._onward(scope, receive, send)

    async def _answer(self, door: str, webhook_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._receive(door, webhook_id, scope, receive)
            await _send(send, answer)
        except Problem as problem:
            await _send(send, problem_answer(problem, self._members.get(door)), problem)
        except asyncio.CancelledError:
            raise
        except _SenderGone:
            return
        except Exception:
            error_id = uuid4().hex
            log.exception("door_failed", door=door, error_id=error_id)
            said = f"Something went wrong here; nothing was acknowledged. The log knows it as {error_id}."
            await _send(send, problem_answer(Problem(said), self._members.get(door)))

    async def _receive(self, door: str, webhook_id: str, scope: Scope, receive: Receive) -> Answer:
        source = await self._find(webhook_id)
        if source is None or source.connector.door != door:
            raise ConnectorNotFound("No connector has this address.")
        method = scope["method"]
        headers = _headers(scope["headers"])
        if method == "GET" and source.connector.challenge is not None:
            return await self._prove(source, source.connector.challenge, _push(scope, headers, b""))
        if method != "POST":
            raise MethodNotAllowed("This address takes POST.")
        body = await _read(receive, headers, source.connector.max_body_bytes or self._max_body_bytes)
        push = _push(scope, headers, body)
        verified = await self._verify(source, push)
        await self._limits.pass_one(source)
        return await self._take(source, push, verified)

    async def _find(self, webhook_id: str) -> Source | None:
        return await _read_source(self._sources.find(webhook_id))

    async def _prove(self, source: Source, challenge: Challenge, push: Push) -> Answer:
        """Answer a provider that asks whether this address is ours. That needs no database."""
        try:
            answer = challenge(push, source.secrets_at(push.received_at), source.settings)
        except ForbiddenChallenge:
            with suppress(StorageUnavailable):
                await self._refusals.note(source, push.ip, CHALLENGE)
            raise
        if answer.status == 200:
            self._challenges.note(source)
        return answer

    async def _verify(self, source: Source, push: Push) -> Verified:
        connector = source.connector
        if connector.verify is None:
            if connector.unsigned_by_nature:
                return Verified("unsigned")
            raise InvalidSignature("This connector can't verify its sender.")
        try:
            return connector.verify(push, source.secrets_at(push.received_at), source.settings)
        except InvalidBody:
            # Proof that lies in the body can't be in one that nobody can read.
            refuse_compressed(push.headers.get("content-encoding"))
            await self._refusals.note(source, push.ip)
            raise
        except InvalidSignature:
            await self._refusals.note(source, push.ip)
            raise

    async def _take(self, source: Source, push: Push, verified: Verified) -> Answer:
        content_type = push.headers.get("content-type")
        arrival = Arrival(
            origin="push",
            content_type=content_type[:_LONGEST_HEADER] if content_type else None,
            body=push.body if source.connector.conceal is None else source.connector.conceal(push.body),
            headers=_kept(push.headers, source),
            ip=push.ip,
            delivery_id=verified.delivery_id,
        )
        try:
            refuse_compressed(push.headers.get("content-encoding"))
            if len(push.body) > _DECODED_ON_THE_LOOP:
                decoded = await asyncio.to_thread(decode, push.body, content_type)
            else:
                decoded = decode(push.body, content_type)
            records = source.connector.records(decoded.value, push, source.settings)
        except UnsupportedMediaType:
            raise
        except (InvalidBody, InvalidRecord) as problem:
            kept = await self._intake.keep_unreadable(source, problem, arrival)
            return source.connector.acknowledge([kept], False)
        is_list = decoded.is_list or len(records) != 1
        if not records:
            # An empty list is kept too: nothing is answered with 2xx that is not stored.
            records, is_list = [Record(decoded.value, ignored="empty")], False
        owners = await self._owners(source, push, records)
        outcomes = await self._intake.take(source, records, arrival, is_list, owners)
        return source.connector.acknowledge(outcomes, is_list)

    async def _owners(self, source: Source, push: Push, records: Sequence[Record]) -> Mapping[str, Source]:
        """Return, by account, the other connectors of the workspace whose records are among these.

        One that would itself refuse the push, because it belongs to another of the provider's apps, gets none of it.
        """
        strange = {one.account for one in records if one.account is not None} - (source.accounts or frozenset())
        if not strange:
            return NO_OWNERS
        owners: dict[str, Source] = {}
        for account in strange:
            owner = await _read_source(self._sources.owner(source, account))
            if owner is not None and _accepts(owner, push):
                owners[account] = owner
        return owners


_DECODED_ON_THE_LOOP = 64 * 1024
"""Bodies larger than this are decoded in a thread."""


def problem_answer(problem: Problem, member: str | None = None) -> Answer:
    """Return `problem` as problem details, its detail also as the `member` in which its reader looks for it."""
    details = problem.as_details() | ({member: problem.detail} if member is not None else {})
    return Answer(problem.status, details, "application/problem+json")


async def _read_source(reading: Awaitable[Source | None]) -> Source | None:
    try:
        return await reading
    except StorageUnavailable:
        raise
    except Exception as error:
        log.warning("source_unreadable", error=type(error).__name__)
        raise StorageUnavailable("The database can't be reached.", retry_after_seconds=2) from error


def _accepts(source: Source, push: Push) -> bool:
    if source.connector.verify is None:
        return source.connector.unsigned_by_nature
    try:
        source.connector.verify(push, source.secrets_at(push.received_at), source.settings)
    except InvalidSignature:
        return False
    return True


class _SenderGone(Exception):
    """The sender closed the connection before its body was whole."""


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    # The first of repeated names counts, so a header added by somebody on the way can't replace the sender's.
    headers: dict[str, str] = {}
    for name, value in raw:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return headers


def _push(scope: Scope, headers: Mapping[str, str], body: bytes) -> Push:
    query: dict[str, str] = {}
    raw: bytes = scope["query_string"]
    if raw:
        for name, value in parse_qsl(raw[:_MOST_QUERY_BYTES].decode("latin-1"), keep_blank_values=True):
            query.setdefault(name, value)
    client = scope.get("client")
    return Push(headers, query, body, client[0] if client else "", datetime.now(UTC))


async def _read(receive: Receive, headers: Mapping[str, str], most: int) -> bytes:
    declared = headers.get("content-length")
    if declared is not None and declared.isdigit() and int(declared[:20]) > most:
        raise BodyTooLarge(f"The body is larger than {most} bytes.")
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _SenderGone
    if not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > most:
            raise BodyTooLarge(f"The body is larger than {most} bytes.")
        return body
    parts = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _SenderGone
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise BodyTooLarge(f"The body is larger than {most} bytes.")
        parts.append(part)
    return b"".join(parts)


def _kept(headers: Mapping[str, str], source: Source) -> dict[str, str]:
    """Return the headers that are kept with the event: none that can hold a secret."""
    token_header = str(getattr(source.settings, "token_header", "")).lower()
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if name == token_header or _may_hold_secret(name):
            continue
        kept[name[:100]] = value[:_LONGEST_HEADER].replace("\x00", "")
        if len(kept) == _MOST_HEADERS:
            break
    return kept


@lru_cache(maxsize=2048)
def _may_hold_secret(name: str) -> bool:
    return any(word in name for word in _SECRET_WORDS)


async def _send(send: Send, answer: Answer, problem: Problem | None = None) -> None:
    body = answer.body.encode() if isinstance(answer.body, str) else orjson.dumps(answer.body)
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if problem is not None:
        if problem.retry_after_seconds is not None:
            headers.append((b"retry-after", str(problem.retry_after_seconds).encode()))
        if isinstance(problem, BodyTooLarge):
            headers.append((b"connection", b"close"))
        if isinstance(problem, MethodNotAllowed):
            headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
