"""Paces: when a provider may next be called with a key, kept for every process and every connector that shares it."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_CLAIM = text("""
    INSERT INTO provider_paces AS known (key, next_call_at) VALUES (:key, clock_timestamp() + :rest)
    ON CONFLICT (key) DO UPDATE SET next_call_at = excluded.next_call_at WHERE known.next_call_at <= clock_timestamp()
    RETURNING key
""")
_WAIT = text("SELECT next_call_at FROM provider_paces WHERE key = :key")
_RESTING = text("SELECT next_call_at FROM provider_paces WHERE key = :key AND next_call_at > clock_timestamp()")
_REST = text("""
    INSERT INTO provider_paces AS known (key, next_call_at) VALUES (:key, clock_timestamp() + :rest)
    ON CONFLICT (key) DO UPDATE SET next_call_at = greatest(known.next_call_at, excluded.next_call_at)
""")
_FINISH = text(
    "UPDATE provider_paces SET next_call_at = greatest(next_call_at, clock_timestamp() + :rest) WHERE key = :key"
)


async def claim(connection: AsyncConnection, key: str, rest: timedelta) -> datetime | None:
    """Take the right to call now and let the key rest from now on; None when taken, else the moment to try again."""
    if (await connection.execute(_CLAIM, {"key": key, "rest": rest})).first() is not None:
        return None
    until: datetime = (await connection.execute(_WAIT, {"key": key})).scalar_one()
    return until


async def resting_until(connection: AsyncConnection, key: str) -> datetime | None:
    """Return until when a key rests, None when it may be used now."""
    return (await connection.execute(_RESTING, {"key": key})).scalar_one_or_none()


async def finish(connection: AsyncConnection, key: str, rest: timedelta) -> None:
    """Let the key rest from now, the end of the call, on."""
    await connection.execute(_FINISH, {"key": key, "rest": rest})


async def rest(connection: AsyncConnection, key: str, for_: timedelta) -> None:
    """Let the key rest at least `for_` from now: the provider said so."""
    await connection.execute(_REST, {"key": key, "rest": for_})
