"""In front of the API: sizes, repeated parameters and headers that every answer carries. Plain ASGI."""

from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from connector_master.api.errors import problem_response
from connector_master.ingest.tables import MOST_BYTES
from connector_master.model.problem import BodyTooLarge, FieldError, InvalidRequest, UnsupportedMediaType

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose body somebody reads; that of any other is left where it is."""

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)


_FILES_AT = "/imports"
_FILE_BYTES = MOST_BYTES + 64 * 1024
"""A file of leads, and what a form puts around it."""


class Guard:
    """Refuses what is too large, compressed or ambiguous before the application sees it."""

    def __init__(self, onward: Application, *, max_body_bytes: int, is_https: bool) -> None:
        self._onward = onward
        self._most = max_body_bytes
        self._headers = list(_HEADERS)
        if is_https:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._onward(scope, receive, send)
            return
        problem = self._fault(scope)
        if problem is not None:
            headers = {"Connection": "close"} if isinstance(problem, BodyTooLarge) else {}
            await problem_response(problem, headers)(scope, receive, self._sending(send))
            return
        size, most = 0, self._most_at(scope)

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise BodyTooLarge(f"The body is larger than {most} bytes.")
            return message

        await self._onward(scope, counted, self._sending(send))

    def _fault(self, scope: MutableMapping[str, Any]) -> BodyTooLarge | InvalidRequest | UnsupportedMediaType | None:
        if scope["method"] in WITH_BODY:
            headers = Request(scope).headers
            declared = headers.get("content-length", "")
            most = self._most_at(scope)
            if declared.isdigit() and int(declared[:20]) > most:
                return BodyTooLarge(f"The body is larger than {most} bytes.")
            if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
                return UnsupportedMediaType("Compressed bodies are not read.", remedy="Send the body uncompressed.")
        names = Counter(name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        repeated = [name for name, count in names.items() if count > 1]
        if repeated:
            errors = [FieldError(name[:100], "Given more than once.") for name in repeated[:20]]
            return InvalidRequest("A query parameter is repeated.", errors=errors)
        return None

    def _most_at(self, scope: MutableMapping[str, Any]) -> int:
        return max(self._most, _FILE_BYTES) if scope["path"].endswith(_FILES_AT) else self._most

    def _sending(self, send: Send) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in self._headers if name not in present),
                ]
            await send(message)

        return with_headers
