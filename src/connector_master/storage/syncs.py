"""Syncs: pull runs, how far they have come, and the mark of each connector that they move."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.model.json import Json
from connector_master.storage import following, rechecks
from connector_master.storage.batch import EventRow, Stored


@dataclass(frozen=True, slots=True)
class Sync:
    """One pull run. Everything before `read_until` is stored; `resumes_at` is set while it waits for the provider.

    `error_code` and `error_message` say why it failed, or why it waits. `calls` is how often it asked the provider.
    `recovered` are the leads that it brought though they should have been pushed.
    """

    workspace_id: UUID
    id: UUID
    connector_id: UUID
    status: str
    trigger: str
    from_at: datetime
    to_at: datetime
    read_until: datetime | None
    received: int
    created: int
    duplicates: int
    ignored: int
    failed: int
    repeated: int
    attempts: int
    resumes_at: datetime | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_deep: bool
    calls: int
    recovered: int

    @property
    def moves_mark(self) -> bool:
        """Whether the connector counts as read up to where the run has come; a backfill reads beside the present."""
        return self.trigger != "backfill"


class AlreadyActive(Exception):
    """The connector has a run that is queued or running."""


class LostRun(Exception):
    """Another worker took this run over, or it was ended; nothing of this page was stored."""


_COLUMNS = """workspace_id, id, connector_id, status, trigger, from_at, to_at, read_until, received, created, duplicates,
              ignored, failed, repeated, attempts, resumes_at, error_code, error_message, created_at,
              started_at, finished_at, is_deep, calls, recovered"""

_ADD = text(f"""
    INSERT INTO syncs (workspace_id, id, connector_id, status, trigger, from_at, to_at, is_deep, created_at)
    VALUES (:workspace, :id, :connector, 'queued', :trigger, :from_at, :to_at, :is_deep, now())
    RETURNING {_COLUMNS}
""")


async def add(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    id_: UUID,
    connector_id: UUID,
    trigger: str,
    from_at: datetime,
    to_at: datetime,
    is_deep: bool = False,
) -> Sync:
    """Queue a run. Raises AlreadyActive, leaving the transaction usable, when the connector has one."""
    values = {
        "workspace": workspace,
        "id": id_,
        "connector": connector_id,
        "trigger": trigger,
        "from_at": from_at,
        "to_at": to_at,
        "is_deep": is_deep,
    }
    try:
        async with connection.begin_nested():
            row = (await connection.execute(_ADD, values)).one()
    except IntegrityError as error:
        raise AlreadyActive from error
    return Sync(**row._mapping)


_GET = text(f"SELECT {_COLUMNS} FROM syncs WHERE workspace_id = :workspace AND id = :id")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Sync | None:
    """Return one run."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return Sync(**row._mapping) if row else None


_PAGE = text(f"""
    SELECT {_COLUMNS} FROM syncs
     WHERE workspace_id = :workspace AND connector_id = :connector AND (CAST(:after AS uuid) IS NULL OR id < :after)
     ORDER BY id DESC LIMIT :limit
""")


async def page(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, limit: int, after: UUID | None
) -> list[Sync]:
    """Return at most `limit` runs of a connector, newest first."""
    values = {"workspace": workspace, "connector": connector_id, "limit": limit, "after": after}
    return [Sync(**row._mapping) for row in await connection.execute(_PAGE, values)]


_BEGIN = text(f"""
    UPDATE syncs SET status = 'running', run_token = :token, started_at = coalesce(started_at, now()), resumes_at = NULL,
                     error_code = NULL, error_message = NULL, attempts = attempts + 1
     WHERE workspace_id = :workspace AND id = :id AND status IN ('queued', 'running')
    RETURNING {_COLUMNS}
""")


