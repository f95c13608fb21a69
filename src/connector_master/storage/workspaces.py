"""Workspaces: the tenants. A fresh installation has one."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FIRST = text("SELECT id FROM workspaces ORDER BY id LIMIT 1")


async def first(connection: AsyncConnection) -> UUID:
    """Return the workspace that the installation began with; commands and strangers' attempts belong to it."""
    found: UUID = (await connection.execute(_FIRST)).scalar_one()
    return found
