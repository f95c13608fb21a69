"""Saved views: searches for leads that a user keeps by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class SavedView:
    """One kept search; `query` is what its address has after the question mark."""

    id: UUID
    name: str
    query: str


_PUT = text("""
    INSERT INTO saved_views (workspace_id, id, user_id, name, query)
    VALUES (:workspace, :id, :user, :name, :query)
    ON CONFLICT (workspace_id, user_id, name) DO UPDATE SET query = excluded.query
""")


async def put(connection: AsyncConnection, workspace: UUID, *, id_: UUID, user_id: UUID, name: str, query: str) -> None:
    """Keep a search; one of the same name is replaced."""
    values = {"workspace": workspace, "id": id_, "user": user_id, "name": name, "query": query}
    await connection.execute(_PUT, values)


_OF_USER = text("""
    SELECT id, name, query FROM saved_views WHERE workspace_id = :workspace AND user_id = :user ORDER BY name LIMIT 100
""")


async def of_user(connection: AsyncConnection, workspace: UUID, user_id: UUID) -> Sequence[SavedView]:
    """Return a user's kept searches by name."""
    rows = await connection.execute(_OF_USER, {"workspace": workspace, "user": user_id})
    return [SavedView(**row._mapping) for row in rows]


_REMOVE = text("DELETE FROM saved_views WHERE workspace_id = :workspace AND user_id = :user AND id = :id")


async def remove(connection: AsyncConnection, workspace: UUID, user_id: UUID, view_id: UUID) -> None:
    """Forget a kept search."""
    await connection.execute(_REMOVE, {"workspace": workspace, "user": user_id, "id": view_id})
