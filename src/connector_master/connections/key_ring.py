"""The key ring at start-up: loaded, proven against the database, and its new keys made known there."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connections.sealing import KeyRing
from connector_master.storage import key_checks


async def open_key_ring(engine: AsyncEngine, secret_keys: str | None, data_dir: Path) -> KeyRing:
    """Return the key ring that this database's sealed data opens with; on the very first start it may be made.

    `secret_keys` is the setting SECRET_KEYS. Raises InvalidSecretKeys, saying which key is missing, short or wrong.
    Two first starts at the same time end with one key: they wait for each other in the database.
    """
    async with engine.begin() as connection:
        checks = await key_checks.read_locked(connection)
        ring = KeyRing.load(secret_keys, data_dir, known=checks.keys())
        ring.verify_checks(checks)
        await key_checks.add(connection, {id_: check for id_, check in ring.make_checks().items() if id_ not in checks})
    return ring