async def begin(connection: AsyncConnection, workspace: UUID, id_: UUID, token: UUID) -> Sync | None:
    """Take a run up as the one who runs it; None when it has ended."""
    row = (await connection.execute(_BEGIN, {"workspace": workspace, "id": id_, "token": token})).one_or_none()
    return Sync(**row._mapping) if row else None


_PROGRESS = """
    UPDATE syncs SET read_until = greatest(read_until, %(read_until)s), received = received + %(received)s,
                     created = created + %(created)s, duplicates = duplicates + %(duplicates)s,
                     ignored = ignored + %(ignored)s, failed = failed + %(failed)s, repeated = repeated + %(repeated)s,
                     attempts = 1
     WHERE workspace_id = %(workspace)s AND id = %(id)s AND status = 'running' AND run_token = %(token)s
    RETURNING id
"""
_MARK = """
    UPDATE connectors SET synced_until = greatest(synced_until, %(read_until)s),
                          sync_state = coalesce(%(state)s::jsonb, sync_state)
     WHERE workspace_id = %(workspace)s AND id = %(connector)s
"""


async def commit_page(
    connection: psycopg.AsyncConnection[Any],
    sync: Sync,
    token: UUID,
    rows: Sequence[EventRow],
    read_until: datetime,
    *,
    state: Json = None,
    confirms: bool = False,
) -> None:
    """Store a page and move the run in one commit, and with it the connector's mark and state where the run moves them.

    `confirms` notes that what had come before is still there at its source. Raises LostRun with nothing stored when the
    run was cancelled, or another worker runs it now; psycopg.DataError for a row that can't be stored.
    """
    async with connection.transaction():
        stored = await following.store(connection, rows) if rows else []
        if confirms:
            await rechecks.confirm(connection, [one.event_id for one in stored], workspace=sync.workspace_id)
        counts = {
            "received": len(stored),
            "created": _count(stored, "created"),
            "duplicates": _count(stored, "duplicate"),
            "ignored": _count(stored, "ignored"),
            "failed": _count(stored, "failed"),
            "repeated": sum(one.repeated for one in stored),
        }
        if sync.moves_mark:
            # The connector before its run, as everywhere: who schedules the next run holds it and waits for this one.
            mark = {
                "workspace": sync.workspace_id,
                "connector": sync.connector_id,
                "read_until": read_until,
                "state": None if state is None else orjson.dumps(state).decode(),
            }
            await connection.execute(_MARK, mark)
        values = {"workspace": sync.workspace_id, "id": sync.id, "token": token, "read_until": read_until}
        if await (await connection.execute(_PROGRESS, values | counts)).fetchone() is None:
            raise LostRun


def _count(stored: Sequence[Stored], status: str) -> int:
    return sum(one.status == status and not one.repeated for one in stored)


_WAIT = text("""
    UPDATE syncs SET resumes_at = :until, error_code = :code, error_message = :message, calls = calls + :calls
     WHERE workspace_id = :workspace AND id = :id AND run_token = :token
""")


async def wait(
    connection: AsyncConnection, sync: Sync, token: UUID, until: datetime, *, calls: int, code: str, message: str
) -> None:
    """Note that a run waits, and why; `calls` were made meanwhile."""
    values = {
        "workspace": sync.workspace_id,
        "id": sync.id,
        "token": token,
        "until": until,
        "calls": calls,
        "code": code,
        "message": message,
    }
    await connection.execute(_WAIT, values)


_FINISH = text(f"""
    UPDATE syncs SET status = :status, error_code = :code, error_message = :message, finished_at = now(),
                     resumes_at = NULL, calls = calls + :calls
     WHERE workspace_id = :workspace AND id = :id AND status IN ('queued', 'running')
       AND (CAST(:token AS uuid) IS NULL OR run_token = :token)
    RETURNING {_COLUMNS}
""")


