"""The outbox: leads become due at their destinations in the commit that makes or fills them, and leave it in order.

A destination has one runner at a time (gates.py), so what is under way is known to it alone; rows only say what is due.
A runner that dies leaves them due, and they are sent again under the same id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.model.delivery import DeliveryStatus, Occasion
from connector_master.storage.ids import new_id
from connector_master.storage.leads import LEAD_COLUMNS, Lead

OPEN = "('queued', 'retrying')"
"""Statuses of what is still to be sent, as a statement has to write them so that the partial index serves it."""


def becomes_due(rows: LiteralString) -> LiteralString:
    """Return the statement that makes leads due at the destinations of their workspace that want to hear of it.

    `rows` selects workspace_id, lead_id, event_id and occasion; without an occasion nothing is due.
    """
    return f"""
        INSERT INTO deliveries (workspace_id, id, destination_id, lead_id, event_id, occasion, created_at, due_at)
        SELECT r.workspace_id, new_id_at(now()), d.id, r.lead_id, r.event_id, r.occasion, now(), now()
          FROM ({rows}) AS r
          JOIN destinations d ON d.workspace_id = r.workspace_id AND d.deleted_at IS NULL AND r.occasion = ANY(d.occasions)
    """


# ---- what is due ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery to be sent now. `lead` is as it is now, None where it is gone; `known_as` is the receiver's id for it."""

    id: UUID
    lead_id: UUID
    occasion: Occasion
    created_at: datetime
    attempts: int
    retries: int
    failing_since: datetime | None
    known_as: str | None
    lead: Lead | None


_TAKE = text(f"""
    WITH head AS MATERIALIZED (
        SELECT d.id, d.number, d.lead_id FROM deliveries d
         WHERE d.workspace_id = :workspace AND d.destination_id = :destination AND d.status IN {OPEN}
           AND d.due_at <= now() AND d.id <> ALL(CAST(:under_way AS uuid[]))
         ORDER BY d.due_at, d.number LIMIT :limit FOR UPDATE SKIP LOCKED
    ), placed AS MATERIALIZED (
        SELECT h.id, (SELECT max(earlier.due_at) FROM deliveries earlier
                       WHERE earlier.workspace_id = :workspace AND earlier.lead_id = h.lead_id
                         AND earlier.destination_id = :destination AND earlier.number < h.number
                         AND earlier.status IN {OPEN}) AS waits_for
          FROM head h
    ), put_off AS (
        UPDATE deliveries d SET due_at = p.waits_for + interval '1 microsecond' FROM placed p
         WHERE d.workspace_id = :workspace AND d.id = p.id AND p.waits_for > now()
    )
    SELECT d.id AS delivery_id, d.lead_id AS due_lead_id, d.occasion, d.created_at AS due_since, d.attempts, d.retries,
           d.failing_since,
           CASE WHEN d.occasion <> 'lead.created' THEN
               (SELECT known.external_id FROM deliveries known
                 WHERE known.workspace_id = :workspace AND known.lead_id = d.lead_id AND known.destination_id = :destination
                   AND known.external_id IS NOT NULL ORDER BY known.number DESC LIMIT 1) END AS known_as,
           {LEAD_COLUMNS}
      FROM placed p JOIN deliveries d ON d.workspace_id = :workspace AND d.id = p.id
      LEFT JOIN leads l ON l.workspace_id = d.workspace_id AND l.id = d.lead_id
     WHERE p.waits_for IS NULL ORDER BY d.due_at, d.number
""")


async def take(
    connection: AsyncConnection, workspace: UUID, destination_id: UUID, *, under_way: Collection[UUID], limit: int
) -> list[Due]:
    """Return at most `limit` deliveries that are to be sent now, the longest due first; not those that are under way.

    A delivery waits for every earlier one of its lead: while that is retried, until after it.
    """
    values = {"workspace": workspace, "destination": destination_id, "under_way": list(under_way), "limit": limit}
    return [_due(row._mapping) for row in await connection.execute(_TAKE, values)]


def _due(row: Any) -> Due:
    rest = dict(row)
    delivery = {name: rest.pop(name) for name in ("attempts", "retries", "failing_since", "known_as")}
    return Due(
        id=rest.pop("delivery_id"),
        lead_id=rest.pop("due_lead_id"),
        occasion=Occasion(rest.pop("occasion")),
        created_at=rest.pop("due_since"),
        lead=Lead(**rest) if rest["id"] is not None else None,
        **delivery,
    )


