"""Quotas: what keys have used of their providers' daily calls, counted for every process and connector that shares them."""

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_TAKE = text("""
    INSERT INTO provider_quotas AS known (key, day, used) VALUES (:key, :day, 1)
    ON CONFLICT (key, day) DO UPDATE SET used = known.used + 1 WHERE known.used < :most
    RETURNING used
""")
_USED = text("SELECT used FROM provider_quotas WHERE key = :key AND day = :day")
_FORGET = text("DELETE FROM provider_quotas WHERE day < :before")
# Keys are counted by the provider, whoever uses them here: so this crosses workspaces.
_ROUND = text("""
    SELECT coalesce(sum(calls_per_run), 0) FROM connectors
     WHERE pace_key = :key AND deleted_at IS NULL AND status NOT IN ('paused', 'needs_authorization')
""")


async def take(connection: AsyncConnection, key: str, day: date, most: int) -> bool:
    """Take one of the `most` units that a key has on a day; False when none is left."""
    return (await connection.execute(_TAKE, {"key": key, "day": day, "most": most})).first() is not None


async def used(connection: AsyncConnection, key: str, day: date) -> int:
    """Return how many units of a day are used."""
    found: int | None = (await connection.execute(_USED, {"key": key, "day": day})).scalar_one_or_none()
    return found or 0


async def calls_per_round(connection: AsyncConnection, key: str) -> int:
    """Return how many calls it takes to run every connector of a key once, as its last run went."""
    found: int = (await connection.execute(_ROUND, {"key": key})).scalar_one()
    return found


async def forget(connection: AsyncConnection, before: date) -> None:
    """Forget what was used on days before this one."""
    await connection.execute(_FORGET, {"before": before})
