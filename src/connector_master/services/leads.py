"""Leads: finding them, seeing what touched them, and taking them out as CSV."""

import re
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import phonenumbers

from connector_master.access.caller import Caller
from connector_master.ingest.retry import read_again
from connector_master.ingest.source import Source
from connector_master.model.lead import LEAD_FIELDS
from connector_master.model.problem import InvalidPhone, MissingPhone, NotFound
from connector_master.pipeline.normalize import normalize_phone
from connector_master.services import csv_cells
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.storage import activity, connectors, deliveries, events, lead_words, leads
from connector_master.storage.deliveries import Delivery
from connector_master.storage.events import Touch
from connector_master.storage.leads import Lead, LeadFilter
from connector_master.storage.paging import Found, cut, decode_cursor

DEFAULT_REGION = "IN"
MOST_TOUCHES = 200
_EXPORT_ROWS = 1_000
_SETTLED = timedelta(seconds=30)
"""Events are committed within this time after their id was made."""
_MOST_EVENTS = 5_000
_MOST_TOLD = 20
_MOST_WORDS = 10
_FEWEST_DIGITS = 3
_LIKE_A_PHONE = re.compile(r"[\s\d+().\-/]+")

_LATE_COLUMNS = {
    "attributes": "attributes",
    "connectorId": "connector_id",
    "enquiredAt": "enquired_at",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "timesSeen": "times_seen",
}
EXPORTED = (
    {"id": "id"} | {name: column for name, column in LEAD_FIELDS.items() if name not in _LATE_COLUMNS} | _LATE_COLUMNS
)
"""The columns of the export, and what of a lead each holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which leads, as a person says it. `start` ≤ createdAt < `end`; `phone` and `q` in any spelling."""

    q: str | None = None
    phone: str | None = None
    source: str | None = None
    connector_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class WithTimeline:
    """A lead, the newest events that touched it, and its newest deliveries."""

    lead: Lead
    timeline: Sequence[Touch]
    deliveries: Sequence[Delivery] = ()


async def list_page(
    hub: Hub, caller: Caller, search: Search, *, limit: int, cursor: str | None
) -> tuple[list[Lead], str | None]:
    """Return at most `limit` leads, newest first, and the cursor of the rest. Raises InvalidCursor."""
    after = decode_cursor(cursor) if cursor is not None else None
    filter_ = filter_of(search)
    if filter_ is None:
        return [], None
    async with hub.engine.connect() as connection:
        found = await leads.page(connection, caller.workspace_id, filter_, limit=limit + 1, after=after)
    return cut(found, limit)


async def make_findable(hub: Hub, now: datetime) -> None:
    """Make leads that came or changed findable by words; called every few seconds."""
    is_left = True
    while is_left:
        async with hub.engine.begin() as connection:
            is_left = await lead_words.index_on(connection, now=now, settled=_SETTLED, most=_MOST_EVENTS)


async def get(hub: Hub, caller: Caller, lead_id: UUID) -> WithTimeline:
    """Return a lead with its timeline. Raises NotFound."""
    async with hub.engine.connect() as connection:
        lead = await leads.get(connection, caller.workspace_id, lead_id)
        if lead is None:
            raise NotFound("No lead has this id.")
        touches = await events.of_lead(connection, caller.workspace_id, lead_id, MOST_TOUCHES)
        sent = await deliveries.of_lead(connection, caller.workspace_id, lead_id, MOST_TOUCHES)
        return WithTimeline(lead, touches, sent)


async def told(hub: Hub, caller: Caller, found: WithTimeline) -> Mapping[UUID, Mapping[str, str]]:
    """Return, by event, what each touch of a lead's timeline says of the lead, by today's mapping: lead field → text.

    Only of the newest touches, and of none whose payload is gone or can't be read any more.
    """
    said: dict[UUID, Mapping[str, str]] = {}
    now = datetime.now(UTC)
    sources: dict[UUID, Source | None] = {}
    for touch in found.timeline[:_MOST_TOLD]:
        async with hub.engine.connect() as connection:
            raw = await events.get_raw(connection, caller.workspace_id, touch.id)
            if touch.connector_id not in sources:
                row = await connectors.get_ever(connection, caller.workspace_id, touch.connector_id)
                sources[touch.connector_id] = (
                    None if row is None else await source_of(connection, hub.keys, hub.apps, row)
                )
        source = sources[touch.connector_id]
        if raw is None or source is None:
            continue
        columns = read_again(source, raw, now).again.row.columns
        said[touch.id] = {name: str(columns[column]) for name, column in LEAD_FIELDS.items() if columns.get(column)}
    return said


