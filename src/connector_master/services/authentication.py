"""Authentication: who a request comes from, and the trace that refused ones leave.

A key is looked up at every request, so a revoked one fails at the next. What is remembered per process only spares
writes: when a key's last use was written, and whose refusals were.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.api_keys import hash_key, looks_valid
from connector_master.access.caller import Caller, stranger
from connector_master.access.roles import Role
from connector_master.model.problem import Unauthenticated
from connector_master.storage import api_keys, refusals, workspaces
from connector_master.storage.api_keys import ApiKey
from connector_master.storage.ids import first_id_at

_EVERY = timedelta(minutes=1)
_REFUSALS_A_MINUTE = 600
"""Lines about refused accesses that one process writes a minute, however many addresses they come from."""
_WRITE_TIMEOUT_SECONDS = 5

log = structlog.get_logger()


async def caller_for_key(engine: AsyncEngine, key: str, ip: str) -> Caller:
    """Return the caller whose API key this is. Raises Unauthenticated, leaving a line in the activity log."""
    found = await _look_up(engine, key) if looks_valid(key) else None
    if found is None or found.status != "active":
        await _refuse_key(engine, found, ip)
    _note_use(engine, found)
    return Caller(
        workspace_id=found.workspace_id, kind="api_key", id=found.id, name=found.name, role=Role(found.role), ip=ip
    )


async def note_refusal(engine: AsyncEngine, caller: Caller, message: str, data: dict[str, Any] | None = None) -> None:
    """Write `access_refused` for a caller who was turned away; at most once a minute for a caller and an address.

    `data` may say what was asked for. How many refusals went unwritten since the last line is added as `unwritten`.
    """
    unwritten = _state(engine).admit((caller.ip, caller.id))
    if unwritten is None:
        return
    since = first_id_at(datetime.now(UTC) - _EVERY)
    async with engine.begin() as connection:
        await refusals.write_if_first(
            connection,
            caller.workspace_id,
            kind="access_refused",
            message=message,
            actor=caller,
            since=since,
            data=(data or {}) | ({"unwritten": unwritten} if unwritten else {}),
        )


async def settle(engine: AsyncEngine) -> None:
    """Wait until everything that is written in the background is: at the end of a process, and in tests."""
    await asyncio.gather(*_state(engine).writing)


@dataclass(slots=True, weakref_slot=True)
class _State:
    """What one process remembers about one database."""

    workspace: UUID | None = None
    key_uses: dict[UUID, float] = field(default_factory=dict)
    refused: dict[tuple[str | None, UUID | None], tuple[float, int]] = field(default_factory=dict)
    writing: set[asyncio.Task[None]] = field(default_factory=set)

    def admit(self, who: tuple[str | None, UUID | None]) -> int | None:
        """Return how many refusals of `who` went unwritten when one is to be written now, else None."""
        now = time.monotonic()
        written, unwritten = self.refused.get(who, (None, 0))
        if written is not None and now - written < _EVERY.total_seconds():
            self.refused[who] = (written, unwritten + 1)
            return None
        if written is None and len(self.refused) >= _REFUSALS_A_MINUTE:
            self.refused = {
                other: entry for other, entry in self.refused.items() if now - entry[0] < _EVERY.total_seconds()
            }
            if len(self.refused) >= _REFUSALS_A_MINUTE:
                return None
        self.refused[who] = (now, 0)
        return unwritten


_STATES: WeakKeyDictionary[AsyncEngine, _State] = WeakKeyDictionary()


def _state(engine: AsyncEngine) -> _State:
    return _STATES.setdefault(engine, _State())


async def _look_up(engine: AsyncEngine, key: str) -> ApiKey | None:
    async with engine.connect() as connection:
        return await api_keys.find_by_hash(connection, hash_key(key))


async def _refuse_key(engine: AsyncEngine, found: ApiKey | None, ip: str) -> NoReturn:
    workspace = found.workspace_id if found else await _first_workspace(engine)
    what = f"API key is {found.status}" if found else "API key is not one of ours"
    data = {"apiKeyId": found.id, "hint": found.hint} if found else None
    await note_refusal(engine, stranger(workspace, ip), what, data)
    raise Unauthenticated(f"This {what}.")


async def _first_workspace(engine: AsyncEngine) -> UUID:
    state = _state(engine)
    if state.workspace is None:
        async with engine.connect() as connection:
            state.workspace = await workspaces.first(connection)
    return state.workspace


def _note_use(engine: AsyncEngine, key: ApiKey) -> None:
    state, now = _state(engine), time.monotonic()
    if now - state.key_uses.get(key.id, -_EVERY.total_seconds()) < _EVERY.total_seconds():
        return
    state.key_uses[key.id] = now
    task = asyncio.create_task(_write_use(engine, key))
    state.writing.add(task)
    task.add_done_callback(state.writing.discard)


async def _write_use(engine: AsyncEngine, key: ApiKey) -> None:
    try:
        async with asyncio.timeout(_WRITE_TIMEOUT_SECONDS), engine.begin() as connection:
            await api_keys.note_use(connection, key.workspace_id, key.id)
    except (SQLAlchemyError, TimeoutError) as error:
        log.warning("api_key_use_not_written", api_key_id=str(key.id), error=type(error).__name__)
