"""The one way in: records of a source become events, and leads where they can, in one commit with whoever comes along.

A push and a pull both end here. Nothing is answered before the commit that carries it.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

import orjson
import psycopg
import structlog

from connector_master.ingest.gather import Gathering
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.event import EventStatus, Outcome, Record
from connector_master.model.json import Json
from connector_master.model.lead import LEAD_FIELDS, LeadDraft
from connector_master.model.problem import Permanent, Problem, StorageRefused, StorageUnavailable
from connector_master.pipeline.deduplication import deduplication_key
from connector_master.pipeline.normalize import clean_text
from connector_master.pipeline.process import process
from connector_master.storage import following, jobs
from connector_master.storage.batch import LEAD_TEXTS, Columns, EventRow, Stored
from connector_master.storage.ids import new_id, time_of

_WEIGHT_BYTES = 4096
_MOST_IN_WRITE = 1_000
_MOST_WAITING = 20_000
"""Rows, or 4 KiB each of what they hold: what waits never takes more than some 80 MB."""
_RECORDS_ON_THE_LOOP = 50
"""More records than this in one body are made ready in a thread, so that others don't wait behind them."""
_LONGEST_KEY = 200
_REFUSALS = (psycopg.DataError, TypeError, UnicodeError)
"""What a row meets that PostgreSQL does not take, or that holds text which can't even be written as JSON."""

NO_OWNERS: Mapping[str, Source] = MappingProxyType({})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Arrival:
    """How records came: by a push with its headers and address, or otherwise. `delivery_id` is the sender's own."""

    origin: str
    content_type: str | None = None
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    ip: str | None = None
    delivery_id: str | None = None


class Intake:
    """Stores records. `run` is its writing task; `stop` lets what waits be written and returns.

    `tell` is called after a commit that may have made something due at destinations.
    """

    def __init__(self, writer: Writer, tell: Callable[[], None] = lambda: None) -> None:
        self._writer = writer
        self._tell = tell
        self._gathering: Gathering[list[EventRow], list[Stored]] = Gathering(
            self._write, most_in_write=_MOST_IN_WRITE, most_waiting=_MOST_WAITING, weight=_weight
        )

    async def run(self) -> None:
        """Write until stopped."""
        await self._gathering.run()

    def stop(self) -> None:
        """Take nothing more; `run` returns once what waits is written."""
        self._gathering.close()

    async def take(
        self,
        source: Source,
        records: Sequence[Record],
        arrival: Arrival,
        is_list: bool,
        owners: Mapping[str, Source] = NO_OWNERS,
    ) -> list[Outcome]:
        """Store `records` and return what became of each, in order, after the commit.

        Records of an account in `owners` go to that source instead. Raises StorageUnavailable when nothing was stored.
        """
        if not records:
            return []
        if len(records) > _RECORDS_ON_THE_LOOP:
            rows = await asyncio.to_thread(prepare, source, records, arrival, is_list, owners)
        else:
            rows = prepare(source, records, arrival, is_list, owners)
        return _outcomes(await self._submit(rows))

    async def keep_unreadable(self, source: Source, problem: Permanent, arrival: Arrival) -> Outcome:
        """Store a body that could not be read as a failed event, and return its outcome."""
        columns = _arrived(source, arrival)
        fail(columns, problem)
        if arrival.delivery_id is not None:
            columns["idempotency_key"] = event_key("d", arrival.delivery_id)
        stored = await self._submit([EventRow(columns, arrival.body or b"")])
        return _outcomes(stored)[0]

    async def _submit(self, rows: list[EventRow]) -> list[Stored]:
        if not self._writer.is_ready:
            raise StorageUnavailable("The database can't be reached.", retry_after_seconds=2)
        return await self._gathering.submit(rows)

    async def _write(self, items: Sequence[list[EventRow]]) -> Sequence[list[Stored] | BaseException]:
        rows = [row for item in items for row in item]
        try:
            stored = await self._writer.write(following.store, rows)
        except _REFUSALS as error:
            if len(items) == 1 and len(rows) == 1:
                return [await self._store_refused(rows[0], error)]
            # One poisoned record must not fail its neighbours: halve until it is alone.
            if len(items) == 1:
                return [await self._write_halves(rows)]
            middle = len(items) // 2
            return [*await self._write(items[:middle]), *await self._write(items[middle:])]
        if any("deduplication_key" in row.columns for row in rows):
            self._tell()
        await self._have_fetched(rows)
        results: list[list[Stored] | BaseException] = []
        start = 0
        for item in items:
            results.append(stored[start : start + len(item)])
            start += len(item)
        return results

    async def _have_fetched(self, rows: Sequence[EventRow]) -> None:
        """Let a worker fetch what was announced; where that fails the sweep finds it."""
        announcing = {
            (row.columns["workspace_id"], row.columns["connector_id"]) for row in rows if "resolve_at" in row.columns
        }
        if announcing:
            try:
                await self._writer.write(jobs.hint_resolves, list(announcing))
            except (StorageUnavailable, psycopg.Error) as error:
                log.warning("resolve_not_hinted", error=type(error).__name__)

    async def _write_halves(self, rows: list[EventRow]) -> list[Stored]:
        middle = len(rows) // 2
        stored: list[Stored] = []
        for half in (rows[:middle], rows[middle:]):
            (result,) = await self._write([half])
            if isinstance(result, BaseException):
                raise result
            stored.extend(result)
        return stored

    async def _store_refused(self, row: EventRow, error: Exception) -> list[Stored] | BaseException:
        log.error("record_refused_by_storage", event_id=str(row.columns["id"]), error=type(error).__name__)
        try:
            return await self._writer.write(following.store, [refused_row(row)])
        except _REFUSALS as again:
            return again


