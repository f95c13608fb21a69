"""Signing in: who gets a session, how long it holds, and how guessing is slowed."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.caller import command_line
from connector_master.access.roles import Role
from connector_master.services import sessions, users
from connector_master.services.sessions import TooManySignIns, WrongSignIn

PASSWORD = "seven green lanterns by the canal"
EMAIL = "asha@shop.example"


@pytest.fixture
async def user_id(database: AsyncEngine, workspace: UUID) -> UUID:
    made = await users.create(
        database,
        command_line(workspace),
        email=EMAIL,
        name="Asha",
        role=Role.MANAGER,
        password=PASSWORD,
        must_change=False,
    )
    return made.user.id


async def sign_in(database: AsyncEngine, password: str = PASSWORD, email: str = EMAIL, ip: str = "10.0.0.1") -> str:
    return await sessions.sign_in(database, email, password, ip=ip, user_agent="a browser")


async def test_who_knows_the_password_is_signed_in(database: AsyncEngine, user_id: UUID) -> None:
    token = await sign_in(database, email=" Asha@SHOP.example ")

    found = await sessions.visitor(database, token, "10.0.0.1")

    assert found is not None
    assert (found.caller.id, found.caller.role, found.email) == (user_id, Role.MANAGER, EMAIL)


@pytest.mark.parametrize(
    ("email", "password"), [(EMAIL, "another password"), ("nobody@shop.example", PASSWORD), ("no address", PASSWORD)]
)
async def test_a_wrong_password_and_an_unknown_user_read_alike(
    database: AsyncEngine, user_id: UUID, email: str, password: str
) -> None:
    with pytest.raises(WrongSignIn, match="don't belong together"):
        await sign_in(database, password, email)


async def test_the_database_holds_no_token(database: AsyncEngine, user_id: UUID) -> None:
    token = await sign_in(database)

    async with database.connect() as connection:
        rows = (await connection.execute(text("SELECT CAST(s AS text) FROM sessions s"))).scalars().all()

    assert rows
    assert all(token not in row for row in rows)


async def test_sessions_end_with_sign_out_a_new_password_another_role_and_disabling(
    database: AsyncEngine, workspace: UUID, user_id: UUID
) -> None:
    admin = command_line(workspace)

    async def is_over(token: str) -> bool:
        return await sessions.visitor(database, token, "10.0.0.1") is None

    one, other = await sign_in(database), await sign_in(database)
    visitor = await sessions.visitor(database, one, "10.0.0.1")
    assert visitor is not None
    await sessions.sign_out(database, visitor)
    assert (await is_over(one), await is_over(other)) == (True, False)

    await users.change(database, admin, user_id, role=Role.EXECUTIVE)
    assert await is_over(other)

    third = await sign_in(database)
    await users.set_password(database, admin, user_id, PASSWORD + " again", must_change=False)
    assert await is_over(third)

    fourth = await sign_in(database, PASSWORD + " again")
    await users.disable(database, admin, user_id)
    assert await is_over(fourth)
    with pytest.raises(WrongSignIn):
        await sign_in(database, PASSWORD + " again")


async def test_unused_sessions_and_old_ones_are_over(database: AsyncEngine, user_id: UUID) -> None:
    idle, old = await sign_in(database), await sign_in(database)
    async with database.begin() as connection:
        for token, change in ((idle, "last_used_at = now() - interval '13 hours'"), (old, "expires_at = now()")):
            await connection.execute(
                text(f"UPDATE sessions SET {change} WHERE token_hash = :hash"),
                {"hash": sessions.hash_token(token)},
            )

    assert await sessions.visitor(database, idle, "10.0.0.1") is None
    assert await sessions.visitor(database, old, "10.0.0.1") is None
    await sessions.forget_ended(database)
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM sessions"))).scalar_one() == 0


async def test_guessing_is_stopped_even_in_parallel_and_the_right_password_too(
    database: AsyncEngine, user_id: UUID
) -> None:
    tries = await asyncio.gather(*(sign_in(database, f"guess {n}") for n in range(14)), return_exceptions=True)

    assert sum(isinstance(one, WrongSignIn) for one in tries) == 10
    with pytest.raises(TooManySignIns) as refused:
        await sign_in(database)
    assert refused.value.retry_after_seconds


async def test_strangers_cannot_lock_the_owner_out(database: AsyncEngine, user_id: UUID) -> None:
    await sign_in(database, ip="10.0.0.1")
    async with database.begin() as connection:
        key = sessions._keys(EMAIL, "")[2]
        await connection.execute(text("UPDATE sign_in_failures SET count = 500 WHERE key = :key"), {"key": key})

    with pytest.raises(TooManySignIns):
        await sign_in(database, ip="10.9.9.9")
    assert await sign_in(database, ip="10.0.0.1")


async def test_signing_in_often_is_no_guessing(database: AsyncEngine, user_id: UUID) -> None:
    for _ in range(12):
        await sign_in(database)
