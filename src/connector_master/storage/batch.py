"""The hot statement: a whole batch of events and their leads, written by one statement in one commit.

Rows go in as one JSON document and one run of bytes with offsets: as fast as binary arrays, and a column more costs one
line. Idempotency keys decide which rows are fresh; fresh rows are folded by deduplication key inside the statement, since
PostgreSQL will not update a row twice in one ON CONFLICT; the unique index decides what is a duplicate. What is due of them at
destinations (outbox.py) is written with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString, cast
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import tuple_row

from connector_master.model.event import EventStatus
from connector_master.storage.outbox import becomes_due

Columns = dict[str, Any]

OPEN = (EventStatus.FAILED, EventStatus.DEAD, EventStatus.RECEIVED)
"""Statuses of what may still become something else."""

LEAD_TEXTS = (
    "phone_number",
    "name",
    "email",
    "source",
    "business_name",
    "address_line1",
    "address_line2",
    "city",
    "state",
    "country",
    "pincode",
    "product_name",
    "notes",
    "campaign",
    "external_id",
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event to be stored.

    `columns` holds what `_COLUMNS` names, absent where empty. With a `deduplication_key` it becomes or touches a lead
    (`lead_id` is the id of a new one); without, its `status` stands, and `lead_id` if there is one. `window_days` frees a
    key whose lead is older.

    `record` is there where what came before is to heed this row (following.py): the record itself, as JSON. `stands_for`
    has, by column, makeshifts that this row's texts replace. `arrived_at` is when an event came that is settled again.
    """

    columns: Columns
    payload: bytes
    body: bytes | None = None
    window_days: int | None = None
    record: bytes | None = None
    stands_for: Mapping[str, str] | None = None
    arrived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one row: its status now, its event (the first one, when `repeated`), and its lead."""

    status: str
    event_id: UUID
    lead_id: UUID | None
    repeated: bool = False
    code: str | None = None
    detail: str | None = None


_COLUMNS = """
    n int4, workspace_id uuid, id uuid, connector_id uuid, origin text, status text, lead_id uuid, deduplication_key text,
    code text, detail text, event_external_id text, idempotency_key text, received_at timestamptz, enquired_at timestamptz,
    request_id uuid, position int4, content_type text, headers json, ip text, warnings json, attributes jsonb,
    account text, is_announced boolean, resolve_at timestamptz, payload_at int4, payload_size int4, body_at int4, body_size int4
""" + "".join(f", {name} text" for name in LEAD_TEXTS)

_FOLLOWED = ("version", "twin")
"""Further columns (text), which only rows with a `record` fill: the others are stored without them."""


def _arrived(further: Sequence[str]) -> str:
    return f"""
    arrived AS MATERIALIZED (
        SELECT r.* FROM json_to_recordset(%(rows)s::json) AS r ({_COLUMNS}{"".join(f", {name} text" for name in further)})
    )"""


def _first(name: str) -> str:
    return f"(array_agg({name} ORDER BY n) FILTER (WHERE {name} IS NOT NULL))[1]"


_NAMES = ", ".join(LEAD_TEXTS)
_FILLABLE = [name for name in LEAD_TEXTS if name != "phone_number"]
_FILLED = ", ".join(f"{name} = coalesce(known.{name}, excluded.{name})" for name in _FILLABLE)
_FILLS = f"""({", ".join(f"coalesce(known.{name}, excluded.{name})" for name in _FILLABLE)},
              excluded.attributes || known.attributes)
             IS DISTINCT FROM ({", ".join(f"known.{name}" for name in _FILLABLE)}, known.attributes)"""


_FOLDED = f"""
        SELECT workspace_id, (array_agg(lead_id ORDER BY n))[1], deduplication_key, {", ".join(map(_first, LEAD_TEXTS))},
               fill_blanks_over(attributes ORDER BY n), (array_agg(connector_id ORDER BY n))[1], min(enquired_at),
               min(received_at), max(received_at), max(received_at), count(*)
          FROM taken WHERE deduplication_key IS NOT NULL
         GROUP BY workspace_id, deduplication_key
"""
_UNFOLDED = f"""
        SELECT workspace_id, lead_id, deduplication_key, {_NAMES}, coalesce(attributes, '{{}}'), connector_id, enquired_at,
               received_at, received_at, received_at, 1
          FROM taken WHERE deduplication_key IS NOT NULL
