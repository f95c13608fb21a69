"""Forms: models with which people's input is declared, checked and described, each fault named."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from connector_master.model.problem import FieldError
from connector_master.model.words import Words


class Form(BaseModel):
    """Fields in camelCase outside, unknown ones refused, none changed after validation.

    Declare each field with `Field(title=…, description=…)`: the label and the help that a person sees.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, str_strip_whitespace=True
    )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the fields' names as they are written outside, in order."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


def faults_of(error: ValidationError, place: str, *, but: str | None = None) -> list[FieldError]:
    """Return the faults that validation found, each as `place.field`, those of the type `but` aside."""
    return [
        FieldError(
            ".".join((place, *map(str, fault["loc"]))),
            _said(fault["type"], fault.get("ctx", {})) or str(fault["msg"]).removeprefix("Value error, "),
        )
        for fault in error.errors()
        if fault["type"] != but
    ]


def _said(kind: str, limits: Mapping[str, Any]) -> str | None:
    """Return in plain words what people run into; None for what pydantic says well enough."""
    match kind:
        case "missing":
            return Words("This is needed.")
        case "extra_forbidden":
            return Words("Unknown field.")
        case "int_type" | "int_parsing":
            return Words("Give a whole number.")
        case "greater_than_equal":
            return Words("Give %(least)s or more.", least=limits["ge"])
        case "less_than_equal":
            return Words("Give %(most)s or less.", most=limits["le"])
        case "string_pattern_mismatch":
            return Words("This does not have the form that is asked for.")
        case "string_too_long":
            return Words("Use %(most)s characters at most.", most=limits["max_length"])
        case "string_too_short":
            return Words("Use %(least)s characters or more.", least=limits["min_length"])
    return None
