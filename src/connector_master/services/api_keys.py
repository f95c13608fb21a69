"""API keys: made, listed and revoked. The key itself is seen once, by whoever made it."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.api_keys import mint
from connector_master.access.caller import Caller
from connector_master.access.names import clean_name
from connector_master.access.roles import Role
from connector_master.model.problem import Forbidden, InvalidRequest, NotFound
from connector_master.model.words import Words
from connector_master.storage import activity, api_keys
from connector_master.storage.api_keys import ApiKey
from connector_master.storage.ids import new_id
from connector_master.storage.paging import decode_cursor, encode_cursor

MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key just made: what is stored of it, and the key itself."""

    stored: ApiKey
    key: str = field(repr=False)


async def create(
    engine: AsyncEngine, caller: Caller, *, name: str, role: Role, expires_in_days: int | None = None
) -> NewApiKey:
    """Make a key that may at most what the caller may. Raises InvalidRequest or Forbidden."""
    if not caller.may_give(role):
        raise Forbidden(f"Your role may not make a key that is {role}.")
    if expires_in_days is not None and not 1 <= expires_in_days <= MAX_DAYS:
        raise InvalidRequest(Words("Give 1 to %(most)s days.", most=MAX_DAYS), field="expiresInDays")
    name = clean_name(name)
    minted = mint()
    async with engine.begin() as connection:
        stored = await api_keys.add(
            connection,
            caller.workspace_id,
            key_id=new_id(),
            name=name,
            role=role,
            key_hash=minted.key_hash,
            hint=minted.hint,
            created_by=caller.id if caller.kind == "user" else None,
            expires_in_days=expires_in_days,
        )
        await activity.write(
            connection,
            caller.workspace_id,
            kind="api_key_created",
            message=f"API key {name} ({minted.hint}) created as {role}",
            actor=caller,
            data={"apiKeyId": stored.id, "after": {"name": name, "role": role, "expiresAt": stored.expires_at}},
        )
    return NewApiKey(stored, minted.key)


async def list_page(
    engine: AsyncEngine, caller: Caller, *, limit: int, cursor: str | None = None
) -> tuple[list[ApiKey], str | None]:
    """Return at most `limit` keys, newest first, and the cursor of the rest. Raises InvalidCursor."""
    before = decode_cursor(cursor) if cursor is not None else None
    async with engine.connect() as connection:
        found = await api_keys.page(connection, caller.workspace_id, limit=limit + 1, before=before)
    return found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None


async def get(engine: AsyncEngine, caller: Caller, key_id: UUID) -> ApiKey:
    """Return one key. Raises NotFound."""
    async with engine.connect() as connection:
        found = await api_keys.find(connection, caller.workspace_id, key_id)
    if found is None:
        raise NotFound("No API key has this id.")
    return found


async def revoke(engine: AsyncEngine, caller: Caller, key_id: UUID) -> None:
    """End a key for ever, from the next request on; once more is no fault. Raises NotFound."""
    async with engine.begin() as connection:
        revoked = await api_keys.revoke(connection, caller.workspace_id, key_id)
        if revoked is None:
            if await api_keys.find(connection, caller.workspace_id, key_id) is None:
                raise NotFound("No API key has this id.")
            return
        await activity.write(
            connection,
            caller.workspace_id,
            kind="api_key_revoked",
            message=f"API key {revoked.name} ({revoked.hint}) revoked",
            actor=caller,
            data={"apiKeyId": revoked.id},
        )
