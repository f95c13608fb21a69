"""Sessions: who is signed in, in which browser, and how often signing in failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser that somebody is signed in with."""

    id: UUID
    user_id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A live session, and its user as the user is now."""

    workspace_id: UUID
    session_id: UUID
    last_used_at: datetime
    user_id: UUID
    email: str
    name: str
    role: str
    must_change_password: bool
    language: str | None
    time_zone: str | None
    theme: str | None


_ADD = text("""
    INSERT INTO sessions (workspace_id, id, user_id, token_hash, expires_at, ip, user_agent)
    VALUES (:workspace, :id, :user, :token_hash, now() + :longest, :ip, :user_agent)
""")

_NOTE_SIGN_IN = text("UPDATE users SET last_sign_in_at = now() WHERE workspace_id = :workspace AND id = :user")


async def add(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    session_id: UUID,
    user_id: UUID,
    token_hash: bytes,
    longest: timedelta,
    ip: str,
    user_agent: str,
) -> None:
    """Add a session of at most `longest`, and note that its user signed in."""
    values = {
        "workspace": workspace,
        "id": session_id,
        "user": user_id,
        "token_hash": token_hash,
        "longest": longest,
        "ip": ip,
        "user_agent": user_agent,
    }
    await connection.execute(_ADD, values)
    await connection.execute(_NOTE_SIGN_IN, values)


# The token's digest is unique over all workspaces: it is what says which one is meant.
_FIND = text("""
    SELECT s.workspace_id, s.id AS session_id, s.last_used_at, u.id AS user_id, u.email, u.name, u.role,
           u.must_change_password, u.language, u.time_zone, u.theme
      FROM sessions s JOIN users u ON u.workspace_id = s.workspace_id AND u.id = s.user_id
     WHERE s.token_hash = :token_hash AND s.expires_at > now() AND s.last_used_at > now() - CAST(:idle AS interval)
       AND u.disabled_at IS NULL
""")


async def find(connection: AsyncConnection, token_hash: bytes, idle: timedelta) -> SignedIn | None:
    """Return the live session with this token; None when it is over, unused for `idle`, or its user disabled."""
    row = (await connection.execute(_FIND, {"token_hash": token_hash, "idle": idle})).one_or_none()
    return SignedIn(**row._mapping) if row else None


_NOTE_USE = text("UPDATE sessions SET last_used_at = now() WHERE workspace_id = :workspace AND id = :id")


async def note_use(connection: AsyncConnection, workspace: UUID, session_id: UUID) -> None:
    """Write that a session was used just now."""
    await connection.execute(_NOTE_USE, {"workspace": workspace, "id": session_id})


_OF_USER = text("""
    SELECT id, user_id, created_at, last_used_at, expires_at, ip, user_agent
      FROM sessions
     WHERE workspace_id = :workspace AND user_id = :user AND expires_at > now()
       AND last_used_at > now() - CAST(:idle AS interval)
     ORDER BY last_used_at DESC
     LIMIT 200
""")


async def of_user(connection: AsyncConnection, workspace: UUID, user_id: UUID, idle: timedelta) -> Sequence[Session]:
    """Return a user's live sessions, the one used last first."""
    rows = await connection.execute(_OF_USER, {"workspace": workspace, "user": user_id, "idle": idle})
    return [Session(**row._mapping) for row in rows]


_END = text("""
    DELETE FROM sessions WHERE workspace_id = :workspace AND user_id = :user AND id = :id
    RETURNING id
""")


async def end(connection: AsyncConnection, workspace: UUID, user_id: UUID, session_id: UUID) -> bool:
    """End one of a user's sessions; return whether there was one."""
    values = {"workspace": workspace, "user": user_id, "id": session_id}
    return (await connection.execute(_END, values)).one_or_none() is not None


_END_ALL = text("""
    DELETE FROM sessions
     WHERE workspace_id = :workspace AND user_id = :user AND id IS DISTINCT FROM CAST(:kept AS uuid)
""")


