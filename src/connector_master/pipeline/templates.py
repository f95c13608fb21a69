"""Templates: texts, and JSON of them, with expressions between `{{` and `}}`; checked once, then filled in again and again.

A text that is one expression and nothing else becomes that expression's value, of whatever type. In longer texts values are
written out, nothing for null.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connector_master.model.json import Json
from connector_master.pipeline.expressions import Expression, InvalidExpression, compile_expression

_DEEPEST = 20
_MOST_VALUES = 1_000
_LONGEST_TEXT = 20_000
_TOKEN = re.compile(r""""(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+'|[{}]""", re.DOTALL)


class InvalidTemplate(ValueError):
    """A template can't be used; the message names the place of each fault."""


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A text in parts, each as it is or computed."""

    parts: tuple[str | Expression, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether nothing in it is computed."""
        return all(isinstance(part, str) for part in self.parts)

    def fill(self, variables: Mapping[str, Json]) -> Json:
        """Return the text, or the value of its only expression. Raises TransformFailed."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0].compute(variables)
        return self.write(variables)

    def write(self, variables: Mapping[str, Json], encode: Callable[[str], str] = str) -> str:
        """Return the text with what is computed written as `encode` gives it. Raises TransformFailed."""
        return "".join(
            part if isinstance(part, str) else encode(written(part.compute(variables))) for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value whose texts are templates."""

    root: Any

    def fill(self, variables: Mapping[str, Json], *, omits_empty: bool = False) -> Json:
        """Return the value filled in; with `omits_empty` without members that come out null. Raises TransformFailed."""
        return _fill(self.root, variables, omits_empty)


def compile_text(text: str, names: tuple[str, ...]) -> TextTemplate:
    """Return a text ready to be filled in, whose expressions may name `names`. Raises InvalidTemplate.

    >>> compile_text("{{ lead.name }} of {{ lead.city }}", ("lead",)).fill({"lead": {"name": "Asha", "city": None}})
    'Asha of '
    """
    if len(text) > _LONGEST_TEXT:
        raise InvalidTemplate(f"The text is longer than {_LONGEST_TEXT:,} characters")
    try:
        return TextTemplate(tuple(_parts(text, names)))
    except InvalidExpression as error:
        raise InvalidTemplate(str(error)) from error


def compile_template(value: Json, names: tuple[str, ...]) -> Template:
    """Return a JSON value ready to be filled in. Raises InvalidTemplate.

    >>> template = compile_template({"who": "{{ lead.name }}", "n": "{{ 1 + 1 }}"}, ("lead",))
    >>> template.fill({"lead": {"name": None}}), template.fill({"lead": {"name": None}}, omits_empty=True)
    ({'who': None, 'n': 2}, {'n': 2})
    """
    compiling = _Compiling(names)
    root = compiling.compiled(value, "", 0)
    if compiling.faults:
        raise InvalidTemplate("; ".join(compiling.faults[:10]))
    return Template(root)


def written(value: Json) -> str:
    """Return a value as it stands in a text: nothing for null, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


class _Compiling:
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._values = 0
        self.faults: list[str] = []

    def compiled(self, value: Json, place: str, depth: int) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            limit = f"{_DEEPEST} levels" if depth > _DEEPEST else f"{_MOST_VALUES:,} values"
            raise InvalidTemplate(f"The template has more than {limit}")
        if isinstance(value, dict):
            return {
                key: self.compiled(one, f"{place}.{key}" if place else key, depth + 1) for key, one in value.items()
            }
        if isinstance(value, list):
            return [self.compiled(one, f"{place}[{n}]", depth + 1) for n, one in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return compile_text(value, self._names)
        except InvalidTemplate as error:
            self.faults.append(f"{place}: {error}" if place else str(error))
            return None


def _fill(node: Any, variables: Mapping[str, Json], omits_empty: bool) -> Json:
    if isinstance(node, TextTemplate):
        return node.fill(variables)
    if isinstance(node, list):
        return [_fill(one, variables, omits_empty) for one in node]
    if isinstance(node, dict):
        filled = {key: _fill(one, variables, omits_empty) for key, one in node.items()}
        return {key: one for key, one in filled.items() if one is not None or not omits_empty}
    value: Json = node
    return value


def _parts(text: str, names: tuple[str, ...]) -> Iterator[str | Expression]:
    position = 0
    while (start := text.find("{{", position)) >= 0:
        if start > position:
            yield text[position:start]
        end = _end(text, start + 2)
        yield compile_expression(text[start + 2 : end], names)
        position = end + 2
    if position < len(text) or not text:
        yield text[position:]


def _end(text: str, start: int) -> int:
    """Return where the `}}` is that ends an expression: outside its quotes and its own braces."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}" and depth:
            depth -= 1
        elif token[0] == "}":
            if text.startswith("}}", token.start()):
                return token.start()
            break
    raise InvalidExpression("{{ is not closed by }}")
