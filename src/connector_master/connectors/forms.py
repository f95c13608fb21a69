"""Forms: the models that a connector's settings and credentials are declared with.

The API validates with them, `GET /api/connector-types` describes them, and the pages draw their fields from them.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Form(BaseModel):
    """Fields in camelCase outside, unknown ones refused, none changed after validation.

    Declare each field with `Field(title=…, description=…)`: the label and the help that a person sees.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, str_strip_whitespace=True
    )


Secret = Annotated[str, Field(min_length=1, max_length=4096, json_schema_extra={"secret": True})]
"""A credential that is sealed at rest and never shown again."""
