"""Users: who may sign in to a workspace, and as what. The last administrator can't be lost."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connector_master.access import passwords
from connector_master.access.caller import Caller
from connector_master.access.emails import normalize_email
from connector_master.access.names import clean_name
from connector_master.access.roles import Role
from connector_master.model.problem import Conflict, Forbidden, InvalidRequest, NotFound
from connector_master.storage import activity, sessions, users
from connector_master.storage.ids import new_id
from connector_master.storage.paging import decode_cursor, encode_cursor
from connector_master.storage.users import User


class EmailTaken(Conflict):
    """Another user of this workspace has this e-mail address."""

    code = "email_taken"
    title = "E-mail address taken"
    remedy = "Use another address, or change the user who has this one."


class LastAdministrator(Conflict):
    """Without this user nobody could administer the workspace."""

    code = "last_administrator"
    title = "Last administrator"
    remedy = "Make another user administrator first."


@dataclass(frozen=True, slots=True)
class WithPassword:
    """A user, and the one-time password made for them, if one was: shown once."""

    user: User
    one_time_password: str | None = field(repr=False)


async def create(
    engine: AsyncEngine,
    caller: Caller,
    *,
    email: str,
    name: str,
    role: Role,
    password: str | None = None,
    must_change: bool = True,
) -> WithPassword:
    """Create a user. Without `password` a random one is made.

    `must_change` asks for another password at the first sign-in, as a random one does always: it is not the user's own.
    Raises InvalidRequest, EmailTaken or Forbidden.
    """
    _check_may_give(caller, role)
    email, name = normalize_email(email), clean_name(name)
    chosen = passwords.one_time() if password is None else passwords.check(password, (email, name))
    password_hash = await passwords.hash_password(chosen)
    async with engine.begin() as connection:
        user = await users.add(
            connection,
            caller.workspace_id,
            user_id=new_id(),
            email=email,
            name=name,
            role=role,
            password_hash=password_hash,
            must_change_password=must_change or password is None,
        )
        if user is None:
            raise EmailTaken("A user with this e-mail address exists already.", field="email")
        await _log(connection, caller, "user_created", f"User {email} created as {role}", user, after=_facts(user))
    return WithPassword(user, chosen if password is None else None)


async def list_page(
    engine: AsyncEngine, caller: Caller, *, limit: int, cursor: str | None = None
) -> tuple[list[User], str | None]:
    """Return at most `limit` users, newest first, and the cursor of the rest. Raises InvalidCursor."""
    before = decode_cursor(cursor) if cursor is not None else None
    async with engine.connect() as connection:
        found = await users.page(connection, caller.workspace_id, limit=limit + 1, before=before)
    return found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None


async def get(engine: AsyncEngine, caller: Caller, user_id: UUID) -> User:
    """Return one user. Raises NotFound."""
    async with engine.connect() as connection:
        return await _find(connection, caller, user_id)


async def get_by_email(engine: AsyncEngine, caller: Caller, email: str) -> User:
    """Return the user with this e-mail address. Raises InvalidRequest or NotFound."""
    async with engine.connect() as connection:
        user = await users.find_by_email(connection, caller.workspace_id, normalize_email(email))
    if user is None:
        raise NotFound("No user has this e-mail address.")
    return user


async def change(
    engine: AsyncEngine, caller: Caller, user_id: UUID, *, name: str | None = None, role: Role | None = None
) -> User:
    """Change what is given of a user. Raises NotFound, InvalidRequest, Forbidden or LastAdministrator."""
    if role is not None:
        _check_may_give(caller, role)
    async with engine.begin() as connection:
        await users.lock(connection, caller.workspace_id)
        before = await _find(connection, caller, user_id)
        if role is not None and role != Role.ADMIN:
            await _check_not_last(connection, caller, before)
        wanted_name = before.name if name is None else clean_name(name)
        wanted_role = before.role if role is None else role
        if (wanted_name, wanted_role) == (before.name, before.role):
            return before
        after = await users.change(connection, caller.workspace_id, user_id, name=wanted_name, role=wanted_role)
        what = f"User {after.email} is now {after.role}" if after.role != before.role else f"User {after.email} changed"
        if after.role != before.role:
            await sessions.end_all(connection, caller.workspace_id, user_id)
        await _log(connection, caller, "user_changed", what, after, before=_facts(before), after=_facts(after))
    return after


async def disable(engine: AsyncEngine, caller: Caller, user_id: UUID) -> User:
    """Keep a user from signing in. Raises NotFound or LastAdministrator."""
    return await _set_disabled(engine, caller, user_id, True)


async def enable(engine: AsyncEngine, caller: Caller, user_id: UUID) -> User:
    """Let a disabled user sign in again. Raises NotFound."""
    return await _set_disabled(engine, caller, user_id, False)


async def set_password(
    engine: AsyncEngine, caller: Caller, user_id: UUID, password: str | None = None, *, must_change: bool = True
) -> WithPassword:
    """Give a user a new password, a random one without `password`; `must_change` asks for another at the next sign-in.

    Raises NotFound or InvalidRequest.
    """
    user = await get(engine, caller, user_id)
    chosen = passwords.one_time() if password is None else passwords.check(password, (user.email, user.name))
    after = await _write_password(engine, caller, user, chosen, must_change=must_change or password is None)
    return WithPassword(after, chosen if password is None else None)


async def change_own_password(engine: AsyncEngine, caller: Caller, old: str, new: str) -> User:
    """Change the calling user's password, knowing the old one. Raises Forbidden or InvalidRequest."""
    if caller.kind != "user" or caller.id is None:
        raise Forbidden("Only a user has a password.")
    user = await get(engine, caller, caller.id)
    if not await passwords.verify(old, user.password_hash):
        raise InvalidRequest("This is not the present password.", field="oldPassword")
    if await passwords.verify(new, user.password_hash):
        raise InvalidRequest("The new password is the present one.", field="password")
    chosen = passwords.check(new, (user.email, user.name))
    return await _write_password(engine, caller, user, chosen, must_change=False)


