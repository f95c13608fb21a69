"""Whether the product lives and can work, and its own figures for Prometheus."""

from ipaddress import ip_address
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connector_master.access.roles import Permission
from connector_master.api.plumbing import HubDependency, problems
from connector_master.api.shapes import View
from connector_master.model.problem import Forbidden, StorageUnavailable, Unauthenticated
from connector_master.services import authentication
from connector_master.storage.migrate import head

router = APIRouter(tags=["health"])

PUBLIC = ("/healthz", "/readyz", "/metrics")
"""Routes that strangers may call: the first two tell them nothing but yes or no, the third checks its callers itself."""

_bearer = HTTPBearer(auto_error=False)


class Health(View):
    """A word that says all is well."""

    status: Literal["ok"]


@router.get("/healthz", response_model=Health, responses=problems())
async def healthz() -> Health:
    """Tell that the process lives."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses=problems())
async def readyz(hub: HubDependency) -> Health:
    """Tell whether the database is reached and has this release's schema."""
    try:
        async with hub.engine.connect() as connection:
            version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    except (SQLAlchemyError, OSError) as error:
        raise StorageUnavailable("The database can't be reached.", retry_after_seconds=2) from error
    if str(version) < head():
        raise StorageUnavailable(
            "The database has an older schema.", remedy="Run `connector-master migrate`.", retry_after_seconds=5
        )
    return Health(status="ok")


@router.get("/metrics", response_class=Response, responses={**problems(401, 403), 200: {"content": {"text/plain": {}}}})
async def metrics(
    request: Request,
    hub: HubDependency,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Response:
    """Return the process's figures for Prometheus: to an administrator's key, or to this machine itself."""
    ip = request.client.host if request.client else ""
    if credentials is not None:
        caller = await authentication.caller_for_key(hub.engine, credentials.credentials, ip)
        if not caller.may(Permission.METRICS_SEE):
            raise Forbidden("Your role does not allow this.")
    elif not _is_loopback(ip):
        raise Unauthenticated("No API key came with this request.")
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _is_loopback(ip: str) -> bool:
    try:
        return ip_address(ip).is_loopback
    except ValueError:
        return False
