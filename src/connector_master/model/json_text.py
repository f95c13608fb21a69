"""JSON text into values: bounded, exact, and lenient only where nothing is ambiguous.

Bodies, JSON inside form fields and JSON inside text all pass here, so one place knows the limits.
"""

import json
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from re import DOTALL
from re import compile as pattern
from typing import Never

import orjson

from connector_master.model.json import Json
from connector_master.model.problem import InvalidBody


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How much one JSON text may hold: nested objects and lists, values in all, characters in a key."""

    depth: int = 64
    values: int = 300_000
    key_characters: int = 1_000


JSON_LIMITS = JsonLimits()

_LONG_NUMBER = b"0" * 20
_DIGITS_TO_ZERO = bytes(b"0"[0] if chr(byte).isdigit() and byte < 128 else b" "[0] for byte in range(256))
_STRING = pattern(rb'"(?:[^"\\]++|\\.)*+"?', DOTALL)
_STEP = {b"["[0]: 1, b"{"[0]: 1, b"]"[0]: -1, b"}"[0]: -1}
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEP)


def read_json(text: bytes | str, limits: JsonLimits = JSON_LIMITS) -> Json:
    """Return the value that `text` (UTF-8 bytes or text, no byte order mark) stands for.

    Numbers that neither 64 bits nor a double can hold stay text, digit for digit: an id must not be rounded into
    another id. Lone surrogates stay as they are. Line breaks inside strings, which templates paste in, are read.
    Of equal keys the last one counts. NaN and Infinity are refused. Raises InvalidBody, which quotes no content.

    >>> read_json(b'{"id": 12345678901234567890123, "n": 7}')
    {'id': '12345678901234567890123', 'n': 7}
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _LONG_NUMBER in data.translate(_DIGITS_TO_ZERO):
        return _read_exactly(data, limits)
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        # Either broken, or one of the few things that orjson refuses although they can be read.
        return _read_exactly(data, limits)
    if len(data) > limits.key_characters or data.count(b"[") + data.count(b"{") > limits.depth:
        _check(value, limits)
    return value


def enter_text(value: Json, limits: JsonLimits = JSON_LIMITS) -> Json:
    """Return what a text that is a JSON object or list stands for, anything else as it is.

    >>> enter_text(' {"a": 1}'), enter_text("{broken"), enter_text("7")
    ({'a': 1}, '{broken', '7')
    """
    if not (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
        return value
    try:
        return read_json(value, limits)
    except InvalidBody:
        return value


def _read_exactly(data: bytes, limits: JsonLimits) -> Json:
    # This parser recurses and orjson's limit is far above ours, so brackets are counted before it starts.
    if data.count(b"[") + data.count(b"{") > limits.depth and _depth(data) > limits.depth:
        raise _too_deep(limits)
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise InvalidBody(f"The text is not UTF-8: byte {error.start + 1} fits no character.") from error
    try:
        value: Json = _EXACT.decode(text)
    except json.JSONDecodeError as error:
        what = "the text ends too early" if error.pos >= len(text) else "this is not JSON"
        raise InvalidBody(f"Line {error.lineno}, column {error.colno}: {what}.") from error
    _check(value, limits)
    return value


def _check(value: Json, limits: JsonLimits) -> None:
    """Raise InvalidBody unless `value` keeps to the limits. Goes level by level, so it can't recurse too deep."""
    level: list[dict[str, Json] | list[Json]] = [value] if isinstance(value, dict | list) else []
    depth = values = 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise _too_deep(limits)
        below: list[dict[str, Json] | list[Json]] = []
        for container in level:
            values += len(container)
            if isinstance(container, dict):
                if container and max(map(len, container)) > limits.key_characters:
                    raise InvalidBody(f"A key is longer than {limits.key_characters} characters.")
                below += [item for item in container.values() if isinstance(item, dict | list)]
            else:
                below += [item for item in container if isinstance(item, dict | list)]
        if values > limits.values:
            raise InvalidBody(f"There are more than {limits.values} values.", remedy="Send fewer records per request.")
        level = below


def _depth(data: bytes) -> int:
    """Return how deep brackets outside strings are nested, in one pass without recursion."""
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    return reduce(max, accumulate(map(_STEP.__getitem__, brackets)), 0)


def _too_deep(limits: JsonLimits) -> InvalidBody:
    return InvalidBody(f"Objects and lists are nested deeper than {limits.depth}.", remedy="Send flatter data.")


def _integer(digits: str) -> int | str:
    # int() of thousands of digits is slow, then refused; beyond 64 bits nothing downstream can write it as JSON.
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else digits


def _number(text: str) -> float | str:
    number = float(text)
    return text if number in _INFINITE else number


def _refuse(constant: str) -> Never:
    raise InvalidBody(f"{constant} is not JSON.")


_INFINITE = (float("inf"), float("-inf"))
_EXACT = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_number, parse_constant=_refuse)
