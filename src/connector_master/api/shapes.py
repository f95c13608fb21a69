"""Shapes: what all request and answer models have in common: camelCase outside, nothing unknown let in."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Request(BaseModel):
    """A body that somebody sends: unknown fields are refused by name."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class View(BaseModel):
    """What is shown of something stored: only the fields declared, whatever else the stored value has."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)
