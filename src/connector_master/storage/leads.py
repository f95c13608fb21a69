"""Leads: who enquired. Written by the hot statement (batch.py); read here, newest first.

Ids carry the time they were made, so a span of time is a span of the primary key. A phone number is found by the index on
deduplication keys, which begin with it. `source` is looked for row by row, in so many leads for each page. So are words
among the newest leads, any part of one; among the older ones an index (lead_words.py) finds beginnings of words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at
from connector_master.storage.paging import MOST_LOOKED_AT, Found

_LATEST_ID = timedelta(hours=1)
"""A lead's id is made after its created_at, at most this much later."""
_PHONE_END = ";"
"""Sorts after everything that follows a phone number in a deduplication key: further digits, `#` and `:`."""


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead as stored."""

    id: UUID
    phone_number: str
    name: str | None
    email: str | None
    source: str | None
    business_name: str | None
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    country: str | None
    pincode: str | None
    product_name: str | None
    notes: str | None
    campaign: str | None
    external_id: str | None
    attributes: dict[str, Any]
    connector_id: UUID
    enquired_at: datetime | None
    created_at: datetime
    updated_at: datetime
    times_seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFilter:
    """Which leads. `start` ≤ created_at < `end`.

    `phone` is E.164; `phone_beginnings` are beginnings of E.164, any of which will do. `words` (lower case) must all occur
    in name, e-mail, company or phone; `digits` may occur in the phone instead. Of leads that are not among the newest, the
    words must be beginnings of words.
    """

    phone: str | None = None
    phone_beginnings: Sequence[str] = ()
    words: Sequence[str] = ()
    digits: str | None = None
    source: str | None = None
    connector_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None


LEAD_COLUMNS = """l.id, l.phone_number, l.name, l.email, l.source, l.business_name, l.address_line1, l.address_line2, l.city,
                  l.state, l.country, l.pincode, l.product_name, l.notes, l.campaign, l.external_id, l.attributes,
                  l.connector_id, l.enquired_at, l.created_at, l.updated_at, l.times_seen"""

_WORDS = """NOT EXISTS (
        SELECT 1 FROM unnest(CAST(:words AS text[])) AS wanted (word)
         WHERE strpos(lower(concat_ws(' ', l.name, l.email, l.business_name, l.phone_number)), wanted.word) = 0)"""

_PHONE = "l.deduplication_key >= :phone AND l.deduplication_key < :phone_end AND l.phone_number = :phone"
_BEGINNINGS = """l.deduplication_key >= :beginnings_start AND l.deduplication_key < :beginnings_end AND EXISTS (
        SELECT 1 FROM unnest(CAST(:beginnings AS text[])) AS wanted (beginning)
         WHERE starts_with(l.phone_number, wanted.beginning))"""


_WINDOWS = (5_000, 20_000)
"""So many of the leads that fit otherwise are looked through row by row before the index is asked; the second window only if
the first one held a good part of what is wanted: then the next leads hold the rest, and the index would list many more."""
_GOOD_PART = 0.2
_SAMPLE = 1_000
_MOST_COMMON = 150
"""A word that more leads of the sample have is looked for in the index only if no other is rarer: it would list too many."""


async def page(
    connection: AsyncConnection, workspace: UUID, filter_: LeadFilter, *, limit: int, after: UUID | None = None
) -> Found[Lead]:
    """Return at most `limit` leads, newest first, beginning after the id `after`."""
    conditions, values = _conditions(workspace, filter_, after)
    if filter_.words:
        return Found(await _with_words(connection, workspace, filter_, limit, after))
    edge = None
    if filter_.source is not None:
        edge = await _nth(connection, workspace, filter_, after, MOST_LOOKED_AT)
        conditions += ["l.id >= :edge"] if edge is not None else []
    return Found(await _page(connection, conditions, values | {"edge": edge}, limit), edge)


async def _with_words(
    connection: AsyncConnection, workspace: UUID, filter_: LeadFilter, limit: int, after: UUID | None
) -> list[Lead]:
    found: list[Lead] = []
    said, said_values = _said(filter_)
    indexed_until = (await connection.execute(_SEARCHABLE)).scalar_one_or_none() or UUID(int=0)
    for window in _WINDOWS:
        conditions, values = _conditions(workspace, filter_, after)
        edge = await _nth(connection, workspace, filter_, after, window)
        if edge is not None:
            # The index may not know the last ones yet.
            edge = min(edge, indexed_until)
            conditions.append("l.id >= :edge")
        values |= said_values | {"edge": edge}
        found += await _page(connection, [*conditions, said], values, limit - len(found))
        if edge is None or len(found) == limit:
            return found
        after = edge
        if len(found) < limit * _GOOD_PART:
            break
    conditions, values = _conditions(workspace, filter_, after)
    wanted = " ".join(filter_.words)
    values |= {"rare": await _rare(connection, workspace, wanted), "said": wanted, "digits": filter_.digits}
    return found + await _older(connection, [*conditions, said], values | said_values, limit - len(found))


_SEARCHABLE = text("SELECT until FROM searchable")


async def _nth(
    connection: AsyncConnection, workspace: UUID, filter_: LeadFilter, after: UUID | None, place: int
) -> UUID | None:
    """Return the id of the lead at `place` among those that fit, but for source and words; None where there are fewer."""
    conditions, values = _conditions(workspace, replace(filter_, source=None), after)
    statement = text(f"""
        SELECT l.id FROM leads l WHERE {" AND ".join(conditions)} ORDER BY l.id DESC OFFSET :skipped LIMIT 1
    """)
    found: UUID | None = (await connection.execute(statement, values | {"skipped": place - 1})).scalar_one_or_none()
    return found


_HOW_COMMON = text("""
    WITH sample AS MATERIALIZED (
        SELECT lower(concat_ws(' ', l.name, l.email, l.business_name, l.phone_number)) AS said
          FROM leads l WHERE l.workspace_id = :workspace ORDER BY l.id DESC LIMIT :sample
    )
    SELECT word, (SELECT count(*) FROM sample WHERE strpos(sample.said, word) > 0) AS count
      FROM words_of(:wanted) AS word ORDER BY 2
