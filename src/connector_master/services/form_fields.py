"""The fields of a connector type's forms, described so that a form can be drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector_master.connectors.forms import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field. `schema` is its JSON schema, with the definitions that it refers to."""

    name: str
    label: str
    help: str
    required: bool
    secret: bool
    schema: dict[str, Any]


def fields_of(form: type[Form]) -> Sequence[FormField]:
    """Return the fields of `form` in order."""
    schema = form.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    return [
        FormField(
            name=name,
            label=one.get("title", name),
            help=one.get("description", ""),
            required=name in required,
            # Of an optional one the mark stands beside its "or null".
            secret=any(kind.get("secret", False) for kind in (one, *one.get("anyOf", ()))),
            schema=one | ({"$defs": definitions} if "$ref" in str(one) else {}),
        )
        for name, one in schema.get("properties", {}).items()
    ]
