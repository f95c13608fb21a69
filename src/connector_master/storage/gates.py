"""Gates: how it goes at each destination, who delivers there now, and when it may be called next.

One runner at a time holds a destination, by a lease that it prolongs while it lives. So order, calls at once and calls per
minute are right however many processes work, and a runner that dies is replaced when its lease ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.outbox import OPEN

LEASE = timedelta(seconds=20)

FREE = f"""
    SELECT g.workspace_id, g.destination_id FROM destination_gates g
      JOIN destinations d ON d.workspace_id = g.workspace_id AND d.id = g.destination_id
     WHERE d.status = 'active' AND d.deleted_at IS NULL AND (g.runs_until IS NULL OR g.runs_until <= now())
       AND (g.rests_until IS NULL OR g.rests_until <= now()) AND (g.next_call_at IS NULL OR g.next_call_at <= now())
       AND EXISTS (SELECT 1 FROM deliveries q
                    WHERE q.workspace_id = g.workspace_id AND q.destination_id = g.destination_id
                      AND q.status IN {OPEN} AND q.due_at <= now())
"""
"""Destinations, in all workspaces, where something is due and may be sent, and where nobody delivers."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """How it goes: `failures` in a row since `failing_since`. It is open after `pauses` pauses, the first at `opened_at`."""

    failures: int = 0
    failing_since: datetime | None = None
    pauses: int = 0
    opened_at: datetime | None = None
    rests_until: datetime | None = None
    problem_code: str | None = None
    problem_detail: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the destination is only probed."""
        return self.pauses > 0


@dataclass(frozen=True, slots=True)
class Gate:
    """One destination's gate. `changed_at` is when the destination itself was last changed."""

    breaker: Breaker
    next_call_at: datetime | None
    last_delivered_at: datetime | None
    status: str
    is_deleted: bool
    changed_at: datetime


_CLAIM = text(f"""
    UPDATE destination_gates g SET runner = :runner, runs_until = clock_timestamp() + :lease
      FROM ({FREE} ORDER BY g.ran_at NULLS FIRST LIMIT :limit FOR UPDATE OF g SKIP LOCKED) AS free
     WHERE g.workspace_id = free.workspace_id AND g.destination_id = free.destination_id
    RETURNING g.workspace_id, g.destination_id
""")


async def claim(connection: AsyncConnection, runner: UUID, limit: int) -> list[tuple[UUID, UUID]]:
    """Let `runner` deliver at up to `limit` free destinations (workspace, id), in all workspaces, the longest idle first."""
    values = {"runner": runner, "lease": LEASE, "limit": limit}
    return [(row.workspace_id, row.destination_id) for row in await connection.execute(_CLAIM, values)]


_BREAKER = """g.failures, g.failing_since, g.pauses, g.opened_at, g.rests_until, g.problem_code, g.problem_detail"""
_HOLD = text(f"""
    SELECT {_BREAKER}, g.next_call_at, g.last_delivered_at, d.status, d.deleted_at IS NOT NULL AS is_deleted,
           d.updated_at AS changed_at, g.runner
      FROM destination_gates g JOIN destinations d ON d.workspace_id = g.workspace_id AND d.id = g.destination_id
     WHERE g.workspace_id = :workspace AND g.destination_id = :destination FOR UPDATE OF g
""")


async def hold(
    connection: AsyncConnection, workspace: UUID, destination_id: UUID, runner: UUID
) -> tuple[Gate, bool] | None:
    """Return a gate, held until the transaction ends, and whether it is `runner`'s; None where there is none."""
    values = {"workspace": workspace, "destination": destination_id}
    row = (await connection.execute(_HOLD, values)).one_or_none()
    if row is None:
        return None
    found = dict(row._mapping)
    is_ours = found.pop("runner") == runner
    breaker = Breaker(**{name: found.pop(name) for name in Breaker.__dataclass_fields__})
    return Gate(breaker, **found), is_ours


_SAVE = text("""
    UPDATE destination_gates g
       SET failures = :failures, failing_since = :failing_since, pauses = :pauses, opened_at = :opened_at,
           rests_until = :rests_until, problem_code = :problem_code, problem_detail = :problem_detail,
           next_call_at = :next_call_at, last_delivered_at = :last_delivered_at,
           runs_until = CASE WHEN g.runner = :runner THEN clock_timestamp() + :lease ELSE g.runs_until END
     WHERE g.workspace_id = :workspace AND g.destination_id = :destination
""")


