"""Imports: files of leads that people bring, and which of their rows failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Import:
    """One file. `job_id` is None until it was started; `has_content` until its import has ended."""

    id: UUID
    connector_id: UUID
    file_name: str
    rows: int
    job_id: UUID | None
    actor_name: str | None
    created_at: datetime
    has_content: bool


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A row that could not become a lead. The first one below the names is 1."""

    row_number: int
    event_id: UUID
    code: str
    detail: str | None


_COLUMNS = "id, connector_id, file_name, rows, job_id, actor_name, created_at, content IS NOT NULL AS has_content"

_ADD = text(f"""
    INSERT INTO imports (workspace_id, id, connector_id, file_name, content, rows, actor_name)
    VALUES (:workspace, :id, :connector, :file_name, :content, :rows, :actor_name)
    RETURNING {_COLUMNS}
""")


async def add(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    id_: UUID,
    connector_id: UUID,
    file_name: str,
    content: bytes,
    rows: int,
    actor_name: str | None,
) -> Import:
    """Keep a file."""
    values = {
        "workspace": workspace,
        "id": id_,
        "connector": connector_id,
        "file_name": file_name,
        "content": content,
        "rows": rows,
        "actor_name": actor_name,
    }
    return Import(**(await connection.execute(_ADD, values)).one()._mapping)


_GET = text(f"SELECT {_COLUMNS} FROM imports WHERE workspace_id = :workspace AND id = :id")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Import | None:
    """Return an import, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return Import(**row._mapping) if row else None


_CONTENT = text("SELECT content FROM imports WHERE workspace_id = :workspace AND id = :id")


async def content(connection: AsyncConnection, workspace: UUID, id_: UUID) -> bytes | None:
    """Return an import's file, None when it is gone."""
    found = (await connection.execute(_CONTENT, {"workspace": workspace, "id": id_})).scalar_one_or_none()
    return None if found is None else bytes(found)


_START = text("""
    UPDATE imports SET job_id = :job WHERE workspace_id = :workspace AND id = :id AND job_id IS NULL RETURNING id
""")


async def start(connection: AsyncConnection, workspace: UUID, id_: UUID, job_id: UUID) -> bool:
    """Write that a job does the import; return False when one does already."""
    values = {"workspace": workspace, "id": id_, "job": job_id}
    return (await connection.execute(_START, values)).one_or_none() is not None


_END = text("UPDATE imports SET content = NULL WHERE workspace_id = :workspace AND id = :id")


async def end(connection: AsyncConnection, workspace: UUID, id_: UUID) -> None:
    """Let go of an import's file: its rows are events now."""
    await connection.execute(_END, {"workspace": workspace, "id": id_})


_NOTE = text("""
    INSERT INTO import_failures (workspace_id, import_id, row_number, event_id, code, detail)
    SELECT :workspace, :id, f.*
      FROM unnest(CAST(:numbers AS int[]), CAST(:events AS uuid[]), CAST(:codes AS text[]), CAST(:details AS text[]))
           AS f (row_number, event_id, code, detail)
    ON CONFLICT DO NOTHING
""")
_PROGRESS = text("""
    UPDATE jobs SET done = :done, failed = (SELECT count(*) FROM import_failures
                                             WHERE workspace_id = :workspace AND import_id = :id)
     WHERE workspace_id = :workspace AND id = :job
""")


async def note_progress(
    connection: AsyncConnection,
    workspace: UUID,
    id_: UUID,
    job_id: UUID,
    *,
    done: int,
    failures: Sequence[RowFailure],
) -> None:
    """Write that the first `done` rows are stored, and which of the last ones failed."""
    values = {
        "workspace": workspace,
        "id": id_,
        "job": job_id,
        "done": done,
        "numbers": [one.row_number for one in failures],
        "events": [one.event_id for one in failures],
        "codes": [one.code for one in failures],
        "details": [one.detail for one in failures],
    }
    await connection.execute(_NOTE, values)
    await connection.execute(_PROGRESS, values)


_FAILURES = text("""
    SELECT row_number, event_id, code, detail FROM import_failures
     WHERE workspace_id = :workspace AND import_id = :id ORDER BY row_number LIMIT :limit
""")


async def failures(connection: AsyncConnection, workspace: UUID, id_: UUID, limit: int) -> Sequence[RowFailure]:
    """Return at most `limit` rows that failed, in order."""
    rows = await connection.execute(_FAILURES, {"workspace": workspace, "id": id_, "limit": limit})
    return [RowFailure(**row._mapping) for row in rows]


_OF_CONNECTOR = text(f"""
    SELECT {_COLUMNS} FROM imports WHERE workspace_id = :workspace AND connector_id = :connector
     ORDER BY id DESC LIMIT :limit
""")


async def of_connector(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, limit: int
) -> Sequence[Import]:
    """Return a connector's imports, the newest first."""
    values = {"workspace": workspace, "connector": connector_id, "limit": limit}
    return [Import(**row._mapping) for row in await connection.execute(_OF_CONNECTOR, values)]


_FORGET = text(
    "UPDATE imports SET content = NULL WHERE content IS NOT NULL AND created_at < :before AND job_id IS NULL"
)


async def forget_unstarted(connection: AsyncConnection, before: datetime) -> None:
    """Let go of every workspace's files that were brought before `before` and never started."""
    await connection.execute(_FORGET, {"before": before})
