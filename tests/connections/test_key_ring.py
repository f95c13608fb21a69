"""The key ring at start-up, against the database."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connections.key_ring import open_key_ring
from connector_master.connections.sealing import InvalidSecretKeys, generate_key
from connector_master.storage import key_checks


async def test_a_key_made_at_the_first_start_is_demanded_ever_after(database: AsyncEngine, tmp_path: Path) -> None:
    ring = await open_key_ring(database, None, tmp_path)
    assert (await open_key_ring(database, None, tmp_path)).ids == ring.ids
    (tmp_path / "secret.keys").unlink()

    with pytest.raises(InvalidSecretKeys, match=f"sealed with key {ring.seals_with}"):
        await open_key_ring(database, None, tmp_path)
    assert os.listdir(tmp_path) == []


async def test_a_wrong_key_is_refused_by_name(database: AsyncEngine, tmp_path: Path) -> None:
    await open_key_ring(database, f"a:{generate_key()}", tmp_path)

    with pytest.raises(InvalidSecretKeys, match="Key a differs"):
        await open_key_ring(database, f"a:{generate_key()}", tmp_path)


async def test_a_new_first_key_is_welcome_and_the_old_one_can_be_dropped_only_once_forgotten(
    database: AsyncEngine, tmp_path: Path
) -> None:
    old, new = f"old:{generate_key()}", f"new:{generate_key()}"
    await open_key_ring(database, old, tmp_path)
    assert (await open_key_ring(database, f"{new},{old}", tmp_path)).seals_with == "new"

    with pytest.raises(InvalidSecretKeys, match="sealed with key old, but the keys given are new"):
        await open_key_ring(database, new, tmp_path)
    async with database.begin() as connection:
        await key_checks.remove(connection, "old")
    assert (await open_key_ring(database, new, tmp_path)).ids == ("new",)


async def test_two_first_starts_with_folders_of_their_own_do_not_both_make_a_key(
    database: AsyncEngine, tmp_path: Path
) -> None:
    starts = (open_key_ring(database, None, tmp_path / name) for name in "ab")

    outcomes = await asyncio.gather(*starts, return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InvalidSecretKeys", "KeyRing"]
