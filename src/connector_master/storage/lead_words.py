"""Making leads findable by words: a job's work, a moment after they were stored."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at

_BEGIN = text("""
    INSERT INTO searchable (until)
    SELECT '00000000-0000-0000-0000-000000000000' WHERE NOT EXISTS (SELECT 1 FROM searchable)
""")
_UNTIL = text("SELECT until FROM searchable FOR UPDATE SKIP LOCKED")

# Every workspace's: the events in the order of their ids, and of them the leads that they touched. Workspace by workspace,
# since every index begins with it.
_INDEX = text("""
    WITH seen AS MATERIALIZED (
        SELECT e.workspace_id, e.id, e.lead_id
          FROM workspaces w
         CROSS JOIN LATERAL (
            SELECT workspace_id, id, lead_id FROM events
             WHERE workspace_id = w.id AND id > :until AND id < :end
             ORDER BY id LIMIT :most
         ) AS e
         ORDER BY e.id LIMIT :most
    ), anew AS (
        DELETE FROM rewords RETURNING workspace_id, lead_id
    ), touched AS (
        SELECT workspace_id, lead_id FROM seen WHERE lead_id IS NOT NULL
        UNION SELECT workspace_id, lead_id FROM anew
    ), worded AS (
        INSERT INTO lead_words AS known (workspace_id, lead_id, words)
        SELECT l.workspace_id, l.id, words_of_lead(concat_ws(' ', l.name, l.email, l.business_name), l.phone_number)
          FROM touched t JOIN leads l ON l.workspace_id = t.workspace_id AND l.id = t.lead_id
         ORDER BY 1, 2
        ON CONFLICT (workspace_id, lead_id) DO UPDATE SET words = excluded.words WHERE known.words <> excluded.words
    )
    SELECT id, count(*) OVER () FROM seen ORDER BY id DESC LIMIT 1
""")
_MOVE = text("UPDATE searchable SET until = :until")


async def index_on(connection: AsyncConnection, *, now: datetime, settled: timedelta, most: int) -> bool:
    """Make the leads of at most `most` further events, older than `settled`, findable; return whether more is left.

    One process does it at a time.
    """
    await connection.execute(_BEGIN)
    until = (await connection.execute(_UNTIL)).scalar_one_or_none()
    if until is None:
        return False
    values = {"until": until, "end": first_id_at(now - settled), "most": most}
    last = (await connection.execute(_INDEX, values)).one_or_none()
    if last is None:
        return False
    await connection.execute(_MOVE, {"until": last[0]})
    return bool(last[1] == most)
