"""The hub within the test's process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.counted import Counted, knowing_toys
from tests.support.inside import Inside, open_inside


@pytest.fixture
async def inside(database_url: str, tmp_path: Path) -> AsyncIterator[Inside]:
    """A hub on a fresh database."""
    async with open_inside(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def counted(inside: Inside) -> AsyncIterator[Counted]:
    """The same hub, with the toy source Counted and its provider."""
    with knowing_toys():
        yield Counted.of(inside)
