"""Pacing: calls to a provider at the rate, and as many a day, as it allows a key, whoever makes them in whatever process."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connectors.pulling import Limits
from connector_master.model.json import Json
from connector_master.model.problem import DailyLimitReached, ProviderLimited
from connector_master.outbound.client import Answer, Client
from connector_master.storage import paces, quotas

_LONGEST_NAP = timedelta(seconds=5)
"""A wait for the provider's pace up to this is slept through; for a longer one the worker is set free."""
_LOOKED_SECONDS = 1.0
"""How long it is believed that a key does not rest: calls come faster than the database should be asked."""
_EARLY = timedelta(hours=1)
"""A provider whose day seems used up so soon after our midnight has not begun it yet: its clock or its reset is late."""


class MustWait(Exception):
    """The provider's pace or quota asks for a longer wait than a worker should sleep through: `why`, in words."""

    def __init__(self, until: datetime, why: ProviderLimited) -> None:
        super().__init__(f"until {until.isoformat()}")
        self.until = until
        self.why = why


class Paced:
    """A client that keeps a provider's pace and daily quota. `calls` counts those that were made with it.

    Its calls raise MustWait instead of being made; nothing counts as asked then.
    """

    def __init__(self, engine: AsyncEngine, client: Client, key: str | None, limits: Limits) -> None:
        self._engine = engine
        self._client = client
        self.key = key
        self.limits = limits
        self.calls = 0
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Wait for its turn, then call."""
        await self._turn()
        try:
            return await self._client.get(path, query, headers=headers)
        finally:
            await self._rest()

    async def post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Wait for its turn, then call."""
        await self._turn()
        try:
            return await self._client.post(path, query, json=json, form=form, headers=headers)
        finally:
            await self._rest()

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Wait for its turn, then call."""
        await self._turn()
        try:
            return await self._client.delete(path, query, headers=headers)
        finally:
            await self._rest()

    async def rest(self, said: ProviderLimited) -> datetime:
        """Let the key rest because the provider said so; return until when."""
        now = datetime.now(UTC)
        seconds = said.retry_after_seconds
        for_ = timedelta(seconds=seconds) if seconds is not None else self.limits.rests_after
        if isinstance(said, DailyLimitReached) and now - self.limits.day_begins(now) > _EARLY:
            for_ = self.limits.day_ends(now) - now
        if self.key is not None:
            self._looked_at = float("-inf")
            async with self._engine.begin() as connection:
                await paces.rest(connection, self.key, for_)
        return now + for_

    async def _turn(self) -> None:
        if self.key is not None:
            if self.limits.between_calls:
                await self._claim(self.key)
            else:
                await self._look(self.key)
            if self.limits.units_per_day is not None:
                await self._take_unit(self.key, self.limits.units_per_day)
        self.calls += 1

    async def _claim(self, key: str) -> None:
        while True:
            async with self._engine.begin() as connection:
                until = await paces.claim(connection, key, self.limits.between_calls)
            if until is None:
                return
            await self._nap(until)

    async def _look(self, key: str) -> None:
        """Wait until the key does not rest. Whoever calls without a pace to keep only reads, and seldom."""
        async with self._looking:
            while time.monotonic() - self._looked_at > _LOOKED_SECONDS:
                async with self._engine.connect() as connection:
                    until = await paces.resting_until(connection, key)
                if until is not None:
                    await self._nap(until)
                else:
                    self._looked_at = time.monotonic()

    async def _nap(self, until: datetime) -> None:
        wait = until - datetime.now(UTC)
        if wait > _LONGEST_NAP:
            why = ProviderLimited(
                f"The provider allows no call with this key before {until:%Y-%m-%d %H:%M:%S} UTC.",
                retry_after_seconds=max(1, round(wait.total_seconds())),
            )
            raise MustWait(until, why)
        await asyncio.sleep(max(0.01, wait.total_seconds()))

    async def _take_unit(self, key: str, most: int) -> None:
        now = datetime.now(UTC)
        async with self._engine.begin() as connection:
            is_taken = await quotas.take(connection, key, self.limits.day_at(now), most)
        if not is_taken:
            until = self.limits.day_ends(now)
            why = DailyLimitReached(
                f"The {most} calls that a day has for this key are used up; it counts anew at {until:%Y-%m-%d %H:%M} UTC.",
                retry_after_seconds=max(1, round((until - now).total_seconds())),
            )
            raise MustWait(until, why)

    async def _rest(self) -> None:
        if self.key is not None and self.limits.between_calls:
            async with self._engine.begin() as connection:
                await paces.finish(connection, self.key, self.limits.between_calls)
