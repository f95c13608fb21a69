"""Deliveries: looking at them, and what people do with them. They come into being and are sent by the outbox (outbox.py).

Ids carry the time they were made, so a span of time is a span of the primary key. Open and dead ones have indexes of their
own, which only a status written into the statement can use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.model.delivery import DeliveryStatus, Occasion
from connector_master.storage.ids import first_id_at
from connector_master.storage.outbox import OPEN


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. `due_at` says when an open one is tried next; `code` and `detail`, why the last attempt failed."""

    id: UUID
    destination_id: UUID
    destination_name: str
    destination_type: str
    lead_id: UUID
    event_id: UUID | None
    occasion: Occasion
    status: DeliveryStatus
    created_at: datetime
    due_at: datetime
    attempts: int
    last_attempt_at: datetime | None
    settled_at: datetime | None
    code: str | None
    detail: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt: when, how long, what was asked for and what was answered."""

    number: int
    at: datetime
    milliseconds: int
    request: dict[str, Any]
    status: int | None
    answer: str | None
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries. `start` ≤ created < `end`; several `statuses` are alternatives."""

    statuses: Sequence[DeliveryStatus] = ()
    destination_id: UUID | None = None
    lead_id: UUID | None = None
    code: str | None = None
    start: datetime | None = None
    end: datetime | None = None


_COLUMNS = """q.id, q.destination_id, d.name AS destination_name, d.type AS destination_type, q.lead_id, q.event_id, q.occasion,
              q.status, q.created_at, q.due_at, q.attempts, q.last_attempt_at, q.settled_at, q.code, q.detail, q.external_id"""
_FROM = "deliveries q JOIN destinations d ON d.workspace_id = q.workspace_id AND d.id = q.destination_id"


async def page(
    connection: AsyncConnection, workspace: UUID, filter_: DeliveryFilter, *, limit: int, after: UUID | None = None
) -> list[Delivery]:
    """Return at most `limit` deliveries, newest first, beginning after the id `after`."""
    conditions, values = _conditions(filter_)
    if after is not None:
        conditions.append("q.id < :after")
        values["after"] = after
    statement = text(f"SELECT {_COLUMNS} FROM {_FROM} WHERE {' AND '.join(conditions)} ORDER BY q.id DESC LIMIT :limit")
    rows = await connection.execute(statement, {"workspace": workspace, "limit": limit, **values})
    return [_delivery(row._mapping) for row in rows]


_GET = text(f"SELECT {_COLUMNS} FROM {_FROM} WHERE q.workspace_id = :workspace AND q.id = :id")
_ATTEMPTS = text("""
    SELECT number, at, milliseconds, coalesce(request, '{}') AS request, status, answer, code, detail FROM delivery_attempts
     WHERE workspace_id = :workspace AND delivery_id = :delivery ORDER BY id DESC LIMIT :limit
""")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Delivery | None:
    """Return a delivery, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return _delivery(row._mapping) if row else None


async def attempts(connection: AsyncConnection, workspace: UUID, id_: UUID, limit: int) -> list[DeliveryAttempt]:
    """Return at most `limit` attempts of a delivery, the latest first."""
    rows = await connection.execute(_ATTEMPTS, {"workspace": workspace, "delivery": id_, "limit": limit})
    return [DeliveryAttempt(**row._mapping) for row in rows]


_OF_LEAD = text(f"""
    SELECT {_COLUMNS} FROM {_FROM} WHERE q.workspace_id = :workspace AND q.lead_id = :lead ORDER BY q.id DESC LIMIT :limit
""")


async def of_lead(connection: AsyncConnection, workspace: UUID, lead_id: UUID, limit: int) -> list[Delivery]:
    """Return at most `limit` deliveries of a lead, newest first; destinations that are deleted keep their names."""
    rows = await connection.execute(_OF_LEAD, {"workspace": workspace, "lead": lead_id, "limit": limit})
    return [_delivery(row._mapping) for row in rows]


_CANCEL = text(f"""
    UPDATE deliveries SET status = 'dead', code = :code, detail = :detail, settled_at = clock_timestamp()
     WHERE workspace_id = :workspace AND id = :id AND status IN {OPEN}
    RETURNING id
