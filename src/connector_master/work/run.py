"""Running a worker for as long as the process lives, whatever the database does."""

import asyncio
import time
from contextlib import suppress

import structlog
from procrastinate import App

from connector_master.storage.jobs import DELIVERY_QUEUE, QUEUE, RESOLVE_QUEUE, SYNC_QUEUE
from connector_master.work.app import STALLED_SECONDS

GRACE_SECONDS = 10.0
"""How long jobs may go on after the worker is told to stop; then they are broken off and run again later."""
_AT_ONCE = {QUEUE: 5, SYNC_QUEUE: 40, RESOLVE_QUEUE: 10, DELIVERY_QUEUE: 100}
"""Jobs at once, by their queue: runs mostly wait for their provider, and deliveries for their receivers."""
_HEARTBEAT_SECONDS = 5.0
_POLL_SECONDS = 5.0
_PAUSES = (0.2, 5.0)
_GOOD_RUN_SECONDS = 10.0

log = structlog.get_logger()


async def run_worker(app: App, stop: asyncio.Event | None = None, stopping: asyncio.Event | None = None) -> None:
    """Run jobs until cancelled or until `stop` is set; jobs under way may end first, and `stopping` tells them to.

    Procrastinate's worker returns without an error when the database goes, and can't start while it is away: it is
    started again, after a pause that grows while it keeps failing.
    """
    stop = stop or asyncio.Event()
    stopping = stopping or asyncio.Event()
    shortest, longest = _PAUSES
    pause = shortest
    while not stop.is_set():
        began = time.monotonic()
        try:
            async with app.open_async():
                await _run_once(app, stop, stopping)
        except Exception as error:
            log.warning("worker_failed", error=type(error).__name__)
            # A worker that fails while it is being cancelled must not hide that nobody wants it any more.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from error
        else:
            if not stop.is_set():
                log.warning("worker_returned")
        if stop.is_set():
            return
        pause = shortest if time.monotonic() - began > _GOOD_RUN_SECONDS else min(pause * 2, longest)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _run_once(app: App, stop: asyncio.Event, stopping: asyncio.Event) -> None:
    stopping.clear()
    workers = [
        asyncio.create_task(
            app.run_worker_async(
                queues=[queue],
                concurrency=at_once,
                install_signal_handlers=False,
                delete_jobs="successful",
                shutdown_graceful_timeout=GRACE_SECONDS,
                fetch_job_polling_interval=_POLL_SECONDS,
                update_heartbeat_interval=_HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
            )
        )
        for queue, at_once in _AT_ONCE.items()
    ]
    waiting = asyncio.create_task(stop.wait())
    try:
        # One that returns has lost the database, and so have the others.
        await asyncio.wait((*workers, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        stopping.set()
        # Cancelling is how a worker is told to let its jobs end.
        for worker in workers:
            worker.cancel()
        ended = await asyncio.gather(*workers, return_exceptions=True)
    for one in ended:
        if isinstance(one, Exception):
            raise one
