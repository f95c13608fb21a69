"""Bringing the database to this release's schema, once, however many processes start at the same time."""

from importlib.resources import files

import psycopg
from sqlalchemy import create_engine, pool

from connector_master.storage.engine import conninfo, driver_url
from connector_master.storage.partitions import make_partitions

_LOCK = 0x636D6D69  # "cmmi": any number that nothing else in this database locks


def head() -> str:
    """Return the newest revision that this release brings."""
    names = (file.name for file in files("connector_master.storage.migrations.versions").iterdir())
    return max(name.split("_")[0] for name in names if name[:4].isdigit())


def current(url: str) -> str | None:
    """Return the revision of the database at `url`, None for an empty one."""
    with psycopg.connect(conninfo(url), connect_timeout=10) as connection:
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None


def migrate(url: str) -> bool:
    """Bring the database at `url` to `head()`; return whether anything had to be done.

    Forward only, under an advisory lock: a second migrator waits and then finds nothing to do. A database that is
    newer than this release is left alone, so a rolling restart can run both. Makes the coming months' partitions too.
    """
    with psycopg.connect(conninfo(url), connect_timeout=10, autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        version = current(url)
        changed = version is None or version < head()
        if changed:
            _upgrade(url)
        make_partitions(guard)
        return changed


def _upgrade(url: str) -> None:
    # Alembic takes a quarter of a second to import, so only a start that migrates pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "connector_master.storage:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(driver_url(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
