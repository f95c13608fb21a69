"""Files of leads that people bring."""

from importlib.resources import files

from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    """Create what imports need."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((files("connector_master.storage.migrations") / "0011_imports.sql").read_text())