async def export(hub: Hub, caller: Caller, search: Search) -> AsyncIterator[bytes]:
    """Return the leads as CSV in UTF-8, newest first, in pieces; that they were taken out goes into the activity log.

    The line is written and the first piece read before this returns, so what goes wrong then is still an error. No
    transaction stays open while a slow reader takes its time.
    """
    filter_ = filter_of(search)
    async with hub.engine.begin() as connection:
        first = (
            Found([])
            if filter_ is None
            else await leads.page(connection, caller.workspace_id, filter_, limit=_EXPORT_ROWS)
        )
        await activity.write(
            connection,
            caller.workspace_id,
            kind="leads_exported",
            message="Leads exported",
            actor=caller,
            connector_id=search.connector_id,
            data={"filter": _described(search)},
        )
    return _pieces(hub, caller, filter_, first)


async def _pieces(hub: Hub, caller: Caller, filter_: LeadFilter | None, batch: Found[Lead]) -> AsyncIterator[bytes]:
    yield csv_cells.lines([list(EXPORTED)]).encode()
    while True:
        yield csv_cells.lines(map(_cells, batch.rows)).encode()
        after = batch.rows[-1].id if len(batch.rows) == _EXPORT_ROWS else batch.looked_until
        if filter_ is None or after is None:
            return
        async with hub.engine.connect() as connection:
            batch = await leads.page(connection, caller.workspace_id, filter_, limit=_EXPORT_ROWS, after=after)


def filter_of(search: Search) -> LeadFilter | None:
    """Return what to ask the storage for, None when nothing can match."""
    filter_ = LeadFilter(source=search.source, connector_id=search.connector_id, start=search.start, end=search.end)
    if search.phone is not None:
        number = _e164(search.phone)
        beginnings = () if number else _beginnings(search.phone)
        if number is None and not beginnings:
            return None
        filter_ = replace(filter_, phone=number, phone_beginnings=beginnings)
    if search.q is not None:
        filter_ = _with_text(filter_, search.q)
    return filter_


def _with_text(filter_: LeadFilter, q: str) -> LeadFilter:
    is_phone = _LIKE_A_PHONE.fullmatch(q) is not None
    number = _e164(q) if is_phone else None
    if number is not None and filter_.phone is None:
        # A whole number is found by its index.
        return replace(filter_, phone=number)
    digits = _digits(q) if is_phone else ""
    return replace(
        filter_,
        words=q.lower().split()[:_MOST_WORDS],
        digits=digits.lstrip("0") if len(digits.lstrip("0")) >= _FEWEST_DIGITS else None,
    )


def _e164(text: str) -> str | None:
    try:
        return normalize_phone(text, DEFAULT_REGION).e164
    except (MissingPhone, InvalidPhone):
        return None


def _beginnings(text: str) -> tuple[str, ...]:
    """Return what E.164 numbers may begin with that begin like `text`: with its digits, or in the default country."""
    digits = _digits(text)
    if not digits:
        return ()
    if text.strip().startswith("+"):
        return (f"+{digits}",)
    national = digits.lstrip("0")
    country = phonenumbers.country_code_for_region(DEFAULT_REGION)
    local = (f"+{country}{national}",) if national else ()
    return local if digits.startswith("0") else (f"+{digits}", *local)


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())


def _cells(lead: Lead) -> list[str | None]:
    return [_cell(getattr(lead, name)) for name in EXPORTED.values()]


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return orjson.dumps(value).decode() if value else None
    return str(value)


def _described(search: Search) -> dict[str, object]:
    # What was looked for can be a person's name or number, which has no place in a log; that something was, has.
    return {
        "q": search.q is not None,
        "phone": search.phone is not None,
        "source": search.source,
        "connectorId": search.connector_id,
        "from": search.start,
        "to": search.end,
    }
