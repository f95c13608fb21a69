"""The first start: an installation without any user gets its administrator."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access import passwords
from connector_master.access.caller import system
from connector_master.access.emails import normalize_email
from connector_master.access.roles import Role
from connector_master.storage import activity, users, workspaces
from connector_master.storage.ids import new_id


@dataclass(frozen=True, slots=True)
class OneTime:
    """What the administrator signs in with for the first time: printed once, kept nowhere."""

    email: str
    password: str = field(repr=False)


async def ensure_administrator(engine: AsyncEngine, email: str, password: str | None) -> OneTime | None:
    """Create the administrator when there is no user yet; return the one-time password if one was made.

    `email` and `password` are the settings ADMIN_EMAIL and ADMIN_PASSWORD. Raises InvalidRequest for unfit ones;
    once there is a user they are not looked at. Of two first starts at once, one creates.
    """
    async with engine.connect() as connection:
        workspace = await workspaces.first(connection)
        if await users.any_exists(connection, workspace):
            return None
    email = normalize_email(email)
    chosen = passwords.one_time() if password is None else passwords.check(password, (email,))
    password_hash = await passwords.hash_password(chosen)
    async with engine.begin() as connection:
        await users.lock(connection, workspace)
        if await users.any_exists(connection, workspace):
            return None
        user = await users.add(
            connection,
            workspace,
            user_id=new_id(),
            email=email,
            name="Administrator",
            role=Role.ADMIN,
            password_hash=password_hash,
            must_change_password=password is None,
        )
        assert user is not None
        await activity.write(
            connection,
            workspace,
            kind="user_created",
            message=f"User {email} created as admin at the first start",
            actor=system(workspace),
            data={"userId": user.id, "after": {"email": email, "name": user.name, "role": user.role}},
        )
    return OneTime(email, chosen) if password is None else None
