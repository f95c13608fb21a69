"""Users: the people who may sign in to a workspace."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user as stored. `role` is the text of a role (access/roles.py)."""

    id: UUID
    email: str
    name: str
    role: str
    password_hash: str = field(repr=False)
    must_change_password: bool
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    last_sign_in_at: datetime | None

    @property
    def is_disabled(self) -> bool:
        """Whether this user may no longer sign in."""
        return self.disabled_at is not None


_COLUMNS = """id, email, name, role, password_hash, must_change_password, disabled_at, created_at, updated_at,
              last_sign_in_at"""

_ADD = text(f"""
    INSERT INTO users (workspace_id, id, email, name, role, password_hash, must_change_password)
    VALUES (:workspace, :id, :email, :name, :role, :password_hash, :must_change_password)
    ON CONFLICT (workspace_id, email) DO NOTHING
    RETURNING {_COLUMNS}
""")


async def add(
    connection: AsyncConnection,
    workspace: UUID,
    *,
    user_id: UUID,
    email: str,
    name: str,
    role: str,
    password_hash: str,
    must_change_password: bool,
) -> User | None:
    """Add a user; return None when the workspace has one with this e-mail address already."""
    values = {
        "workspace": workspace,
        "id": user_id,
        "email": email,
        "name": name,
        "role": role,
        "password_hash": password_hash,
        "must_change_password": must_change_password,
    }
    row = (await connection.execute(_ADD, values)).one_or_none()
    return User(**row._mapping) if row else None


_ANY = text("SELECT EXISTS (SELECT 1 FROM users WHERE workspace_id = :workspace)")


async def any_exists(connection: AsyncConnection, workspace: UUID) -> bool:
    """Return whether the workspace has any user, disabled ones included."""
    return bool((await connection.execute(_ANY, {"workspace": workspace})).scalar_one())


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('users:' || CAST(:workspace AS text), 0))")


async def lock(connection: AsyncConnection, workspace: UUID) -> None:
    """Make others who change this workspace's users wait until the transaction ends."""
    await connection.execute(_LOCK, {"workspace": str(workspace)})


_FIND = text(f"SELECT {_COLUMNS} FROM users WHERE workspace_id = :workspace AND id = :id")


async def find(connection: AsyncConnection, workspace: UUID, user_id: UUID) -> User | None:
    """Return the user with this id, or None."""
    row = (await connection.execute(_FIND, {"workspace": workspace, "id": user_id})).one_or_none()
    return User(**row._mapping) if row else None


_FIND_BY_EMAIL = text(f"SELECT {_COLUMNS} FROM users WHERE workspace_id = :workspace AND email = :email")


async def find_by_email(connection: AsyncConnection, workspace: UUID, email: str) -> User | None:
    """Return the user with this normalized e-mail address, or None."""
    row = (await connection.execute(_FIND_BY_EMAIL, {"workspace": workspace, "email": email})).one_or_none()
    return User(**row._mapping) if row else None


_PAGE = text(f"""
    SELECT {_COLUMNS}
      FROM users
     WHERE workspace_id = :workspace AND (CAST(:before AS uuid) IS NULL OR id < :before)
     ORDER BY id DESC
     LIMIT :limit
""")


async def page(connection: AsyncConnection, workspace: UUID, *, limit: int, before: UUID | None = None) -> list[User]:
    """Return at most `limit` users, newest first, older than `before`."""
    rows = await connection.execute(_PAGE, {"workspace": workspace, "limit": limit, "before": before})
    return [User(**row._mapping) for row in rows]


_OTHER_ADMIN = text("""
    SELECT EXISTS (SELECT 1 FROM users
                    WHERE workspace_id = :workspace AND role = :role AND disabled_at IS NULL AND id <> :id)
""")


async def another_has_role(connection: AsyncConnection, workspace: UUID, role: str, *, than: UUID) -> bool:
    """Return whether somebody other `than` this user has `role` and may sign in."""
    found = await connection.execute(_OTHER_ADMIN, {"workspace": workspace, "role": role, "id": than})
    return bool(found.scalar_one())


_CHANGE = text(f"""
    UPDATE users SET name = :name, role = :role, updated_at = now()
     WHERE workspace_id = :workspace AND id = :id
    RETURNING {_COLUMNS}
""")


async def change(connection: AsyncConnection, workspace: UUID, user_id: UUID, *, name: str, role: str) -> User:
    """Write a user's name and role; return the user."""
    values = {"workspace": workspace, "id": user_id, "name": name, "role": role}
    return User(**(await connection.execute(_CHANGE, values)).one()._mapping)


_SET_DISABLED = text(f"""
    UPDATE users SET disabled_at = CASE WHEN :disabled THEN coalesce(disabled_at, now()) END, updated_at = now()
     WHERE workspace_id = :workspace AND id = :id
    RETURNING {_COLUMNS}
""")


async def set_disabled(connection: AsyncConnection, workspace: UUID, user_id: UUID, disabled: bool) -> User:
    """Disable or enable a user; return the user."""
    values = {"workspace": workspace, "id": user_id, "disabled": disabled}
    return User(**(await connection.execute(_SET_DISABLED, values)).one()._mapping)


_SET_PASSWORD = text(f"""
    UPDATE users
       SET password_hash = :password_hash, must_change_password = :must_change_password, updated_at = now()
     WHERE workspace_id = :workspace AND id = :id
    RETURNING {_COLUMNS}
""")


async def set_password(
    connection: AsyncConnection, workspace: UUID, user_id: UUID, password_hash: str, *, must_change_password: bool
) -> User | None:
    """Write a user's password hash; return the user, or None when there is none."""
    values = {
        "workspace": workspace,
        "id": user_id,
        "password_hash": password_hash,
        "must_change_password": must_change_password,
    }
    row = (await connection.execute(_SET_PASSWORD, values)).one_or_none()
    return User(**row._mapping) if row else None
