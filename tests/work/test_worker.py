"""A real worker on a real database: work is done, workers that die are noticed, and outages are outlived."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from procrastinate import App

from connector_master.services import connectors, events, jobs
from connector_master.storage.engine import conninfo
from connector_master.storage.events import EventFilter
from connector_master.storage.jobs import SYNC_QUEUE
from connector_master.work import app as work
from connector_master.work import run
from connector_master.work.run import run_worker
from tests.support.hub import new_phone, until
from tests.support.inside import Inside

ODD = {"nothing_has_this": "phoneNumber"}


@pytest.fixture
def app(inside: Inside, database_url: str) -> App:
    """The jobs of this test's hub."""
    return work.build(inside.hub, database_url, retention_days=90)


@asynccontextmanager
async def working(app: App) -> AsyncIterator[asyncio.Event]:
    """A worker that runs within a `with`."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(app, stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def failed_event(inside: Inside) -> None:
    connector = await inside.create_connector(field_mapping=ODD)
    await inside.push(connector, {"buyer": new_phone()})
    await inside.change(connector, field_mapping={"buyer": "phoneNumber"})


async def status(inside: Inside) -> set[str]:
    return {row.status for row in await inside.sql("SELECT status FROM events")}


async def test_a_worker_retries_and_processes_what_was_held(inside: Inside, app: App) -> None:
    await failed_event(inside)
    held = await inside.create_connector()
    await connectors.pause(inside.hub, inside.caller, held.id)
    await inside.push(held, {"phone": new_phone()})

    async with working(app):
        job = await events.start_retry(inside.hub, inside.caller, EventFilter())
        await connectors.resume(inside.hub, inside.caller, held.id)

        async def done() -> bool:
            return await status(inside) == {"created"}

        await until(done)

        async def ended() -> bool:
            return (await jobs.get(inside.hub, inside.caller, job.id)).status == "succeeded"

        await until(ended)


async def test_a_worker_outlives_the_loss_of_its_connections(inside: Inside, app: App) -> None:
    await failed_event(inside)
    async with working(app):

        async def listens() -> bool:
            found = await inside.sql(
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
            return len(found) > 1  # the sources' and the worker's

        await until(listens)
        await inside.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        await until(lambda: _start(inside))

        async def done() -> bool:
            try:
                return await status(inside) == {"created"}
            except Exception:
                return False

        await until(done, 60)


async def _start(inside: Inside) -> bool:
    try:
        await events.start_retry(inside.hub, inside.caller, EventFilter())
    except Exception:
        return False
    return True


async def test_a_worker_starts_when_the_database_comes(
    inside: Inside, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed_event(inside)
    real, calls = app.connector.open_async, 0

    async def refuses(*args: object, **more: object) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionError
        await real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(app.connector, "open_async", refuses)
    await events.start_retry(inside.hub, inside.caller, EventFilter())

    async with working(app):

        async def done() -> bool:
            return await status(inside) == {"created"}

        await until(done)
    assert calls >= 3


async def test_a_worker_that_is_cancelled_ends_at_once(app: App) -> None:
    task = asyncio.create_task(run_worker(app))
    await asyncio.sleep(0.5)

    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - began < 5


# ---- workers that die -------------------------------------------------------------------------------


async def test_the_job_of_a_dead_worker_runs_again(inside: Inside, app: App) -> None:
    await failed_event(inside)
    await events.start_retry(inside.hub, inside.caller, EventFilter())
    await _die(inside)

    async with app.open_async():
        assert await work.rescue_stalled(app, 30) == 1
        assert await work.rescue_stalled(app, 30) == 0
    async with working(app):

        async def done() -> bool:
            return await status(inside) == {"created"}

        await until(done)


async def test_a_dead_job_whose_successor_waits_does_not_hold_it_up(inside: Inside, app: App) -> None:
    async with app.open_async():
        await app.configure_task("sweep", queueing_lock="sweep", lock="sweep").defer_async(timestamp=1)
        await _die(inside)
        await app.configure_task("sweep", queueing_lock="sweep", lock="sweep").defer_async(timestamp=2)

        assert await work.rescue_stalled(app, 30) == 1

    rows = await inside.sql("SELECT args, status FROM procrastinate_jobs ORDER BY id")
    assert [(row.args["timestamp"], row.status) for row in rows] == [(1, "failed"), (2, "todo")]
    async with working(app):

        async def ran() -> bool:
            left = await inside.sql(
                "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name = 'sweep'"
            )
            return not left

        await until(ran)


async def test_the_job_of_a_living_worker_is_left_alone(inside: Inside, app: App) -> None:
    await events.start_retry(inside.hub, inside.caller, EventFilter())
    await inside.sql(
        "SELECT procrastinate_fetch_job_v2(NULL, (SELECT worker_id FROM procrastinate_register_worker_v1()))"
    )

    async with app.open_async():
        assert await work.rescue_stalled(app, 30) == 0


async def _die(inside: Inside) -> None:
    """Fetch every job as a worker that then gave no sign for a minute."""
    await inside.sql("SELECT procrastinate_register_worker_v1()")
    await inside.sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    await inside.sql("SELECT procrastinate_fetch_job_v2(NULL, (SELECT max(id) FROM procrastinate_workers))")


# ---- schedules --------------------------------------------------------------------------------------


def test_everything_that_guarantees_something_is_scheduled(app: App) -> None:
    scheduled = {task.task.name for task in app.periodic_registry.periodic_tasks.values()}

    assert scheduled >= {"sweep", "rescue", "make_partitions", "drop_old_partitions", "forget_old_jobs"}


async def test_partitions_past_the_retention_are_dropped_and_the_audit_trail_stays(
    inside: Inside, app: App, database_url: str
) -> None:
    old = datetime.now(UTC) - timedelta(days=200)
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        made = work.make_partitions(connection, old)
    await inside.sql("DROP TABLE " + made[-1])

    await app.tasks["drop_old_partitions"].func(timestamp=0)
    await app.tasks["make_partitions"].func(timestamp=0)

    left = {row.relname for row in await inside.sql("SELECT relname FROM pg_class WHERE relkind = 'r'")}
    assert f"events_{old:%Y_%m}" not in left
    assert f"activity_{old:%Y_%m}" in left
    assert f"events_{datetime.now(UTC):%Y_%m}" in left
    assert "events_default" in left


async def test_a_job_that_waited_for_its_lock_begins_once_that_is_free(
    inside: Inside, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody looks for jobs by the clock.
    monkeypatch.setattr(run, "_POLL_SECONDS", 3600)
    began: list[int] = []
    goes_on = asyncio.Event()

    @app.task(name="waits", queue=SYNC_QUEUE)
    async def waits(*, number: int) -> None:
        began.append(number)
        await goes_on.wait()

    async def has_begun(number: int) -> None:
        async def has() -> bool:
            return number in began

        await until(has)

    async def listens() -> bool:
        query = "SELECT 1 FROM pg_stat_activity WHERE query LIKE :listen AND pid <> pg_backend_pid()"
        return bool(await inside.sql(query, listen=f"%LISTEN%#{SYNC_QUEUE}%"))

    async with working(app):
        await until(listens)
        await waits.configure(lock="one").defer_async(number=1)
        await has_begun(1)
        await waits.configure(lock="one").defer_async(number=2)
        await waits.configure(lock="another").defer_async(number=3)
        await has_begun(3)
        assert began == [1, 3]
        goes_on.set()
        await has_begun(2)
