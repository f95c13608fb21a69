"""The routers that need no more of the hub than its database, called over HTTP with a key of each role."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.caller import command_line
from connector_master.access.roles import Role
from connector_master.api import api_keys, errors, users
from connector_master.services.api_keys import create


class Api:
    """Sends a request as an API key of `role` (an administrator's by default, None for nobody) or as `key`."""

    def __init__(self, app: FastAPI, keys: Mapping[str, str]) -> None:
        self._transport, self._keys = httpx2.ASGITransport(app), keys

    async def __call__(
        self, method: str, path: str, json: Any = None, *, role: str | None = "admin", key: str | None = None
    ) -> httpx2.Response:
        key = key or (self._keys[role] if role else None)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with httpx2.AsyncClient(transport=self._transport, base_url="http://hub") as client:
            return await client.request(method, path, json=json, headers=headers)


@pytest.fixture
async def api(database: AsyncEngine, workspace: UUID) -> Api:
    app = FastAPI()
    app.include_router(users.router)
    app.include_router(api_keys.router)
    errors.install(app)
    app.state.hub = SimpleNamespace(engine=database, address="http://hub")
    admin = command_line(workspace)
    keys = {role: (await create(database, admin, name=role, role=role)).key for role in Role}
    return Api(app, keys)
