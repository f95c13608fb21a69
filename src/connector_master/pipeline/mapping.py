"""Field mappings: which source paths fill which field of a lead, checked once and compiled for the hot path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from connector_master.model.lead import LEAD_FIELDS
from connector_master.model.problem import FieldError, InvalidRequest
from connector_master.pipeline.expressions import Expression, InvalidExpression, compile_expression
from connector_master.pipeline.grammar import InvalidPath, Path, parse_path, quote

FieldMapping = Mapping[str, str | Mapping[str, str]]
"""Source path → lead field, `attributes.x`, or `{"field", "transform"?, "combine"?}`; the order counts."""

ATTRIBUTES = "attributes."
JOINED = frozenset({"name", "notes", "addressLine1", "addressLine2"})
"""Fields whose sources are joined unless the mapping says otherwise."""
_KEYS = ("field", "transform", "combine")
_MOST_ENTRIES = 500
_LONGEST_ATTRIBUTE = 100


@dataclass(frozen=True, slots=True)
class Source:
    """One place in a record, and what is made of what is found there."""

    path: Path
    expression: Expression | None = None
    plain: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One field of a lead, or one attribute (by its name alone), and its sources in order."""

    field: str
    is_attribute: bool
    sources: tuple[Source, ...]
    joins: bool


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A checked mapping: `targets` are the lead's fields, `attributes` what is kept beside them."""

    mapping: FieldMapping
    targets: Mapping[str, Target]
    attributes: tuple[Target, ...]


def compile_mapping(mapping: FieldMapping) -> CompiledMapping:
    """Return the mapping ready for use; raises InvalidRequest whose `errors` name every fault in it.

    >>> list(compile_mapping({"Your Phone": "phoneNumber", "city": "attributes.town"}).targets)
    ['phoneNumber']
    """
    if len(mapping) > _MOST_ENTRIES:
        raise InvalidRequest(f"A field mapping has at most {_MOST_ENTRIES} entries", field="fieldMapping")
    errors: list[FieldError] = []
    entries = list(_entries(mapping, errors))
    sources: dict[str, list[Source]] = {}
    combine: dict[str, str] = {}
    for text, field, source, combines in entries:
        sources.setdefault(field, []).append(source)
        if combines and combine.setdefault(field, combines) != combines:
            errors.append(FieldError(f"{place_of(text)}.combine", f"Another source of {field} says {combine[field]!r}"))
    if errors:
        raise InvalidRequest(f"The field mapping has {len(errors)} fault(s)", errors=errors)
    targets = [_target(field, found, combine.get(field)) for field, found in sources.items()]
    return CompiledMapping(
        mapping,
        {target.field: target for target in targets if not target.is_attribute},
        tuple(target for target in targets if target.is_attribute),
    )


def _entries(mapping: FieldMapping, errors: list[FieldError]) -> Iterator[tuple[str, str, Source, str | None]]:
    # Callers' JSON comes as it is, so nothing about its types is taken for granted.
    for text, wanted in cast("Mapping[str, object]", mapping).items():
        place = place_of(text)
        spec: Any = {"field": wanted} if isinstance(wanted, str) else wanted
        if not isinstance(spec, Mapping):
            errors.append(FieldError(place, 'Give a lead field, or {"field", "transform", "combine"}'))
            continue
        faults = len(errors)
        errors.extend(
            FieldError(f"{place}.{key}", f"Unknown key; known are {', '.join(_KEYS)}")
            for key in spec
            if key not in _KEYS
        )
        if "field" not in spec:
            errors.append(FieldError(f"{place}.field", "The lead field is missing"))
        elif fault := _field_fault(spec["field"]):
            errors.append(FieldError(f"{place}.field" if isinstance(wanted, Mapping) else place, fault))
        combine = spec.get("combine")
        if combine not in (None, "join", "first"):
            errors.append(FieldError(f"{place}.combine", 'Must be "join" or "first"'))
        path, expression = None, None
        try:
            path = parse_path(text)
        except InvalidPath as error:
            errors.append(FieldError(place, str(error)))
        transform = spec.get("transform")
        if transform is not None:
            try:
                expression = _expression(transform)
            except InvalidExpression as error:
                errors.append(FieldError(f"{place}.transform", str(error)))
        if path is not None and len(errors) == faults:
            yield text, spec["field"], Source(path, expression, path.plain), combine


def _expression(transform: object) -> Expression:
    if not isinstance(transform, str):
        raise InvalidExpression("The expression must be a text")
    return compile_expression(transform)


def _field_fault(field: object) -> str | None:
    if not isinstance(field, str):
        return "The lead field must be a text"
    if field in LEAD_FIELDS:
        return None
    if field.startswith(ATTRIBUTES):
        name = field[len(ATTRIBUTES) :]
        if name.strip() and len(name) <= _LONGEST_ATTRIBUTE and name.isprintable():
            return None
        return f"The attribute's name must have 1 to {_LONGEST_ATTRIBUTE} characters"
    folded = {known.casefold(): known for known in LEAD_FIELDS}
    near = get_close_matches(field.casefold().replace("_", "")[:_LONGEST_ATTRIBUTE], folded, n=1)
    meant = f"; did you mean {folded[near[0]]}?" if near else "."
    return f"Unknown lead field {field[:_LONGEST_ATTRIBUTE]!r}{meant} Other data goes to attributes.<name>."


def _target(field: str, sources: list[Source], combine: str | None) -> Target:
    joins = combine == "join" or (combine is None and field in JOINED)
    is_attribute = field.startswith(ATTRIBUTES)
    return Target(field[len(ATTRIBUTES) :] if is_attribute else field, is_attribute, tuple(sources), joins)


def place_of(path: str) -> str:
    """Return how the faults of a path's entry begin: `fieldMapping["a.b"]`, which `.transform` may follow."""
    return f"fieldMapping[{quote(path)}]"
