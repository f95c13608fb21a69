"""The activity log, and the audit trail in it: who did what, when, from where. Nothing here changes or removes a line."""

from datetime import datetime
from uuid import UUID

from connector_master.access.caller import Caller
from connector_master.model.problem import NotFound
from connector_master.services.hub import Hub
from connector_master.storage import activity, connectors
from connector_master.storage.activity import Line
from connector_master.storage.paging import cut, decode_cursor_part


async def list_page(
    hub: Hub,
    caller: Caller,
    *,
    limit: int,
    cursor: str | None,
    kind: str | None = None,
    level: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    q: str | None = None,
    connector_id: UUID | None = None,
) -> tuple[list[Line], str | None]:
    """Return at most `limit` lines, newest first, and the cursor of the rest.

    With a connector its own, among them what arrived; without, what was done in the whole workspace. Raises InvalidCursor
    and, for a connector that is not there, NotFound.
    """
    after = decode_cursor_part(cursor) if cursor is not None else None
    async with hub.engine.connect() as connection:
        if connector_id is not None and await connectors.get(connection, caller.workspace_id, connector_id) is None:
            raise NotFound("No connector here has this id.")
        found = await activity.lines(
            connection,
            caller.workspace_id,
            connector_id=connector_id,
            limit=limit + 1,
            after=after,
            kind=kind or None,
            level=level,
            start=start,
            end=end,
            q=q or None,
        )
    return cut(found, limit)
