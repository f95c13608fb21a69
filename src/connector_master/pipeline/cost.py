"""What an expression can cost: an upper bound on its work, from its checked form, before it ever runs.

CEL always ends, regular expressions included (RE2), and the library stops after 10,000 turns of loops. But `replace`,
`join` and `+` inside loops can build texts whose length is a power of the input's. Sizes count characters and list
elements; a bound grows with the sizes of the variables, so an expression tells how large they may be.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_BUDGET = 3_000_000.0
_PER_NODE = 20.0
_NUMBER = 32.0
_TURNS = 10_000.0
_MOST_LOOPS = 8
_MOST_STATES = 10_000.0
_INPUT_SIZES = (1_000_000, 300_000, 100_000, 30_000, 10_000, 3_000, 1_000, 300)
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_SHORT = frozenset(
    {
        "_==_",
        "_!=_",
        "_<_",
        "_<=_",
        "_>_",
        "_>=_",
        "_&&_",
        "_||_",
        "!_",
        "@in",
        "@not_strictly_false",
        "_*_",
        "_/_",
        "_%_",
    }
    | {"_-_", "-_", "size", "contains", "startsWith", "endsWith", "indexOf", "lastIndexOf", "int", "double", "charAt"}
)
_SHORTENING = frozenset(
    {"_[_]", "_[?_]", "_?._", "trim", "lowerAscii", "upperAscii", "substring", "reverse", "dyn", "first", "last"}
)

_Fields = list[tuple[int, int | bytes]]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a checked expression; `name` is its name or text.

    `kind` is text, const, name, select, call, list or loop.
    """

    kind: str
    name: str = ""
    parts: "tuple[Node, ...]" = ()


def tree_of(serialized: bytes) -> Node:
    """Return the tree of a serialized expression (cel.expr.CheckedExpr in a protobuf Any, checked.proto)."""
    checked = _message(dict(_fields(serialized))[2])
    return _node(next(_message(value) for number, value in checked if number == 4))


def names_in(node: Node) -> set[str]:
    """Return the variables that an expression names."""
    found = {node.name} if node.kind == "name" else set()
    return found.union(*(names_in(part) for part in node.parts))


def largest_input(node: Node, names: Iterable[str]) -> int:
    """Return how large each of the variables may be so that the work stays bounded; 0 when even small ones explode."""
    if _loops(node) > _MOST_LOOPS:
        return 0
    for size in _INPUT_SIZES:
        if _weigh(node, dict.fromkeys(names, float(size)), _TURNS)[1] <= _BUDGET:
            return size
    return 0


def _loops(node: Node) -> int:
    return (node.kind == "loop") + sum(_loops(part) for part in node.parts)


def _weigh(node: Node, sizes: Mapping[str, float], turns: float) -> tuple[float, float]:
    """Return bounds on the size of a node's result and on the work to make it."""
    if node.kind == "text":
        return float(len(node.name)), _PER_NODE
    if node.kind == "const":
        return _NUMBER, _PER_NODE
    if node.kind == "name":
        return sizes.get(node.name, _NUMBER), _PER_NODE
    if node.kind == "loop":
        return _weigh_loop(node, sizes, turns)
    weights = [_weigh(part, sizes, turns) for part in node.parts]
    inputs = [size for size, _ in weights]
    work = sum(work for _, work in weights) + _PER_NODE
    if node.kind == "select":
        return inputs[0], work
    if node.kind == "list":
        return sum(inputs) + len(inputs), work + len(inputs)
    size, effort = _weigh_call(node, inputs)
    return size, work + effort


