"""/api/connector-types: what sources there are, and the forms that set them up."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from pydantic import Field, JsonValue

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.plumbing import Page, allow, problems
from connector_master.api.shapes import View
from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.services.form_fields import fields_of

router = APIRouter(tags=["connectors"])

Seer = Annotated[Caller, allow(Permission.CONNECTORS_SEE)]


class FieldView(View):
    """One field of a form. `schema` is its JSON schema."""

    name: str
    label: str
    help: str
    required: bool
    secret: bool
    json_schema: dict[str, JsonValue] = Field(serialization_alias="schema")


class ConnectorTypeView(View):
    """One type of source."""

    type: str
    name: str
    summary: str
    auth: Literal["signature", "oauth", "api_key", "none"]
    pushes: bool
    pulls: bool
    settings: list[FieldView]
    credentials: list[FieldView]
    field_mapping: dict[str, Any]

    @classmethod
    def of(cls, connector: Connector) -> Self:
        """Return what the API tells of a type."""
        return cls(
            type=connector.type,
            name=connector.title,
            summary=connector.summary,
            auth=connector.auth,
            pushes=connector.pushes,
            pulls=connector.pulls,
            settings=field_views(connector.settings),
            credentials=field_views(connector.credentials),
            field_mapping=dict(connector.mapping),
        )


@router.get("/api/connector-types", response_model=Page[ConnectorTypeView], responses=problems(401, 403, 422))
async def list_connector_types(caller: Seer) -> Page[ConnectorTypeView]:
    """List the types of sources, each with the fields of its forms and its default field mapping."""
    return Page[ConnectorTypeView](items=[ConnectorTypeView.of(one) for one in registry().values()], next_cursor=None)


def field_views(form: type[Form]) -> list[FieldView]:
    """Return the fields of a form in order."""
    return [
        FieldView(
            name=one.name,
            label=one.label,
            help=one.help,
            required=one.required,
            secret=one.secret,
            json_schema=one.schema,
        )
        for one in fields_of(form)
    ]
