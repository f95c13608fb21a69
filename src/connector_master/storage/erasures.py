"""Erasing a person: what they told us leaves lead, payloads and files; that there was something stays."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.model.event import ERASED
from connector_master.model.problem import LeadErased
from connector_master.storage import outbox

_MATCHING = text("""
    SELECT id FROM leads
     WHERE workspace_id = :workspace
       AND ((CAST(:phone AS text) IS NOT NULL AND deduplication_key >= :phone AND deduplication_key < :phone || ';'
             AND phone_number = :phone)
            OR (CAST(:email AS text) IS NOT NULL AND lower(email) = :email))
     ORDER BY id LIMIT 1000
""")


async def matching(
    connection: AsyncConnection, workspace: UUID, *, phone: str | None, email: str | None
) -> Sequence[UUID]:
    """Return the leads that have this phone (E.164) or this e-mail address (lower case), at most 1,000."""
    values = {"workspace": workspace, "phone": phone, "email": email}
    return list((await connection.execute(_MATCHING, values)).scalars())


# The first event of a list keeps the whole request, in which the person's record stands too; those of one request are made
# within a minute.
_EVENTS = text("""
    WITH gone AS (
        UPDATE events
           SET lead_id = NULL, payload = '', body = NULL, resolved = NULL, headers = NULL, ip = NULL, warnings = NULL,
               code = :code, detail = NULL, twin = NULL
         WHERE workspace_id = :workspace AND lead_id = :lead
        RETURNING id, request_id, received_at
    ), bodies AS (
        UPDATE events SET body = NULL
          FROM gone
         WHERE events.workspace_id = :workspace AND events.request_id = gone.request_id
           AND events.id >= first_id_at(gone.received_at - interval '1 minute') AND events.id < gone.id
           AND events.body IS NOT NULL AND events.lead_id IS DISTINCT FROM :lead
    )
    SELECT count(*) FROM gone
""")

_LEAD = text("DELETE FROM leads WHERE workspace_id = :workspace AND id = :lead RETURNING connector_id")

_LINES = text("""
    UPDATE activity SET data = NULL, ip = NULL
     WHERE workspace_id = :workspace AND lead_id = :lead AND actor_kind = 'stranger'
""")


async def erase(connection: AsyncConnection, workspace: UUID, lead_id: UUID) -> tuple[UUID, int] | None:
    """Erase a lead and what was sent of it; return its connector and how many events it touched, None when it is gone.

    The events stay, without what was sent and from where, so that figures stay true and the same record is not taken in
    again by a later pull. Whole requests that held several people's records go as well.
    """
    values = {"workspace": workspace, "lead": lead_id, "code": ERASED}
    connector_id: UUID | None = (await connection.execute(_LEAD, values)).scalar_one_or_none()
    if connector_id is None:
        return None
    touched: int = (await connection.execute(_EVENTS, values)).scalar_one()
    await connection.execute(_LINES, values)
    await outbox.erase(
        connection, workspace, lead_id, code=LeadErased.code, detail="The lead was erased before it was sent."
    )
    return connector_id, touched
