"""Expressions: CEL, compiled once, bounded, and never able to reach outside.

In a field mapping's `transform`, `value` is what the path read and `record` the whole record; elsewhere other names stand
for other values. Besides the standard ones CEL's string functions are there (`trim`, `lowerAscii`, `replace`, `split`,
`join`, `substring`, …), `math.*` and optional values (`record[?"x"].orValue("")`). CEL has no side effects and always ends;
cost.py says how large its inputs may be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import ext_math, ext_optional, ext_strings  # type: ignore[import-untyped]

from connector_master.model.json import Json
from connector_master.model.problem import TransformFailed
from connector_master.pipeline.cost import largest_input, names_in, tree_of

_LONGEST = 2_000
_LONGEST_RESULT = 100_000
_TRANSFORM = ("value", "record")
"""What a field mapping's expression may name."""
_FAULT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$| \(in container ''\)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


class InvalidExpression(ValueError):
    """An expression can't be compiled, or could not be bounded; the message says where."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `names` are the variables that it names: others need not be given."""

    text: str
    program: Any
    names: frozenset[str]
    largest_input: int

    @property
    def needs_value(self) -> bool:
        """Whether a transform names `value`, so that it is skipped where there is none."""
        return "value" in self.names

    def evaluate(self, value: Json, record: Json) -> Json:
        """Return what a transform makes of a record, JSON values only; raises TransformFailed."""
        return self.compute({"value": value, "record": record if isinstance(record, dict) else {}})

    def compute(self, variables: Mapping[str, Json]) -> Json:
        """Return what the expression makes of these values, JSON values only; raises TransformFailed."""
        used = {name: _clean(variables[name]) for name in self.names}
        if any(_size(one, self.largest_input) > self.largest_input for one in used.values()):
            raise self._failed(f"its input is larger than {self.largest_input:,} characters, the most it may work on")
        try:
            return self._result(used)
        except RuntimeError as error:
            if "basic_string" not in str(error):
                raise self._failed(str(error)) from None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._failed(str(error)) from None
        try:
            # Somewhere in the values is half a character, which CEL's UTF-8 can't have.
            return self._result({name: _clean_all(one) for name, one in used.items()})
        except (RuntimeError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._failed(str(error)) from None

    def _result(self, used: dict[str, Json]) -> Json:
        result = self.program.eval(data=used)
        if result.type() == cel.Type.ERROR:
            raise ValueError(str(result.plain_value()))
        return _json(result.plain_value())

    def _failed(self, reason: str) -> TransformFailed:
        # The library quotes values in its messages; only what stands in the expression may be shown.
        reason = "it loops more than 10,000 times" if "Iteration budget" in reason else reason
        reason = "it makes no value that JSON has" if "Unable to convert" in reason else _STATUS.sub("", reason)
        shown = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0][1:-1] in self.text else '"…"', reason)
        return TransformFailed(
            f"The expression {self.text[:80]!r} failed: {shown.splitlines()[0][:200] if shown else ''}"
        )


@lru_cache(maxsize=2048)
def compile_expression(text: str, names: tuple[str, ...] = _TRANSFORM) -> Expression:
    """Return the compiled expression, which may name `names`; raises InvalidExpression with the place of its first fault.

    >>> compile_expression("value.trim() + '!'").evaluate(" Hello ", {})
    'Hello!'
    >>> compile_expression("lead.city == 'Pune'", ("lead",)).compute({"lead": {"city": "Pune"}})
    True
    """
    if not text.strip():
        raise InvalidExpression("The expression is empty")
    if len(text) > _LONGEST:
        raise InvalidExpression(f"The expression is longer than {_LONGEST} characters")
    try:
        program = _environment(names).compile(text)
        tree = tree_of(program.serialize())
    except (RuntimeError, ValueError, RecursionError) as error:
        raise InvalidExpression(_explained(str(error))) from None
    size = largest_input(tree, names)
    if not size:
        raise InvalidExpression(
            "The expression could build too much: use fewer loops and replacements inside one another"
        )
    return Expression(text, program, frozenset(names_in(tree).intersection(names)), size)


@cache
def _environment(names: tuple[str, ...]) -> Any:
    types = {name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) if name == "record" else cel.Type.DYN for name in names}
    extensions = [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional()]
    return cel.NewEnv(variables=types, extensions=extensions)


def _explained(message: str) -> str:
    if "recursion" in message:
        return "The expression is nested too deeply"
    fault = _FAULT.search(message)
    if not fault:
        return f"The expression is broken: {_STATUS.sub('', message.splitlines()[0])[:200]}"
    what = _STATUS.sub("", fault[3]).partition(", expecting")[0].partition(" expecting {")[0]
    return f"Line {fault[1]}, column {fault[2]}: {what[:200]}"


def _clean(value: Json) -> Json:
    # CEL's texts are UTF-8, and the library cuts them at NUL.
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    return value


def _clean_all(value: Json) -> Json:
    if isinstance(value, list):
        return [_clean_all(one) for one in value]
    if isinstance(value, dict):
        return {str(_clean(key)): _clean_all(one) for key, one in value.items()}
    return _clean(value)


def _size(value: Json, enough: int) -> int:
    """Return the characters and elements in `value`, or any larger number than `enough` once it is passed."""
    size = 0
    stack = [value]
    while stack and size <= enough:
        one = stack.pop()
        if isinstance(one, str):
            size += len(one)
        elif isinstance(one, list):
            size += len(one)
            stack.extend(one[: enough + 1])
        elif isinstance(one, dict):
            size += sum(map(len, one)) + len(one)
            stack.extend(one.values())
        else:
            size += 1
    return size


def _json(value: Any) -> Json:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        if len(value) > _LONGEST_RESULT:
            raise ValueError(f"its result is longer than {_LONGEST_RESULT} characters")
        return value
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    raise ValueError("it makes no value that JSON has")
