"""Field mappings as requests carry them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from connector_master.api.shapes import Request


class MappingEntry(Request):
    """Where a source path goes, and what is made of it on the way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(description="A lead field, or attributes.<name>.")
    transform: str | None = Field(default=None, description="A CEL expression over `value` and `record`.")
    combine: Literal["join", "first"] | None = Field(
        default=None, description="Whether several sources of one field are joined or the first filled one is taken."
    )


FieldMapping = Annotated[
    dict[str, str | MappingEntry],
    Field(description="Source path → lead field, in the order in which they are joined or tried.", max_length=500),
]


def plain(mapping: Mapping[str, str | MappingEntry] | None) -> dict[str, Any] | None:
    """Return a mapping as services take it."""
    if mapping is None:
        return None
    return {
        path: target if isinstance(target, str) else target.model_dump(exclude_none=True)
        for path, target in mapping.items()
    }
