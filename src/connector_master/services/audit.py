"""The audit trail: who did what, when, from where. Read only: nothing here changes or removes a line."""

from datetime import datetime

from connector_master.access.caller import Caller
from connector_master.services.hub import Hub
from connector_master.storage import activity
from connector_master.storage.activity import Line
from connector_master.storage.paging import decode_cursor_part, encode_cursor


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
) -> tuple[list[Line], str | None]:
    """Return at most `limit` lines of the workspace, newest first, and the cursor of the rest. Raises InvalidCursor."""
    after = decode_cursor_part(cursor) if cursor is not None else None
    async with hub.engine.connect() as connection:
        found = await activity.lines(
            connection,
            caller.workspace_id,
            connector_id=None,
            limit=limit + 1,
            after=after,
            kind=kind,
            level=level,
            start=start,
            end=end,
            q=q,
        )
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], encode_cursor(last.id, last.part) if last else None
