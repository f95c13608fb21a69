"""Pull runs."""

from importlib.resources import files

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create what pulling needs."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((files("connector_master.storage.migrations") / "0003_syncs.sql").read_text())