"""


def _upserted(source: str) -> str:
    return f"""
    upserted AS (
        INSERT INTO leads AS known (workspace_id, id, deduplication_key, {_NAMES}, attributes, connector_id, enquired_at,
                                    created_at, updated_at, last_seen_at, times_seen)
        {source} ORDER BY workspace_id, deduplication_key
        ON CONFLICT (workspace_id, deduplication_key) DO UPDATE
           SET {_FILLED}, attributes = excluded.attributes || known.attributes,
               enquired_at = coalesce(known.enquired_at, excluded.enquired_at),
               updated_at = greatest(known.updated_at, excluded.updated_at),
               last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
               times_seen = known.times_seen + excluded.times_seen,
               filled_by = CASE WHEN {_FILLS} THEN excluded.id ELSE known.filled_by END
        RETURNING workspace_id, deduplication_key, id, filled_by
    )"""


_STATUS = "CASE WHEN u.id IS NULL THEN t.status WHEN u.id = t.lead_id THEN 'created' ELSE 'duplicate' END"
_LEAD = "coalesce(u.id, t.lead_id)"

_MADE_OR_FILLED = """
        SELECT t.workspace_id, u.id AS lead_id, t.id AS event_id,
               CASE WHEN u.id = t.lead_id THEN 'lead.created' WHEN u.filled_by = t.lead_id THEN 'lead.updated' END AS occasion
          FROM taken t JOIN upserted u ON u.workspace_id = t.workspace_id AND u.deduplication_key = t.deduplication_key
"""
_DUE = f"due AS ({becomes_due(_MADE_OR_FILLED)})"


def _store(source: str, further: Sequence[str] = ()) -> str:
    return f"""
    WITH {_arrived(further)},
    fresh AS (
        INSERT INTO event_keys (workspace_id, connector_id, key, event_id)
        SELECT workspace_id, connector_id, idempotency_key, id FROM arrived WHERE idempotency_key IS NOT NULL
         ORDER BY workspace_id, connector_id, idempotency_key, n
        ON CONFLICT DO NOTHING
        RETURNING event_id
    ),
    taken AS MATERIALIZED (
        SELECT a.* FROM arrived a LEFT JOIN fresh ON fresh.event_id = a.id
         WHERE a.idempotency_key IS NULL OR fresh.event_id IS NOT NULL
    ),
    {_upserted(source)},
    {_DUE},
    stored AS (
        INSERT INTO events (workspace_id, id, connector_id, origin, status, lead_id, code, detail, external_id, idempotency_key,
                            received_at, processed_at, enquired_at, request_id, position, content_type, payload, body,
                            headers, ip, warnings, account, is_announced, resolve_at{"".join(f", {name}" for name in further)})
        SELECT t.workspace_id, t.id, t.connector_id, t.origin, {_STATUS}, {_LEAD}, t.code, t.detail, t.event_external_id,
               t.idempotency_key, t.received_at, CASE WHEN t.status <> 'received' THEN clock_timestamp() END, t.enquired_at,
               t.request_id, t.position, t.content_type, substring(%(content)s::bytea FROM t.payload_at FOR t.payload_size),
               CASE WHEN t.body_size IS NOT NULL THEN substring(%(content)s::bytea FROM t.body_at FOR t.body_size) END,
               t.headers, t.ip, t.warnings, t.account, coalesce(t.is_announced, false), t.resolve_at
               {"".join(f", t.{name}" for name in further)}
          FROM taken t LEFT JOIN upserted u ON u.workspace_id = t.workspace_id AND u.deduplication_key = t.deduplication_key
    )
    SELECT t.n, {_STATUS}, {_LEAD}
      FROM taken t LEFT JOIN upserted u ON u.workspace_id = t.workspace_id AND u.deduplication_key = t.deduplication_key
    """


_STORE = _store(_UNFOLDED)
_STORE_FOLDED = _store(_FOLDED)
_STORE_FOLLOWED = _store(_UNFOLDED, _FOLLOWED)
_STORE_FOLDED_FOLLOWED = _store(_FOLDED, _FOLLOWED)

_REPEATED = """
    SELECT wanted.n, coalesce(e.status, 'ignored'), k.event_id, e.lead_id,
           CASE WHEN e.id IS NULL THEN 'expired' ELSE e.code END, e.detail
      FROM json_to_recordset(%(rows)s::json) AS wanted (n int4, workspace_id uuid, connector_id uuid, idempotency_key text)
      JOIN event_keys k ON k.workspace_id = wanted.workspace_id AND k.connector_id = wanted.connector_id
                       AND k.key = wanted.idempotency_key
      LEFT JOIN events e ON e.workspace_id = k.workspace_id AND e.id = k.event_id
"""

_RELEASE = """
    UPDATE leads SET deduplication_key = leads.deduplication_key || '#' || leads.id
      FROM json_to_recordset(%(rows)s::json) AS r (workspace_id uuid, deduplication_key text, before timestamptz)
     WHERE leads.workspace_id = r.workspace_id AND leads.deduplication_key = r.deduplication_key
       AND leads.last_seen_at < r.before
