"""Fixtures that everything shares: a real PostgreSQL, a fresh migrated database, and the running product.

PostgreSQL is the embedded one, or the server that DATABASE_URL names (it must let us create databases).
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.storage.embedded import Embedded
from connector_master.storage.engine import conninfo, create_engine, driver_url
from connector_master.storage.ids import new_id
from connector_master.storage.migrate import migrate
from tests.support.hub import Hub, Process
from tests.support.sandbox import _sandbox_process as _sandbox_process
from tests.support.sandbox import sandbox as sandbox


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of a running PostgreSQL; its database is only for making others."""
    if url := os.environ.get("DATABASE_URL"):
        yield driver_url(url)
        return
    # Not pytest's tmp_path: that is 0700, and as root PostgreSQL runs under an account that must reach its folder.
    folder = Path(tempfile.mkdtemp(prefix="cm-test-", dir="/tmp"))
    folder.chmod(0o711)
    embedded = Embedded(folder / "data")
    embedded.start()
    yield embedded.url
    embedded.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database that fresh ones are copied from."""
    with FreshDatabase(server_url) as url:
        migrate(url)
        yield str(make_url(url).database)


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A fresh migrated database of this test's own."""
    with FreshDatabase(server_url, template) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a fresh migrated database."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def workspace(database: AsyncEngine) -> UUID:
    """The id of the one workspace that a fresh installation has."""
    async with database.connect() as connection:
        found: UUID = (await connection.execute(text("SELECT id FROM workspaces"))).scalar_one()
    return found


class FreshDatabase:
    """A database that exists within a `with`: made from a template, dropped afterwards."""

    def __init__(self, server_url: str, template: str = "template1") -> None:
        self._server, self._template = server_url, template
        self._name = f"t{new_id().hex}"

    def __enter__(self) -> str:
        self._run(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._template}"')
        return make_url(self._server).set(database=self._name).render_as_string(hide_password=False)

    def __exit__(self, *_: object) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with psycopg.connect(conninfo(self._server), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def hub_process(server_url: str) -> Iterator[tuple[Process, Path, str | None]]:
    """The product, running for as long as the tests do: on an embedded PostgreSQL, or a database on DATABASE_URL's."""
    folder = Path(tempfile.mkdtemp(prefix="cm-hub-", dir="/tmp"))
    folder.chmod(0o711)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(FreshDatabase(server_url)) if os.environ.get("DATABASE_URL") else None
        options = ["--database-url", url] if url else []
        process = Process("up", "--data-dir", str(folder / "data"), "--port", "0", *options).wait_ready()
        stack.callback(process.stop)
        yield process, folder / "data", url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def hub(hub_process: tuple[Process, Path, str | None]) -> AsyncIterator[Hub]:
    """The running product over HTTP. Tests share it, so each makes its own connectors and phones."""
    running = Hub(*hub_process)
    running._keys = _KEYS
    yield running
    await running.client.aclose()


_KEYS: dict[str, str] = {}
