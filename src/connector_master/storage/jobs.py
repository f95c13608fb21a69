"""Jobs: work that a person started and can watch, and the one way in which work of any kind is deferred.

A job row says what is to be done and how far it is; Procrastinate's own rows say who does it. Work is deferred by name on
the caller's connection, so it is there exactly when the caller's transaction commits, and nothing here knows `work`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.activity import Actor
from connector_master.storage.gates import FREE

QUEUE = "default"
SYNC_QUEUE = "syncs"
"""Runs that wait for providers, apart from all else: however many wait, nothing but another run waits behind them."""
RUN_SYNC = "run_sync"
RESOLVE_QUEUE = "resolves"
"""Fetching what was announced: never behind a long run."""
RESOLVE_LEADS = "resolve_leads"
RECHECK = "recheck"
SUBSCRIBE = "subscribe"
FORGET_RAW = "forget_raw"
DELIVERY_QUEUE = "deliveries"
"""Delivering what is due: apart from what waits for sources."""
DELIVER = "deliver"
END_DELIVERIES = "end_deliveries"
RETRY_DELIVERIES = "retry_deliveries"
RETRY_EVENTS = "retry_events"
IMPORT_LEADS = "import_leads"
PROCESS_HELD = "process_held"


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `total` is None until it was counted; `failed` of the `done` ones did not go well."""

    id: UUID
    kind: str
    status: str
    filter: dict[str, Any]
    total: int | None
    done: int
    failed: int
    actor_name: str | None
    error: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


_QUEUES: Mapping[str, str] = MappingProxyType(
    {RUN_SYNC: SYNC_QUEUE, RECHECK: SYNC_QUEUE, SUBSCRIBE: SYNC_QUEUE, RESOLVE_LEADS: RESOLVE_QUEUE}
)

_DEFER = text("""
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, 0, :lock, NULL, CAST(:args AS jsonb), CAST(:at AS timestamptz))::procrastinate_job_to_defer_v1
    ])
""")


async def defer(connection: AsyncConnection, task_name: str, **args: str) -> None:
    """Let a worker run the task with these arguments once this transaction commits."""
    await defer_at(connection, task_name, None, **args)


async def defer_at(connection: AsyncConnection, task_name: str, at: datetime | None, **args: str) -> None:
    """Let a worker run the task once this transaction commits, not before `at`.

    Equal work (same task, same arguments) runs one after the other, never at the same time. Nothing keeps it from being
    deferred twice: a queueing lock would abort the caller's transaction.
    """
    encoded = orjson.dumps(args, option=orjson.OPT_SORT_KEYS).decode()
    queue = _QUEUES.get(task_name, QUEUE)
    values = {"queue": queue, "task": task_name, "lock": f"{task_name}:{encoded}", "args": encoded, "at": at}
    await connection.execute(_DEFER, values)


_HINT_RESOLVES = f"""
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('{RESOLVE_QUEUE}', '{RESOLVE_LEADS}', 0, '{RESOLVE_LEADS}:' || wanted.args, NULL, wanted.args::jsonb, NULL)
        ::procrastinate_job_to_defer_v1
    ])
      FROM unnest(%(args)s::text[]) AS wanted (args)
     WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs
                        WHERE task_name = '{RESOLVE_LEADS}' AND status = 'todo' AND scheduled_at IS NULL
                          AND lock = '{RESOLVE_LEADS}:' || wanted.args)
"""


async def hint_resolves(
    connection: "psycopg.AsyncConnection[Any]", connectors: Sequence[tuple[UUID, UUID]]
) -> list[None]:
    """Let a worker fetch what was announced to these connectors (workspace, id), unless one is about to begin anyway.

    `connection` is in autocommit mode.
    """
    args = [
        orjson.dumps(
            {"connector_id": str(connector_id), "workspace_id": str(workspace)}, option=orjson.OPT_SORT_KEYS
        ).decode()
        for workspace, connector_id in connectors
    ]
    await connection.execute(_HINT_RESOLVES, {"args": args})
    return []


WAKE_SUCCESSOR = """
    SELECT pg_notify('procrastinate_queue_v1#' || queue_name,
                     json_build_object('type', 'job_inserted', 'job_id', id)::text)
      FROM procrastinate_jobs
     WHERE lock = %(lock)s AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
     ORDER BY id LIMIT 1
"""
"""Says of the first job that waits for a lock what Procrastinate says of one that was just deferred."""


_HINT_DELIVERIES = f"""
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('{DELIVERY_QUEUE}', '{DELIVER}', 0, NULL, NULL, '{{}}'::jsonb, NULL)::procrastinate_job_to_defer_v1
    ])
     WHERE EXISTS ({FREE})
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE task_name = '{DELIVER}' AND status = 'todo')
"""
_DEFER_DELIVERIES = text(_HINT_DELIVERIES)


async def hint_deliveries(connection: "psycopg.AsyncConnection[Any]", _: Sequence[None]) -> list[None]:
    """Let a worker deliver what is due, unless one is about to begin anyway. `connection` is in autocommit mode."""
    await connection.execute(_HINT_DELIVERIES)
    return []


async def defer_deliveries(connection: AsyncConnection) -> None:
    """Let a worker deliver what is due as soon as this transaction commits."""
    await connection.execute(_DEFER_DELIVERIES)


_COLUMNS = """id, kind, status, filter, total, done, failed, actor_name, error, cancel_requested, created_at, started_at,
              finished_at"""

