"""Syncs: when connectors are pulled, by hand, on schedule or over a past span, and how each run goes and ends."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Limits
from connector_master.ingest.pacing import Paced
from connector_master.ingest.source import Source
from connector_master.ingest.sync import Pulled, pull
from connector_master.model.problem import (
    Conflict,
    CredentialsRefused,
    InvalidRequest,
    NotFound,
    Problem,
    ProviderLimited,
    TokenRefused,
    Transient,
)
from connector_master.model.words import Words
from connector_master.services.credentials import CredentialsMissing, limits_of, open_credentials, paced, require_grant
from connector_master.services.grants import using
from connector_master.services.hub import Hub
from connector_master.services.quotas import quota_of
from connector_master.services.sources import settings_of, source_of
from connector_master.storage import activity, connectors, jobs, rechecks, syncs
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.ids import first_id_at, new_id
from connector_master.storage.paging import decode_cursor, encode_cursor
from connector_master.storage.syncs import AlreadyActive, LostRun, Sync

_RETRIES = (10, 60, 300, 1800, 7200)
"""Seconds after which a transient failure is tried again: the first, the second, …"""
_REFUSED_REST = timedelta(hours=6)
"""How long a connector whose credentials were refused rests: some providers say so when they are only being repaired."""
_BROKEN_REST = timedelta(minutes=5)
"""How long a connector rests that can't even be read, such as one whose credentials are sealed with a missing key."""
_DEEP_EVERY = timedelta(days=1)
_LIMITED_REST = timedelta(seconds=5)
"""How long a connector rests at least whose provider said "too many", twice as long each time in a row."""
_FAILING_AFTER = 3
_DUE_AT_ONCE = 50
_OLDEST_MARGIN = timedelta(minutes=10)

log = structlog.get_logger()


class SyncActive(Conflict):
    """A run of this connector is queued or running."""

    code = "sync_running"
    title = "A sync is running already"
    remedy = "Wait for it to end, or cancel it."


class NotPullable(Conflict):
    """This type of source only pushes."""

    code = "not_pullable"
    title = "Nothing to pull"
    remedy = "This source sends by itself; there is nothing to ask it for."


async def start(hub: Hub, caller: Caller, id_: UUID, from_: datetime | None, to: datetime | None) -> Sync:
    """Queue a run: from the mark to now, or as a backfill over the span given. Raises NotFound, SyncActive, and others."""
    now = datetime.now(UTC)
    async with hub.engine.begin() as connection:
        row = await connectors.get_locked(connection, caller.workspace_id, id_)
        if row is None or row.type not in registry():
            raise NotFound("No connector here has this id.")
        connector = registry()[row.type]
        if connector.pull is None:
            raise NotPullable("Connectors of this type are not pulled.")
        credentials = await open_credentials(connection, hub.keys, row, connector)
        await require_grant(connection, row, connector)
        limits = limits_of(connector, credentials)
        if from_ is None and to is None:
            trigger = "manual"
            from_at, to_at = await _since_mark(connection, row, limits, now), now
        else:
            trigger = "backfill"
            from_at, to_at = _span(from_, to, limits, now)
        try:
            sync = await syncs.add(
                connection,
                row.workspace_id,
                id_=new_id(),
                connector_id=row.id,
                trigger=trigger,
                from_at=from_at,
                to_at=to_at,
            )
        except AlreadyActive as error:
            raise SyncActive("A sync of this connector is running already.") from error
        await defer_run(connection, sync)
        await activity.write(
            connection,
            row.workspace_id,
            kind="sync_started",
            message=f"Sync of {row.name} started ({trigger})",
            actor=caller,
            connector_id=row.id,
            data={"syncId": sync.id, "from": from_at.isoformat(), "to": to_at.isoformat()},
        )
    return sync


async def list_page(
    hub: Hub, caller: Caller, id_: UUID, *, limit: int, cursor: str | None
) -> tuple[list[Sync], str | None]:
    """Return one page of a connector's runs, newest first, and the cursor of the next. Raises NotFound."""
    after = decode_cursor(cursor) if cursor else None
    async with hub.engine.connect() as connection:
        if await connectors.get(connection, caller.workspace_id, id_) is None:
            raise NotFound("No connector here has this id.")
        found = await syncs.page(connection, caller.workspace_id, id_, limit=limit + 1, after=after)
    return found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None