# ---- what came of it --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt, and what becomes of its delivery. `due_at` counts while it is retrying."""

    delivery_id: UUID
    status: DeliveryStatus
    at: datetime
    milliseconds: int
    attempt: int
    retries: int = 0
    due_at: datetime | None = None
    failing_since: datetime | None = None
    code: str | None = None
    detail: str | None = None
    external_id: str | None = None
    request: Any = None
    answer_status: int | None = None
    answer: str | None = None


# What a person ended meanwhile stays ended, unless it was delivered after all.
_RECORD = text(f"""
    WITH tried AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:rows AS json))
               AS r (delivery_id uuid, attempt_id uuid, status text, at timestamptz, milliseconds int4, attempt int4,
                     retries int4, due_at timestamptz, failing_since timestamptz, code text, detail text, external_id text,
                     request json, answer_status int4, answer text)
    ), settled AS (
        UPDATE deliveries d
           SET status = t.status, attempts = t.attempt, retries = t.retries, due_at = coalesce(t.due_at, d.due_at),
               failing_since = t.failing_since, last_attempt_at = t.at, code = t.code, detail = t.detail,
               settled_at = CASE WHEN t.status IN ('delivered', 'dead') THEN clock_timestamp() END,
               external_id = coalesce(t.external_id, d.external_id)
          FROM tried t
         WHERE d.workspace_id = :workspace AND d.id = t.delivery_id AND (d.status IN {OPEN} OR t.status = 'delivered')
    )
    INSERT INTO delivery_attempts (workspace_id, id, delivery_id, number, at, milliseconds, request, status, answer, code, detail)
    SELECT :workspace, t.attempt_id, t.delivery_id, t.attempt, t.at, t.milliseconds, t.request, t.answer_status, t.answer,
           t.code, t.detail
      FROM tried t
""")


async def record(connection: AsyncConnection, workspace: UUID, tried: Sequence[Tried]) -> None:
    """Keep attempts, and write what becomes of their deliveries."""
    rows = [{name: getattr(one, name) for name in one.__dataclass_fields__} | {"attempt_id": new_id()} for one in tried]
    await connection.execute(_RECORD, {"workspace": workspace, "rows": orjson.dumps(rows).decode()})


_END_OF_LEAD = text(f"""
    UPDATE deliveries SET status = 'dead', code = :code, detail = :detail, settled_at = clock_timestamp()
     WHERE workspace_id = :workspace AND lead_id = :lead AND status IN {OPEN}
""")
_FORGET_ANSWERS = text("""
    UPDATE delivery_attempts SET answer = NULL
     WHERE workspace_id = :workspace AND answer IS NOT NULL
       AND delivery_id IN (SELECT id FROM deliveries WHERE workspace_id = :workspace AND lead_id = :lead)
""")
_ERASED = text("""
    INSERT INTO deliveries (workspace_id, id, destination_id, lead_id, occasion, created_at, due_at)
    SELECT d.workspace_id, new_id_at(now()), d.id, :lead, 'lead.erased', now(), now() FROM destinations d
     WHERE d.workspace_id = :workspace AND d.deleted_at IS NULL AND 'lead.erased' = ANY(d.occasions)
       AND EXISTS (SELECT 1 FROM deliveries sent
                    WHERE sent.workspace_id = d.workspace_id AND sent.lead_id = :lead AND sent.destination_id = d.id
                      AND sent.attempts > 0)
""")


async def erase(connection: AsyncConnection, workspace: UUID, lead_id: UUID, *, code: str, detail: str) -> None:
    """Send nothing more of a lead that is erased, forget what receivers said of it, and tell those that want to know."""
    values = {"workspace": workspace, "lead": lead_id, "code": code, "detail": detail}
    await connection.execute(_END_OF_LEAD, values)
    await connection.execute(_FORGET_ANSWERS, values)
    await connection.execute(_ERASED, values)


_HASTEN = text("""
    UPDATE deliveries SET due_at = created_at
     WHERE workspace_id = :workspace AND destination_id = :destination AND status = 'retrying' AND due_at > now()
       AND (CAST(:since AS timestamptz) IS NULL OR last_attempt_at >= :since)
""")


async def hasten(connection: AsyncConnection, workspace: UUID, destination_id: UUID, since: datetime | None) -> None:
    """Let what failed at a destination since then (None: ever) be due in the order in which it came."""
    await connection.execute(_HASTEN, {"workspace": workspace, "destination": destination_id, "since": since})
