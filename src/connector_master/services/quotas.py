"""Quotas: how much of its provider's daily calls a key has left, and how far apart runs have to lie for them to last."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connectors.pulling import Limits
from connector_master.services.hub import Hub
from connector_master.storage import paces, quotas

_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Quota:
    """One key's present day: `used` of `most` calls, until `ends_at`. It may not be used before `rests_until`.

    `spread` is how long connectors have to rest between their runs, if all that share the key do, for the day to last.
    """

    used: int
    most: int
    ends_at: datetime
    rests_until: datetime | None
    spread: timedelta


async def quota_of(connection: AsyncConnection, key: str | None, limits: Limits, now: datetime) -> Quota | None:
    """Return a key's present day, None where its provider counts no calls."""
    if key is None or limits.units_per_day is None:
        return None
    used = await quotas.used(connection, key, limits.day_at(now))
    rests_until = await paces.resting_until(connection, key)
    ends_at = limits.day_ends(now)
    left = limits.units_per_day - used
    spread = ends_at - now
    if left > 0:
        spread *= min(1.0, await quotas.calls_per_round(connection, key) / left)
    return Quota(used, limits.units_per_day, ends_at, rests_until, spread)


async def forget_old(hub: Hub) -> None:
    """Forget the days that are over in every zone."""
    async with hub.engine.begin() as connection:
        await quotas.forget(connection, (datetime.now(UTC) - _KEPT).date())
