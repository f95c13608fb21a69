"""Pushes for connectors' tests, showing only what matters."""

from collections.abc import Mapping
from datetime import UTC, datetime

from connector_master.model.event import Push

NOW = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)


def push(
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    at: datetime | float = NOW,
) -> Push:
    """A push as the door makes it: header names in lower case. `at` may be seconds since 1970."""
    received_at = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    return Push(headers=lowered, query=query or {}, body=body, ip="203.0.113.7", received_at=received_at)
