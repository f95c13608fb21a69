"""The runner: delivers what is due at one destination, in order, until nothing is or it may not any more.

It goes in steps. Each step is one transaction that writes what came of the calls that ended, and takes what may follow; no
transaction stays open while a receiver takes its time. If it dies between a call and the step after it, the delivery is
still due and is sent again, under the same id.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connector_master.delivery.attempts import Target, attempt
from connector_master.delivery.breaker import after_failure, after_success
from connector_master.delivery.destination import Attempt
from connector_master.delivery.envelope import parcel_of
from connector_master.delivery.outcome import Made, settled
from connector_master.delivery.pace import starts
from connector_master.model.problem import LeadErased
from connector_master.storage import activity, destinations, gates, outbox
from connector_master.storage.gates import Gate
from connector_master.storage.outbox import Due, Tried

_RENEWS = timedelta(seconds=5)
_TOLD_EVERY = timedelta(seconds=1)
"""How exactly it is known when something was delivered last."""

_deliveries = Counter(
    "connector_master_deliveries_total", "Attempts to deliver, by what becomes of the delivery.", ["type", "status"]
)
_seconds = Histogram(
    "connector_master_delivery_seconds",
    "From when a lead became due at a destination to when it was delivered.",
    ["type"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86_400),
)

log = structlog.get_logger()


class Runner:
    """Delivers at one destination, whose lease is `id`'s. `turns` bounds how many steps of a process are taken at once."""

    def __init__(
        self, engine: AsyncEngine, target: Target, id_: UUID, turns: asyncio.Semaphore, stopping: asyncio.Event
    ) -> None:
        self._engine = engine
        self._target = target
        self._id = id_
        self._turns = turns
        self._stopping = stopping
        self._under_way: dict[asyncio.Task[Made], UUID] = {}
        self._renewed_at = time.monotonic()
        self.attempts = 0

    async def run(self) -> None:
        """Deliver until nothing is due, or somebody or something says stop; then let others have the destination."""
        target = self._target
        try:
            while await self._step():
                await asyncio.wait(
                    self._under_way, timeout=_RENEWS.total_seconds(), return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            for task in self._under_way:
                task.cancel()
        async with self._engine.begin() as connection:
            await gates.release(connection, target.workspace_id, target.id, self._id)

    async def _step(self) -> bool:
        """Write what came of calls, take what may follow; return whether anything is under way."""
        ended = [task for task in self._under_way if task.done()]
        made = [task.result() for task in ended]
        for task in ended:
            del self._under_way[task]
        target, now = self._target, datetime.now(UTC)
        async with self._turns, self._engine.begin() as connection:
            held = await gates.hold(connection, target.workspace_id, target.id, self._id)
            if held is None:
                return False
            before, is_ours = held
            gate = await self._written(connection, before, made, now)
            taken: list[tuple[Due, float]] = []
            if is_ours and self._may_go_on(gate):
                gate, taken = await self._taken(connection, gate, now)
            if gate != before or time.monotonic() - self._renewed_at >= _RENEWS.total_seconds():
                await gates.save(connection, target.workspace_id, target.id, self._id, gate)
                self._renewed_at = time.monotonic()
        for due, wait in taken:
            self._under_way[asyncio.create_task(self._deliver(due, wait))] = due.id
        return bool(self._under_way)

    def _may_go_on(self, gate: Gate) -> bool:
        return (
            gate.status == "active"
            and not gate.is_deleted
            and gate.changed_at == self._target.changed_at
            and not self._stopping.is_set()
        )

    # ---- what may follow --------------------------------------------------------------------------------

    async def _taken(
        self, connection: AsyncConnection, gate: Gate, now: datetime
    ) -> tuple[Gate, list[tuple[Due, float]]]:
        """Return the gate and what is to be sent now, each with the seconds to wait before."""
        if gate.breaker.rests_until is not None and gate.breaker.rests_until > now:
            return gate, []
        target, settings = self._target, self._target.settings
        most = 1 if gate.breaker.is_open else settings.concurrency
        waits = starts(gate.next_call_at, now, settings.rate_per_minute, most - len(self._under_way))
        if not waits:
            return gate, []
        found = await outbox.take(
            connection, target.workspace_id, target.id, under_way=self._under_way.values(), limit=len(waits)
        )
        if found and settings.rate_per_minute is not None:
            spacing = timedelta(minutes=1) / settings.rate_per_minute
            gate = replace(gate, next_call_at=now + waits[len(found) - 1] + spacing)
        return gate, [(due, wait.total_seconds()) for due, wait in zip(found, waits, strict=False)]

    async def _deliver(self, due: Due, wait_seconds: float) -> Made:
        await asyncio.sleep(wait_seconds)
        began_at, began = datetime.now(UTC), time.perf_counter()
        made = await self._attempt(due)
        return Made(due, made, began_at, timedelta(seconds=time.perf_counter() - began))

    async def _attempt(self, due: Due) -> Attempt:
        try:
            parcel = parcel_of(due)
        except LeadErased as problem:
            return Attempt(problem=problem)
        return await attempt(self._target, parcel)

    # ---- what came of it --------------------------------------------------------------------------------

    async def _written(self, connection: AsyncConnection, gate: Gate, made: Sequence[Made], now: datetime) -> Gate:
        """Write what came of calls, and return the gate after them."""
        if not made:
            return gate
        target = self._target
        tried = [settled(one, now, random.random()) for one in made]  # noqa: S311 (spreads load, keeps no secret)
        await outbox.record(connection, target.workspace_id, tried)
        self._count(made, tried, now)
        after = gate
        for one in sorted(made, key=lambda one: one.began_at + one.took):
            after = _after(after, one, now)
        if any(one.is_gone for one in made) and gate.status == "active":
            after = replace(after, status="disabled")
            await self._disable(connection)
        if after.breaker.is_open != gate.breaker.is_open:
            await self._turned(connection, gate, after)
        return after

    def _count(self, made: Sequence[Made], tried: Sequence[Tried], now: datetime) -> None:
        type_ = self._target.destination.type
        self.attempts += len(made)
        for one, result in zip(made, tried, strict=True):
            _deliveries.labels(type_, result.status.value).inc()
            if result.code is None:
                _seconds.labels(type_).observe((now - one.due.created_at).total_seconds())
            else:
                log.info(
                    "delivery_failed",
                    delivery_id=str(result.delivery_id),
                    destination_id=str(self._target.id),
                    status=result.status.value,
                    code=result.code,
                )

    async def _disable(self, connection: AsyncConnection) -> None:
        target = self._target
        await destinations.set_status(connection, target.workspace_id, target.id, "disabled")
        await self._tell(
            connection,
            "destination_disabled",
            f"Destination {target.name} disabled: its receiver answered 410, nothing is to be sent there any more",
            level="error",
        )

    async def _turned(self, connection: AsyncConnection, before: Gate, after: Gate) -> None:
        """Say that the destination began to rest, or that it works again; what failed meanwhile is then due, in order."""
        target = self._target
        if after.breaker.is_open:
            message = (
                f"Destination {target.name} keeps failing and rests; it is tried again: {after.breaker.problem_detail}"
            )
            await self._tell(connection, "destination_failing", message, level="error")
            return
        await outbox.hasten(connection, target.workspace_id, target.id, before.breaker.failing_since)
        await self._tell(connection, "destination_recovered", f"Destination {target.name} works again")

    async def _tell(self, connection: AsyncConnection, kind: str, message: str, level: str = "info") -> None:
        data = {"destinationId": self._target.id}
        await activity.write(connection, self._target.workspace_id, kind=kind, message=message, level=level, data=data)


def _after(gate: Gate, made: Made, now: datetime) -> Gate:
    failed = made.failed
    if failed is not None:
        chance = random.random()  # noqa: S311 (spreads load, keeps no secret)
        return replace(gate, breaker=after_failure(gate.breaker, failed, made.began_at, now, chance))
    last = gate.last_delivered_at
    if made.attempt.problem is None and (last is None or now - last > _TOLD_EVERY):
        last = now
    return replace(gate, breaker=after_success(gate.breaker), last_delivered_at=last)