async def get(hub: Hub, caller: Caller, connector_id: UUID, sync_id: UUID) -> Sync:
    """Return one run. Raises NotFound."""
    async with hub.engine.connect() as connection:
        sync = await syncs.get(connection, caller.workspace_id, sync_id)
    if sync is None or sync.connector_id != connector_id:
        raise NotFound("No sync of this connector has this id.")
    return sync


async def cancel(hub: Hub, caller: Caller, connector_id: UUID, sync_id: UUID) -> Sync:
    """End a run now: what it has stored stays, the page it is reading is read again by the next. Raises NotFound, Conflict."""
    await get(hub, caller, connector_id, sync_id)
    async with hub.engine.begin() as connection:
        row = await connectors.get_locked(connection, caller.workspace_id, connector_id)
        ended = await syncs.finish(connection, caller.workspace_id, sync_id, token=None, status="cancelled")
        if ended is None:
            raise Conflict("This sync has ended already.")
        if row is not None:
            at = datetime.now(UTC) + interval_of(settings_of(registry()[row.type], row.settings))
            await syncs.schedule(connection, caller.workspace_id, connector_id, at)
        await activity.write(
            connection,
            caller.workspace_id,
            kind="sync_cancelled",
            message="Sync cancelled",
            actor=caller,
            connector_id=connector_id,
            data={"syncId": sync_id},
        )
    return ended


async def schedule_due(hub: Hub) -> int:
    """Queue a run for every connector that is due; return how many. Any number of processes may do so at once."""
    now = datetime.now(UTC)
    count = 0
    async with hub.engine.begin() as connection:
        for workspace, connector_id in await syncs.due(connection, _DUE_AT_ONCE):
            row = await connectors.get(connection, workspace, connector_id)
            connector = registry().get(row.type) if row else None
            if row is None or connector is None or connector.pull is None:
                await syncs.schedule(connection, workspace, connector_id, None)
                continue
            try:
                async with connection.begin_nested():
                    count += await _queue_scheduled(connection, hub, row, connector, now)
            except Exception as error:
                # One connector that can't be read must not keep the others from being pulled.
                log.exception("sync_not_scheduled", connector_id=str(connector_id), error=type(error).__name__)
                await syncs.schedule(connection, workspace, connector_id, now + _BROKEN_REST)
        for workspace, sync_id, _connector in await syncs.without_job(connection):
            await jobs.defer(connection, jobs.RUN_SYNC, workspace_id=str(workspace), sync_id=str(sync_id))
    return count


async def run(hub: Hub, workspace: UUID, sync_id: UUID) -> None:
    """Run a queued sync, or go on with one that waited or whose worker died."""
    token = new_id()
    async with hub.engine.begin() as connection:
        sync = await syncs.begin(connection, workspace, sync_id, token)
        if sync is None:
            return
        row = await connectors.get(connection, workspace, sync.connector_id)
        connector = registry().get(row.type) if row else None
        if row is None or connector is None or connector.pull is None:
            await syncs.finish(connection, workspace, sync_id, token=token, status="cancelled")
            return
    try:
        pulled, client = await _pull(hub, row, connector, sync, token)
    except LostRun:
        log.info("sync_taken_over", sync_id=str(sync_id))
        return
    await _settle(hub, row, connector, sync, token, pulled, client)


async def defer_run(connection: AsyncConnection, sync: Sync, at: datetime | None = None) -> None:
    """Let a worker run `sync` once this transaction commits, not before `at`."""
    await jobs.defer_at(connection, jobs.RUN_SYNC, at, workspace_id=str(sync.workspace_id), sync_id=str(sync.id))


def interval_of(settings: Any) -> timedelta:
    """Return how long a connector rests between two scheduled runs, a little uneven so that they don't run in step."""
    minutes = float(getattr(settings, "sync_interval_minutes", 15))
    return timedelta(minutes=minutes * random.uniform(1.0, 1.1))  # noqa: S311 (spreads load, keeps no secret)


