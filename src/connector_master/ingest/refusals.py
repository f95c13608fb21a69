"""Refusals at the door: attempts with a wrong signature, in the activity log with their address.

Many at once become one line that counts them, so that a flood fills neither the table nor the disk.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg

from connector_master.ingest.gather import Gathering
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.storage.activity import write_refusals

Attempt = tuple[Source, str]
"""The connector that was knocked at, and the address that knocked."""


class Refusals:
    """Writes attempts down. `run` is its task."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._gathering: Gathering[Attempt, None] = Gathering(self._write, most_in_write=5_000, most_waiting=5_000)

    async def run(self) -> None:
        """Write until stopped."""
        await self._gathering.run()

    def stop(self) -> None:
        """Take nothing more."""
        self._gathering.close()

    async def note(self, source: Source, ip: str) -> None:
        """Return once the attempt is in the log; raises StorageUnavailable when it can't be written."""
        await self._gathering.submit((source, ip))

    async def _write(self, attempts: Sequence[Attempt]) -> Sequence[None]:
        counts = Counter((source.workspace_id, source.connector_id, ip) for source, ip in attempts)
        rows = [
            {
                "workspace_id": workspace_id,
                "connector_id": connector_id,
                "kind": "signature_refused",
                "message": "Request refused: its signature is wrong or missing",
                "ip": ip,
                "data": {"attempts": count} if count > 1 else None,
            }
            for (workspace_id, connector_id, ip), count in counts.items()
        ]
        await self._writer.write(_write, rows)
        return [None] * len(attempts)


async def _write(connection: "psycopg.AsyncConnection[Any]", rows: Sequence[dict[str, Any]]) -> list[None]:
    await write_refusals(connection, rows)
    return []