async def finish(
    connection: AsyncConnection,
    workspace: UUID,
    id_: UUID,
    *,
    token: UUID | None,
    status: str,
    calls: int = 0,
    code: str | None = None,
    message: str | None = None,
) -> Sync | None:
    """End a run, `calls` having been made last; None when it had ended, or another worker runs it."""
    values = {
        "workspace": workspace,
        "id": id_,
        "token": token,
        "status": status,
        "calls": calls,
        "code": code,
        "message": message,
    }
    row = (await connection.execute(_FINISH, values)).one_or_none()
    return Sync(**row._mapping) if row else None


_RECOVERED = text("""
    UPDATE syncs SET recovered = (
        SELECT count(*) FROM events e
         WHERE e.workspace_id = syncs.workspace_id AND e.connector_id = syncs.connector_id AND e.id > syncs.id
           AND e.origin = 'pull' AND e.status IN ('created', 'duplicate') AND e.code IS DISTINCT FROM 'twin'
           AND coalesce(e.enquired_at, e.received_at) >= CASE
                   WHEN :is_subscribed THEN coalesce(
                       (SELECT max(a.chosen_at) FROM connector_accounts a
                         WHERE a.workspace_id = syncs.workspace_id AND a.connector_id = syncs.connector_id),
                       (SELECT c.created_at FROM connectors c
                         WHERE c.workspace_id = syncs.workspace_id AND c.id = syncs.connector_id))
                   ELSE (SELECT coalesce(p.enquired_at, p.received_at) FROM events p
                          WHERE p.workspace_id = syncs.workspace_id AND p.connector_id = syncs.connector_id
                            AND p.origin = 'push' ORDER BY p.id LIMIT 1)
               END)
     WHERE workspace_id = :workspace AND id = :id
    RETURNING recovered
""")


async def count_recovered(connection: AsyncConnection, sync: Sync, *, is_subscribed: bool) -> int:
    """Count, on a run that ended, the leads that it alone brought since pushes were to be expected, and return how many.

    With `is_subscribed` that is since its accounts were chosen, for then the provider was told to push; else since the
    first enquiry that was pushed. One that was announced, or came under another id, is not among them.
    """
    values = {"workspace": sync.workspace_id, "id": sync.id, "is_subscribed": is_subscribed}
    count: int = (await connection.execute(_RECOVERED, values)).scalar_one()
    return count


_CANCEL_OF = text("""
    UPDATE syncs SET status = 'cancelled', finished_at = now(), resumes_at = NULL, error_code = NULL, error_message = NULL
     WHERE workspace_id = :workspace AND connector_id = :connector AND status IN ('queued', 'running')
""")


