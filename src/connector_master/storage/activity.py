"""The activity log: what people and the system did, and, told from the events, what arrived and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at, new_id, time_of
from connector_master.storage.paging import MOST_LOOKED_AT, Found


class Actor(Protocol):
    """Whoever did it: a user, an API key, the command line, the system, or a stranger at the door."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> UUID | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def ip(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class SomeActor:
    """An actor that is no signed-in caller."""

    kind: str
    id: UUID | None = None
    name: str | None = None
    ip: str | None = None


SYSTEM = SomeActor("system")
STRANGER = SomeActor("stranger")

_WRITE = text("""
    INSERT INTO activity (workspace_id, id, at, connector_id, kind, level, message, actor_kind, actor_id, actor_name, ip,
                          event_id, lead_id, data)
    VALUES (:workspace, :id, :at, :connector_id, :kind, :level, :message, :actor_kind, :actor_id, :actor_name, :ip,
            :event_id, :lead_id, CAST(:data AS jsonb))
""")


async def write(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    kind: str,
    message: str,
    actor: Actor = SYSTEM,
    level: str = "info",
    connector_id: UUID | None = None,
    event_id: UUID | None = None,
    lead_id: UUID | None = None,
    data: Any = None,
) -> None:
    """Add a line. `data` is JSON about what changed, such as `{"before": …, "after": …}`; never a secret."""
    id_ = new_id()
    await connection.execute(
        _WRITE,
        {
            "workspace": workspace,
            "id": id_,
            "at": time_of(id_),
            "connector_id": connector_id,
            "kind": kind,
            "level": level,
            "message": message,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_name": actor.name,
            "ip": actor.ip,
            "event_id": event_id,
            "lead_id": lead_id,
            "data": None if data is None else orjson.dumps(data, default=str).decode(),
        },
    )


_WRITE_MANY = """
    INSERT INTO activity (workspace_id, id, at, connector_id, kind, level, message, actor_kind, ip, event_id, lead_id, data)
    SELECT r.workspace_id, r.id, r.at, r.connector_id, r.kind, 'warning', r.message, r.actor_kind, r.ip, r.event_id, r.lead_id,
           r.data
      FROM json_to_recordset(%(rows)s::json)
           AS r (workspace_id uuid, id uuid, at timestamptz, connector_id uuid, kind text, message text, actor_kind text,
                 ip text, event_id uuid, lead_id uuid, data jsonb)
"""


async def write_warnings(
    connection: "psycopg.AsyncConnection[Any]", rows: Sequence[dict[str, Any]], actor: Actor = SYSTEM
) -> None:
    """Add warnings, many in one statement.

    Each row holds workspace_id, connector_id, kind and message, and any of ip, event_id, lead_id and data.
    """
    made = []
    for row in rows:
        id_ = new_id()
        made.append(row | {"id": id_, "at": time_of(id_), "actor_kind": actor.kind})
    await connection.execute(_WRITE_MANY, {"rows": orjson.dumps(made).decode()})


async def write_refusals(connection: "psycopg.AsyncConnection[Any]", rows: Sequence[dict[str, Any]]) -> None:
    """Add warnings about strangers who were turned away at the door. `connection` is in autocommit mode."""
    await write_warnings(connection, rows, STRANGER)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log. `part` tells the two lines of one event apart: what came (0), what became of it (1)."""

    id: UUID
    part: int
    at: datetime
    kind: str
    level: str
    message: str
    connector_id: UUID | None
    actor_kind: str
    actor_name: str | None
    ip: str | None
    event_id: UUID | None
    lead_id: UUID | None
    data: Any


_EVENT_LINES = """
    SELECT e.id, line.part, CASE line.part WHEN 0 THEN e.received_at ELSE coalesce(e.processed_at, e.received_at) END AS at,
           line.kind, line.level, line.message, e.connector_id, 'stranger' AS actor_kind, NULL AS actor_name, e.ip,
           e.id AS event_id, e.lead_id, NULL::jsonb AS data
      FROM events e
     CROSS JOIN LATERAL (
        SELECT 0 AS part, CASE e.origin WHEN 'push' THEN 'webhook_received' ELSE 'record_' || e.origin || 'ed' END AS kind,
               'info' AS level,
               CASE e.origin WHEN 'push' THEN 'Webhook received' ELSE 'Record ' || e.origin || 'ed' END AS message
        UNION ALL
        SELECT 1, CASE e.status WHEN 'created' THEN 'lead_created' WHEN 'failed' THEN 'error' WHEN 'dead' THEN 'error'
                                ELSE e.status END,
               CASE WHEN e.status IN ('failed', 'dead') THEN 'error' ELSE 'info' END,
               CASE e.status WHEN 'created' THEN 'Lead created' || coalesce(' (' || e.code || ')', '')
                             WHEN 'duplicate' THEN 'Duplicate: the lead was known' || coalesce(' (' || e.code || ')', '')
                             WHEN 'ignored' THEN 'Ignored: ' || coalesce(e.code, '')
                             ELSE coalesce(e.code || ': ', '') || coalesce(e.detail, '') END
         WHERE e.status <> 'received'
     ) AS line
     WHERE e.workspace_id = :workspace AND e.connector_id = :connector
       AND e.id >= :first AND e.id < :end AND (CAST(:cursor AS uuid) IS NULL OR (e.id, line.part) < (:cursor, :cursor_part))
