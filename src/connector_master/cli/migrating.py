"""connector-master migrate: bring the database to this release's schema."""

import typer

from connector_master.cli.database import migrate_or_fail, start_embedded
from connector_master.cli.options import data_dir_of, read_settings
from connector_master.cli.running import DatabaseUrl, DataDir


def migrate(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to this release's schema. Harmless when it is there already; safe while the product runs."""
    from connector_master.storage.engine import driver_url
    from connector_master.storage.migrate import head

    settings = read_settings(data_dir=data_dir, database_url=database_url)
    if settings.database_url is not None:
        changed = migrate_or_fail(driver_url(settings.database_url.get_secret_value()))
    else:
        embedded = start_embedded(data_dir_of(settings), exclusive=False)
        try:
            changed = migrate_or_fail(embedded.url)
        finally:
            embedded.stop()
    typer.echo(f"Migrated to {head()}." if changed else f"Nothing to do: the database is at {head()}.")
