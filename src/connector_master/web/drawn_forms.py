"""Forms of connector types, drawn from their fields' schemas and read back: a new type needs no page of its own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_master.services.form_fields import FormField
from connector_master.web.language import _
from connector_master.web.visit import Visit

_NUMBERS = ("integer", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One field as a page draws it. `kind` is text, secret, number, choice, tick, ticks, lines or group.

    `name` is its path, as faults name it. `value` is a text, for ticks and lines a list, for a tick whether it is on.
    """

    name: str
    kind: str
    label: str
    help: str
    required: bool = False
    value: Any = ""
    options: Sequence[tuple[str, str]] = ()
    hint: str = ""
    parts: Sequence["Drawn"] = field(default_factory=tuple)


def drawn(
    fields: Sequence[FormField],
    values: Mapping[str, Any],
    prefix: str,
    hints: Mapping[str, str] | None = None,
    *,
    is_new: bool = False,
) -> list[Drawn]:
    """Return the fields with what they hold; `hints` tell which secret is set, and end like it.

    Where it `is_new`, what a person has to confirm is not confirmed for them.
    """
    if is_new:
        values = {one.name: False for one in fields if one.schema.get("confirm")} | dict(values)
    return [
        _drawn(one, one.schema, values.get(one.name), f"{prefix}.{one.name}", (hints or {}).get(one.name, ""))
        for one in fields
    ]


def read(visit: Visit, fields: Sequence[FormField], prefix: str, *, keeps: Collection[str] = ()) -> dict[str, Any]:
    """Return what the form holds for the fields, as the API would be sent it.

    An empty one is None, and left out where a secret is kept (`keeps`). A number that is none stays a text, for the service
    to say so.
    """
    found: dict[str, Any] = {}
    for one in fields:
        value = _read(visit, one.schema, f"{prefix}.{one.name}")
        if value is None and one.name in keeps:
            continue
        found[one.name] = value
    return found


def typed(visit: Visit, fields: Sequence[FormField], prefix: str) -> dict[str, Any]:
    """Return what was typed, to be shown again; secrets are not."""
    return {one.name: _read(visit, one.schema, f"{prefix}.{one.name}") for one in fields if not one.secret}


def _drawn(one: FormField, schema: Mapping[str, Any], value: Any, name: str, hint: str) -> Drawn:
    plain = _plain(schema)
    shown = plain.get("default") if value is None else value
    common: dict[str, Any] = {
        "name": name,
        "label": _(one.label),
        "help": _(one.help) if one.help else "",
        "required": one.required,
        "hint": hint,
    }
    kind = _kind(one, plain)
    if kind == "group":
        parts = [
            _drawn(_part(part_name, part), part, (shown or {}).get(part_name), f"{name}.{part_name}", "")
            for part_name, part in plain["properties"].items()
        ]
        return Drawn(kind=kind, parts=parts, **common)
    if kind in ("choice", "ticks"):
        options = _options(plain if kind == "choice" else _plain(plain["items"]))
        if kind == "choice" and not one.required and plain.get("default") is None:
            options = [("", _("Not set")), *options]
        return Drawn(kind=kind, options=options, value=_texts(shown) if kind == "ticks" else _text(shown), **common)
    if kind == "tick":
        common["required"] = bool(plain.get("confirm"))
        return Drawn(kind=kind, value=bool(shown), **common)
    if kind == "lines":
        return Drawn(kind=kind, value="\n".join(_texts(shown)), **common)
    return Drawn(kind=kind, value="" if kind == "secret" else _text(shown), **common)


def _part(name: str, schema: Mapping[str, Any]) -> FormField:
    return FormField(
        name=name,
        label=schema.get("title", name),
        help=schema.get("description", ""),
        required=False,
        secret=False,
        schema=dict(schema),
    )


def _kind(one: FormField, plain: Mapping[str, Any]) -> str:
    if one.secret:
        return "secret"
    if "properties" in plain:
        return "group"
    kind = _type(plain)
    if kind != "boolean" and ("enum" in plain or "const" in plain):
        return "choice"
    if kind == "array":
        items = _plain(plain.get("items", {}))
        return "ticks" if "enum" in items else "lines"
    if kind == "boolean":
        return "tick"
    return "number" if kind in _NUMBERS else "text"


def _read(visit: Visit, schema: Mapping[str, Any], name: str) -> Any:
    plain = _plain(schema)
    if "properties" in plain:
        parts = {part: _read(visit, one, f"{name}.{part}") for part, one in plain["properties"].items()}
        return {part: value for part, value in parts.items() if value is not None}
    kind = _type(plain)
    if kind == "boolean":
        return bool(visit.field(name))
    if kind == "array":
        if "enum" in _plain(plain.get("items", {})):
            return visit.many(name)
        return [line.strip() for line in visit.field(name).splitlines() if line.strip()]
    text = visit.field(name).strip()
    if not text:
        return None
    if kind in _NUMBERS:
        return int(text) if text.lstrip("-").isdigit() and len(text) < 16 else text
    return text


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema behind references and "or null"."""
    definitions = schema.get("$defs", {})
    plain = dict(schema)
    if "anyOf" in plain:
        kept = [one for one in plain["anyOf"] if one.get("type") != "null"]
        plain = dict(kept[0]) | {name: value for name, value in plain.items() if name != "anyOf"}
    if "$ref" in plain:
        plain = definitions.get(plain["$ref"].rpartition("/")[2], {}) | {
            name: value for name, value in plain.items() if name != "$ref"
        }
    if definitions:
        plain["$defs"] = definitions
        plain["properties"] = {
            name: one | ({"$defs": definitions} if "$ref" in str(one) else {})
            for name, one in plain.get("properties", {}).items()
        } or plain.pop("properties", {})
        if not plain["properties"]:
            del plain["properties"]
    return plain


def _type(plain: Mapping[str, Any]) -> str | None:
    # What has to be confirmed is a constant: true, or nothing.
    kind: str | None = "boolean" if isinstance(plain.get("const"), bool) else plain.get("type")
    return kind


def _options(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    values = plain.get("enum", [plain["const"]] if "const" in plain else [])
    words = _value_words()
    return [(str(value), words.get(str(value), str(value))) for value in values]


def _value_words() -> dict[str, str]:
    """Return what people call values that are our own words; those of providers stay as they are."""
    return {
        "phoneNumber": _("Phone"),
        "email": _("E-mail"),
        "productName": _("Product"),
        "required": _("required"),
        "optional": _("optional"),
        "auto": _("automatic"),
        "none": _("none"),
        "True": _("Understood"),
    }


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value)
