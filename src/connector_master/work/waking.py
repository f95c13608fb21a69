"""Waking: a job that waits for another to free its lock begins as soon as that has ended.

Procrastinate looks for work when a job is deferred and every few seconds; a job that ends tells nobody. A lead that is
announced while the one before it is fetched would wait for that look.
"""

from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from connector_master.storage.jobs import WAKE_SUCCESSOR


class WakingJobManager(JobManager):
    """A job manager that has workers look for the successor of each job that ends."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End a job, then tell the workers of its queue if another one waits for its lock."""
        await super().finish_job(job, status, delete_job)
        if job.lock is not None:
            await self.connector.execute_query_async(WAKE_SUCCESSOR, lock=job.lock)
