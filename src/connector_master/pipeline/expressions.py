"""Expressions over whole values: a field mapping's `transform`, and what destinations and templates reckon with.

In a transform, `value` is what the path read and `record` the whole record; elsewhere other names stand for other values.
language.py says what can be written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from connector_master.model.json import Json
from connector_master.model.problem import TransformFailed
from connector_master.pipeline.language import Failed, Language, Program, clean
from connector_master.pipeline.language import InvalidExpression as InvalidExpression

_BUDGET = 3_000_000.0
"""What one expression may cost: some tenth of a second. Its input may be as large as that allows."""
_TRANSFORM = ("value", "record")
"""What a field mapping's expression may name."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    program: Program

    @property
    def text(self) -> str:
        """The expression as it was written."""
        return self.program.text

    @property
    def names(self) -> frozenset[str]:
        """The variables that it names: others need not be given."""
        return self.program.names

    @property
    def needs_value(self) -> bool:
        """Whether a transform names `value`, so that it is skipped where there is none."""
        return "value" in self.program.names

    def evaluate(self, value: Json, record: Json) -> Json:
        """Return what a transform makes of a record, JSON values only; raises TransformFailed."""
        return self.compute({"value": value, "record": record if isinstance(record, dict) else {}})

    def compute(self, variables: Mapping[str, Json]) -> Json:
        """Return what the expression makes of these values, JSON values only; raises TransformFailed."""
        used = {name: _clean(variables[name]) for name in self.program.names}
        try:
            return self.program.run(used)
        except Failed as error:
            raise TransformFailed(f"The expression {self.text[:80]!r} failed: {error}") from None


def _clean(value: Json) -> Json:
    return clean(value) if isinstance(value, str) else value


@lru_cache(maxsize=2048)
def compile_expression(text: str, names: tuple[str, ...] = _TRANSFORM) -> Expression:
    """Return the compiled expression, which may name `names`; raises InvalidExpression with the place of its first fault.

    >>> compile_expression("value.trim() + '!'").evaluate(" Hello ", {})
    'Hello!'
    >>> compile_expression("lead.city == 'Pune'", ("lead",)).compute({"lead": {"city": "Pune"}})
    True
    """
    return Expression(_language(names).compile(text))


@cache
def _language(names: tuple[str, ...]) -> Language:
    return Language({name: "object" if name == "record" else "any" for name in names}, budget=_BUDGET)
