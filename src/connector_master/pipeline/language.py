"""Languages: CEL over declared variables, compiled once with each fault at its place, bounded, JSON in and JSON out.

Besides the standard ones CEL's string functions are there (`trim`, `split`, `join`, `replace`, `substring`, …), `math.*`,
optional values (`record[?"x"].orValue("")`) and our own (functions.py). CEL has no side effects and always ends; cost.py
says how large its inputs may be.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import ext_math, ext_optional, ext_strings  # type: ignore[import-untyped]

from connector_master.model.json import Json
from connector_master.pipeline.cost import LONGEST_LIST, Tree, largest_input, lengthens_lists, read_tree, work_at
from connector_master.pipeline.functions import FUNCTIONS, InvalidArgument

LONGEST = 2_000
_LONGEST_RESULT = 100_000
_USUAL_INPUT = 2_000
_FAULT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$| \(in container ''\)")
_OPERATOR = re.compile(r"'_?(\W+?|\W_\W)_?'")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_UNKNOWN = re.compile(r"undeclared reference to '([^']*)'")
_HAS = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//[^\n]*)|\bhas\(\s*([A-Za-z_.]+)\s*\)""", re.DOTALL)

TYPES: Mapping[str, Any] = {
    "text": cel.Type.STRING,
    "moment": cel.Type.TIMESTAMP,
    "truth": cel.Type.BOOL,
    "number": cel.Type.INT,
    "texts": cel.Type.List(cel.Type.STRING),
    "object": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "any": cel.Type.DYN,
}
"""What a variable can hold."""


class InvalidExpression(ValueError):
    """An expression can't be compiled, or could not be bounded; the message says where."""


class Failed(Exception):
    """An expression could not be evaluated; says why, without anything of the data."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression. `names` are the variables that it needs, `kind` is CEL's name for its result's type.

    `usual_work` bounds what it costs where each variable has some 2,000 characters; cost.py says in what.
    """

    text: str
    names: frozenset[str]
    kind: str
    usual_work: float
    largest_input: int
    longest_list: int
    _compiled: Any

    def run(self, data: Mapping[str, Any]) -> Json:
        """Return what it makes of `data`, a value for each of its names; JSON values only. Raises Failed."""
        most = self.largest_input
        for one in data.values():
            if (len(one) if type(one) is str else _size(one, most, self.longest_list)) > most:
                raise Failed(f"its input is larger than {most:,} characters, the most it may work on")
        try:
            return self._result(data)
        except RuntimeError as error:
            if "basic_string" not in str(error):
                raise self._failed(error) from None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._failed(error) from None
        try:
            # Somewhere in the data is half a character, which CEL's UTF-8 can't have.
            return self._result({name: _clean_all(one) for name, one in data.items()})
        except (RuntimeError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._failed(error) from None

    def _result(self, data: Mapping[str, Any]) -> Json:
        result = self._compiled.eval(data=data)
        plain = result.plain_value()
        # An error's plain value is its text.
        if type(plain) is str and result.type() == cel.Type.ERROR:
            raise ValueError(plain)
        return _json(plain)

    def _failed(self, error: Exception) -> Failed:
        # The library quotes values in its messages; only what stands in the expression may be shown.
        reason = str(error)
        reason = "it loops more than 10,000 times" if "Iteration budget" in reason else reason
        reason = "it makes no value that JSON has" if "Unable to convert" in reason else _STATUS.sub("", reason)
        shown = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0][1:-1] in self.text else '"…"', reason)
        return Failed(shown.splitlines()[0][:200] if shown else "")


