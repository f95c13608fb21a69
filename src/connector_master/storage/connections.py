"""Connections: what providers let connectors do, sealed by whoever calls, and authorizations under way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One connector's connection. `ends_at` is from when on only a person can help; `lost_at`, since when it is so."""

    kind: str
    sealed: bytes = field(repr=False)
    scopes: Sequence[str] = ()
    authorized_at: datetime
    authorized_by: str | None = None
    issued_at: datetime
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    refresh_at: datetime | None = None
    lost_at: datetime | None = None
    problem_code: str | None = None
    problem_detail: str | None = None


_COLUMNS = """kind, sealed, scopes, authorized_at, authorized_by, issued_at, expires_at, ends_at, refresh_at, lost_at,
              problem_code, problem_detail"""

_GET = text(f"SELECT {_COLUMNS} FROM connections WHERE workspace_id = :workspace AND connector_id = :connector")
_EXISTS = text("""
    SELECT EXISTS (SELECT 1 FROM connections WHERE workspace_id = :workspace AND connector_id = :connector
                      AND lost_at IS NULL)
""")
_PUT = text(f"""
    INSERT INTO connections (workspace_id, connector_id, {_COLUMNS})
    VALUES (:workspace, :connector, :kind, :sealed, :scopes, :authorized_at, :authorized_by, :issued_at, :expires_at,
            :ends_at, :refresh_at, :lost_at, :problem_code, :problem_detail)
    ON CONFLICT (workspace_id, connector_id) DO UPDATE
       SET kind = excluded.kind, sealed = excluded.sealed, scopes = excluded.scopes,
           authorized_at = excluded.authorized_at, authorized_by = excluded.authorized_by,
           issued_at = excluded.issued_at, expires_at = excluded.expires_at, ends_at = excluded.ends_at,
           refresh_at = excluded.refresh_at, lost_at = excluded.lost_at, problem_code = excluded.problem_code,
           problem_detail = excluded.problem_detail, renewing_until = NULL, warned_days = NULL
""")
_FORGET = text("DELETE FROM connections WHERE workspace_id = :workspace AND connector_id = :connector")


async def get(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> ConnectionRow | None:
    """Return a connector's connection, None where there is none."""
    row = (await connection.execute(_GET, {"workspace": workspace, "connector": connector_id})).one_or_none()
    return ConnectionRow(**row._mapping) if row else None


async def exists(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> bool:
    """Return whether a connector has a connection that is not lost."""
    found: bool = (await connection.execute(_EXISTS, {"workspace": workspace, "connector": connector_id})).scalar_one()
    return found


async def put(connection: AsyncConnection, workspace: UUID, connector_id: UUID, row: ConnectionRow) -> None:
    """Write a connection over what was there; whoever was renewing it need not any more."""
    values = {name: getattr(row, name) for name in ConnectionRow.__dataclass_fields__}
    values |= {"workspace": workspace, "connector": connector_id, "scopes": list(row.scopes)}
    await connection.execute(_PUT, values)


async def forget(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Forget a connector's connection."""
    await connection.execute(_FORGET, {"workspace": workspace, "connector": connector_id})


_CLAIM = text("""
    UPDATE connections SET renewing_until = now() + interval '60 seconds'
     WHERE workspace_id = :workspace AND connector_id = :connector
       AND (renewing_until IS NULL OR renewing_until < now())
    RETURNING connector_id
""")
_RELEASE = text("""
    UPDATE connections SET renewing_until = NULL WHERE workspace_id = :workspace AND connector_id = :connector
""")
_LOSE = text("""
    UPDATE connections SET lost_at = now(), refresh_at = NULL, renewing_until = NULL, problem_code = :code,
                           problem_detail = :detail
     WHERE workspace_id = :workspace AND connector_id = :connector AND lost_at IS NULL
    RETURNING connector_id
""")
_DUE = text("""
    SELECT workspace_id, connector_id FROM connections
     WHERE refresh_at <= now() AND lost_at IS NULL AND (renewing_until IS NULL OR renewing_until < now())
     ORDER BY refresh_at LIMIT :limit
""")


async def claim_renewal(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> bool:
    """Become the one who renews a connection, for a minute at most; False while somebody else is."""
    row = (await connection.execute(_CLAIM, {"workspace": workspace, "connector": connector_id})).first()
    return row is not None


async def release_renewal(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Let others renew: it did not work this time."""
    await connection.execute(_RELEASE, {"workspace": workspace, "connector": connector_id})


async def lose(connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, code: str, detail: str) -> bool:
    """Note that only a person can help, and why; False where there is no connection, or it was lost before."""
    values = {"workspace": workspace, "connector": connector_id, "code": code, "detail": detail}
    return (await connection.execute(_LOSE, values)).first() is not None


async def due(connection: AsyncConnection, limit: int) -> list[tuple[UUID, UUID]]:
    """Return workspace and connector of at most `limit` connections that are to be renewed now."""
    return [(row.workspace_id, row.connector_id) for row in await connection.execute(_DUE, {"limit": limit})]


# ---- authorizations under way -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StateRow:
    """One authorization under way."""

    workspace_id: UUID
    connector_id: UUID
    type: str
    sealed_verifier: bytes | None = field(repr=False)
    redirect_uri: str


_ADD_STATE = text("""
    INSERT INTO oauth_states (state_hash, workspace_id, connector_id, type, caller, sealed_verifier, redirect_uri, expires_at)
    VALUES (:state_hash, :workspace, :connector, :type, :caller, :sealed_verifier, :redirect_uri,
            now() + interval '10 minutes')
""")
_OLD_STATES = text("DELETE FROM oauth_states WHERE expires_at < now()")
_TAKE_STATE = text("""
    DELETE FROM oauth_states
     WHERE state_hash = :state_hash AND workspace_id = :workspace AND caller = :caller AND expires_at > now()
    RETURNING workspace_id, connector_id, type, sealed_verifier, redirect_uri
""")


async def add_state(connection: AsyncConnection, state_hash: bytes, caller: str, row: StateRow) -> None:
    """Remember an authorization for ten minutes; those that have ended are forgotten."""
    await connection.execute(_OLD_STATES)
    values = {
        "state_hash": state_hash,
        "workspace": row.workspace_id,
        "connector": row.connector_id,
        "type": row.type,
        "caller": caller,
        "sealed_verifier": row.sealed_verifier,
        "redirect_uri": row.redirect_uri,
    }
    await connection.execute(_ADD_STATE, values)


async def take_state(connection: AsyncConnection, workspace: UUID, state_hash: bytes, caller: str) -> StateRow | None:
    """Take an authorization away, once and only for the caller who began it; None for every other state."""
    values = {"state_hash": state_hash, "workspace": workspace, "caller": caller}
    row = (await connection.execute(_TAKE_STATE, values)).one_or_none()
    return StateRow(**row._mapping) if row else None
