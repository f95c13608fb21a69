"""Delivering: whatever is due at any destination is taken up, by as many processes as there are, each destination by one."""

import asyncio
from datetime import timedelta
from uuid import UUID

import structlog

from connector_master.delivery.attempts import Target
from connector_master.delivery.runner import Runner
from connector_master.model.problem import Problem
from connector_master.services.hub import Hub
from connector_master.services.targets import target_of
from connector_master.storage import destinations, gates, jobs
from connector_master.storage.ids import new_id

_MOST = 100
"""Destinations that one job takes up; another one takes up what is left."""
_RESTS = timedelta(minutes=5)
"""How long a destination rests that can't even be read."""

log = structlog.get_logger()


async def deliver_due(hub: Hub, stopping: asyncio.Event) -> None:
    """Deliver what is due at destinations where nobody else does, until nothing is or `stopping` is set.

    Called each second, and when something may have become due; most calls find nothing.
    """
    id_ = new_id()
    async with hub.engine.begin() as connection:
        claimed = await gates.claim(connection, id_, _MOST)
    async with asyncio.TaskGroup() as group:
        for workspace, destination_id in claimed:
            group.create_task(_deliver(hub, workspace, destination_id, id_, stopping))


async def _deliver(hub: Hub, workspace: UUID, destination_id: UUID, id_: UUID, stopping: asyncio.Event) -> None:
    try:
        target = await _target(hub, workspace, destination_id, id_)
        if target is None:
            return
        runner = Runner(hub.engine, target, id_, hub.turns, stopping)
        await runner.run()
        if runner.attempts:
            # What became due while it was being released was seen by nobody.
            async with hub.engine.begin() as connection:
                await jobs.defer_deliveries(connection)
    except Exception as error:
        # One destination in trouble is none of the others' business. Its lease ends by itself, and somebody tries again.
        log.exception("runner_failed", destination_id=str(destination_id), error=type(error).__name__)


async def _target(hub: Hub, workspace: UUID, destination_id: UUID, id_: UUID) -> Target | None:
    """Return the destination opened and ready; where that can't be, let it rest and say why."""
    async with hub.engine.begin() as connection:
        row = await destinations.get(connection, workspace, destination_id)
        if row is not None:
            try:
                return target_of(hub, row)
            except Problem as problem:
                await gates.rest(
                    connection, workspace, destination_id, _RESTS, code=problem.code, detail=problem.detail
                )
        await gates.release(connection, workspace, destination_id, id_)
    return None
