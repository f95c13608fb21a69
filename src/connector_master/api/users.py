"""/api/users: who may sign in, and as what. Administrators only."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from connector_master.access.caller import Caller
from connector_master.access.passwords import MAX_CHARACTERS, MIN_CHARACTERS
from connector_master.access.roles import Permission, Role
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.services import users
from connector_master.services.users import WithPassword
from connector_master.storage.users import User

router = APIRouter(tags=["users"])

Manager = Annotated[Caller, allow(Permission.USERS_MANAGE)]
Password = Annotated[
    str,
    Field(
        max_length=4 * MAX_CHARACTERS,
        description=f"{MIN_CHARACTERS} to {MAX_CHARACTERS} characters of any kind; easily guessed ones are refused.",
        json_schema_extra={"writeOnly": True, "format": "password"},
    ),
]
MustChange = Annotated[
    bool, Field(description="Ask for another password at the next sign-in; a random one always does.")
]


class UserView(View):
    """A user. `disabledAt` is there when the user may no longer sign in."""

    id: UUID
    email: str
    name: str
    role: Role
    must_change_password: bool
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """Return what the API shows of `user`."""
        return cls.model_validate(user, from_attributes=True)


class UserWithPassword(UserView):
    """A user, and the random password made for them: shown only here, null when one was given."""

    one_time_password: str | None = None

    @classmethod
    def made(cls, made: WithPassword) -> Self:
        """Return the answer to making a user or a password."""
        return cls.of(made.user).model_copy(update={"one_time_password": made.one_time_password})


class NewUser(Request):
    """A user to create. Without a password a random one is made, which is asked to be changed."""

    email: Annotated[str, Field(max_length=254)]
    name: Annotated[str, Field(max_length=200)]
    role: Role
    password: Password | None = None
    must_change_password: MustChange = True


class UserChange(Request):
    """What to change of a user; what is left out stays."""

    name: Annotated[str, Field(max_length=200)] | None = None
    role: Role | None = None


class NewPassword(Request):
    """A password to set. Without one a random one is made, which is asked to be changed."""

    password: Password | None = None
    must_change_password: MustChange = True


@router.get("/api/users", response_model=Page[UserView], responses=problems(400, 401, 403, 422))
async def list_users(caller: Manager, hub: HubDependency, query: Annotated[PageQuery, Query()]) -> Page[UserView]:
    """List users, newest first, disabled ones included."""
    found, next_cursor = await users.list_page(hub.engine, caller, limit=query.limit, cursor=query.cursor)
    return Page[UserView](items=[UserView.of(user) for user in found], next_cursor=next_cursor)


@router.post(
    "/api/users",
    status_code=201,
    response_model=UserWithPassword,
    responses=problems(400, 401, 403, 409, 413, 415, 422),
)
async def create_user(caller: Manager, hub: HubDependency, body: NewUser) -> UserWithPassword:
    """Create a user."""
    made = await users.create(
        hub.engine,
        caller,
        email=body.email,
        name=body.name,
        role=body.role,
        password=body.password,
        must_change=body.must_change_password,
    )
    return UserWithPassword.made(made)


@router.get("/api/users/{user_id}", response_model=UserView, responses=problems(401, 403, 404, 422))
async def get_user(caller: Manager, hub: HubDependency, user_id: UUID) -> UserView:
    """Return one user."""
    return UserView.of(await users.get(hub.engine, caller, user_id))


@router.put("/api/users/{user_id}", response_model=UserView, responses=problems(400, 401, 403, 404, 409, 413, 415, 422))
async def change_user(caller: Manager, hub: HubDependency, user_id: UUID, body: UserChange) -> UserView:
    """Change a user's name or role. The last administrator stays one."""
    return UserView.of(await users.change(hub.engine, caller, user_id, name=body.name, role=body.role))


@router.post(
    "/api/users/{user_id}/set-password",
    response_model=UserWithPassword,
    responses=problems(400, 401, 403, 404, 413, 415, 422),
)
async def set_password(caller: Manager, hub: HubDependency, user_id: UUID, body: NewPassword) -> UserWithPassword:
    """Give a user a new password."""
    made = await users.set_password(hub.engine, caller, user_id, body.password, must_change=body.must_change_password)
    return UserWithPassword.made(made)


@router.post("/api/users/{user_id}/disable", response_model=UserView, responses=problems(401, 403, 404, 409, 422))
async def disable_user(caller: Manager, hub: HubDependency, user_id: UUID) -> UserView:
    """Keep a user from signing in. The last administrator can't be disabled."""
    return UserView.of(await users.disable(hub.engine, caller, user_id))


@router.post("/api/users/{user_id}/enable", response_model=UserView, responses=problems(401, 403, 404, 422))
async def enable_user(caller: Manager, hub: HubDependency, user_id: UUID) -> UserView:
    """Let a disabled user sign in again."""
    return UserView.of(await users.enable(hub.engine, caller, user_id))
