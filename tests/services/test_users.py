"""Users: created, changed, disabled, and never the last administrator."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access import passwords
from connector_master.access.caller import Caller, command_line
from connector_master.access.roles import Role
from connector_master.model.problem import Forbidden, InvalidCursor, InvalidRequest, NotFound
from connector_master.services import users
from connector_master.services.first_start import ensure_administrator
from connector_master.services.users import EmailTaken, LastAdministrator

GOOD, OTHER = "mossy teapot verdict lunar", "gravel sonnet umbrella kite"


@pytest.fixture
def admin(workspace: UUID) -> Caller:
    return command_line(workspace)


async def add(database: AsyncEngine, admin: Caller, email: str, role: Role = Role.ADMIN) -> UUID:
    made = await users.create(database, admin, email=email, name="Asha", role=role)
    return made.user.id


async def log_of(database: AsyncEngine) -> list[tuple[str, str]]:
    async with database.connect() as connection:
        rows = await connection.execute(text("SELECT kind, actor_kind FROM activity ORDER BY id"))
        return [(row.kind, row.actor_kind) for row in rows]


async def test_a_new_user_gets_a_one_time_password_that_must_be_changed(database: AsyncEngine, admin: Caller) -> None:
    made = await users.create(database, admin, email=" Asha@Example.com", name=" Asha  Rao ", role=Role.MANAGER)

    assert (made.user.email, made.user.name, made.user.role) == ("asha@example.com", "Asha Rao", "manager")
    assert made.user.must_change_password
    assert made.one_time_password is not None
    assert await passwords.verify(made.one_time_password, made.user.password_hash)
    assert await users.get(database, admin, made.user.id) == made.user
    assert await users.get_by_email(database, admin, "ASHA@example.com") == made.user
    assert made.one_time_password not in repr(made)
    assert await log_of(database) == [("user_created", "command_line")]


async def test_the_log_holds_who_what_before_and_after_and_no_hash(database: AsyncEngine, admin: Caller) -> None:
    user_id = await add(database, admin, "a@x.in", Role.EXECUTIVE)
    await users.change(database, admin, user_id, role=Role.MANAGER)

    async with database.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM activity WHERE kind = 'user_changed'"))).one()
    assert row.message == "User a@x.in is now manager"
    assert (row.data["before"]["role"], row.data["after"]["role"]) == ("executive", "manager")
    assert "argon2" not in str(row)


async def test_one_address_is_one_user_however_it_is_typed(database: AsyncEngine, admin: Caller) -> None:
    await add(database, admin, "asha@example.com")

    with pytest.raises(EmailTaken):
        await add(database, admin, "ASHA@example.com")
    assert await log_of(database) == [("user_created", "command_line")]


async def test_unfit_passwords_names_and_addresses_leave_nothing_behind(database: AsyncEngine, admin: Caller) -> None:
    for fields in ({"password": "asha@example.com"}, {"name": ""}, {"email": "asha"}):
        with pytest.raises(InvalidRequest):
            await users.create(
                database, admin, **({"email": "asha@example.com", "name": "Asha", "role": Role.ADMIN} | fields)
            )
    assert await users.list_page(database, admin, limit=10) == ([], None)


async def test_the_last_administrator_is_neither_disabled_nor_demoted(database: AsyncEngine, admin: Caller) -> None:
    first, second = await add(database, admin, "a@x.in"), await add(database, admin, "b@x.in")
    await add(database, admin, "c@x.in", Role.MANAGER)
    await users.disable(database, admin, second)

    with pytest.raises(LastAdministrator):
        await users.disable(database, admin, first)
    with pytest.raises(LastAdministrator):
        await users.change(database, admin, first, role=Role.MANAGER)

    await users.enable(database, admin, second)
    assert (await users.change(database, admin, first, role=Role.MANAGER)).role == "manager"


async def test_two_administrators_who_disable_each_other_leave_one(database: AsyncEngine, admin: Caller) -> None:
    ids = [await add(database, admin, f"a{number}@x.in") for number in range(6)]

    outcomes = await asyncio.gather(*(users.disable(database, admin, id_) for id_ in ids), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(LastAdministrator) == 1
    found, _ = await users.list_page(database, admin, limit=10)
    assert [user.is_disabled for user in found].count(False) == 1


async def test_disabling_twice_is_one_line_in_the_log(database: AsyncEngine, admin: Caller) -> None:
    await add(database, admin, "a@x.in")
    user_id = await add(database, admin, "b@x.in")

    first = await users.disable(database, admin, user_id)
    second = await users.disable(database, admin, user_id)

    assert first.disabled_at == second.disabled_at is not None
    assert (await users.enable(database, admin, user_id)).disabled_at is None
    assert [kind for kind, _ in await log_of(database)][2:] == ["user_disabled", "user_enabled"]


async def test_a_password_is_set_by_an_administrator_and_changed_by_its_owner(
    database: AsyncEngine, admin: Caller
) -> None:
    user_id = await add(database, admin, "a@x.in")
    owner = Caller(workspace_id=admin.workspace_id, kind="user", id=user_id, name="Asha", role=Role.ADMIN)

    was_set = await users.set_password(database, admin, user_id, GOOD)
    assert (was_set.one_time_password, was_set.user.must_change_password) == (None, True)
    with pytest.raises(InvalidRequest, match="not the present"):
        await users.change_own_password(database, owner, OTHER, OTHER)
    with pytest.raises(InvalidRequest, match="is the present one"):
        await users.change_own_password(database, owner, GOOD, GOOD)
    changed = await users.change_own_password(database, owner, GOOD, OTHER)

    assert not changed.must_change_password
    assert await passwords.verify(OTHER, changed.password_hash)


async def test_a_random_password_must_be_changed_whatever_was_asked(database: AsyncEngine, admin: Caller) -> None:
    made = await users.set_password(database, admin, await add(database, admin, "a@x.in"), must_change=False)

    assert made.one_time_password is not None
    assert made.user.must_change_password


async def test_nobody_makes_an_administrator_without_being_one(database: AsyncEngine, workspace: UUID) -> None:
    manager = Caller(workspace_id=workspace, kind="user", id=uuid4(), name="M", role=Role.MANAGER)

    with pytest.raises(Forbidden):
        await users.create(database, manager, email="a@x.in", name="A", role=Role.ADMIN)


async def test_another_workspaces_user_is_not_found(database: AsyncEngine, admin: Caller) -> None:
    user_id = await add(database, admin, "a@x.in")
    foreigner = command_line(uuid4())

    for attempt in (
        users.get(database, foreigner, user_id),
        users.change(database, foreigner, user_id, name="X"),
        users.disable(database, foreigner, user_id),
        users.set_password(database, foreigner, user_id, GOOD),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_pages_go_from_new_to_old_without_gap_or_repeat(database: AsyncEngine, admin: Caller) -> None:
    ids = [await add(database, admin, f"a{number}@x.in") for number in range(5)]
    seen: list[UUID] = []
    cursor: str | None = None
    while True:
        found, cursor = await users.list_page(database, admin, limit=2, cursor=cursor)
        seen += [user.id for user in found]
        if cursor is None:
            break

    assert seen == ids[::-1]
    with pytest.raises(InvalidCursor):
        await users.list_page(database, admin, limit=2, cursor="")


async def test_the_first_start_makes_an_administrator_once(database: AsyncEngine, admin: Caller) -> None:
    starts = await asyncio.gather(*(ensure_administrator(database, "Admin@localhost", None) for _ in range(4)))

    made = [one_time for one_time in starts if one_time is not None]
    assert len(made) == 1
    user = await users.get_by_email(database, admin, made[0].email)
    assert (user.role, user.must_change_password) == ("admin", True)
    assert await passwords.verify(made[0].password, user.password_hash)
    assert await ensure_administrator(database, "other@localhost", "short") is None
    assert made[0].password not in repr(made[0])


async def test_first_starts_that_disagree_about_the_address_make_one_administrator(
    database: AsyncEngine, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hash_at_once(password: str) -> str:
        return "hash"

    monkeypatch.setattr(passwords, "hash_password", hash_at_once)
    await asyncio.gather(*(ensure_administrator(database, f"a{number}@localhost", GOOD) for number in range(8)))

    found, _ = await users.list_page(database, admin, limit=10)
    assert len(found) == 1


async def test_a_first_start_with_a_password_given_prints_none(database: AsyncEngine, admin: Caller) -> None:
    with pytest.raises(InvalidRequest):
        await ensure_administrator(database, "admin@localhost", "short")

    assert await ensure_administrator(database, "admin@localhost", GOOD) is None
    assert not (await users.get_by_email(database, admin, "admin@localhost")).must_change_password