async def cancel_of(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """End the run of a connector that goes away."""
    await connection.execute(_CANCEL_OF, {"workspace": workspace, "connector": connector_id})


# ---- connectors as those who pull see them ----------------------------------------------------------

_DUE = text("""
    SELECT workspace_id, id FROM connectors
     WHERE next_sync_at <= now() AND deleted_at IS NULL AND status <> 'paused'
     ORDER BY next_sync_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")


async def due(connection: AsyncConnection, limit: int) -> list[tuple[UUID, UUID]]:
    """Return workspace and id of connectors whose next sync is due, held until the transaction ends."""
    return [(row.workspace_id, row.id) for row in await connection.execute(_DUE, {"limit": limit})]


_SCHEDULE = text("""
    UPDATE connectors SET next_sync_at = :at WHERE workspace_id = :workspace AND id = :id AND deleted_at IS NULL
""")


async def schedule(connection: AsyncConnection, workspace: UUID, connector_id: UUID, at: datetime | None) -> None:
    """Set when a connector is pulled next; None: not by itself."""
    await connection.execute(_SCHEDULE, {"workspace": workspace, "id": connector_id, "at": at})


_ENDED = text("""
    UPDATE connectors
       SET next_sync_at = now() + :rest, failed_syncs = CASE WHEN :is_ok THEN 0 ELSE failed_syncs + 1 END,
           last_sync_at = CASE WHEN :is_ok THEN now() ELSE last_sync_at END,
           status = CASE WHEN status = 'paused' THEN status ELSE :status END
     WHERE workspace_id = :workspace AND id = :id AND deleted_at IS NULL
""")


async def note_end(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, is_ok: bool, status: str, rest: timedelta
) -> None:
    """Note on the connector how its run ended, and let the next one come after `rest`."""
    values = {"workspace": workspace, "id": connector_id, "is_ok": is_ok, "status": status, "rest": rest}
    await connection.execute(_ENDED, values)


_COSTS = text("""
    UPDATE connectors SET pace_key = :key, calls_per_run = :calls WHERE workspace_id = :workspace AND id = :id
""")


async def note_costs(connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, key: str, calls: int) -> None:
    """Note what an ordinary run of a connector costs of the daily calls that its key has."""
    values = {"workspace": workspace, "id": connector_id, "key": key, "calls": calls}
    await connection.execute(_COSTS, values)


_DEEP = text("UPDATE connectors SET deep_at = now() WHERE workspace_id = :workspace AND id = :id")
_STATE = text("SELECT sync_state, deep_at FROM connectors WHERE workspace_id = :workspace AND id = :id")
_FORGET_STATE = text("""
    UPDATE connectors SET sync_state = NULL, deep_at = NULL WHERE workspace_id = :workspace AND id = :id
""")


async def note_deep(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Note that a deep run of a connector has just succeeded."""
    await connection.execute(_DEEP, {"workspace": workspace, "id": connector_id})


async def deep_at(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> datetime | None:
    """Return when a deep run of a connector last succeeded, None where none has."""
    found: datetime | None = (
        (await connection.execute(_STATE, {"workspace": workspace, "id": connector_id})).one().deep_at
    )
    return found


async def state(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> Json:
    """Return what a connector's last page left for its next pull, None where nothing is left."""
    found: Json = (await connection.execute(_STATE, {"workspace": workspace, "id": connector_id})).one().sync_state
    return found


async def forget_state(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Forget what a connector's pages left: the next deep run is due at once."""
    await connection.execute(_FORGET_STATE, {"workspace": workspace, "id": connector_id})


_MARKS = text("""
    SELECT synced_until, failed_syncs FROM connectors WHERE workspace_id = :workspace AND id = :id
""")


async def mark(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> tuple[datetime | None, int]:
    """Return up to when a connector has been read, and how many of its runs failed in a row."""
    row = (await connection.execute(_MARKS, {"workspace": workspace, "id": connector_id})).one()
    return row.synced_until, row.failed_syncs


_LAST_PUSH = text("""
    SELECT received_at FROM events
     WHERE workspace_id = :workspace AND connector_id = :connector AND origin = 'push' AND id >= :since
     ORDER BY id DESC LIMIT 1
""")


async def last_push(connection: AsyncConnection, workspace: UUID, connector_id: UUID, since: UUID) -> datetime | None:
    """Return when the newest pushed event after the id `since` came, None when there is none."""
    values = {"workspace": workspace, "connector": connector_id, "since": since}
    return (await connection.execute(_LAST_PUSH, values)).scalar_one_or_none()


_LOST = text("""
    SELECT s.workspace_id, s.id, s.connector_id FROM syncs s
     WHERE s.status IN ('queued', 'running') AND (s.resumes_at IS NULL OR s.resumes_at < now() - interval '30 seconds')
       AND s.created_at < now() - interval '30 seconds'
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                        WHERE j.task_name = 'run_sync' AND j.status IN ('todo', 'doing')
                          AND j.args ->> 'sync_id' = s.id::text)
     LIMIT 100
""")


async def without_job(connection: AsyncConnection) -> list[tuple[UUID, UUID, UUID]]:
    """Return workspace, id and connector of active runs that no job will take up: their job was lost."""
    return [(row.workspace_id, row.id, row.connector_id) for row in await connection.execute(_LOST)]
