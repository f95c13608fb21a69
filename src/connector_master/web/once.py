"""What is shown once: secrets on their way to the next page, sealed in a cookie that lives for minutes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from uuid import UUID

import orjson
from starlette.responses import Response

from connector_master.connections.sealing import Place, SealBroken, UnknownSealingKey
from connector_master.web.visit import Visit

_NAME = "once"
_SECONDS = 300


def hand_on(visit: Visit, response: Response, subject: UUID, secrets: Mapping[str, str | None]) -> None:
    """Let the next page about `subject` show `secrets`; those that are None are left out."""
    kept = {name: value for name, value in secrets.items() if value is not None}
    if not kept:
        return
    sealed = visit.hub.keys.seal(orjson.dumps(kept), _place(visit, subject))
    response.set_cookie(
        _NAME,
        urlsafe_b64encode(sealed).decode(),
        max_age=_SECONDS,
        httponly=True,
        samesite="strict",
        secure=visit.is_https,
    )


def handed_on(visit: Visit, subject: UUID) -> dict[str, str]:
    """Return the secrets of `subject` that the page before handed on; nothing for any other subject or session."""
    try:
        sealed = urlsafe_b64decode(visit.request.cookies.get(_NAME, ""))
        found = visit.hub.keys.open(sealed, _place(visit, subject)) if sealed else b"{}"
        read: dict[str, str] = orjson.loads(found)
        return read
    except (ValueError, SealBroken, UnknownSealingKey):
        return {}


def take_away(visit: Visit, response: Response) -> Response:
    """Let what was shown not be shown again."""
    if _NAME in visit.request.cookies:
        response.delete_cookie(_NAME, httponly=True, samesite="strict", secure=visit.is_https)
    return response


def _place(visit: Visit, subject: UUID) -> Place:
    assert visit.visitor is not None
    return Place(visit.caller.workspace_id, "once", f"{visit.visitor.session_id}:{subject}", "secrets")
