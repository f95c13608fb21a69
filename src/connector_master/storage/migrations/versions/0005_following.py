"""Records that are followed at their source, and the desk's first tables."""

from importlib.resources import files

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create what following records, and signing in, need."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((files("connector_master.storage.migrations") / "0005_following.sql").read_text())