async def _set_disabled(engine: AsyncEngine, caller: Caller, user_id: UUID, disabled: bool) -> User:
    async with engine.begin() as connection:
        await users.lock(connection, caller.workspace_id)
        before = await _find(connection, caller, user_id)
        if before.is_disabled == disabled:
            return before
        if disabled:
            await _check_not_last(connection, caller, before)
        after = await users.set_disabled(connection, caller.workspace_id, user_id, disabled)
        await sessions.end_all(connection, caller.workspace_id, user_id)
        word = "disabled" if disabled else "enabled"
        await _log(connection, caller, f"user_{word}", f"User {after.email} {word}", after)
    return after


async def _write_password(engine: AsyncEngine, caller: Caller, user: User, password: str, *, must_change: bool) -> User:
    # Hashed before the transaction begins: it takes longer than everything in it.
    password_hash = await passwords.hash_password(password)
    async with engine.begin() as connection:
        after = await users.set_password(
            connection, caller.workspace_id, user.id, password_hash, must_change_password=must_change
        )
        if after is None:
            raise NotFound("No user has this id.")
        await sessions.end_all(connection, caller.workspace_id, user.id)
        await _log(connection, caller, "user_password_set", f"Password of user {user.email} set", user)
    return after


async def _find(connection: AsyncConnection, caller: Caller, user_id: UUID) -> User:
    user = await users.find(connection, caller.workspace_id, user_id)
    if user is None:
        raise NotFound("No user has this id.")
    return user


async def _check_not_last(connection: AsyncConnection, caller: Caller, user: User) -> None:
    if user.role != Role.ADMIN or user.is_disabled:
        return
    if not await users.another_has_role(connection, caller.workspace_id, Role.ADMIN, than=user.id):
        raise LastAdministrator("This is the only administrator who can sign in.")


def _check_may_give(caller: Caller, role: Role) -> None:
    if not caller.may_give(role):
        raise Forbidden(f"Your role may not make anybody {role}.")


def _facts(user: User) -> dict[str, object]:
    return {"email": user.email, "name": user.name, "role": user.role}


async def _log(
    connection: AsyncConnection, caller: Caller, kind: str, message: str, user: User, **data: object
) -> None:
    await activity.write(
        connection, caller.workspace_id, kind=kind, message=message, actor=caller, data={"userId": user.id} | data
    )