async def _queue_scheduled(
    connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector, now: datetime
) -> bool:
    settings = settings_of(connector, row.settings)
    try:
        credentials = await open_credentials(connection, hub.keys, row, connector)
        await require_grant(connection, row, connector)
    except CredentialsMissing:
        await syncs.schedule(connection, row.workspace_id, row.id, None)
        return False
    if connector.pulls_when is not None:
        hours = getattr(settings, "catch_up_after_hours", None) or 0
        since = first_id_at(now - timedelta(hours=hours))
        last_push = await syncs.last_push(connection, row.workspace_id, row.id, since)
        if not connector.pulls_when(settings, row.created_at, last_push, now):
            await syncs.schedule(connection, row.workspace_id, row.id, now + interval_of(settings))
            return False
    from_at = await _since_mark(connection, row, limits_of(connector, credentials), now)
    deep_at = await syncs.deep_at(connection, row.workspace_id, row.id)
    try:
        sync = await syncs.add(
            connection,
            row.workspace_id,
            id_=new_id(),
            connector_id=row.id,
            trigger="reconciliation" if connector.reconciles else "scheduled",
            from_at=from_at,
            to_at=now,
            is_deep=deep_at is None or now - deep_at >= _DEEP_EVERY,
        )
    except AlreadyActive:
        await syncs.schedule(connection, row.workspace_id, row.id, now + timedelta(minutes=1))
        return False
    await syncs.schedule(connection, row.workspace_id, row.id, None)
    await defer_run(connection, sync)
    return True


async def _since_mark(connection: AsyncConnection, row: ConnectorRow, limits: Limits, now: datetime) -> datetime:
    mark, _ = await syncs.mark(connection, row.workspace_id, row.id)
    oldest = now - limits.history + _OLDEST_MARGIN
    if mark is None:
        # From when it was made, not from now: what came while its first runs failed is not to be skipped.
        return max(oldest, min(now, row.created_at) - limits.first)
    start = mark - limits.overlap
    if start < oldest:
        await activity.write(
            connection,
            row.workspace_id,
            kind="sync_history_exceeded",
            level="error",
            message=f"{row.name} was last read longer ago than its provider keeps: what lies between can't be pulled",
            connector_id=row.id,
            data={"readUntil": mark.isoformat(), "oldest": oldest.isoformat()},
        )
        return oldest
    return min(start, now)


def _span(from_: datetime | None, to: datetime | None, limits: Limits, now: datetime) -> tuple[datetime, datetime]:
    to = min(to or now, now)
    oldest = now - limits.history + _OLDEST_MARGIN
    if from_ is None:
        raise InvalidRequest("A backfill needs a beginning.", field="from")
    if from_ >= to:
        raise InvalidRequest("Must lie before `to`, and not in the future.", field="from")
    if from_ < oldest - timedelta(days=1):
        raise InvalidRequest(Words("The provider keeps %(days)s days only.", days=limits.history.days), field="from")
    return max(from_, oldest), to


async def _pull(
    hub: Hub, row: ConnectorRow, connector: Connector, sync: Sync, token: UUID
) -> tuple[Pulled, Paced | None]:
    """Return how the run went, and the client that it called with, None where it came to no call."""
    try:
        async with hub.engine.connect() as connection:
            source = await source_of(connection, hub.keys, hub.apps, row)
            credentials = await open_credentials(connection, hub.keys, row, connector)
            state = await syncs.state(connection, row.workspace_id, row.id)
    except Problem as problem:
        return Pulled("failed", problem), None
    assert isinstance(source, Source)
    client = paced(hub, connector, credentials)
    if connector.oauth is None:
        return await pull(hub.writer, source, credentials, client, client.limits, sync, token, state=state), client

    async def use(grant: Grant) -> Pulled:
        pulled = await pull(hub.writer, source, grant, client, client.limits, sync, token, state=state)
        if isinstance(pulled.problem, TokenRefused):
            raise pulled.problem
        return pulled

    try:
        return await using(hub, row, connector, use), client
    except Problem as problem:
        return Pulled("failed", problem), client


async def _settle(
    hub: Hub,
    row: ConnectorRow,
    connector: Connector,
    sync: Sync,
    token: UUID,
    pulled: Pulled,
    client: Paced | None,
) -> None:
    problem = pulled.problem
    calls = client.calls if client is not None else 0
    resumes_at = pulled.resumes_at if pulled.status == "running" else None
    if sync.trigger == "backfill" and isinstance(problem, Transient) and sync.attempts <= len(_RETRIES):
        # Nobody would start a backfill again at the right moment, so it goes on by itself.
        resumes_at = pulled.resumes_at or datetime.now(UTC) + timedelta(seconds=_RETRIES[sync.attempts - 1])
    async with hub.engine.begin() as connection:
        if resumes_at is not None:
            assert problem is not None
            await syncs.wait(
                connection, sync, token, resumes_at, calls=calls, code=problem.code, message=problem.detail
            )
            await defer_run(connection, sync, resumes_at)
            return
        # The connector before its run: who schedules the next run holds it and waits for this one.
        await connectors.get_locked(connection, row.workspace_id, row.id)
        ended = await syncs.finish(
            connection,
            row.workspace_id,
            sync.id,
            token=token,
            status=pulled.status,
            calls=calls,
            code=problem.code if problem else None,
            message=problem.detail if problem else None,
        )
        if ended is None:
            return
        _, failures = await syncs.mark(connection, row.workspace_id, row.id)
        spread = await _spread(connection, row, ended, client)
        await _note_end(connection, row, connector, pulled, failures, spread)
        await _log_end(connection, row, ended, problem)
        if ended.trigger == "reconciliation" and ended.created + ended.duplicates:
            await _report_recovered(connection, row, connector, ended)