""")


async def cancel(connection: AsyncConnection, workspace: UUID, id_: UUID, *, code: str, detail: str) -> bool:
    """End a delivery that is still to be sent; return whether it was."""
    values = {"workspace": workspace, "id": id_, "code": code, "detail": detail}
    return (await connection.execute(_CANCEL, values)).first() is not None


_END = text(f"""
    UPDATE deliveries q SET status = 'dead', code = :code, detail = :detail, settled_at = clock_timestamp()
      FROM (SELECT id FROM deliveries WHERE workspace_id = :workspace AND destination_id = :destination AND status IN {OPEN}
             LIMIT :limit) AS few
     WHERE q.workspace_id = :workspace AND q.id = few.id
""")


async def end_some(
    connection: AsyncConnection, workspace: UUID, destination_id: UUID, limit: int, *, code: str, detail: str
) -> bool:
    """End up to `limit` of what waits for a destination; return whether there was any."""
    values = {
        "workspace": workspace,
        "destination": destination_id,
        "limit": limit,
        "code": code,
        "detail": detail,
    }
    return (await connection.execute(_END, values)).rowcount > 0


# ---- trying again -----------------------------------------------------------------------------------

_RETRYABLE = "q.status IN ('retrying', 'dead') AND d.deleted_at IS NULL"
_AGAIN = text("""
    UPDATE deliveries SET status = 'queued', due_at = clock_timestamp(), retries = 0, failing_since = NULL, settled_at = NULL
     WHERE workspace_id = :workspace AND id = ANY(CAST(:ids AS uuid[])) AND status IN ('retrying', 'dead')
    RETURNING id
""")


async def retry(connection: AsyncConnection, workspace: UUID, ids: Sequence[UUID]) -> int:
    """Let failed deliveries be sent again, with the whole schedule before them; return how many that were."""
    return len((await connection.execute(_AGAIN, {"workspace": workspace, "ids": list(ids)})).all())


async def retryable(
    connection: AsyncConnection,
    workspace: UUID,
    filter_: DeliveryFilter,
    *,
    untouched_since: datetime,
    limit: int,
    after: UUID | None,
) -> list[UUID]:
    """Return the ids of at most `limit` failed deliveries, oldest first, beginning after `after`.

    Those of deleted destinations are left out, and those that were tried since `untouched_since`.
    """
    conditions, values = _retryable(filter_, untouched_since)
    if after is not None:
        conditions.append("q.id > :after")
        values["after"] = after
    statement = text(f"SELECT q.id FROM {_FROM} WHERE {' AND '.join(conditions)} ORDER BY q.id LIMIT :limit")
    rows = await connection.execute(statement, {"workspace": workspace, "limit": limit, **values})
    return [row.id for row in rows]


async def count_retryable(
    connection: AsyncConnection, workspace: UUID, filter_: DeliveryFilter, untouched_since: datetime
) -> int:
    """Return how many deliveries `retryable` would go through."""
    conditions, values = _retryable(filter_, untouched_since)
    statement = text(f"SELECT count(*) FROM {_FROM} WHERE {' AND '.join(conditions)}")
    found: int = (await connection.execute(statement, {"workspace": workspace, **values})).scalar_one()
    return found


def _retryable(filter_: DeliveryFilter, untouched_since: datetime) -> tuple[list[str], dict[str, Any]]:
    conditions, values = _conditions(filter_)
    values["untouched_since"] = untouched_since
    untouched = "(q.last_attempt_at IS NULL OR q.last_attempt_at < :untouched_since)"
    return [*conditions, _RETRYABLE, untouched], values


def _conditions(filter_: DeliveryFilter) -> tuple[list[str], dict[str, Any]]:
    conditions = ["q.workspace_id = :workspace"]
    values: dict[str, Any] = {}
    if filter_.statuses:
        # Written out, not bound: a partial index serves only what its condition can be proven from.
        names = ", ".join(f"'{DeliveryStatus(status).value}'" for status in filter_.statuses)
        conditions.append(f"q.status IN ({names})")
    for column, value in (
        ("destination_id", filter_.destination_id),
        ("lead_id", filter_.lead_id),
        ("code", filter_.code),
    ):
        if value is not None:
            conditions.append(f"q.{column} = :{column}")
            values[column] = value
    if filter_.start is not None:
        conditions.append("q.id >= :start")
        values["start"] = first_id_at(filter_.start)
    if filter_.end is not None:
        conditions.append("q.id < :end")
        values["end"] = first_id_at(filter_.end)
    return conditions, values


def _delivery(row: Any) -> Delivery:
    return Delivery(**{**row, "status": DeliveryStatus(row["status"]), "occasion": Occasion(row["occasion"])})
