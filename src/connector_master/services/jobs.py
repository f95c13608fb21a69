"""Jobs: watching and stopping work that runs in the background."""

from uuid import UUID

from connector_master.access.caller import Caller
from connector_master.model.problem import Conflict, NotFound
from connector_master.services.hub import Hub
from connector_master.storage import activity, jobs
from connector_master.storage.jobs import Job
from connector_master.storage.paging import decode_cursor, encode_cursor


class JobEnded(Conflict):
    """The job has ended, so there is nothing to stop."""

    code = "job_ended"
    title = "Job has ended"
    remedy = "Look at its status; start another one if there is more to do."


async def list_page(hub: Hub, caller: Caller, *, limit: int, cursor: str | None) -> tuple[list[Job], str | None]:
    """Return at most `limit` jobs, newest first, and the cursor of the rest. Raises InvalidCursor."""
    after = decode_cursor(cursor) if cursor is not None else None
    async with hub.engine.connect() as connection:
        found = await jobs.page(connection, caller.workspace_id, limit=limit + 1, after=after)
    return found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None


async def get(hub: Hub, caller: Caller, job_id: UUID) -> Job:
    """Return one job. Raises NotFound."""
    async with hub.engine.connect() as connection:
        job = await jobs.get(connection, caller.workspace_id, job_id)
    if job is None:
        raise NotFound("No job has this id.")
    return job


async def cancel(hub: Hub, caller: Caller, job_id: UUID) -> Job:
    """Stop a job: at once if it has not begun, else after the batch it is at. Raises NotFound or JobEnded."""
    async with hub.engine.begin() as connection:
        if await jobs.get(connection, caller.workspace_id, job_id) is None:
            raise NotFound("No job has this id.")
        job = await jobs.cancel(connection, caller.workspace_id, job_id)
        if job is None:
            raise JobEnded("This job has ended.")
        await activity.write(
            connection,
            caller.workspace_id,
            kind="job_cancelled",
            message="Job cancelled",
            actor=caller,
            data={"jobId": job_id, "kind": job.kind, "done": job.done, "total": job.total},
        )
    return job
