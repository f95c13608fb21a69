"""Saved views: a user's own searches for leads, kept by name."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.caller import Caller
from connector_master.access.names import clean_name
from connector_master.model.problem import InvalidRequest
from connector_master.storage import saved_views
from connector_master.storage.ids import new_id
from connector_master.storage.saved_views import SavedView

_MOST_CHARACTERS = 2_000


async def of_caller(engine: AsyncEngine, caller: Caller) -> Sequence[SavedView]:
    """Return the calling user's views by name."""
    assert caller.id is not None
    async with engine.connect() as connection:
        return await saved_views.of_user(connection, caller.workspace_id, caller.id)


async def keep(engine: AsyncEngine, caller: Caller, name: str, query: str) -> None:
    """Keep a search (what its address has after the question mark) by name. Raises InvalidRequest."""
    assert caller.id is not None
    if len(query) > _MOST_CHARACTERS:
        raise InvalidRequest("This search is too long to be kept.", field="query")
    async with engine.begin() as connection:
        await saved_views.put(
            connection, caller.workspace_id, id_=new_id(), user_id=caller.id, name=clean_name(name), query=query
        )


async def forget(engine: AsyncEngine, caller: Caller, view_id: UUID) -> None:
    """Forget one of the calling user's views."""
    assert caller.id is not None
    async with engine.begin() as connection:
        await saved_views.remove(connection, caller.workspace_id, caller.id, view_id)
