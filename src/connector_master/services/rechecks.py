"""Rechecks: reading stored records again, to follow what became of them, and letting go of what may no longer be kept.

Some providers ask that what came from them is read again, or forgotten, within so many days (`Connector.raw_days`), and that
it is forgotten with the agreement under which it was read. The events stay without what was sent, and so do their leads.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import Grant
from connector_master.ingest.intake import Arrival
from connector_master.ingest.pacing import MustWait, Paced
from connector_master.ingest.source import Source
from connector_master.model.event import Record
from connector_master.model.problem import Problem, ProviderLimited
from connector_master.services.credentials import open_credentials, paced
from connector_master.services.grants import using
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.storage import activity, connectors, jobs, rechecks
from connector_master.storage.connectors import ConnectorRow

_IDS_AT_ONCE = 100
_EVENTS_AT_ONCE = 1_000
_DUE_AT_ONCE = 50
_SEEN_WITHIN = timedelta(hours=20)
"""What was seen at its source so lately is not asked for."""
_EVERY = timedelta(hours=25)
"""At the latest; a deep run asks for a recheck when it ends."""
_AFTER_A_FAILURE = timedelta(hours=1)
_BACK = timedelta(days=30)
"""How far back records are read again where the provider does not say how long they may be kept."""

log = structlog.get_logger()


async def schedule_due(hub: Hub) -> int:
    """Queue a recheck of every connector that is due; return how many. Any number of processes may do so at once."""
    async with hub.engine.begin() as connection:
        due = await rechecks.due(connection, _DUE_AT_ONCE)
        for workspace, connector_id in due:
            args = {"workspace_id": str(workspace), "connector_id": str(connector_id)}
            await jobs.defer(connection, jobs.RECHECK, **args)
    return len(due)


async def run(hub: Hub, workspace: UUID, connector_id: UUID) -> None:
    """Read a connector's stored records again, those that nobody has seen lately; a worker calls this.

    What changed or was taken back comes in by the way of every record. What fails, or has to wait for the provider, goes on
    later where it was.
    """
    async with hub.engine.connect() as connection:
        row = await connectors.get(connection, workspace, connector_id)
        source = await source_of(connection, hub.keys, hub.apps, row) if row is not None else None
    if row is None or source is None or source.connector.recheck is None:
        return
    if row.status in ("paused", "needs_authorization"):
        return
    try:
        async with hub.engine.connect() as connection:
            credentials = await open_credentials(connection, hub.keys, row, source.connector)
        client = paced(hub, source.connector, credentials)
        again = await _recheck(hub, row, source, client, credentials)
    except Problem as problem:
        log.warning("recheck_failed", connector_id=str(connector_id), code=problem.code)
        again = datetime.now(UTC) + _AFTER_A_FAILURE
    except Exception as error:
        # A connector that stumbles over a record it did not expect keeps no other from being read again.
        log.exception("recheck_failed", connector_id=str(connector_id), error=type(error).__name__)
        again = datetime.now(UTC) + _AFTER_A_FAILURE
    async with hub.engine.begin() as connection:
        await rechecks.plan(connection, workspace, connector_id, again)


async def forget_unconfirmed(hub: Hub) -> int:
    """Remove what was sent of every event that its source's policy lets nobody keep any longer; return how many."""
    days = {one.type: one.raw_days for one in registry().values() if one.raw_days is not None}
    now = datetime.now(UTC)
    async with hub.engine.connect() as connection:
        kept = await rechecks.kept(connection, days.keys())
    count = 0
    for one in kept:
        if one.is_gone:
            count += await forget_raw(hub, one.workspace_id, one.id, now)
        else:
            count += await _forget(hub, one.workspace_id, one.id, now - timedelta(days=days[one.type]))
    return count


async def forget_raw(hub: Hub, workspace: UUID, connector_id: UUID, before: datetime) -> int:
    """Remove what a connector's source sent until a moment, its agreement having ended; return of how many events."""
    count = await _forget(hub, workspace, connector_id, before)
    if count:
        async with hub.engine.begin() as connection:
            await activity.write(
                connection,
                workspace,
                kind="raw_removed",
                message=f"What was sent of {count} event{'' if count == 1 else 's'} was removed, as the provider's policy "
                "asks. Their leads stay.",
                connector_id=connector_id,
                data={"events": count, "seenBefore": before.isoformat()},
            )
    return count


async def forget_all(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Have what a connector's source sent until now removed, once this transaction commits."""
    args = {"workspace_id": str(workspace), "connector_id": str(connector_id)}
    await jobs.defer(connection, jobs.FORGET_RAW, before=datetime.now(UTC).isoformat(), **args)


async def _forget(hub: Hub, workspace: UUID, connector_id: UUID, before: datetime) -> int:
    """Remove what was sent of a connector's events that were last seen at their source before a moment; return how many."""
    count, found = 0, _EVENTS_AT_ONCE
    while found == _EVENTS_AT_ONCE:
        async with hub.engine.begin() as connection:
            found = await rechecks.forget_raw(connection, workspace, connector_id, before, _EVENTS_AT_ONCE)
        count += found
    if count:
        log.info("raw_removed", connector_id=str(connector_id), events=count)
    return count


async def _recheck(hub: Hub, row: ConnectorRow, source: Source, client: Paced, credentials: Form) -> datetime:
    """Return when the connector is to be rechecked again."""
    now = datetime.now(UTC)
    days = source.connector.raw_days
    since = now - (timedelta(days=days) if days is not None else _BACK)
    after = UUID(int=0)
    while True:
        async with hub.engine.connect() as connection:
            batch = await rechecks.batch(
                connection,
                row.workspace_id,
                row.id,
                since=since,
                unseen_since=now - _SEEN_WITHIN,
                after=after,
                limit=_IDS_AT_ONCE,
            )
        if not batch:
            return now + _EVERY
        try:
            records = await _ask(hub, row, source, client, credentials, [external_id for _, external_id in batch])
        except MustWait as waits:
            return waits.until
        except ProviderLimited as problem:
            return await client.rest(problem)
        await _take(hub, source, records)
        after = batch[-1][0]


async def _ask(
    hub: Hub, row: ConnectorRow, source: Source, client: Paced, credentials: Form, ids: Sequence[str]
) -> Sequence[Record]:
    connector: Connector = source.connector
    recheck = connector.recheck
    assert recheck is not None
    if connector.oauth is None:
        return await recheck(client, credentials, source.settings, ids)

    async def use(grant: Grant) -> Sequence[Record]:
        return await recheck(client, grant, source.settings, ids)

    return await using(hub, row, connector, use)


async def _take(hub: Hub, source: Source, records: Sequence[Record]) -> None:
    """Let records come in as a pull's do, and note which of those that are stored their source has still."""
    outcomes = await hub.intake.take(source, records, Arrival(origin="pull"), True)
    seen = [one.event_id for record, one in zip(records, outcomes, strict=True) if not record.is_erased]
    await hub.writer.write(partial(rechecks.confirm, workspace=source.workspace_id), seen)
