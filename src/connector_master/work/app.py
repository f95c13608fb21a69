"""The jobs: which task does what, how often, and how long it is tried."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from connector_master.services import (
    deliveries,
    delivering,
    events,
    imports,
    leads,
    lifetimes,
    overview,
    quotas,
    rechecks,
    renewals,
    resolves,
    sessions,
    syncs,
    upkeep,
)
from connector_master.services.hub import Hub
from connector_master.storage.engine import conninfo
from connector_master.storage.jobs import (
    DELIVER,
    DELIVERY_QUEUE,
    END_DELIVERIES,
    FORGET_RAW,
    IMPORT_LEADS,
    PROCESS_HELD,
    QUEUE,
    RECHECK,
    RESOLVE_LEADS,
    RESOLVE_QUEUE,
    RETRY_DELIVERIES,
    RETRY_EVENTS,
    RUN_SYNC,
    SUBSCRIBE,
    SYNC_QUEUE,
)
from connector_master.storage.partitions import drop_partitions, make_partitions
from connector_master.work.waking import WakingJobManager

STALLED_SECONDS = 20.0
"""A worker that gave no sign for this long is taken for dead."""
_OLD_JOB_HOURS = 7 * 24
_LOCK_SECONDS = 3
"""How long making or dropping a partition waits for its lock: while it waits, every push waits behind it."""

log = structlog.get_logger()

_AGAIN = RetryStrategy(max_attempts=8, exponential_wait=3)


def build(hub: Hub, url: str, *, retention_days: int, stopping: asyncio.Event | None = None) -> App:
    """Return Procrastinate's application for `hub` on the database at `url`; events older than the retention are dropped.

    While `stopping` is set, jobs that would go on for as long as there is work begin nothing more (run.py sets it).
    """
    stopping = stopping or asyncio.Event()
    database = conninfo(url)
    app = App(
        connector=PsycopgConnector(
            conninfo=database,
            min_size=1,
            max_size=8,
            timeout=10,
            kwargs={"connect_timeout": 5, "options": "-c timezone=UTC -c statement_timeout=30000"},
        )
    )
    app.job_manager = WakingJobManager(app.connector)

    @app.task(name=RETRY_EVENTS, queue=QUEUE, retry=_AGAIN)
    async def retry_events(*, workspace_id: str, job_id: str) -> None:
        await events.run_retry(hub, UUID(workspace_id), UUID(job_id))

    @app.task(name=PROCESS_HELD, queue=QUEUE, retry=_AGAIN)
    async def process_held(*, workspace_id: str, connector_id: str) -> None:
        await events.process_held(hub, UUID(workspace_id), UUID(connector_id))

    @app.periodic(cron="* * * * *")
    @app.task(name="sweep", queue=QUEUE, queueing_lock="sweep")
    async def sweep(timestamp: int) -> None:
        await events.sweep(hub)

    @app.task(name=RUN_SYNC, queue=SYNC_QUEUE, retry=_AGAIN)
    async def run_sync(*, workspace_id: str, sync_id: str) -> None:
        await syncs.run(hub, UUID(workspace_id), UUID(sync_id))

    @app.task(name=RESOLVE_LEADS, queue=RESOLVE_QUEUE, retry=_AGAIN)
    async def resolve_leads(*, workspace_id: str, connector_id: str) -> None:
        await resolves.run(hub, UUID(workspace_id), UUID(connector_id))

    @app.periodic(cron="* * * * * */5")
    @app.task(name="schedule_syncs", queue=QUEUE, queueing_lock="schedule_syncs")
    async def schedule_syncs(timestamp: int) -> None:
        await syncs.schedule_due(hub)

    @app.task(name=RECHECK, queue=SYNC_QUEUE, retry=_AGAIN)
    async def recheck(*, workspace_id: str, connector_id: str) -> None:
        await rechecks.run(hub, UUID(workspace_id), UUID(connector_id))

    @app.task(name=SUBSCRIBE, queue=SYNC_QUEUE, retry=_AGAIN)
    async def subscribe(*, workspace_id: str, connector_id: str) -> None:
        await upkeep.run(hub, UUID(workspace_id), UUID(connector_id))

    # A callback that leads to a connector which is gone is to lead to another one soon.
    @app.periodic(cron="* * * * * */10")
    @app.task(name="schedule_subscriptions", queue=QUEUE, queueing_lock="schedule_subscriptions")
    async def schedule_subscriptions(timestamp: int) -> None:
        await upkeep.schedule_due(hub)

    @app.task(name=FORGET_RAW, queue=QUEUE, retry=_AGAIN)
    async def forget_raw(*, workspace_id: str, connector_id: str, before: str) -> None:
        await rechecks.forget_raw(hub, UUID(workspace_id), UUID(connector_id), datetime.fromisoformat(before))

    @app.periodic(cron="* * * * *")
    @app.task(name="schedule_rechecks", queue=QUEUE, queueing_lock="schedule_rechecks")
    async def schedule_rechecks(timestamp: int) -> None:
        await rechecks.schedule_due(hub)

    @app.periodic(cron="47 * * * *")
    @app.task(name="forget_unconfirmed", queue=QUEUE, queueing_lock="forget_unconfirmed", retry=_AGAIN)
    async def forget_unconfirmed(timestamp: int) -> None:
        await rechecks.forget_unconfirmed(hub)

    # Not by jobs for a later time: of jobs with one lock, Procrastinate lets none overtake another.
    @app.periodic(cron="* * * * * */5")
    @app.task(name="resolve_due", queue=RESOLVE_QUEUE, queueing_lock="resolve_due")
    async def resolve_due(timestamp: int) -> None:
        await resolves.sweep(hub)

    @app.periodic(cron="* * * * *")
    @app.task(name="renew_connections", queue=RESOLVE_QUEUE, queueing_lock="renew_connections")
    async def renew_connections(timestamp: int) -> None:
        await renewals.renew_due(hub)

    @app.periodic(cron="* * * * *")
    @app.task(name="look_after_connections", queue=RESOLVE_QUEUE, queueing_lock="look_after_connections")
    async def look_after_connections(timestamp: int) -> None:
        await lifetimes.look_after(hub)

    @app.task(name=RETRY_DELIVERIES, queue=QUEUE, retry=_AGAIN)
    async def retry_deliveries(*, workspace_id: str, job_id: str) -> None:
        await deliveries.run_retry(hub, UUID(workspace_id), UUID(job_id))

    @app.task(name=END_DELIVERIES, queue=QUEUE, retry=_AGAIN)
    async def end_deliveries(*, workspace_id: str, destination_id: str) -> None:
        await deliveries.end_all(hub, UUID(workspace_id), UUID(destination_id))

    # The sweep beneath the hints: whatever is due and nobody delivers is found within a second.
    @app.periodic(cron="* * * * * *")
    @app.task(name=DELIVER, queue=DELIVERY_QUEUE, queueing_lock=DELIVER)
    async def deliver(timestamp: int = 0) -> None:
        await delivering.deliver_due(hub, stopping)

    @app.periodic(cron="* * * * * */10")
    @app.task(name="rescue", queue=QUEUE, queueing_lock="rescue")
    async def rescue(timestamp: int) -> None:
        await rescue_stalled(app, STALLED_SECONDS)

    @app.periodic(cron="7 * * * *")
    @app.task(name="make_partitions", queue=QUEUE, queueing_lock="make_partitions", retry=_AGAIN)
    async def make(timestamp: int) -> None:
        made = await asyncio.to_thread(_make_partitions, database)
        if made:
            log.info("partitions_made", names=made)

    @app.periodic(cron="37 3 * * *")
    @app.task(name="drop_old_partitions", queue=QUEUE, queueing_lock="drop_old_partitions", retry=_AGAIN)
    async def drop(timestamp: int) -> None:
        before = datetime.now(UTC) - timedelta(days=retention_days)
        dropped = await asyncio.to_thread(_drop_partitions, database, before)
        if dropped:
            log.info("partitions_dropped", names=dropped)

    @app.periodic(cron="* * * * *")
    @app.task(name="count_events", queue=QUEUE, queueing_lock="count_events")
    async def count_events(timestamp: int) -> None:
        await overview.count_due(hub, datetime.now(UTC))

    @app.periodic(cron="* * * * * */10")
    @app.task(name="make_leads_findable", queue=QUEUE, queueing_lock="make_leads_findable")
    async def make_leads_findable(timestamp: int) -> None:
        await leads.make_findable(hub, datetime.now(UTC))

    @app.task(name=IMPORT_LEADS, queue=QUEUE, retry=_AGAIN)
    async def import_leads(*, workspace_id: str, job_id: str) -> None:
        await imports.run(hub, UUID(workspace_id), UUID(job_id))

    @app.periodic(cron="47 3 * * *")
    @app.task(name="forget_unstarted_imports", queue=QUEUE, queueing_lock="forget_unstarted_imports")
    async def forget_imports(timestamp: int) -> None:
        await imports.forget_unstarted(hub, datetime.now(UTC))

    @app.periodic(cron="27 * * * *")
    @app.task(name="forget_ended_sessions", queue=QUEUE, queueing_lock="forget_ended_sessions")
    async def forget_sessions(timestamp: int) -> None:
        await sessions.forget_ended(hub.engine)

    @app.periodic(cron="57 4 * * *")
    @app.task(name="forget_old_quotas", queue=QUEUE, queueing_lock="forget_old_quotas")
    async def forget_quotas(timestamp: int) -> None:
        await quotas.forget_old(hub)

    @app.periodic(cron="17 4 * * *")
    @app.task(name="forget_old_jobs", queue=QUEUE, queueing_lock="forget_old_jobs")
    async def forget(timestamp: int) -> None:
        await app.job_manager.delete_old_jobs(
            nb_hours=_OLD_JOB_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )

    return app


async def rescue_stalled(app: App, stalled_seconds: float) -> int:
    """Let jobs whose worker is dead run again; return how many there were.

    Where a successor with the same queueing lock waits already, the dead one can't be queued again: it would stay `doing`
    for ever and its lock would hold its successor up. It is ended as failed, and the successor does the work.
    """
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_seconds))
    for job in stalled:
        try:
            await app.job_manager.retry_job(job)
        except procrastinate.exceptions.UniqueViolation:
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
            log.warning("stalled_job_ended", task=job.task_name, job=job.id)
        except ConnectorException as error:
            # Its worker lives after all and has just ended it, or the database is away: the next rescue sees.
            log.warning("stalled_job_not_rescued", task=job.task_name, job=job.id, error=type(error).__name__)
        else:
            log.warning("stalled_job_rescued", task=job.task_name, job=job.id)
    return len(stalled)


def _make_partitions(database: str) -> list[str]:
    with _connect(database) as connection:
        return make_partitions(connection)


def _drop_partitions(database: str, before: datetime) -> list[str]:
    # The activity log stays: it is the audit trail.
    with _connect(database) as connection:
        return [
            name for table in ("events", "delivery_attempts") for name in drop_partitions(connection, table, before)
        ]


def _connect(database: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        database, autocommit=True, connect_timeout=5, options=f"-c timezone=UTC -c lock_timeout={_LOCK_SECONDS * 1000}"
    )
