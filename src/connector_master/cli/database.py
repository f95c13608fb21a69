"""The database for a command: the one that `up` runs on this data folder, one of its own, or DATABASE_URL's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from connector_master.cli.options import data_dir_of, read_settings
from connector_master.cli.running import fail

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from connector_master.storage.embedded import Embedded


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database."""

    engine: "AsyncEngine"
    url: str


@asynccontextmanager
async def open_database(data_dir: Path | None, database_url: str | None) -> AsyncIterator[Database]:
    """Open the database for as long as the command runs. Ends the program with a sentence when that is impossible."""
    from connector_master.storage.engine import create_engine

    settings = read_settings(data_dir=data_dir, database_url=database_url)
    embedded = None
    if settings.database_url is None:
        embedded = start_embedded(data_dir_of(settings), exclusive=False)
        url = embedded.url
    else:
        from connector_master.storage.engine import driver_url

        url = driver_url(settings.database_url.get_secret_value())
    try:
        migrate_or_fail(url)
        engine = create_engine(url, pool_size=2)
        try:
            yield Database(engine, url)
        finally:
            await engine.dispose()
    finally:
        if embedded is not None:
            embedded.stop()


def start_embedded(data_dir: Path, *, exclusive: bool) -> "Embedded":
    """Start or attach to the PostgreSQL of a data folder. Ends the program with a sentence when that is impossible."""
    from connector_master.storage.embedded import AlreadyRunning, Embedded, EmbeddedUnavailable

    embedded = Embedded(data_dir)
    try:
        embedded.start(exclusive=exclusive)
    except (AlreadyRunning, EmbeddedUnavailable) as error:
        fail(str(error), error)
    return embedded


def migrate_or_fail(url: str) -> bool:
    """Bring the database to this release's schema; return whether it had to be changed."""
    import psycopg

    from connector_master.storage.migrate import migrate

    try:
        return migrate(url)
    except psycopg.OperationalError as error:
        fail(
            f"The database can't be reached: {str(error).strip()}\nCheck DATABASE_URL and that the server runs.", error
        )
    except psycopg.Error as error:
        fail(f"The database could not be brought to this release's schema: {str(error).strip()}", error)
