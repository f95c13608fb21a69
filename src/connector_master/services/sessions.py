"""Sessions: signing in, staying signed in, signing out. Guessing is slowed without locking the owner out.

Attempts are counted before a password is looked at, so that parallel ones can't slip past: for an account from an address,
for an address, and for an account from everywhere. The last stops only addresses where its owner is not signed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connector_master.access import passwords
from connector_master.access.caller import Caller, stranger
from connector_master.access.emails import normalize_email
from connector_master.access.roles import Role
from connector_master.access.sessions import IDLE, LONGEST, hash_token, new_token
from connector_master.model.problem import InvalidRequest, NotFound, Problem, RateLimited
from connector_master.services.authentication import note_refusal
from connector_master.storage import activity, sessions, users, workspaces
from connector_master.storage.ids import new_id
from connector_master.storage.sessions import Session

_WINDOW = timedelta(minutes=15)
_MOST_FOR_ACCOUNT_AND_ADDRESS = 10
_MOST_FOR_ADDRESS = 60
_MOST_FOR_ACCOUNT = 100
_USE_NOTED_EVERY = timedelta(minutes=1)
_USER_AGENT_CHARACTERS = 300


class WrongSignIn(Problem):
    """E-mail address and password don't belong together, or the user may not sign in; nobody is told which."""

    code = "wrong_sign_in"
    title = "Not signed in"
    status = 401
    remedy = "Check both, or ask an administrator for a new password."


class TooManySignIns(RateLimited):
    """Signing in failed too often lately."""

    code = "too_many_sign_ins"
    title = "Too many attempts"
    remedy = "Wait as long as it says, then try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Whoever is signed in with a browser: as whom, and how they want pages to look."""

    caller: Caller
    session_id: UUID
    email: str
    must_change_password: bool
    language: str | None
    time_zone: str | None
    theme: str | None
    token: str = field(repr=False)


async def sign_in(engine: AsyncEngine, email: str, password: str, *, ip: str, user_agent: str) -> str:
    """Return the token of a new session. Raises WrongSignIn or TooManySignIns, leaving a line in the activity log."""
    async with engine.connect() as connection:
        workspace = await workspaces.first(connection)
    address = _readable(email)
    keys = _keys(address, ip)
    await _count(engine, workspace, address, ip, keys)
    async with engine.connect() as connection:
        user = await users.find_by_email(connection, workspace, address) if address else None
    is_right = await passwords.verify(password, user.password_hash if user else None)
    if user is None or not is_right or user.is_disabled:
        who = {"userId": user.id} if user else None
        await note_refusal(engine, stranger(workspace, ip), "Signing in failed", who)
        raise WrongSignIn("E-mail address and password don't belong together.")
    token = new_token()
    new_hash = await passwords.hash_password(password) if passwords.needs_rehash(user.password_hash) else None
    async with engine.begin() as connection:
        if new_hash is not None:
            await users.set_password(
                connection, workspace, user.id, new_hash, must_change_password=user.must_change_password
            )
        await sessions.take_back_attempt(connection, workspace, keys)
        await sessions.add(
            connection,
            workspace,
            session_id=new_id(),
            user_id=user.id,
            token_hash=hash_token(token),
            longest=LONGEST,
            ip=ip,
            user_agent=user_agent[:_USER_AGENT_CHARACTERS],
        )
        caller = Caller(workspace_id=workspace, kind="user", id=user.id, name=user.name, role=Role(user.role), ip=ip)
        await activity.write(connection, workspace, kind="signed_in", message=f"{user.email} signed in", actor=caller)
    return token


async def visitor(engine: AsyncEngine, token: str, ip: str) -> Visitor | None:
    """Return who is signed in with `token`, None for nobody. An ended session fails at its next request."""
    async with engine.connect() as connection:
        found = await sessions.find(connection, hash_token(token), IDLE)
    if found is None:
        return None
    if datetime.now(UTC) - found.last_used_at > _USE_NOTED_EVERY:
        async with engine.begin() as connection:
            await sessions.note_use(connection, found.workspace_id, found.session_id)
    return Visitor(
        caller=Caller(
            workspace_id=found.workspace_id,
            kind="user",
            id=found.user_id,
            name=found.name,
            role=Role(found.role),
            ip=ip,
            session_id=found.session_id,
        ),
        session_id=found.session_id,
        email=found.email,
        must_change_password=found.must_change_password,
        language=found.language,
        time_zone=found.time_zone,
        theme=found.theme,
        token=token,
    )


