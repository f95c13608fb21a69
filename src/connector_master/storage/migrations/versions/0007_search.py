"""Words to find leads by."""

from importlib.resources import files

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the words, and what keeps them true."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((files("connector_master.storage.migrations") / "0007_search.sql").read_text())