class Language:
    """CEL over `variables`: their kinds (TYPES) by their names, which may have dots. An expression costs at most `budget`."""

    def __init__(self, variables: Mapping[str, str], *, budget: float) -> None:
        self._variables = variables
        self._budget = budget
        self._environment = cel.NewEnv(
            variables={name: TYPES[kind] for name, kind in variables.items()},
            extensions=[ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional()],
            functions=[one.declaration() for one in FUNCTIONS.values()],
        )

    def compile(self, text: str) -> Program:
        """Return the compiled expression; raises InvalidExpression with line and column of the first fault."""
        if not text.strip():
            raise InvalidExpression("The expression is empty")
        if len(text) > LONGEST:
            raise InvalidExpression(f"The expression is longer than {LONGEST} characters")
        written = _Rewritten(text, self._variables)
        try:
            compiled = self._environment.compile(written.text)
            tree = read_tree(compiled.serialize())
        except (RuntimeError, ValueError, RecursionError) as error:
            raise InvalidExpression(self._explained(str(error), written)) from None
        _check_constants(tree, written)
        size = largest_input(tree, self._budget)
        if not size:
            raise InvalidExpression(
                "The expression could build too much: use fewer loops and replacements inside one another"
            )
        return Program(
            text,
            frozenset(tree.names() & set(self._variables)),
            compiled.return_type().name(),
            work_at(tree, _USUAL_INPUT),
            size,
            LONGEST_LIST if lengthens_lists(tree) else size,
            compiled,
        )

    def joined(self, programs: Sequence[Program]) -> Program:
        """Return one program that makes the list of what `programs` make; it fails where one of them would."""
        # A comment in the last line of one ends with its line.
        text = "[" + ",".join(f"({_Rewritten(one.text, self._variables).text}\n)" for one in programs) + "]"
        return Program(
            text,
            frozenset().union(*(one.names for one in programs)),
            "LIST",
            sum(one.usual_work for one in programs),
            min(one.largest_input for one in programs),
            min(one.longest_list for one in programs),
            self._environment.compile(text),
        )

    def _explained(self, message: str, written: "_Rewritten") -> str:
        if "recursion" in message:
            return "The expression is nested too deeply"
        fault = _FAULT.search(message)
        if not fault:
            return f"The expression is broken: {_STATUS.sub('', message.splitlines()[0])[:200]}"
        what = _STATUS.sub("", fault[3]).partition(", expecting")[0].partition(" expecting {")[0]
        what = _OPERATOR.sub(lambda operator: f"'{operator[1]}'", what)
        place = written.place(int(fault[1]), int(fault[2]))
        return f"{place}: {what[:200]}{self._advice(what)}"

    def _advice(self, what: str) -> str:
        unknown = _UNKNOWN.search(what)
        if not unknown:
            return ""
        if unknown[1] in FUNCTIONS:
            return f"; it is called as {FUNCTIONS[unknown[1]].signature}"
        near = get_close_matches(unknown[1][:100], [*self._variables, *FUNCTIONS, *_STANDARD], n=1, cutoff=0.7)
        return f"; did you mean {near[0]}?" if near else ""


_STANDARD = (
    *(
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "size",
        "trim",
        "split",
        "join",
        "replace",
        "substring",
        "indexOf",
    ),
    *(
        "lastIndexOf",
        "charAt",
        "lowerAscii",
        "upperAscii",
        "reverse",
        "format",
        "timestamp",
        "duration",
        "int",
        "double",
    ),
    *("string", "getHours", "getMinutes", "getDayOfWeek", "getDate", "getMonth", "getFullYear", "orValue"),
)


class _Rewritten:
    """An expression as CEL gets it: `has(lead.city)` asks whether a text is there that always is, hence whether it is filled."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._original = text
        self._moved: list[tuple[int, int]] = [(0, 0)]
        parts: list[str] = []
        read = made = 0
        for found in _HAS.finditer(text):
            if found[2] is None or variables.get(found[2]) != "text":
                continue
            for old, new in ((text[read : found.start()],) * 2, (found[0], f"({found[2]} != '')")):
                parts.append(new)
                read, made = read + len(old), made + len(new)
                self._moved.append((made, read))
        self.text = "".join((*parts, text[read:]))

    def place(self, line: int, column: int) -> str:
        """Return in words the place in the original of a line and column of the rewritten text, both counted from 1."""
        if len(self._moved) > 1:
            start = sum(len(one) + 1 for one in self.text.split("\n")[: line - 1])
            return self.place_at(start + column - 1)
        return f"Line {line}, column {column}"

    def place_at(self, offset: int) -> str:
        """Return in words the place in the original of an offset of the rewritten text."""
        made, read = max(moved for moved in self._moved if moved[0] <= offset)
        before = self._original[: read + offset - made]
        return f"Line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


_PATTERN = cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile("''.matches(pattern)")


def _check_constants(tree: Tree, written: _Rewritten) -> None:
    """Raise InvalidExpression for constant arguments that can never be right: patterns, time zones, formats."""
    for call in tree.calls():
        texts = [one.name if one.kind == "text" else None for one in call.parts]
        if call.name == "matches" and texts[-1] is not None:
            found = _PATTERN.eval(data={"pattern": texts[-1]})
            if found.type() == cel.Type.ERROR:
                said = _STATUS.sub("", str(found.plain_value()))
                raise InvalidExpression(f"{written.place_at(tree.place(call.parts[-1]))}: {said[:200]}")
        elif (function := FUNCTIONS.get(call.name)) is not None and function.check is not None:
            try:
                function.check(texts)
            except InvalidArgument as error:
                raise InvalidExpression(f"{written.place_at(tree.place(call))}: {error}") from None


def _clean_all(value: Any) -> Any:
    if isinstance(value, list):
        return [_clean_all(one) for one in value]
    if isinstance(value, dict):
        return {clean(str(key)): _clean_all(one) for key, one in value.items()}
    return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """Return `text` as CEL can hold it: in UTF-8, and its library cuts it at NUL."""
    if text.isascii() and text.isprintable():
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def _size(value: Any, enough: int, longest_list: int) -> int:
    """Return the characters and elements in `value`, or any larger number than `enough` once it or a list is too large."""
    size = 0
    stack = [value]
    while stack and size <= enough:
        one = stack.pop()
        if isinstance(one, str):
            size += len(one)
        elif isinstance(one, (list, tuple)):
            size += len(one) if len(one) <= longest_list else enough + 1
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
