"""The writer: this process's own connection for what the doors store, and whether it can write just now."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import psycopg
import structlog

from connector_master.model.problem import StorageUnavailable

Row = TypeVar("Row")
Result = TypeVar("Result")

_ATTEMPTS = 4
_WRITE_SECONDS = 10.0

log = structlog.get_logger()

Statement = Callable[[psycopg.AsyncConnection[Any], Sequence[Row]], Awaitable[list[Result]]]


class Writer:
    """One connection in autocommit mode, made again when it breaks. One write at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()
        self._is_ready = True
        self._broken = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the last thing known is that writing works; refused callers come back, so this may err for a moment."""
        return self._is_ready

    async def write(self, statement: Statement[Row, Result], rows: Sequence[Row]) -> list[Result]:
        """Run `statement` with `rows`; returns after its commit.

        Deadlocks between processes are tried again. Raises StorageUnavailable when the database is away (whether a write
        that broke off was committed is then unknown, and deduplication absorbs its repetition), psycopg.DataError for
        rows that can't be stored.
        """
        async with self._turn:
            for attempt in range(_ATTEMPTS):
                try:
                    connection = await self._connect()
                    async with asyncio.timeout(_WRITE_SECONDS):
                        return await statement(connection, rows)
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
                    log.warning("write_tried_again", error=type(error).__name__, attempt=attempt)
                    continue
                except psycopg.DataError:
                    raise
                except (psycopg.Error, OSError, TimeoutError) as error:
                    await self._give_up(error)
                    raise StorageUnavailable("The database can't be reached.", retry_after_seconds=2) from error
            raise StorageUnavailable("The database is too busy.", retry_after_seconds=2)

    async def keep_ready(self) -> None:
        """Connect again whenever the connection broke, until cancelled; the owner runs this as its task."""
        while True:
            await self._broken.wait()
            try:
                async with self._turn:
                    await self._connect()
            except (psycopg.Error, OSError, TimeoutError):
                await asyncio.sleep(0.2)
                continue
            self._broken.clear()
            self._is_ready = True
            log.info("storage_reached_again")

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                # Few statements, run again and again: prepared at once.
                prepare_threshold=0,
                connect_timeout=3,
                options="-c timezone=UTC -c statement_timeout=9000 -c lock_timeout=5000",
            )
            self._connection = connection
        return self._connection

    async def _give_up(self, error: BaseException) -> None:
        log.error("storage_unavailable", error=type(error).__name__)
        self._is_ready = False
        self._broken.set()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()