async def _spread(connection: AsyncConnection, row: ConnectorRow, ended: Sync, client: Paced | None) -> timedelta:
    """Note what the run has cost, and return how long the next one has to be away for the day's calls to last."""
    if ended.is_deep and ended.status == "succeeded":
        await syncs.note_deep(connection, row.workspace_id, row.id)
        if registry()[row.type].recheck is not None:
            # Now that all was read that could be, only what was not seen is left to be asked for.
            await rechecks.plan(connection, row.workspace_id, row.id, datetime.now(UTC))
    if client is None or client.key is None or client.limits.units_per_day is None:
        return timedelta(0)
    if ended.moves_mark and not ended.is_deep:
        await syncs.note_costs(connection, row.workspace_id, row.id, key=client.key, calls=ended.calls)
    quota = await quota_of(connection, client.key, client.limits, datetime.now(UTC))
    return quota.spread if quota is not None else timedelta(0)


async def _note_end(
    connection: AsyncConnection,
    row: ConnectorRow,
    connector: Connector,
    pulled: Pulled,
    failures: int,
    spread: timedelta,
) -> None:
    settings = settings_of(connector, row.settings)
    problem = pulled.problem
    rest = max(interval_of(settings), spread)
    status = row.status if row.status != "paused" else "active"
    if problem is None:
        status = "active"
    elif isinstance(problem, CredentialsRefused):
        status, rest = "needs_authorization", _REFUSED_REST
    elif isinstance(problem, ProviderLimited):
        if pulled.resumes_at is not None:
            # As long as the provider asks, and longer the more often it has to ask.
            asked = pulled.resumes_at - datetime.now(UTC) + timedelta(seconds=2)
            rest = max(asked, min(rest, _LIMITED_REST * 2 ** min(failures, 10)))
    else:
        if isinstance(problem, Transient):
            rest = min(rest, timedelta(seconds=_RETRIES[min(failures, len(_RETRIES) - 1)]))
        if failures + 1 >= _FAILING_AFTER and status != "needs_authorization":
            status = "failing"
    await syncs.note_end(connection, row.workspace_id, row.id, is_ok=problem is None, status=status, rest=rest)
    if status != row.status and row.status != "paused":
        await connectors.tell(connection, row.webhook_id)
        await activity.write(
            connection,
            row.workspace_id,
            kind="connector_status",
            level="error" if problem else "info",
            message=f"{row.name} is now {status}" + (f": {problem.detail} {problem.remedy}" if problem else ""),
            connector_id=row.id,
            data={"before": row.status, "after": status},
        )


async def _log_end(connection: AsyncConnection, row: ConnectorRow, ended: Sync, problem: Problem | None) -> None:
    if problem is None:
        message = f"Sync of {row.name} {ended.status}: {ended.received} received, {ended.created} created"
    else:
        message = f"Sync of {row.name} failed: {problem.detail}"
    await activity.write(
        connection,
        row.workspace_id,
        kind=f"sync_{ended.status}",
        level="info" if problem is None else "error",
        message=message,
        connector_id=row.id,
        data={"syncId": ended.id, "code": ended.error_code},
    )


async def _report_recovered(connection: AsyncConnection, row: ConnectorRow, connector: Connector, ended: Sync) -> None:
    count = await syncs.count_recovered(connection, ended, is_subscribed=connector.subscribe is not None)
    if count:
        leads, them = ("1 lead", "it") if count == 1 else (f"{count} leads", "them")
        await activity.write(
            connection,
            row.workspace_id,
            kind="leads_recovered",
            level="warning",
            message=f"{leads} of {row.name} came by the pull alone: no push had brought {them}",
            connector_id=row.id,
            data={"syncId": ended.id, "leads": count},
        )
