"""Rate limits: a token bucket per connector, right across processes because it lives here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import psycopg

# A bucket holds one minute's worth and starts full.
_MAKE = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(rows)s::json)
               AS r (workspace_id uuid, connector_id uuid, per_minute double precision, wanted double precision)
    )
    INSERT INTO rate_limits (workspace_id, connector_id, tokens, refilled_at)
    SELECT workspace_id, connector_id, per_minute, clock_timestamp() FROM asked ORDER BY 1, 2
    ON CONFLICT DO NOTHING
"""

_SPEND = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(rows)s::json)
               AS r (workspace_id uuid, connector_id uuid, per_minute double precision, wanted double precision)
    ), held AS MATERIALIZED (
        SELECT l.workspace_id, l.connector_id, a.per_minute, a.wanted,
               least(a.per_minute,
                     l.tokens + a.per_minute * extract(epoch FROM clock_timestamp() - l.refilled_at) / 60) AS filled
          FROM rate_limits l JOIN asked a USING (workspace_id, connector_id)
         ORDER BY l.workspace_id, l.connector_id FOR UPDATE OF l
    ), spent AS (
        UPDATE rate_limits l SET tokens = h.filled - least(h.wanted, floor(h.filled)), refilled_at = clock_timestamp()
          FROM held h WHERE l.workspace_id = h.workspace_id AND l.connector_id = h.connector_id
    )
    SELECT connector_id, least(wanted, floor(filled))::int, ceil((1 - (filled - floor(filled))) * 60 / per_minute)::int
      FROM held
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many requests of a connector ask to pass, and how many may in a minute."""

    workspace_id: UUID
    connector_id: UUID
    per_minute: int
    count: int


@dataclass(frozen=True, slots=True)
class Granted:
    """How many may pass, and in how many seconds the next one could."""

    count: int
    retry_after_seconds: int


Connection = psycopg.AsyncConnection[Any]
GrantedByConnector = dict[UUID, Granted]


async def spend(connection: Connection, wanted: Sequence[Wanted]) -> GrantedByConnector:
    """Take what may be taken from each connector's bucket; return, by connector, what was granted.

    Each connector stands in `wanted` once. `connection` is in autocommit mode.
    """
    rows = {
        "rows": orjson.dumps(
            [
                {
                    "workspace_id": one.workspace_id,
                    "connector_id": one.connector_id,
                    "per_minute": one.per_minute,
                    "wanted": one.count,
                }
                for one in wanted
            ]
        ).decode()
    }
    await connection.execute(_MAKE, rows)
    found = await (await connection.execute(_SPEND, rows)).fetchall()
    return {connector: Granted(count, max(1, seconds)) for connector, count, seconds in found}
