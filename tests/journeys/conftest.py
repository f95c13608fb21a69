"""Fixtures of the journeys: beside the running product, its rows."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub


@pytest.fixture
async def rows(hub: Hub) -> AsyncIterator[Rows]:
    """What the running product stored."""
    async with Rows(hub.data_dir, hub.database_url) as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL's account may pass through, for an installation of a test's own."""
    made = Path(tempfile.mkdtemp(prefix="cm-own-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)
