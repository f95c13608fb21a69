"""Connections: what providers let connectors do, sealed by whoever calls, and authorizations under way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One connector's connection. `ends_at` is from when on only a person can help; `lost_at`, since when it is so.

    `check_at` is when it is to be looked at again; `warned_days` the fewest days before its end of which people were told.
    `person` is who agreed, as the provider's app knows them.
    """

    kind: str
    sealed: bytes = field(repr=False)
    scopes: Sequence[str] = ()
    authorized_at: datetime
    authorized_by: str | None = None
    issued_at: datetime
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    refresh_at: datetime | None = None
    check_at: datetime | None = None
    warned_days: int | None = None
    person: str | None = None
    lost_at: datetime | None = None
    problem_code: str | None = None
    problem_detail: str | None = None


_COLUMNS = """kind, sealed, scopes, authorized_at, authorized_by, issued_at, expires_at, ends_at, refresh_at,
              check_at, warned_days, person, lost_at, problem_code, problem_detail"""

_GET = text(f"SELECT {_COLUMNS} FROM connections WHERE workspace_id = :workspace AND connector_id = :connector")
_EXISTS = text("""
    SELECT EXISTS (SELECT 1 FROM connections WHERE workspace_id = :workspace AND connector_id = :connector
                      AND lost_at IS NULL)
""")
_NEW = f"""
    INSERT INTO connections (workspace_id, connector_id, {_COLUMNS})
    VALUES (:workspace, :connector, :kind, :sealed, :scopes, :authorized_at, :authorized_by, :issued_at, :expires_at,
            :ends_at, :refresh_at, :check_at, :warned_days, :person, :lost_at, :problem_code, :problem_detail)
    ON CONFLICT (workspace_id, connector_id)"""
_BEGIN = text(f"{_NEW} DO NOTHING")
_PUT = text(f"""{_NEW} DO UPDATE
       SET kind = excluded.kind, sealed = excluded.sealed, scopes = excluded.scopes,
           authorized_at = excluded.authorized_at, authorized_by = excluded.authorized_by,
           issued_at = excluded.issued_at, expires_at = excluded.expires_at, ends_at = excluded.ends_at,
           refresh_at = excluded.refresh_at, check_at = excluded.check_at, warned_days = excluded.warned_days,
           person = excluded.person, lost_at = excluded.lost_at, problem_code = excluded.problem_code,
           problem_detail = excluded.problem_detail,
           renewing_until = NULL
""")
_FORGET = text("DELETE FROM connections WHERE workspace_id = :workspace AND connector_id = :connector")


