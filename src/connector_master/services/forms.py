"""Forms: what callers give for settings and credentials, checked with each fault named, and merged with what is stored."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from connector_master.connectors.forms import Form
from connector_master.model.problem import FieldError, InvalidRequest
from connector_master.model.words import Words


def checked_form(model: type[Form], values: Mapping[str, Any], place: str, *, partly: bool = False) -> Form:
    """Return `values` as the form; raises InvalidRequest naming each fault as `place.field`.

    `partly` lets required fields be absent: they may be stored already.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        faults = [fault for fault in error.errors() if not (partly and fault["type"] == "missing")]
        if not faults:
            return model.model_construct(
                set(values), **{_attribute(model, name): value for name, value in values.items()}
            )
        errors = [
            FieldError(
                ".".join((place, *map(str, fault["loc"]))),
                _said(fault["type"], fault.get("ctx", {})) or str(fault["msg"]).removeprefix("Value error, "),
            )
            for fault in faults
        ]
        raise InvalidRequest(f"Some {place} are wrong.", errors=errors) from error


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
        case "string_too_long":
            return Words("Use %(most)s characters at most.", most=limits["max_length"])
        case "string_too_short":
            return Words("Use %(least)s characters or more.", least=limits["min_length"])
    return None


def _attribute(model: type[Form], alias: str) -> str:
    return next((name for name, field in model.model_fields.items() if field.alias == alias), alias)


def merged(form: type[Form], stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored with the changes over it; null puts a setting back to its default.

    What an older release stored and the form lacks is dropped; what a change names and the form lacks stays, so that it
    is refused by name, null or not.
    """
    known = form.names()
    merged = {name: value for name, value in stored.items() if name in known} | dict(changes)
    return {
        name: value for name, value in merged.items() if value is not None or name not in changes or name not in known
    }
