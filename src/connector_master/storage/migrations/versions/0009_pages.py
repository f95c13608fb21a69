"""What pages need to stay fast over millions of rows."""

from importlib.resources import files

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Split words faster."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((files("connector_master.storage.migrations") / "0009_pages.sql").read_text())