def _weigh_call(node: Node, inputs: list[float]) -> tuple[float, float]:
    total = sum(inputs)
    match node.name:
        case "matches":
            pattern = node.parts[-1]
            states = _states(pattern.name) if pattern.kind == "text" else _MOST_STATES
            return _NUMBER, total + inputs[0] * states / 10
        case "replace":
            old = node.parts[1]
            # An empty text is found between all characters.
            found = (inputs[0] + 1) if old.kind != "text" or not old.name else inputs[0] / len(old.name)
            size = inputs[0] + found * inputs[2]
        case "join":
            size = inputs[0] * (1 + (inputs[1] if len(inputs) > 1 else 0))
        case "format":
            # `%.1000f` is seven characters.
            size = inputs[0] * 170 + 6 * total
        case "split":
            size = 2 * total + 1
        case "_?_:_":
            size = max(inputs[1:])
        case "_+_":
            size = total
        case name if name in _SHORTENING:
            size = inputs[0]
        case name if name in _SHORT:
            return _NUMBER, total
        case _:
            size = 2 * total + _NUMBER
    return size, total + size


def _weigh_loop(node: Node, sizes: Mapping[str, float], turns: float) -> tuple[float, float]:
    # The parts are range, initial value, condition, step, result; the names are the element's and the collector's.
    over, initial, condition, step, result = node.parts
    element, collector = node.name.split(" ")
    size, work = _weigh(over, sizes, turns)
    start, _ = _weigh(initial, sizes, turns)
    count = min(size, turns)
    grown = 0.0
    for part in (condition, step):
        # A bound is a polynomial without negative terms, so over all elements together it is at most
        # as many times its constant part, and the rest once for the size of the whole list.
        none = _weigh(part, {**sizes, element: 0.0, collector: 0.0}, turns / max(count, 1.0))
        whole = _weigh(part, {**sizes, element: size, collector: 0.0}, turns / max(count, 1.0))
        work += count * none[1] + (whole[1] - none[1])
        grown = count * none[0] + (whole[0] - none[0])
    ended, more = _weigh(result, {**sizes, collector: start + grown}, turns)
    return ended, work + more


def _states(pattern: str) -> float:
    states = float(len(pattern))
    for repetition in _REPEATED.finditer(pattern):
        states *= max(1.0, float((repetition[2] or repetition[1])[:4]))
    return min(states, _MOST_STATES)


def _node(fields: _Fields) -> Node:
    for number, value in fields:
        match number:
            case 3:
                texts = [_text(inner) for inside, inner in _message(value) if inside in (6, 7)]
                return Node("text", texts[0]) if texts else Node("const")
            case 4:
                return Node("name", _text(dict(_message(value)).get(1, b"")))
            case 5:
                return Node("select", "", (_part(_message(value), 1),))
            case 6:
                inside = _message(value)
                parts = [_node(_message(inner)) for part, inner in inside if part in (1, 3)]
                return Node("call", _text(dict(inside)[2]), tuple(parts))
            case 7:
                return Node("list", "", tuple(_node(_message(inner)) for part, inner in _message(value) if part == 1))
            case 8:
                entries = [_message(entry) for part, entry in _message(value) if part == 2]
                kept = [_node(_message(inner)) for entry in entries for part, inner in entry if part in (3, 4)]
                return Node("list", "", tuple(kept))
            case 9:
                inside = _message(value)
                names = f"{_text(dict(inside).get(1, b''))} {_text(dict(inside).get(3, b''))}"
                return Node("loop", names, tuple(_part(inside, part) for part in (2, 4, 5, 6, 7)))
    return Node("const")


def _part(fields: _Fields, number: int) -> Node:
    return next((_node(_message(value)) for part, value in fields if part == number), Node("const"))


def _message(value: int | bytes) -> _Fields:
    return list(_fields(value)) if isinstance(value, bytes) else []


def _text(value: int | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message: number and value, length-delimited ones as bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                number, position = _varint(message, position)
                yield tag >> 3, number
            case 2:
                length, position = _varint(message, position)
                yield tag >> 3, message[position : position + length]
                position += length
            case 1:
                position += 8
            case _:
                position += 4


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[position]
        number |= (byte & 127) << shift
        position += 1
        shift += 7
        if byte < 128:
            return number, position
