"""API keys: what programs show to be let in. Only a hash of each is here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One API key as stored. `role` is the text of a role, `is_expired` by the database's clock."""

    workspace_id: UUID
    id: UUID
    name: str
    role: str
    hint: str
    created_at: datetime
    created_by: UUID | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_expired: bool

    @property
    def status(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.is_expired else "active"


_COLUMNS = """workspace_id, id, name, role, hint, created_at, created_by, expires_at, last_used_at, revoked_at,
              coalesce(expires_at <= now(), false) AS is_expired"""

_ADD = text(f"""
    INSERT INTO api_keys (workspace_id, id, name, role, key_hash, hint, created_at, created_by, expires_at)
    VALUES (:workspace, :id, :name, :role, :key_hash, :hint, now(), :created_by,
            now() + CAST(:days AS integer) * interval '1 day')
    RETURNING {_COLUMNS}
""")


async def add(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    key_id: UUID,
    name: str,
    role: str,
    key_hash: bytes,
    hint: str,
    created_by: UUID | None,
    expires_in_days: int | None,
) -> ApiKey:
    """Add a key; without `expires_in_days` it never expires."""
    values = {
        "workspace": workspace,
        "id": key_id,
        "name": name,
        "role": role,
        "key_hash": key_hash,
        "hint": hint,
        "created_by": created_by,
        "days": expires_in_days,
    }
    return ApiKey(**(await connection.execute(_ADD, values)).one()._mapping)


_FIND_BY_HASH = text(f"SELECT {_COLUMNS} FROM api_keys WHERE key_hash = :key_hash")


async def find_by_hash(connection: AsyncConnection, key_hash: bytes) -> ApiKey | None:
    """Return the key with this hash, live or not. The one look-up without a workspace: the key says which it is."""
    row = (await connection.execute(_FIND_BY_HASH, {"key_hash": key_hash})).one_or_none()
    return ApiKey(**row._mapping) if row else None


_FIND = text(f"SELECT {_COLUMNS} FROM api_keys WHERE workspace_id = :workspace AND id = :id")


async def find(connection: AsyncConnection, workspace: UUID, key_id: UUID) -> ApiKey | None:
    """Return the key with this id, or None."""
    row = (await connection.execute(_FIND, {"workspace": workspace, "id": key_id})).one_or_none()
    return ApiKey(**row._mapping) if row else None


_PAGE = text(f"""
    SELECT {_COLUMNS}
      FROM api_keys
     WHERE workspace_id = :workspace AND (CAST(:before AS uuid) IS NULL OR id < :before)
     ORDER BY id DESC
     LIMIT :limit
""")


async def page(connection: AsyncConnection, workspace: UUID, *, limit: int, before: UUID | None = None) -> list[ApiKey]:
    """Return at most `limit` keys, revoked ones included, newest first, older than `before`."""
    rows = await connection.execute(_PAGE, {"workspace": workspace, "limit": limit, "before": before})
    return [ApiKey(**row._mapping) for row in rows]


_REVOKE = text(f"""
    UPDATE api_keys SET revoked_at = now()
     WHERE workspace_id = :workspace AND id = :id AND revoked_at IS NULL
    RETURNING {_COLUMNS}
""")


async def revoke(connection: AsyncConnection, workspace: UUID, key_id: UUID) -> ApiKey | None:
    """Revoke a key for ever; return it, or None when it doesn't exist or was revoked before."""
    row = (await connection.execute(_REVOKE, {"workspace": workspace, "id": key_id})).one_or_none()
    return ApiKey(**row._mapping) if row else None


_NOTE_USE = text("""
    UPDATE api_keys SET last_used_at = now()
     WHERE workspace_id = :workspace AND id = :id
       AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
""")


async def note_use(connection: AsyncConnection, workspace: UUID, key_id: UUID) -> None:
    """Write that the key was used now, unless that was written within the last minute."""
    await connection.execute(_NOTE_USE, {"workspace": workspace, "id": key_id})