async def end_all(connection: AsyncConnection, workspace: UUID, user_id: UUID, *, but: UUID | None = None) -> int:
    """End every session of a user, `but` that one; return how many."""
    found = await connection.execute(_END_ALL, {"workspace": workspace, "user": user_id, "kept": but})
    return found.rowcount


_FORGET = text("""
    DELETE FROM sessions WHERE expires_at < now() OR last_used_at < now() - CAST(:idle AS interval)
""")

_FORGET_FAILURES = text("DELETE FROM sign_in_failures WHERE since < now() - CAST(:window AS interval)")


async def forget_ended(connection: AsyncConnection, *, idle: timedelta, window: timedelta) -> None:
    """Remove every workspace's sessions that are over, and failures older than `window`."""
    await connection.execute(_FORGET, {"idle": idle})
    await connection.execute(_FORGET_FAILURES, {"window": window})


_IS_KNOWN = text("""
    SELECT EXISTS (SELECT 1 FROM sessions s JOIN users u ON u.workspace_id = s.workspace_id AND u.id = s.user_id
                    WHERE s.workspace_id = :workspace AND u.email = :email AND s.ip = :ip)
""")


async def has_signed_in_from(connection: AsyncConnection, workspace: UUID, email: str, ip: str) -> bool:
    """Return whether the user with this e-mail address is signed in from there."""
    found = await connection.execute(_IS_KNOWN, {"workspace": workspace, "email": email, "ip": ip})
    return bool(found.scalar_one())


_COUNT = text("""
    INSERT INTO sign_in_failures AS f (workspace_id, key, count, since)
    SELECT :workspace, key, 1, now() FROM unnest(CAST(:keys AS bytea[])) AS key ORDER BY key
    ON CONFLICT (workspace_id, key) DO UPDATE
       SET count = CASE WHEN f.since > now() - CAST(:window AS interval) THEN f.count + 1 ELSE 1 END,
           since = CASE WHEN f.since > now() - CAST(:window AS interval) THEN f.since ELSE now() END
    RETURNING key, count, ceil(extract(epoch FROM since + CAST(:window AS interval) - now()))::int AS seconds
""")


@dataclass(frozen=True, slots=True)
class Attempts:
    """How many attempts were counted within the window, and in how many seconds it ends."""

    count: int
    seconds: int


async def count_attempt(
    connection: AsyncConnection, workspace: UUID, keys: Sequence[bytes], window: timedelta
) -> dict[bytes, Attempts]:
    """Count one attempt for each of `keys`; return, by key, the attempts since its window began."""
    values = {"workspace": workspace, "keys": list(keys), "window": window}
    rows = await connection.execute(_COUNT, values)
    return {bytes(key): Attempts(count, seconds) for key, count, seconds in rows}


_TAKE_BACK = text("""
    UPDATE sign_in_failures SET count = greatest(0, count - 1)
     WHERE workspace_id = :workspace AND key = ANY(CAST(:keys AS bytea[]))
""")


async def take_back_attempt(connection: AsyncConnection, workspace: UUID, keys: Sequence[bytes]) -> None:
    """Uncount an attempt that succeeded."""
    await connection.execute(_TAKE_BACK, {"workspace": workspace, "keys": list(keys)})


_PREFER = text("""
    UPDATE users
       SET language = coalesce(:language, language), time_zone = coalesce(:time_zone, time_zone),
           theme = coalesce(:theme, theme)
     WHERE workspace_id = :workspace AND id = :user
""")


async def prefer(
    connection: AsyncConnection,
    workspace: UUID,
    user_id: UUID,
    *,
    language: str | None = None,
    time_zone: str | None = None,
    theme: str | None = None,
) -> None:
    """Write how a user wants pages to look; what is None stays."""
    values = {
        "workspace": workspace,
        "user": user_id,
        "language": language,
        "time_zone": time_zone,
        "theme": theme,
    }
    await connection.execute(_PREFER, values)
