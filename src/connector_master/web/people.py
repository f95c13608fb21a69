"""Users and API keys: who may come in, and as what. For administrators."""

from starlette.responses import Response

from connector_master.access.roles import Permission, Role
from connector_master.model.problem import InvalidRequest, Problem
from connector_master.services import api_keys, sessions, users
from connector_master.web.catalogue import faults_of
from connector_master.web.language import _
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()

_PAGE = 50


def role_words() -> dict[str, str]:
    """Return what each role is called, and may."""
    return {
        Role.ADMIN: _("Administrator: everything"),
        Role.MANAGER: _("Manager: connectors, leads, retries"),
        Role.EXECUTIVE: _("Executive: sees leads and whether sources are alive"),
    }


@pages.get("/users", Permission.USERS_MANAGE)
async def list_users(visit: Visit) -> Response:
    """Show everybody who may sign in."""
    return await _users(visit)


@pages.post("/users", Permission.USERS_MANAGE)
async def add_user(visit: Visit) -> Response:
    """Add a user, whose one-time password is shown once."""
    try:
        made = await users.create(
            visit.hub.engine, visit.caller, email=visit.field("email"), name=visit.field("name"), role=_role(visit)
        )
    except Problem as problem:
        return await _users(visit, faults=faults_of(problem), status=problem.status)
    return await _users(visit, made=made)


@pages.get("/users/{id}", Permission.USERS_MANAGE)
async def show_user(visit: Visit) -> Response:
    """Show one user, and where they are signed in."""
    return await _user(visit)


@pages.post("/users/{id}", Permission.USERS_MANAGE)
async def change_user(visit: Visit) -> Response:
    """Change a user's name and role."""
    try:
        await users.change(visit.hub.engine, visit.caller, visit.id(), name=visit.field("name"), role=_role(visit))
    except Problem as problem:
        return await _user(visit, faults=faults_of(problem), status=problem.status)
    return visit.go(f"/users/{visit.id()}", _("Saved."))


@pages.post("/users/{id}/password", Permission.USERS_MANAGE)
async def reset_password(visit: Visit) -> Response:
    """Give a user a one-time password, shown once."""
    made = await users.set_password(visit.hub.engine, visit.caller, visit.id())
    return await _user(visit, one_time_password=made.one_time_password)


@pages.post("/users/{id}/disable", Permission.USERS_MANAGE)
async def disable_user(visit: Visit) -> Response:
    """Keep a user out."""
    try:
        await users.disable(visit.hub.engine, visit.caller, visit.id())
    except Problem as problem:
        return await _user(visit, faults=faults_of(problem), status=problem.status)
    return visit.go(f"/users/{visit.id()}", _("This user can no longer sign in."))


@pages.post("/users/{id}/enable", Permission.USERS_MANAGE)
async def enable_user(visit: Visit) -> Response:
    """Let a user in again."""
    await users.enable(visit.hub.engine, visit.caller, visit.id())
    return visit.go(f"/users/{visit.id()}", _("This user can sign in again."))


@pages.post("/users/{id}/sessions/end", Permission.USERS_MANAGE)
async def end_user_sessions(visit: Visit) -> Response:
    """Sign a user out everywhere."""
    await users.get(visit.hub.engine, visit.caller, visit.id())
    await sessions.end_all(visit.hub.engine, visit.caller, visit.id())
    return visit.go(f"/users/{visit.id()}", _("This user is signed out everywhere."))


@pages.get("/api-keys", Permission.API_KEYS_MANAGE)
async def list_keys(visit: Visit) -> Response:
    """Show every API key, without the keys."""
    return await _keys(visit)


@pages.post("/api-keys", Permission.API_KEYS_MANAGE)
async def add_key(visit: Visit) -> Response:
    """Make an API key, shown once, for somebody who knows their password still."""
    days = visit.field("expiresInDays").strip()
    try:
        if days and not days.isdigit():
            raise InvalidRequest(_("Give a number of days, or nothing."), field="expiresInDays")
        await sessions.confirm_password(visit.hub.engine, visit.caller, visit.field("password"))
        made = await api_keys.create(
            visit.hub.engine,
            visit.caller,
            name=visit.field("name"),
            role=_role(visit),
            expires_in_days=int(days[:6]) if days else None,
        )
    except Problem as problem:
        return await _keys(visit, faults=faults_of(problem), status=problem.status)
    return await _keys(visit, made=made)


@pages.post("/api-keys/{id}/revoke", Permission.API_KEYS_MANAGE)
async def revoke_key(visit: Visit) -> Response:
    """Let a key in no longer."""
    await api_keys.revoke(visit.hub.engine, visit.caller, visit.id())
    return visit.go("/api-keys", _("The key is revoked; its next request fails."))


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.field("role"))
    except ValueError:
        raise InvalidRequest(_("Choose a role."), field="role") from None


async def _users(
    visit: Visit,
    *,
    made: users.WithPassword | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    found, cursor = await users.list_page(
        visit.hub.engine, visit.caller, limit=_PAGE, cursor=visit.asked("cursor") or None
    )
    return visit.show(
        "people/users.html",
        status,
        users=found,
        next_cursor=cursor,
        made=made,
        faults=faults or {},
        roles=role_words(),
    )


async def _user(
    visit: Visit,
    *,
    one_time_password: str | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    user = await users.get(visit.hub.engine, visit.caller, visit.id())
    live = await sessions.of_user(visit.hub.engine, visit.caller, user.id)
    return visit.show(
        "people/user.html",
        status,
        user=user,
        sessions=live,
        one_time_password=one_time_password,
        faults=faults or {},
        roles=role_words(),
    )


async def _keys(
    visit: Visit,
    *,
    made: api_keys.NewApiKey | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    found, cursor = await api_keys.list_page(
        visit.hub.engine, visit.caller, limit=_PAGE, cursor=visit.asked("cursor") or None
    )
    return visit.show(
        "people/api_keys.html",
        status,
        keys=found,
        next_cursor=cursor,
        made=made,
        faults=faults or {},
        roles=role_words(),
    )
