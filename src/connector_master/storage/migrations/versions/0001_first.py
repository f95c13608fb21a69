"""The first schema, and Procrastinate's as of its release 3.10.0."""

from importlib.resources import files

from alembic import op
from sqlalchemy import text
from uuid_utils.compat import uuid7

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything, and the one workspace that a fresh installation has."""
    folder = files("connector_master.storage.migrations")
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    assert driver is not None
    # The driver's own execute takes a script of many statements; SQLAlchemy's would read its % signs as parameters.
    driver.execute((folder / "procrastinate_3_10_0.sql").read_text())
    driver.execute((folder / "0001_first.sql").read_text())
    connection.execute(text("INSERT INTO workspaces (id, name) VALUES (:id, 'Connector Master')"), {"id": uuid7()})
