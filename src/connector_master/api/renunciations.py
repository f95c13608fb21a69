"""/api/connectors/oauth/deauthorize and /deletion: what a provider tells of a person who takes the app away (Meta)."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from connector_master.api.plumbing import HubDependency, problems
from connector_master.model.problem import InvalidBody
from connector_master.services import renunciations

router = APIRouter(prefix="/api/connectors/oauth", tags=["doors"])

PUBLIC = (
    "/api/connectors/oauth/deauthorize/{connector_type}",
    "/api/connectors/oauth/deletion/{connector_type}",
    "/api/connectors/oauth/deletions",
)
"""Routes that strangers may call: the first two believe nothing that the app's secret has not signed."""

_MOST_FIELDS = 20
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["signed_request"],
                    "properties": {"signed_request": {"type": "string"}},
                }
            }
        },
    }
}


class Left(BaseModel):
    """That it was heard."""


class Deletion(BaseModel):
    """Where a person can read what became of the request, and the code that it has; in the provider's own spelling."""

    url: str
    confirmation_code: str


class DeletionQuery(BaseModel):
    """Which request is asked about."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(default="", pattern=r"^[0-9a-f]{0,16}$", description="Its confirmation code.")


@router.post(
    "/deauthorize/{connector_type}",
    response_model=Left,
    responses=problems(400, 404, 413, 422),
    openapi_extra=_BODY,
)
async def deauthorize(hub: HubDependency, request: Request, connector_type: str) -> Left:
    """Hear from a provider that a person took the app away: their connections are lost."""
    await renunciations.leave(hub, connector_type, await _form(request))
    return Left()


@router.post(
    "/deletion/{connector_type}",
    response_model=Deletion,
    responses=problems(400, 404, 413, 422),
    openapi_extra=_BODY,
)
async def delete_data(hub: HubDependency, request: Request, connector_type: str) -> Deletion:
    """Hear from a provider that a person wants what came of their agreement deleted; it is, before this is answered."""
    code = await renunciations.forget(hub, connector_type, await _form(request))
    return Deletion(url=f"{hub.address}/api/connectors/oauth/deletions?code={code}", confirmation_code=code)


@router.get("/deletions", response_class=PlainTextResponse, responses=problems(422))
async def get_deletion(query: Annotated[DeletionQuery, Query()]) -> PlainTextResponse:
    """Tell the person what became of a request: it is carried out before it is answered with a code."""
    return PlainTextResponse(
        f"Request {query.code}: done. The access that you had given, and what identifies you with it, was deleted when the "
        "request came.\n"
    )


async def _form(request: Request) -> dict[str, str]:
    body = await request.body()
    try:
        return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise InvalidBody("The body is no form.") from error