def refused_row(row: EventRow) -> EventRow:
    """Return what is stored instead of a row that the database refuses: the same arrival as a failed event."""
    columns = {name: row.columns[name] for name in _ARRIVAL_COLUMNS if name in row.columns}
    fail(columns, StorageRefused("The database refused what was made of this record."))
    return EventRow(columns, row.payload, row.body)


def lead_columns(source: Source, draft: LeadDraft, received_at: datetime) -> tuple[Columns, int | None]:
    """Return the columns that make `draft` a lead, and the window of days within which a known lead counts."""
    policy = source.settings.duplicate_policy
    columns: Columns = {
        "status": EventStatus.CREATED.value,
        "lead_id": new_id(),
        "deduplication_key": deduplication_key(draft, policy.fields),
    }
    for name in LEAD_TEXTS:
        value = getattr(draft, name)
        if value is not None:
            columns[name] = value
    if draft.attributes:
        columns["attributes"] = draft.attributes
    if draft.enquired_at is not None:
        columns["enquired_at"] = draft.enquired_at
    if draft.warnings:
        columns["warnings"] = [{"field": one.field, "code": one.code, "message": one.message} for one in draft.warnings]
    return columns, policy.window_days


def settle(source: Source, record: Record, columns: Columns, received_at: datetime) -> int | None:
    """Put into `columns` what becomes of `record`: a lead, ignored, or failed with its problem; return the window."""
    _identify(record, columns)
    if (reason := source.reason_to_ignore(record)) is not None:
        columns["status"] = EventStatus.IGNORED.value
        columns["code"] = reason
        if record.detail is not None:
            columns["detail"] = clean_text(record.detail)
        return None
    if record.is_announced:
        columns["status"] = EventStatus.RECEIVED.value
        columns["code"] = "announced"
        columns["resolve_at"] = received_at
        return None
    try:
        draft = process(record.value, source.mapping, source.profile)
    except Permanent as problem:
        fail(columns, problem)
        return None
    made, window = lead_columns(source, draft, received_at)
    columns.update(made)
    # The source's own id tells events apart, whatever a mapping makes of the lead's externalId.
    if record.external_id is None and draft.external_id is not None:
        columns["event_external_id"] = draft.external_id
    return window


def prepare(
    source: Source,
    records: Sequence[Record],
    arrival: Arrival,
    is_list: bool,
    owners: Mapping[str, Source] = NO_OWNERS,
) -> list[EventRow]:
    """Return the rows that store `records`: each processed, or held while the connector is paused. Pure but for new ids."""
    if len(records) == 1 and not is_list and arrival.body is not None:
        owner = _owner(source, records[0], owners)
        columns = _arrived(owner, arrival)
        window = _settle_or_hold(owner, records[0], columns, arrival, None)
        return [event_row(owner, records[0], columns, window, sent=arrival.body)]
    request_id = new_id()
    rows = []
    for position, record in enumerate(records):
        owner = _owner(source, record, owners)
        columns = _arrived(owner, arrival)
        columns["request_id"], columns["position"] = request_id, position
        columns["content_type"] = "application/json"
        if position > 0:
            # Once for a request, as its body: twenty thousand copies would be gigabytes.
            columns.pop("headers", None)
        window = _settle_or_hold(owner, record, columns, arrival, position)
        body = arrival.body if position == 0 else None
        rows.append(event_row(owner, record, columns, window, body=body))
    return rows


