"""API keys through their life: made, used, expired, revoked; and what refused ones leave in the log."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.api_keys import mint
from connector_master.access.caller import Caller, command_line
from connector_master.access.roles import Permission, Role
from connector_master.model.problem import Forbidden, InvalidRequest, NotFound, Unauthenticated
from connector_master.services import api_keys, authentication
from connector_master.services.authentication import caller_for_key
from connector_master.storage.engine import create_engine

IP = "192.0.2.7"


@pytest.fixture
def admin(workspace: UUID) -> Caller:
    return command_line(workspace)


async def rows(database: AsyncEngine, statement: str) -> list[Any]:
    async with database.begin() as connection:
        result = await connection.execute(text(statement))
        return list(result) if result.returns_rows else []


async def test_a_key_lets_its_holder_in_with_its_role(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="Sales desk", role=Role.EXECUTIVE)

    caller = await caller_for_key(database, made.key, IP)

    assert (caller.kind, caller.id, caller.name, caller.ip) == ("api_key", made.stored.id, "Sales desk", IP)
    assert caller.workspace_id == admin.workspace_id
    assert caller.may(Permission.LEADS_SEE)
    assert not caller.may(Permission.LOGS_SEE)


async def test_the_key_is_nowhere_in_the_database(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="x", role=Role.ADMIN)

    stored = str(await rows(database, "SELECT k::text, a::text FROM api_keys k, activity a"))

    assert made.key not in stored
    assert made.key[4:44] not in stored
    assert made.key not in repr(made)


async def test_a_revoked_key_fails_at_the_next_request_in_every_process(
    database: AsyncEngine, database_url: str, admin: Caller
) -> None:
    other_process = create_engine(database_url)
    made = await api_keys.create(database, admin, name="x", role=Role.ADMIN)
    await caller_for_key(other_process, made.key, IP)

    await api_keys.revoke(database, admin, made.stored.id)

    for engine in (database, other_process):
        with pytest.raises(Unauthenticated, match="revoked"):
            await caller_for_key(engine, made.key, IP)
    await authentication.settle(other_process)
    await other_process.dispose()


async def test_revoking_again_is_no_fault_and_no_second_line(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="x", role=Role.ADMIN)

    await api_keys.revoke(database, admin, made.stored.id)
    await api_keys.revoke(database, admin, made.stored.id)

    assert (await api_keys.get(database, admin, made.stored.id)).status == "revoked"
    assert len(await rows(database, "SELECT 1 FROM activity WHERE kind = 'api_key_revoked'")) == 1
    with pytest.raises(NotFound):
        await api_keys.revoke(database, admin, uuid4())


async def test_an_expired_key_fails(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="x", role=Role.ADMIN, expires_in_days=1)
    await caller_for_key(database, made.key, IP)

    await rows(database, "UPDATE api_keys SET expires_at = now()")

    with pytest.raises(Unauthenticated, match="expired"):
        await caller_for_key(database, made.key, IP)
    assert (await api_keys.get(database, admin, made.stored.id)).status == "expired"


@pytest.mark.parametrize(
    "key", ["", "cmk_", "x" * 5000, "\ud800", mint().key], ids=["none", "prefix", "long", "surrogate", "unknown"]
)
async def test_anything_else_is_unauthenticated_in_the_same_words(database: AsyncEngine, key: str) -> None:
    with pytest.raises(Unauthenticated, match="not one of ours"):
        await caller_for_key(database, key, IP)


async def test_a_flood_of_wrong_keys_leaves_one_line_an_address(database: AsyncEngine, database_url: str) -> None:
    other_process = create_engine(database_url)

    async def knock(engine: AsyncEngine, ip: str) -> None:
        with pytest.raises(Unauthenticated):
            await caller_for_key(engine, mint().key, ip)

    await asyncio.gather(*(knock(engine, ip) for _ in range(20) for engine in (database, other_process) for ip in "ab"))
    await other_process.dispose()

    lines = await rows(database, "SELECT kind, level, actor_kind, ip FROM activity ORDER BY ip")
    assert [tuple(line) for line in lines] == [("access_refused", "warning", "stranger", ip) for ip in "ab"]


async def test_after_a_minute_the_next_refusal_tells_how_many_were_not_written(
    database: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await caller_for_key(database, "nonsense", IP)
    await rows(database, "DELETE FROM activity")
    minute_later = authentication.time.monotonic() + 61
    monkeypatch.setattr(authentication.time, "monotonic", lambda: minute_later)

    with pytest.raises(Unauthenticated):
        await caller_for_key(database, "nonsense", IP)

    assert [line.data for line in await rows(database, "SELECT data FROM activity")] == [{"unwritten": 2}]


async def test_a_flood_from_many_addresses_is_bounded(database: AsyncEngine, workspace: UUID) -> None:
    for number in range(authentication._REFUSALS_A_MINUTE + 50):
        authentication._state(database).admit((str(number), None))

    assert authentication._state(database).admit(("new", None)) is None
    assert len(authentication._state(database).refused) == authentication._REFUSALS_A_MINUTE


async def test_a_caller_who_may_not_is_noted_by_name(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="Desk", role=Role.EXECUTIVE)
    caller = await caller_for_key(database, made.key, IP)

    for _ in range(3):
        await authentication.note_refusal(database, caller, "May not see logs", {"permission": "logs.see"})

    lines = await rows(database, "SELECT actor_name, ip, data FROM activity WHERE kind = 'access_refused'")
    assert [tuple(line) for line in lines] == [("Desk", IP, {"permission": "logs.see"})]


async def test_the_last_use_is_written_once_a_minute_behind_the_answer(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="x", role=Role.ADMIN)
    assert made.stored.last_used_at is None

    await asyncio.gather(*(caller_for_key(database, made.key, IP) for _ in range(10)))
    assert len(authentication._state(database).writing) <= 1
    await authentication.settle(database)

    first = (await api_keys.get(database, admin, made.stored.id)).last_used_at
    assert first is not None
    await caller_for_key(database, made.key, IP)
    await authentication.settle(database)
    assert (await api_keys.get(database, admin, made.stored.id)).last_used_at == first


async def test_a_key_may_at_most_what_its_maker_may(database: AsyncEngine, workspace: UUID) -> None:
    manager = Caller(workspace_id=workspace, kind="user", id=uuid4(), name="M", role=Role.MANAGER)

    with pytest.raises(Forbidden):
        await api_keys.create(database, manager, name="x", role=Role.ADMIN)
    made = await api_keys.create(database, manager, name="x", role=Role.MANAGER)
    assert made.stored.created_by == manager.id


@pytest.mark.parametrize("days", [0, -1, 3651])
async def test_days_out_of_bounds_are_refused_by_field(database: AsyncEngine, admin: Caller, days: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await api_keys.create(database, admin, name="x", role=Role.ADMIN, expires_in_days=days)
    assert refused.value.errors[0].field == "expiresInDays"


async def test_another_workspaces_key_is_not_found(database: AsyncEngine, admin: Caller) -> None:
    made = await api_keys.create(database, admin, name="x", role=Role.ADMIN)

    for attempt in (api_keys.get, api_keys.revoke):
        with pytest.raises(NotFound):
            await attempt(database, command_line(uuid4()), made.stored.id)
    assert await api_keys.list_page(database, command_line(uuid4()), limit=5) == ([], None)
    assert (await caller_for_key(database, made.key, IP)).id == made.stored.id