"""

_AGAIN = f"""
    WITH {_arrived(_FOLLOWED)},
    taken AS MATERIALIZED (
        SELECT a.* FROM arrived a
          JOIN (SELECT e.workspace_id, e.id FROM events e
                  JOIN arrived ON arrived.workspace_id = e.workspace_id AND arrived.id = e.id
                 WHERE e.status = ANY(%(statuses)s) ORDER BY e.id FOR UPDATE OF e) AS open
            ON open.workspace_id = a.workspace_id AND open.id = a.id
    ),
    {_upserted(_FOLDED)},
    {_DUE},
    settled AS (
        UPDATE events SET status = {_STATUS}, lead_id = {_LEAD}, code = t.code, detail = t.detail, warnings = t.warnings,
                          enquired_at = coalesce(t.enquired_at, events.enquired_at),
                          processed_at = CASE WHEN t.status <> 'received' THEN clock_timestamp() END,
                          resolve_at = t.resolve_at,
                          resolved = CASE WHEN t.payload_size > 0
                                          THEN substring(%(content)s::bytea FROM t.payload_at FOR t.payload_size)
                                          ELSE events.resolved END,
                          external_id = coalesce(events.external_id, t.event_external_id),
                          version = coalesce(t.version, events.version), twin = coalesce(t.twin, events.twin),
                          attempts = events.attempts + 1
          FROM taken t LEFT JOIN upserted u ON u.workspace_id = t.workspace_id AND u.deduplication_key = t.deduplication_key
         WHERE events.workspace_id = t.workspace_id AND events.id = t.id
    )
    SELECT t.n, {_STATUS}, {_LEAD}
      FROM taken t LEFT JOIN upserted u ON u.workspace_id = t.workspace_id AND u.deduplication_key = t.deduplication_key
"""


@dataclass(slots=True)
class _Document:
    rows: list[Columns] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)
    size: int = 0

    def take(self, content: bytes) -> tuple[int, int]:
        # substring() counts from 1.
        place = (self.size + 1, len(content))
        self.content.append(content)
        self.size += len(content)
        return place


def _document(rows: Sequence[EventRow]) -> _Document:
    document = _Document()
    for n, row in enumerate(rows):
        columns = row.columns
        columns["n"] = n
        columns["payload_at"], columns["payload_size"] = document.take(row.payload)
        if row.body is not None:
            columns["body_at"], columns["body_size"] = document.take(row.body)
        document.rows.append(columns)
    return document


async def store(
    connection: psycopg.AsyncConnection[Any], rows: Sequence[EventRow], *, is_followed: bool = False
) -> list[Stored]:
    """Write `rows` in one commit and return what became of each, in order; `is_followed` when some have a `record`.

    `connection` is in autocommit mode. Raises psycopg's errors with nothing written. A row whose idempotency key had
    come before is answered with its first event, and not written again.
    """
    document = _document(rows)
    keys = [row.columns["deduplication_key"] for row in rows if "deduplication_key" in row.columns]
    if len(set(keys)) == len(keys):
        statement = _STORE_FOLLOWED if is_followed else _STORE
    else:
        statement = _STORE_FOLDED_FOLLOWED if is_followed else _STORE_FOLDED
    values = {"rows": orjson.dumps(document.rows).decode(), "content": b"".join(document.content)}
    windowed = [row for row in rows if row.window_days and "deduplication_key" in row.columns]
    if windowed:
        async with connection.transaction():
            await connection.execute(_RELEASE, {"rows": _releases(windowed)})
            found = await run(connection, statement, values)
    else:
        found = await run(connection, statement, values)
    results: list[Stored | None] = [None] * len(rows)
    for n, status, lead_id in found:
        columns = rows[n].columns
        results[n] = Stored(status, columns["id"], lead_id, code=columns.get("code"), detail=columns.get("detail"))
    missing = [rows[n].columns for n, result in enumerate(results) if result is None]
    if missing:
        wanted = [{name: columns[name] for name in _REPEATED_COLUMNS} for columns in missing]
        for n, status, event_id, lead_id, code, detail in await run(
            connection, _REPEATED, {"rows": orjson.dumps(wanted).decode()}
        ):
            results[n] = Stored(status, event_id, lead_id, repeated=True, code=code, detail=detail)
    return cast("list[Stored]", results)


async def store_again(
    connection: psycopg.AsyncConnection[Any], rows: Sequence[EventRow], statuses: Sequence[str] = OPEN
) -> list[Stored | None]:
    """Settle events that are stored already and have one of `statuses`; None for one that had been settled meanwhile.

    A row's payload is the record that was fetched for an announcement, or came later; empty where nothing did.
    """
    document = _document(rows)
    windowed = [row for row in rows if row.window_days and "deduplication_key" in row.columns]
    async with connection.transaction():
        if windowed:
            await connection.execute(_RELEASE, {"rows": _releases(windowed)})
        values = {
            "rows": orjson.dumps(document.rows).decode(),
            "content": b"".join(document.content),
            "statuses": list(statuses),
        }
        found = await run(connection, _AGAIN, values)
    results: list[Stored | None] = [None] * len(rows)
    for n, status, lead_id in found:
        columns = rows[n].columns
        results[n] = Stored(status, columns["id"], lead_id, code=columns.get("code"), detail=columns.get("detail"))
    return results


_REPEATED_COLUMNS = ("n", "workspace_id", "connector_id", "idempotency_key")


def _releases(rows: Sequence[EventRow]) -> str:
    return orjson.dumps(
        [
            {
                "workspace_id": row.columns["workspace_id"],
                "deduplication_key": row.columns["deduplication_key"],
                "before": row.columns["received_at"] - timedelta(days=row.window_days or 0),
            }
            for row in rows
        ]
    ).decode()


async def run(
    connection: psycopg.AsyncConnection[Any], statement: LiteralString, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    async with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()