def event_row(
    source: Source,
    record: Record,
    columns: Columns,
    window_days: int | None,
    *,
    sent: bytes | None = None,
    body: bytes | None = None,
) -> EventRow:
    """Return the row of `record`, with what an event or lead from before is to heed of it.

    `sent` is what came where that is not the record itself, as JSON; `body`, the request's where it held several.
    """
    if record.is_erased:
        return EventRow(columns, b"", body, record=b"")
    payload = encode(record.value) if sent is None else sent
    row = EventRow(columns, payload, body, window_days)
    if record.version or record.twin or record.stands_for or _completes(source, record):
        makeshifts = {LEAD_FIELDS[field]: text for field, text in (record.stands_for or {}).items()}
        return replace(row, record=payload if sent is None else encode(record.value), stands_for=makeshifts)
    return row


def _completes(source: Source, record: Record) -> bool:
    """Return whether this could be the lead that an earlier push announced."""
    return source.connector.resolve is not None and not record.is_announced


def _owner(source: Source, record: Record, owners: Mapping[str, Source]) -> Source:
    return source if record.account is None else owners.get(record.account, source)


def _arrived(source: Source, arrival: Arrival) -> Columns:
    id_ = new_id()
    columns: Columns = {
        "workspace_id": source.workspace_id,
        "id": id_,
        "connector_id": source.connector_id,
        "origin": arrival.origin,
        "received_at": time_of(id_),
    }
    if arrival.content_type is not None:
        columns["content_type"] = arrival.content_type
    if arrival.headers is not None:
        columns["headers"] = arrival.headers
    if arrival.ip is not None:
        columns["ip"] = arrival.ip
    return columns


_ARRIVAL_COLUMNS = frozenset(
    [
        "workspace_id",
        "id",
        "connector_id",
        "origin",
        "received_at",
        "content_type",
        "headers",
        "ip",
        "request_id",
        "position",
        "idempotency_key",
    ]
)


def _settle_or_hold(
    source: Source, record: Record, columns: Columns, arrival: Arrival, position: int | None
) -> int | None:
    window = None
    reason = source.reason_to_ignore(record)
    if record.account is not None:
        columns["account"] = record.account
    if record.is_announced:
        columns["is_announced"] = True
    # What can't be a lead needs no processing, so a pause does not hold it.
    if source.is_paused and reason is None and not record.is_announced:
        columns["status"] = EventStatus.RECEIVED.value
        _identify(record, columns)
    else:
        window = settle(source, record, columns, columns["received_at"])
    if reason == "unrouted":
        # Once its account is chosen, the same record is to come in by a pull.
        return None
    if (external_id := columns.get("event_external_id")) is not None:
        columns["idempotency_key"] = event_key("x", external_id)
    elif arrival.delivery_id is not None:
        columns["idempotency_key"] = event_key(
            "d", arrival.delivery_id if position is None else f"{arrival.delivery_id}#{position}"
        )
    return window


def _identify(record: Record, columns: Columns) -> None:
    """Put into `columns` what tells a record from others, and its texts from one another."""
    if record.external_id is not None:
        columns["event_external_id"] = record.external_id
    if record.version is not None:
        columns["version"] = record.version
    if record.twin is not None:
        columns["twin"] = record.twin


def event_key(kind: str, text: str) -> str:
    """Return an idempotency key that fits an index: `x` by the source's own id, `d` by the delivery's."""
    if len(text) > _LONGEST_KEY:
        text = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{text}"


def fail(columns: Columns, problem: Problem) -> None:
    """Put into `columns` that the event failed, and why."""
    columns["status"] = EventStatus.FAILED.value
    columns["code"] = problem.code
    # A detail names the fields it speaks of as the sender wrote them, also with what PostgreSQL can't hold.
    columns["detail"] = clean_text(problem.detail)


def encode(value: Json) -> bytes:
    """Return one record as JSON, whatever legal JSON held it: lone surrogates and huge numbers too."""
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(value).encode()


def _weight(rows: Sequence[EventRow]) -> int:
    return sum(1 + _bytes(row) // _WEIGHT_BYTES for row in rows)


def _bytes(row: EventRow) -> int:
    headers: Mapping[str, str] = row.columns.get("headers", {})
    return len(row.payload) + len(row.body or b"") + sum(map(len, headers.values()))


def _outcomes(stored: Iterable[Stored]) -> list[Outcome]:
    return [outcome(one) for one in stored]


def outcome(stored: Stored) -> Outcome:
    """Return what a stored row means for its sender."""
    status = EventStatus(stored.status)
    failed = status in (EventStatus.FAILED, EventStatus.DEAD)
    return Outcome(
        status=status,
        event_id=stored.event_id,
        lead_id=stored.lead_id,
        reason=stored.code if status in (EventStatus.IGNORED, EventStatus.RECEIVED) else None,
        problem_code=stored.code if failed else None,
        detail=stored.detail if failed else None,
        repeated=stored.repeated,
    )
