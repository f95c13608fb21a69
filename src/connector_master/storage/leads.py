"""Leads: who enquired. Written by the hot statement (batch.py); read here, newest first.

Ids carry the time they were made, so a span of time is a span of the primary key. A phone number is found by the index on
deduplication keys, which begin with it. `source` is looked for row by row along the primary key. So are words among the
newest leads, any part of one; among the older ones an index (lead_words.py) finds beginnings of words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.storage.ids import first_id_at

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


_COLUMNS = """l.id, l.phone_number, l.name, l.email, l.source, l.business_name, l.address_line1, l.address_line2, l.city,
              l.state, l.country, l.pincode, l.product_name, l.notes, l.campaign, l.external_id, l.attributes,
              l.connector_id, l.enquired_at, l.created_at, l.updated_at, l.times_seen"""

_WORDS = """NOT EXISTS (
        SELECT 1 FROM unnest(CAST(:words AS text[])) AS wanted (word)
         WHERE strpos(lower(concat_ws(' ', l.name, l.email, l.business_name, l.phone_number)), wanted.word) = 0)"""

_INDEXED = """l.id IN (SELECT w.lead_id FROM lead_words w
                WHERE w.workspace_id = :workspace AND w.words @@ coalesce(words_query(:digits) || words_query(:said),
                                                                           words_query(:said)))"""

_PHONE = "l.deduplication_key >= :phone AND l.deduplication_key < :phone_end AND l.phone_number = :phone"
_BEGINNINGS = """l.deduplication_key >= :beginnings_start AND l.deduplication_key < :beginnings_end AND EXISTS (
        SELECT 1 FROM unnest(CAST(:beginnings AS text[])) AS wanted (beginning)
         WHERE starts_with(l.phone_number, wanted.beginning))"""


_NEWEST = 5_000
"""So many leads are looked through row by row before the index is asked."""

# Where the newest leads end: after so many, and not before the last one that the index may not know yet.
_EDGE = text("""
    SELECT least((SELECT id FROM leads WHERE workspace_id = :workspace AND id < :below ORDER BY id DESC OFFSET :newest LIMIT 1),
                 (SELECT until FROM searchable))
""")

_LAST = UUID(int=2**128 - 1)


async def page(
    connection: AsyncConnection, workspace: UUID, filter_: LeadFilter, *, limit: int, after: UUID | None = None
) -> list[Lead]:
    """Return at most `limit` leads, newest first, beginning after the id `after`."""
    conditions, values = _conditions(filter_, after)
    if not filter_.words:
        return await _page(connection, workspace, conditions, values, limit)
    edge_values = {"workspace": workspace, "below": after or _LAST, "newest": _NEWEST}
    edge: UUID | None = (await connection.execute(_EDGE, edge_values)).scalar_one()
    conditions, values = _conditions(replace(filter_, words=(), digits=None), after)
    said, said_values = _said(filter_)
    newest = [*conditions, said] if edge is None else [*conditions, said, "l.id >= :edge"]
    found = await _page(connection, workspace, newest, values | said_values | {"edge": edge}, limit)
    if edge is None or len(found) == limit:
        return found
    older = [*conditions, _INDEXED, "l.id < :edge"]
    values |= {"edge": edge, "said": " ".join(filter_.words), "digits": filter_.digits}
    return found + await _page(connection, workspace, older, values, limit - len(found))


async def _page(
    connection: AsyncConnection, workspace: UUID, conditions: Sequence[str], values: Mapping[str, Any], limit: int
) -> list[Lead]:
    # Only the conditions asked for are there, so each combination has a plan of its own.
    statement = text(f"""
        SELECT {_COLUMNS} FROM leads l WHERE {" AND ".join(conditions)} ORDER BY l.id DESC LIMIT :limit
    """)
    rows = await connection.execute(statement, {"workspace": workspace, "limit": limit, **values})
    return [Lead(**row._mapping) for row in rows]


def _conditions(filter_: LeadFilter, after: UUID | None) -> tuple[list[str], dict[str, Any]]:
    conditions = ["l.workspace_id = :workspace"]
    values: dict[str, Any] = {}
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


_GET = text(f"SELECT {_COLUMNS} FROM leads l WHERE l.workspace_id = :workspace AND l.id = :id")


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
