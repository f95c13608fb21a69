"""What the product stored, read with SQL past its API: an answer is no proof of what lies in the database."""

from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from connector_master.storage.embedded import Embedded
from connector_master.storage.engine import conninfo, driver_url
from tests.support.hub import TestConnector

Row = dict[str, Any]


class Rows:
    """Rows of one installation: of its embedded PostgreSQL, or of `database_url`. Use it in `async with`."""

    def __init__(self, data_dir: Path, database_url: str | None = None) -> None:
        self._embedded = None if database_url else Embedded(data_dir)
        self._url = database_url

    async def __aenter__(self) -> Self:
        if self._embedded is not None:
            self._embedded.start()
            self._url = self._embedded.url
        assert self._url is not None
        self.connection = await psycopg.AsyncConnection.connect(
            conninfo(driver_url(self._url)), autocommit=True, row_factory=dict_row
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()
        if self._embedded is not None:
            self._embedded.stop()

    async def all(self, statement: str, *values: Any) -> list[Row]:
        """Return every row of a statement."""
        return await (await self.connection.execute(statement.encode(), values)).fetchall()

    async def one(self, statement: str, *values: Any) -> Row:
        """Return the only row of a statement."""
        (row,) = await self.all(statement, *values)
        return row

    async def event(self, id_: str | None) -> Row:
        """Return the event with this id."""
        return await self.one("SELECT * FROM events WHERE id = %s", id_)

    async def events(self, connector: TestConnector) -> list[Row]:
        """Return a connector's events, oldest first."""
        return await self.all("SELECT * FROM events WHERE connector_id = %s ORDER BY id", connector.id)

    async def lead(self, id_: str | None) -> Row:
        """Return the lead with this id."""
        return await self.one("SELECT * FROM leads WHERE id = %s", id_)

    async def leads(self, phone: str) -> list[Row]:
        """Return every lead of a phone number."""
        return await self.all("SELECT * FROM leads WHERE phone_number = %s ORDER BY id", phone)

    async def activity(self, connector: TestConnector, kind: str) -> list[Row]:
        """Return a connector's lines of one kind, oldest first."""
        return await self.all(
            "SELECT * FROM activity WHERE connector_id = %s AND kind = %s ORDER BY id", connector.id, kind
        )
