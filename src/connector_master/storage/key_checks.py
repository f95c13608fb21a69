"""Key checks: one sealed value per sealing key in use, which proves at start-up that the key is the right one.

They belong to the installation, not to a workspace: the key ring does.
"""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('key_checks', 0))")
_READ = text("SELECT key_id, sealed FROM key_checks")


async def read_locked(connection: AsyncConnection) -> dict[str, bytes]:
    """Return the checks by key id; others who call this wait until the transaction ends."""
    await connection.execute(_LOCK)
    rows = await connection.execute(_READ)
    return {row.key_id: bytes(row.sealed) for row in rows}


_ADD = text("""
    INSERT INTO key_checks (key_id, sealed)
    SELECT * FROM unnest(CAST(:key_ids AS text[]), CAST(:sealed AS bytea[]))
    ON CONFLICT (key_id) DO NOTHING
""")


async def add(connection: AsyncConnection, checks: Mapping[str, bytes]) -> None:
    """Write the checks of keys that have none yet."""
    await connection.execute(_ADD, {"key_ids": list(checks.keys()), "sealed": list(checks.values())})


_REMOVE = text("DELETE FROM key_checks WHERE key_id = :key_id")


async def remove(connection: AsyncConnection, key_id: str) -> None:
    """Forget a key's check, once nothing is sealed with that key any more."""
    await connection.execute(_REMOVE, {"key_id": key_id})