_ADD = text(f"""
    INSERT INTO jobs (workspace_id, id, kind, status, filter, actor_id, actor_name, created_at)
    VALUES (:workspace, :id, :kind, 'queued', CAST(:filter AS jsonb), :actor_id, :actor_name, clock_timestamp())
    RETURNING {_COLUMNS}
""")
_GET = text(f"SELECT {_COLUMNS} FROM jobs WHERE workspace_id = :workspace AND id = :id")
_PAGE = text(f"""
    SELECT {_COLUMNS} FROM jobs
     WHERE workspace_id = :workspace AND (CAST(:after AS uuid) IS NULL OR id < :after) ORDER BY id DESC LIMIT :limit
""")
_CANCEL = text(f"""
    UPDATE jobs SET cancel_requested = true,
                    finished_at = CASE status WHEN 'queued' THEN clock_timestamp() ELSE finished_at END,
                    status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END
     WHERE workspace_id = :workspace AND id = :id AND status IN ('queued', 'running')
    RETURNING {_COLUMNS}
""")
_START = text(f"""
    UPDATE jobs SET status = 'running', started_at = coalesce(started_at, clock_timestamp())
     WHERE workspace_id = :workspace AND id = :id AND status IN ('queued', 'running')
    RETURNING {_COLUMNS}
""")
_COUNTED = text("UPDATE jobs SET total = done + :remaining WHERE workspace_id = :workspace AND id = :id")
_FINISH = text(f"""
    UPDATE jobs SET status = :status, error = :error, finished_at = clock_timestamp()
     WHERE workspace_id = :workspace AND id = :id AND status IN ('queued', 'running')
    RETURNING {_COLUMNS}
""")


async def add(
    connection: AsyncConnection, workspace: UUID, *, id_: UUID, kind: str, filter_: Mapping[str, Any], actor: Actor
) -> Job:
    """Write a queued job; whoever calls defers the work."""
    values = {
        "workspace": workspace,
        "id": id_,
        "kind": kind,
        "filter": orjson.dumps(filter_).decode(),
        "actor_id": actor.id,
        "actor_name": actor.name,
    }
    return Job(**(await connection.execute(_ADD, values)).one()._mapping)


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Job | None:
    """Return a job, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return Job(**row._mapping) if row else None


async def page(connection: AsyncConnection, workspace: UUID, *, limit: int, after: UUID | None) -> list[Job]:
    """Return at most `limit` jobs, newest first."""
    rows = await connection.execute(_PAGE, {"workspace": workspace, "limit": limit, "after": after})
    return [Job(**row._mapping) for row in rows]


async def cancel(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Job | None:
    """Ask a job to stop, or end it if it had not begun; None when it is none that could still be stopped."""
    row = (await connection.execute(_CANCEL, {"workspace": workspace, "id": id_})).one_or_none()
    return Job(**row._mapping) if row else None


async def start(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Job | None:
    """Take a job up, for the first time or again; None when it has ended."""
    row = (await connection.execute(_START, {"workspace": workspace, "id": id_})).one_or_none()
    return Job(**row._mapping) if row else None


async def counted(connection: AsyncConnection, workspace: UUID, id_: UUID, remaining: int) -> None:
    """Write how much there is to do: what is done already and what remains."""
    await connection.execute(_COUNTED, {"workspace": workspace, "id": id_, "remaining": remaining})


async def finish(
    connection: AsyncConnection, workspace: UUID, id_: UUID, status: str, error: str | None = None
) -> Job | None:
    """End a job as succeeded, failed or cancelled; None when it had ended."""
    values = {"workspace": workspace, "id": id_, "status": status, "error": error}
    row = (await connection.execute(_FINISH, values)).one_or_none()
    return Job(**row._mapping) if row else None


_ADVANCE = """
    UPDATE jobs SET done = done + %(done)s, failed = failed + %(failed)s
     WHERE workspace_id = %(workspace)s AND id = %(id)s
"""


async def advance(
    connection: "psycopg.AsyncConnection[Any]", workspace: UUID, id_: UUID, *, done: int, failed: int
) -> None:
    """Count progress, in the same transaction as the work itself."""
    await connection.execute(_ADVANCE, {"workspace": workspace, "id": id_, "done": done, "failed": failed})


_ADVANCE_BY = text("UPDATE jobs SET done = done + :done WHERE workspace_id = :workspace AND id = :id")


async def advance_by(connection: AsyncConnection, workspace: UUID, id_: UUID, done: int) -> None:
    """Count progress of work that can't fail, in the same transaction as the work itself."""
    await connection.execute(_ADVANCE_BY, {"workspace": workspace, "id": id_, "done": done})


_FORGOTTEN = text("""
    SELECT j.workspace_id, j.id, j.kind FROM jobs j
     WHERE j.status IN ('queued', 'running')
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs p
                        WHERE p.status IN ('todo', 'doing') AND p.task_name = j.kind AND p.args ->> 'job_id' = j.id::text)
""")
_IS_DEFERRED = text("""
    SELECT EXISTS (SELECT 1 FROM procrastinate_jobs
                    WHERE status IN ('todo', 'doing') AND task_name = :task AND args = CAST(:args AS jsonb))
""")


async def forgotten(connection: AsyncConnection) -> list[tuple[UUID, UUID, str]]:
    """Return workspace, id and kind of every open job, in all workspaces, that no worker has or will get."""
    return [(row.workspace_id, row.id, row.kind) for row in await connection.execute(_FORGOTTEN)]


async def is_deferred(connection: AsyncConnection, task_name: str, **args: str) -> bool:
    """Return whether this very work waits or runs already."""
    values = {"task": task_name, "args": orjson.dumps(args).decode()}
    found: bool = (await connection.execute(_IS_DEFERRED, values)).scalar_one()
    return found