""")


async def _rare(connection: AsyncConnection, workspace: UUID, wanted: str) -> str:
    """Return those words of `wanted` that few of the newest leads have, or the rarest one."""
    values = {"workspace": workspace, "sample": _SAMPLE, "wanted": wanted}
    words = (await connection.execute(_HOW_COMMON, values)).all()
    return " ".join(word for place, (word, count) in enumerate(words) if place == 0 or count <= _MOST_COMMON)


async def _page(
    connection: AsyncConnection, conditions: Sequence[str], values: Mapping[str, Any], limit: int
) -> list[Lead]:
    # Only the conditions asked for are there, so each combination has a plan of its own.
    statement = text(f"""
        SELECT {LEAD_COLUMNS} FROM leads l WHERE {" AND ".join(conditions)} ORDER BY l.id DESC LIMIT :limit
    """)
    rows = await connection.execute(statement, {"limit": limit, **values})
    return [Lead(**row._mapping) for row in rows]


async def _older(
    connection: AsyncConnection, conditions: Sequence[str], values: Mapping[str, Any], limit: int
) -> list[Lead]:
    # The index finds the rare words, ts_match_vq, which no index knows, the others. Each lead is then fetched by its id: the
    # planner, which can't know how many there are, would else read all leads.
    statement = text(f"""
        WITH found AS MATERIALIZED (
            SELECT w.lead_id FROM lead_words w
             WHERE w.workspace_id = :workspace AND w.lead_id < :after
               AND w.words @@ (SELECT coalesce(words_query(:digits) || words_query(:rare), words_query(:rare)))
               AND ts_match_vq(w.words, (SELECT coalesce(words_query(:digits) || words_query(:said), words_query(:said))))
        )
        SELECT fitting.* FROM (SELECT lead_id FROM found ORDER BY lead_id DESC) AS one
         CROSS JOIN LATERAL (
            SELECT {LEAD_COLUMNS} FROM leads l WHERE {" AND ".join(conditions)} AND l.id = one.lead_id LIMIT 1
         ) AS fitting
         LIMIT :limit
    """)
    rows = await connection.execute(statement, {"limit": limit, **values})
    return [Lead(**row._mapping) for row in rows]


def _conditions(workspace: UUID, filter_: LeadFilter, after: UUID | None) -> tuple[list[str], dict[str, Any]]:
    conditions = ["l.workspace_id = :workspace"]
    values: dict[str, Any] = {"workspace": workspace}
    if after is not None:
        conditions.append("l.id < :after")
        values["after"] = after
    if filter_.start is not None:
        conditions.append("l.id >= :start_id AND l.created_at >= :start")
        values |= {"start": filter_.start, "start_id": first_id_at(filter_.start)}
    if filter_.end is not None:
        conditions.append("l.id < :end_id AND l.created_at < :end")
        values |= {"end": filter_.end, "end_id": _last_id_before(filter_.end)}
    if filter_.phone is not None:
        conditions.append(_PHONE)
        values |= {"phone": filter_.phone, "phone_end": filter_.phone + _PHONE_END}
    if filter_.phone_beginnings:
        conditions.append(_BEGINNINGS)
        values["beginnings"] = list(filter_.phone_beginnings)
        values["beginnings_start"] = min(filter_.phone_beginnings)
        values["beginnings_end"] = max(filter_.phone_beginnings) + _PHONE_END
    if filter_.connector_id is not None:
        conditions.append("l.connector_id = :connector")
        values["connector"] = filter_.connector_id
    if filter_.source is not None:
        conditions.append("lower(l.source) = lower(:source)")
        values["source"] = filter_.source
    return conditions, values


def _said(filter_: LeadFilter) -> tuple[str, dict[str, Any]]:
    if filter_.digits is None:
        return _WORDS, {"words": list(filter_.words)}
    condition = f"({_WORDS} OR strpos(l.phone_number, :digits) > 0)"
    return condition, {"words": list(filter_.words), "digits": filter_.digits}


def _last_id_before(end: datetime) -> UUID:
    return first_id_at(end + min(_LATEST_ID, datetime.max.replace(tzinfo=UTC) - end))


_GET = text(f"SELECT {LEAD_COLUMNS} FROM leads l WHERE l.workspace_id = :workspace AND l.id = :id")


async def get(connection: AsyncConnection, workspace: UUID, id_: UUID) -> Lead | None:
    """Return a lead, None when there is none with this id here."""
    row = (await connection.execute(_GET, {"workspace": workspace, "id": id_})).one_or_none()
    return Lead(**row._mapping) if row else None


_ID_BY_KEY = text("SELECT id FROM leads WHERE workspace_id = :workspace AND deduplication_key = :key")


async def id_by_key(connection: AsyncConnection, workspace: UUID, key: str) -> UUID | None:
    """Return the id of the lead that has this deduplication key now, None when there is none."""
    found: UUID | None = (
        await connection.execute(_ID_BY_KEY, {"workspace": workspace, "key": key})
    ).scalar_one_or_none()
    return found
