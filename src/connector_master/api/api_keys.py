"""/api/api-keys: what programs sign in with. Administrators only."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission, Role
from connector_master.api.plumbing import HubDependency, Page, PageQuery, allow, problems
from connector_master.api.shapes import Request, View
from connector_master.services import api_keys
from connector_master.services.api_keys import MAX_DAYS, NewApiKey
from connector_master.storage.api_keys import ApiKey

router = APIRouter(tags=["api-keys"])

Manager = Annotated[Caller, allow(Permission.API_KEYS_MANAGE)]


class ApiKeyView(View):
    """An API key without the key itself: `hint` is how it ends."""

    id: UUID
    name: str
    role: Role
    hint: str
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    created_by: UUID | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, stored: ApiKey) -> Self:
        """Return what the API shows of `stored`."""
        return cls.model_validate(stored, from_attributes=True)


class ApiKeyCreated(View):
    """An API key just made. `key` is shown only here."""

    id: UUID
    name: str
    role: Role
    key: str
    hint: str
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, made: NewApiKey) -> Self:
        """Return the answer to making a key."""
        stored = made.stored
        return cls(
            id=stored.id,
            name=stored.name,
            role=Role(stored.role),
            key=made.key,
            hint=stored.hint,
            created_at=stored.created_at,
            expires_at=stored.expires_at,
        )


class ApiKeyRequest(Request):
    """An API key to make. Without `expiresInDays` it works until it is revoked."""

    name: Annotated[str, Field(max_length=200)]
    role: Role
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | None = None


@router.get("/api/api-keys", response_model=Page[ApiKeyView], responses=problems(400, 401, 403, 422))
async def list_api_keys(caller: Manager, hub: HubDependency, query: Annotated[PageQuery, Query()]) -> Page[ApiKeyView]:
    """List API keys, newest first, revoked and expired ones included."""
    found, next_cursor = await api_keys.list_page(hub.engine, caller, limit=query.limit, cursor=query.cursor)
    return Page[ApiKeyView](items=[ApiKeyView.of(stored) for stored in found], next_cursor=next_cursor)


@router.post(
    "/api/api-keys", status_code=201, response_model=ApiKeyCreated, responses=problems(400, 401, 403, 413, 415, 422)
)
async def create_api_key(caller: Manager, hub: HubDependency, body: ApiKeyRequest) -> ApiKeyCreated:
    """Make an API key, which may at most what its maker may."""
    made = await api_keys.create(
        hub.engine, caller, name=body.name, role=body.role, expires_in_days=body.expires_in_days
    )
    return ApiKeyCreated.of(made)


@router.get("/api/api-keys/{key_id}", response_model=ApiKeyView, responses=problems(401, 403, 404, 422))
async def get_api_key(caller: Manager, hub: HubDependency, key_id: UUID) -> ApiKeyView:
    """Return one API key."""
    return ApiKeyView.of(await api_keys.get(hub.engine, caller, key_id))


@router.delete("/api/api-keys/{key_id}", status_code=204, responses=problems(401, 403, 404, 422))
async def revoke_api_key(caller: Manager, hub: HubDependency, key_id: UUID) -> None:
    """Revoke an API key for ever, from the next request on."""
    await api_keys.revoke(hub.engine, caller, key_id)