async def save(connection: AsyncConnection, workspace: UUID, destination_id: UUID, runner: UUID, gate: Gate) -> None:
    """Write how it goes, and prolong the lease where it is still `runner`'s."""
    breaker = {name: getattr(gate.breaker, name) for name in Breaker.__dataclass_fields__}
    values = {
        "workspace": workspace,
        "destination": destination_id,
        "runner": runner,
        "lease": LEASE,
        "next_call_at": gate.next_call_at,
        "last_delivered_at": gate.last_delivered_at,
    }
    await connection.execute(_SAVE, values | breaker)


_RELEASE = text("""
    UPDATE destination_gates SET runner = NULL, runs_until = NULL, ran_at = now()
     WHERE workspace_id = :workspace AND destination_id = :destination AND runner = :runner
""")


async def release(connection: AsyncConnection, workspace: UUID, destination_id: UUID, runner: UUID) -> None:
    """Let others deliver there."""
    await connection.execute(_RELEASE, {"workspace": workspace, "destination": destination_id, "runner": runner})


_RESET = text("""
    UPDATE destination_gates
       SET failures = 0, failing_since = NULL, pauses = 0, opened_at = NULL, rests_until = NULL, problem_code = NULL,
           problem_detail = NULL, next_call_at = NULL
     WHERE workspace_id = :workspace AND destination_id = :destination
""")


async def reset(connection: AsyncConnection, workspace: UUID, destination_id: UUID) -> None:
    """Take it that the destination works: somebody has changed it, or seen that it does."""
    await connection.execute(_RESET, {"workspace": workspace, "destination": destination_id})


_REST = text("""
    UPDATE destination_gates SET rests_until = now() + :rest, problem_code = :code, problem_detail = :detail
     WHERE workspace_id = :workspace AND destination_id = :destination
""")


async def rest(
    connection: AsyncConnection, workspace: UUID, destination_id: UUID, for_: timedelta, *, code: str, detail: str
) -> None:
    """Send nothing there for a while, and say why."""
    values = {"workspace": workspace, "destination": destination_id, "rest": for_, "code": code, "detail": detail}
    await connection.execute(_REST, values)


@dataclass(frozen=True, slots=True)
class Health:
    """How it goes at a destination, for people. `waiting` counts what is not sent yet, up to MOST_COUNTED."""

    breaker: Breaker
    last_delivered_at: datetime | None
    waiting: int
    oldest_waiting_at: datetime | None
    dead: int


MOST_COUNTED = 10_000
_HEALTH = text(f"""
    SELECT g.destination_id, {_BREAKER}, g.last_delivered_at, w.waiting, w.oldest_waiting_at, dead.dead
      FROM destination_gates g
     CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, min(created_at) AS oldest_waiting_at
          FROM (SELECT created_at FROM deliveries q
                 WHERE q.workspace_id = g.workspace_id AND q.destination_id = g.destination_id AND q.status IN {OPEN}
                 ORDER BY q.due_at, q.number LIMIT {MOST_COUNTED}) AS few) AS w
     CROSS JOIN LATERAL (
        SELECT count(*) AS dead
          FROM (SELECT 1 FROM deliveries q
                 WHERE q.workspace_id = g.workspace_id AND q.destination_id = g.destination_id AND q.status = 'dead'
                 LIMIT {MOST_COUNTED}) AS few) AS dead
     WHERE g.workspace_id = :workspace AND g.destination_id = ANY(CAST(:destinations AS uuid[]))
""")


async def health(connection: AsyncConnection, workspace: UUID, destinations: Sequence[UUID]) -> dict[UUID, Health]:
    """Return, by destination, how it goes there."""
    found = {}
    values = {"workspace": workspace, "destinations": list(destinations)}
    for row in await connection.execute(_HEALTH, values):
        rest = dict(row._mapping)
        id_ = rest.pop("destination_id")
        breaker = Breaker(**{name: rest.pop(name) for name in Breaker.__dataclass_fields__})
        found[id_] = Health(breaker, **rest)
    return found