async def sign_out(engine: AsyncEngine, visitor: Visitor) -> None:
    """End this session."""
    caller = visitor.caller
    assert caller.id is not None
    async with engine.begin() as connection:
        if await sessions.end(connection, caller.workspace_id, caller.id, visitor.session_id):
            await activity.write(
                connection,
                caller.workspace_id,
                kind="signed_out",
                message=f"{visitor.email} signed out",
                actor=caller,
            )


async def of_user(engine: AsyncEngine, caller: Caller, user_id: UUID) -> Sequence[Session]:
    """Return a user's live sessions, the one used last first."""
    async with engine.connect() as connection:
        return await sessions.of_user(connection, caller.workspace_id, user_id, IDLE)


async def end(engine: AsyncEngine, caller: Caller, user_id: UUID, session_id: UUID) -> None:
    """End one session of a user. Raises NotFound."""
    async with engine.begin() as connection:
        if not await sessions.end(connection, caller.workspace_id, user_id, session_id):
            raise NotFound("No session has this id.")
        await _log_end(connection, caller, user_id, "A session was ended")


async def end_all(engine: AsyncEngine, caller: Caller, user_id: UUID, *, but: UUID | None = None) -> int:
    """End every session of a user, `but` that one; return how many there were."""
    async with engine.begin() as connection:
        ended = await sessions.end_all(connection, caller.workspace_id, user_id, but=but)
        if ended:
            await _log_end(connection, caller, user_id, f"{ended} sessions were ended")
    return ended


async def prefer(
    engine: AsyncEngine,
    visitor: Visitor,
    *,
    language: str | None = None,
    time_zone: str | None = None,
    theme: str | None = None,
) -> None:
    """Keep how this user wants pages to look; what is None stays."""
    assert visitor.caller.id is not None
    async with engine.begin() as connection:
        await sessions.prefer(
            connection,
            visitor.caller.workspace_id,
            visitor.caller.id,
            language=language,
            time_zone=time_zone,
            theme=theme,
        )


async def confirm_password(engine: AsyncEngine, caller: Caller, password: str) -> None:
    """Return when `password` is the caller's own. Raises InvalidRequest or TooManySignIns.

    Asked for before what would hurt most in other hands: exports and new API keys (ASVS 7.5.3).
    """
    assert caller.id is not None
    async with engine.connect() as connection:
        user = await users.find(connection, caller.workspace_id, caller.id)
    keys = _keys(user.email if user else "", caller.ip or "")
    await _count(engine, caller.workspace_id, user.email if user else "", caller.ip or "", keys)
    if not await passwords.verify(password, user.password_hash if user else None):
        raise InvalidRequest("This is not your password.", field="password")
    async with engine.begin() as connection:
        await sessions.take_back_attempt(connection, caller.workspace_id, keys)


async def forget_ended(engine: AsyncEngine) -> None:
    """Remove sessions that are over, and counts that no longer matter."""
    async with engine.begin() as connection:
        await sessions.forget_ended(connection, idle=IDLE, window=_WINDOW)


async def _count(engine: AsyncEngine, workspace: UUID, email: str, ip: str, keys: Sequence[bytes]) -> None:
    pair, address, account = keys
    async with engine.begin() as connection:
        counted = await sessions.count_attempt(connection, workspace, keys, _WINDOW)
        is_known = await sessions.has_signed_in_from(connection, workspace, email, ip)
    allowed = {pair: _MOST_FOR_ACCOUNT_AND_ADDRESS, address: _MOST_FOR_ADDRESS}
    if not is_known:
        allowed[account] = _MOST_FOR_ACCOUNT
    over = [counted[key].seconds for key, most in allowed.items() if counted[key].count > most]
    if over:
        await note_refusal(engine, stranger(workspace, ip), "Signing in was tried too often")
        minutes = -(-max(over) // 60)
        raise TooManySignIns(
            f"Signing in failed too often. Try again in {minutes} min.", retry_after_seconds=max(1, *over)
        )


def _keys(email: str, ip: str) -> tuple[bytes, bytes, bytes]:
    near = _neighbourhood(ip)
    return tuple(  # type: ignore[return-value]
        sha256("\n".join(parts).encode("utf-8", "surrogatepass")).digest()
        for parts in (("pair", email, near), ("address", near), ("account", email))
    )


def _neighbourhood(ip: str) -> str:
    # Whoever has one IPv6 address has 2**64 of them.
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    return ip if address.version == 4 else str(ip_network((address, 64), strict=False))


def _readable(email: str) -> str:
    try:
        return normalize_email(email)
    except InvalidRequest:
        return ""


async def _log_end(connection: AsyncConnection, caller: Caller, user_id: UUID, message: str) -> None:
    await activity.write(
        connection,
        caller.workspace_id,
        kind="sessions_ended",
        message=message,
        actor=caller,
        data={"userId": user_id},
    )
