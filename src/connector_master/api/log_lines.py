"""Lines of the activity log, as a connector's log and the audit trail both show them."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue

from connector_master.api.moments import Moment
from connector_master.api.plumbing import PageQuery
from connector_master.api.shapes import View
from connector_master.storage.activity import Line

Level = Literal["info", "warning", "error"]


class LogLine(View):
    """One line: what came, what became of it, or what somebody did. `data` says what, with before and after."""

    id: UUID
    at: datetime
    kind: str
    level: Level
    message: str
    connector_id: UUID | None
    actor_kind: str
    actor_name: str | None
    ip: str | None
    event_id: UUID | None
    lead_id: UUID | None
    data: JsonValue

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return what the API shows of `line`."""
        return cls.model_validate(line, from_attributes=True)


class LogQuery(PageQuery):
    """Which lines, and how many."""

    kind: str | None = Field(default=None, max_length=100)
    level: Level | None = None
    start: Moment | None = Field(default=None, alias="from", description="At this time or later.")
    end: Moment | None = Field(default=None, alias="to", description="Before this time.")
    q: str | None = Field(default=None, max_length=200, description="Text in kind, message, name, IP address or data.")