async def get(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> ConnectionRow | None:
    """Return a connector's connection, None where there is none."""
    row = (await connection.execute(_GET, {"workspace": workspace, "connector": connector_id})).one_or_none()
    return ConnectionRow(**row._mapping) if row else None


_OF_CONNECTORS = text(f"""
    SELECT connector_id, {_COLUMNS} FROM connections
     WHERE workspace_id = :workspace AND connector_id = ANY(CAST(:ids AS uuid[]))
""")


async def of_connectors(
    connection: AsyncConnection, workspace: UUID, connector_ids: Sequence[UUID]
) -> dict[UUID, ConnectionRow]:
    """Return the connections of several connectors by connector; those that have none are missing."""
    rows = await connection.execute(_OF_CONNECTORS, {"workspace": workspace, "ids": list(connector_ids)})
    return {
        row.connector_id: ConnectionRow(
            **{name: value for name, value in row._mapping.items() if name != "connector_id"}
        )
        for row in rows
    }


async def exists(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> bool:
    """Return whether a connector has a connection that is not lost."""
    found: bool = (await connection.execute(_EXISTS, {"workspace": workspace, "connector": connector_id})).scalar_one()
    return found


async def put(connection: AsyncConnection, workspace: UUID, connector_id: UUID, row: ConnectionRow) -> None:
    """Write a connection over what was there; whoever was renewing it need not any more."""
    await connection.execute(_PUT, _values(workspace, connector_id, row))


async def begin(connection: AsyncConnection, workspace: UUID, connector_id: UUID, row: ConnectionRow) -> None:
    """Write a connection where there is none, so that one process can claim its renewal."""
    await connection.execute(_BEGIN, _values(workspace, connector_id, row))


async def forget(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Forget a connector's connection."""
    await connection.execute(_FORGET, {"workspace": workspace, "connector": connector_id})


_CLAIM = text("""
    UPDATE connections SET renewing_until = now() + interval '60 seconds'
     WHERE workspace_id = :workspace AND connector_id = :connector AND lost_at IS NULL
       AND (renewing_until IS NULL OR renewing_until < now())
    RETURNING connector_id
""")
_RENEW = text("""
    UPDATE connections
       SET sealed = :sealed, scopes = :scopes, issued_at = :issued_at, expires_at = :expires_at, ends_at = :ends_at,
           refresh_at = :refresh_at, renewing_until = NULL, lost_at = NULL, problem_code = NULL, problem_detail = NULL,
           warned_days = CASE WHEN CAST(:ends_at AS timestamptz) < ends_at + interval '1 day' THEN warned_days END
     WHERE workspace_id = :workspace AND connector_id = :connector AND sealed = :before
    RETURNING connector_id
""")
_RELEASE = text("""
    UPDATE connections SET renewing_until = NULL, refresh_at = greatest(refresh_at, CAST(:not_before AS timestamptz))
     WHERE workspace_id = :workspace AND connector_id = :connector
""")
_LOSE = text("""
    UPDATE connections SET lost_at = now(), refresh_at = NULL, check_at = NULL, renewing_until = NULL,
                           problem_code = :code, problem_detail = :detail
     WHERE workspace_id = :workspace AND connector_id = :connector AND lost_at IS NULL
    RETURNING connector_id
""")
_DUE = text("""
    SELECT workspace_id, connector_id FROM connections
     WHERE refresh_at <= now() AND lost_at IS NULL AND (renewing_until IS NULL OR renewing_until < now())
     ORDER BY refresh_at LIMIT :limit
""")


async def claim_renewal(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> bool:
    """Become the one who renews a connection, for a minute at most; False while somebody else is, or where none is alive."""
    row = (await connection.execute(_CLAIM, {"workspace": workspace, "connector": connector_id})).first()
    return row is not None


async def renew(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, row: ConnectionRow, *, before: bytes
) -> bool:
    """Write what renewing gave, and let others renew again. False where the connection holds something else by now than
    the sealed `before` that was renewed: somebody connected or disconnected meanwhile, and that counts.
    """
    values = _values(workspace, connector_id, row) | {"before": before}
    return (await connection.execute(_RENEW, values)).first() is not None


async def release_renewal(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, not_before: datetime | None = None
) -> None:
    """Let others renew: it did not work this time. The schedule does not try it again before `not_before`."""
    values = {"workspace": workspace, "connector": connector_id, "not_before": not_before}
    await connection.execute(_RELEASE, values)


async def lose(connection: AsyncConnection, workspace: UUID, connector_id: UUID, *, code: str, detail: str) -> bool:
    """Note that only a person can help, and why; False where there is no connection, or it was lost before."""
    values = {"workspace": workspace, "connector": connector_id, "code": code, "detail": detail}
    return (await connection.execute(_LOSE, values)).first() is not None


async def due(connection: AsyncConnection, limit: int) -> list[tuple[UUID, UUID]]:
    """Return workspace and connector of at most `limit` connections that are to be renewed now."""
    return [(row.workspace_id, row.connector_id) for row in await connection.execute(_DUE, {"limit": limit})]


# A person at a provider is nobody's of ours: whoever asks has proof for each connection before it is touched.
_OF_PERSON = text("""
    SELECT n.workspace_id, n.connector_id FROM connections n
      JOIN connectors c ON c.workspace_id = n.workspace_id AND c.id = n.connector_id
     WHERE n.person = :person AND c.type = :type AND c.deleted_at IS NULL
""")


async def of_person(connection: AsyncConnection, type_: str, person: str) -> list[tuple[UUID, UUID]]:
    """Return workspace and connector of every connection of this type to which a person agreed, in whatever workspace."""
    rows = await connection.execute(_OF_PERSON, {"type": type_, "person": person})
    return [(row.workspace_id, row.connector_id) for row in rows]


# ---- looking after them -----------------------------------------------------------------------------

# Taken and put a day ahead in one statement, so that of many processes one looks.
_TAKE_UNCHECKED = text("""
    UPDATE connections SET check_at = now() + interval '1 day'
     WHERE (workspace_id, connector_id) IN (
           SELECT workspace_id, connector_id FROM connections WHERE check_at <= now() AND lost_at IS NULL
            ORDER BY check_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING workspace_id, connector_id
""")
_NOTE_CHECK = text("""
    UPDATE connections
       SET checked_at = now(), expires_at = :expires_at, ends_at = :ends_at, scopes = :scopes, refresh_at = :refresh_at,
           person = coalesce(:person, person)
     WHERE workspace_id = :workspace AND connector_id = :connector AND sealed = :sealed AND lost_at IS NULL
""")
_CHECK_AT = text("""
    UPDATE connections SET check_at = :at WHERE workspace_id = :workspace AND connector_id = :connector AND lost_at IS NULL
""")
_WARN = text("""
    UPDATE connections SET warned_days = :days
     WHERE workspace_id = :workspace AND connector_id = :connector AND lost_at IS NULL
       AND (warned_days IS NULL OR warned_days > :days)
    RETURNING connector_id
""")


async def take_unchecked(connection: AsyncConnection, limit: int) -> list[tuple[UUID, UUID]]:
    """Take workspace and connector of at most `limit` connections that are to be looked at now; next time in a day."""
    rows = await connection.execute(_TAKE_UNCHECKED, {"limit": limit})
    return [(row.workspace_id, row.connector_id) for row in rows]


async def note_check(connection: AsyncConnection, workspace: UUID, connector_id: UUID, row: ConnectionRow) -> None:
    """Write the dates and scopes that the provider tells, unless the connection holds other tokens by now."""
    await connection.execute(_NOTE_CHECK, _values(workspace, connector_id, row))


async def check_at(connection: AsyncConnection, workspace: UUID, connector_id: UUID, at: datetime) -> None:
    """Have a connection looked at again at a moment."""
    await connection.execute(_CHECK_AT, {"workspace": workspace, "connector": connector_id, "at": at})


async def warn(connection: AsyncConnection, workspace: UUID, connector_id: UUID, days: int) -> bool:
    """Note that people are told that the connection ends in `days`; False where they were told so before."""
    values = {"workspace": workspace, "connector": connector_id, "days": days}
    return (await connection.execute(_WARN, values)).first() is not None


def _values(workspace: UUID, connector_id: UUID, row: ConnectionRow) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(row, name) for name in ConnectionRow.__dataclass_fields__}
    return values | {"workspace": workspace, "connector": connector_id, "scopes": list(row.scopes)}


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
