"""Forms: what callers give for settings and credentials, checked with each fault named, and merged with what is stored."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from connector_master.model.form import Form, faults_of
from connector_master.model.problem import InvalidRequest


def checked_form(model: type[Form], values: Mapping[str, Any], place: str, *, partly: bool = False) -> Form:
    """Return `values` as the form; raises InvalidRequest naming each fault as `place.field`.

    `partly` lets required fields be absent: they may be stored already.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        errors = faults_of(error, place, but="missing" if partly else None)
        if not errors:
            return model.model_construct(
                set(values), **{_attribute(model, name): value for name, value in values.items()}
            )
        raise InvalidRequest(f"Some {place} are wrong.", errors=errors) from error


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
