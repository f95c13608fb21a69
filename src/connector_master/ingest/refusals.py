"""Refusals at the door: attempts with a wrong signature or verify token, in the activity log with their address.

The first few of a connector and an address are each written before they are answered. What follows within seconds is
counted, and the count is written with one line, so that a flood fills neither the table nor the disk.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.problem import StorageUnavailable
from connector_master.storage.activity import write_refusals

SIGNATURE = "signature_refused"
CHALLENGE = "challenge_refused"
_MESSAGES = {
    SIGNATURE: "Request refused: its signature is wrong or missing",
    CHALLENGE: "Verification request refused: its verify token is wrong or missing",
}
_WRITTEN_AT_ONCE = {SIGNATURE: 10, CHALLENGE: 1}
_COUNTED_SECONDS = 5.0
_MOST_REMEMBERED = 10_000
"""Connectors and addresses of which this process counts at once; beyond it, attempts go unwritten until some are settled."""

_Who = tuple[UUID, UUID, str, str]


class Refusals:
    """Writes attempts down. `run` is its task."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._counts: dict[_Who, tuple[float, int]] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Write what was counted, every few seconds, until stopped."""
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), _COUNTED_SECONDS)
            except TimeoutError:
                await self._settle(time.monotonic() - _COUNTED_SECONDS)
        await self._settle(time.monotonic())

    def stop(self) -> None:
        """Write what was counted, and end `run`."""
        self._stopping.set()

    async def note(self, source: Source, ip: str, kind: str = SIGNATURE) -> None:
        """Return once the attempt is in the log, or is counted for a line to come; raises StorageUnavailable."""
        who = (source.workspace_id, source.connector_id, ip, kind)
        if who not in self._counts and len(self._counts) >= _MOST_REMEMBERED:
            return
        since, attempts = self._counts.get(who, (time.monotonic(), 0))
        self._counts[who] = (since, attempts + 1)
        if attempts < _WRITTEN_AT_ONCE[kind]:
            await self._writer.write(_write, [_row(who, 1)])

    async def _settle(self, before: float) -> None:
        settled = [(who, count) for who, (since, count) in self._counts.items() if since <= before]
        for who, _ in settled:
            del self._counts[who]
        uncounted = [(who, count - _WRITTEN_AT_ONCE[who[-1]]) for who, count in settled]
        rows = [_row(who, count) for who, count in uncounted if count > 0]
        if rows:
            try:
                await self._writer.write(_write, rows)
            except StorageUnavailable:
                return  # counts of refused attempts are not worth holding up an ending


def _row(who: _Who, attempts: int) -> dict[str, Any]:
    workspace_id, connector_id, ip, kind = who
    return {
        "workspace_id": workspace_id,
        "connector_id": connector_id,
        "kind": kind,
        "message": _MESSAGES[kind],
        "ip": ip,
        "data": {"attempts": attempts} if attempts > 1 else None,
    }


async def _write(connection: "psycopg.AsyncConnection[Any]", rows: Sequence[dict[str, Any]]) -> list[None]:
    await write_refusals(connection, rows)
    return []