"""

_ACTIVITY_LINES = """
    SELECT id, 0 AS part, at, kind, level, message, connector_id, actor_kind, actor_name, ip, event_id, lead_id, data
      FROM activity
     WHERE workspace_id = :workspace AND (CAST(:connector AS uuid) IS NULL OR connector_id = :connector)
       AND id >= :first AND id < :end AND (CAST(:cursor AS uuid) IS NULL OR (id, 0) < (:cursor, :cursor_part))
"""

_FILTER = """
    (CAST(:kind AS text) IS NULL OR kind = :kind) AND (CAST(:level AS text) IS NULL OR level = :level)
    AND (CAST(:q AS text) IS NULL OR strpos(lower(concat_ws(' ', kind, message, actor_name, ip, data::text)), lower(:q)) > 0)
"""

# Where looking ends: what is looked for fits no index, so only so many events and lines are looked through.
_EDGE = text(f"""
    SELECT greatest(
        (SELECT e.id FROM events e
          WHERE e.workspace_id = :workspace AND e.connector_id = :connector AND e.id >= :first AND e.id < :last
          ORDER BY e.id DESC OFFSET {MOST_LOOKED_AT - 1} LIMIT 1),
        (SELECT id FROM activity
          WHERE workspace_id = :workspace AND (CAST(:connector AS uuid) IS NULL OR connector_id = :connector)
            AND id >= :first AND id < :last
          ORDER BY id DESC OFFSET {MOST_LOOKED_AT - 1} LIMIT 1))
""")

_OF_CONNECTOR = text(f"""
    SELECT * FROM (
        (SELECT * FROM ({_EVENT_LINES}) AS event_lines WHERE {_FILTER} ORDER BY id DESC, part DESC LIMIT :limit)
        UNION ALL
        (SELECT * FROM ({_ACTIVITY_LINES}) AS activity_lines WHERE {_FILTER} ORDER BY id DESC, part DESC LIMIT :limit)
    ) AS lines ORDER BY id DESC, part DESC LIMIT :limit
""")

_AUDIT = text(f"""
    SELECT * FROM ({_ACTIVITY_LINES}) AS activity_lines WHERE {_FILTER} ORDER BY id DESC LIMIT :limit
""")


async def lines(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    connector_id: UUID | None,
    limit: int,
    after: tuple[UUID, int] | None = None,
    kind: str | None = None,
    level: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    q: str | None = None,
) -> Found[Line]:
    """Return at most `limit` lines, newest first: of one connector with its events, or without one the audit trail."""
    first = first_id_at(start) if start else UUID(int=0)
    last = first_id_at(end) if end else UUID(int=2**128 - 1)
    edge: UUID | None = None
    if kind is not None or level is not None or q is not None:
        span = {"first": first, "last": min(last, after[0]) if after else last}
        edge = (
            await connection.execute(_EDGE, {"workspace": workspace, "connector": connector_id, **span})
        ).scalar_one()
    values = {
        "workspace": workspace,
        "connector": connector_id,
        "limit": limit,
        "cursor": after[0] if after else None,
        "cursor_part": after[1] if after else 0,
        "kind": kind,
        "level": level,
        "first": first if edge is None else edge,
        "end": last,
        "q": q,
    }
    rows = await connection.execute(_OF_CONNECTOR if connector_id else _AUDIT, values)
    return Found([Line(**row._mapping) for row in rows], edge)
