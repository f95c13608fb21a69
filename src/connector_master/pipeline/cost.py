"""What an expression can cost: an upper bound on its work, from its checked form, before it ever runs.

CEL always ends, regular expressions included (RE2), and the library stops after 10,000 turns of loops. But `replace`,
`join` and `+` inside loops can build texts whose length is a power of the input's. Sizes count characters and list
elements; a bound grows with the sizes of an expression's variables, so an expression tells how large they may be.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connector_master.pipeline.functions import FUNCTIONS

_PER_NODE = 20.0
_NUMBER = 32.0
_TURNS = 10_000.0
_MOST_LOOPS = 8
_PER_COPY = 0.2
"""What it costs to take along one element of a list that `map` or `filter` makes longer by one."""
LONGEST_LIST = 1_000
"""The longest list that such an expression may be given."""
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
    """One node of a checked expression; `name` is its name or text, `id` its number in the expression.

    `kind` is text, const, name, select, call, list or loop.
    """

    kind: str
    name: str = ""
    parts: "tuple[Node, ...]" = ()
    id: int = 0

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all that it consists of."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Tree:
    """A checked expression: its nodes, and at which character of the text each stands."""

    root: Node
    _places: Mapping[int, int] = field(repr=False)

    def names(self) -> set[str]:
        """Return the variables that it names."""
        return {node.name for node in self.root.walk() if node.kind == "name"}

    def calls(self) -> list[Node]:
        """Return its calls of functions; the object of a method is its first part."""
        return [node for node in self.root.walk() if node.kind == "call"]

    def place(self, node: Node) -> int:
        """Return at which character of the text a node stands, counted from 0."""
        return self._places.get(node.id, 0)


def read_tree(serialized: bytes) -> Tree:
    """Return the tree of a serialized expression (cel.expr.CheckedExpr in a protobuf Any, checked.proto)."""
    checked = dict(_message(dict(_fields(serialized))[2]))
    entries = [dict(_message(value)) for number, value in _message(checked[5]) if number == 4]
    places = {_number(one.get(1, 0)): _number(one.get(2, 0)) for one in entries}
    return Tree(_node(_message(checked[4])), places)


def lengthens_lists(tree: Tree) -> bool:
    """Return whether it makes lists element by element, for which LONGEST_LIST holds."""
    return any(node.kind == "loop" and _lengthens(node.parts[3], node.name.split(" ")[1]) for node in tree.root.walk())


def largest_input(tree: Tree, budget: float) -> int:
    """Return how large each variable may be so that the work stays within `budget`; 0 when even small ones explode."""
    if _loops(tree.root) > _MOST_LOOPS:
        return 0
    return next((size for size in _INPUT_SIZES if work_at(tree, size) <= budget), 0)


def work_at(tree: Tree, size: int) -> float:
    """Return a bound on the work where each variable has this size. One unit is some 30 ns."""
    return _weigh(tree.root, dict.fromkeys(tree.names(), float(size)), _TURNS)[1]


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
        case name if name in FUNCTIONS:
            function = FUNCTIONS[name]
            return function.growth * total + _NUMBER, function.work + total * (1 + function.growth)
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
    count = min(_elements(over, size, sizes, turns), turns)
    grown = 0.0
    for part in (condition, step):
        # A bound is a polynomial without negative terms, so over all elements together it is at most
        # as many times its constant part, and the rest once for the size of the whole list.
        none = _weigh(part, {**sizes, element: 0.0, collector: 0.0}, turns / max(count, 1.0))
        whole = _weigh(part, {**sizes, element: size, collector: 0.0}, turns / max(count, 1.0))
        work += count * none[1] + (whole[1] - none[1])
        grown = count * none[0] + (whole[0] - none[0])
    if _lengthens(step, collector):
        copied = count if _splits(over) else min(count, LONGEST_LIST)
        work += _PER_COPY * copied * copied
    ended, more = _weigh(result, {**sizes, collector: start + grown}, turns)
    return ended, work + more


def _elements(over: Node, size: float, sizes: Mapping[str, float], turns: float) -> float:
    """Return how many elements the list of a loop can have; `size` bounds it where nothing else is known."""
    match over:
        case Node("list"):
            return len(over.parts)
        case Node("loop"):
            # `map` and `filter` make no list longer than the one they go through.
            return min(size, _elements(over.parts[0], size, sizes, turns))
        case Node("call", "split", (text, Node("text", separator), *_)) if separator:
            return _weigh(text, sizes, turns)[0] / len(separator) + 1
    return size


def _lengthens(step: Node, collector: str) -> bool:
    return any(
        node.name == "_+_" and node.parts[:1] == (Node("name", collector, (), node.parts[0].id),)
        for node in step.walk()
    )


def _splits(over: Node) -> bool:
    return any(node.kind == "call" and node.name == "split" for node in over.walk())


def _states(pattern: str) -> float:
    states = float(len(pattern))
    for repetition in _REPEATED.finditer(pattern):
        states *= max(1.0, float((repetition[2] or repetition[1])[:4]))
    return min(states, _MOST_STATES)


def _node(fields: _Fields) -> Node:
    id_ = next((value for number, value in fields if number == 2 and isinstance(value, int)), 0)
    for number, value in fields:
        if number > 2:
            return _read_node(number, _message(value), id_)
    return Node("const")


def _read_node(kind: int, fields: _Fields, id_: int) -> Node:
    match kind:
        case 3:
            texts = [_text(value) for number, value in fields if number in (6, 7)]
            return Node("text", texts[0], id=id_) if texts else Node("const", id=id_)
        case 4:
            return Node("name", _text(dict(fields).get(1, b"")), id=id_)
        case 5:
            return Node("select", "", (_part(fields, 1),), id_)
        case 6:
            parts = tuple(_node(_message(value)) for number, value in fields if number in (1, 3))
            return Node("call", _text(dict(fields)[2]), parts, id_)
        case 7:
            return Node("list", "", tuple(_node(_message(value)) for number, value in fields if number == 1), id_)
        case 8:
            entries = [_message(entry) for number, entry in fields if number == 2]
            kept = tuple(_node(_message(value)) for entry in entries for number, value in entry if number in (3, 4))
            return Node("list", "", kept, id_)
        case 9:
            names = f"{_text(dict(fields).get(1, b''))} {_text(dict(fields).get(3, b''))}"
            return Node("loop", names, tuple(_part(fields, number) for number in (2, 4, 5, 6, 7)), id_)
    return Node("const", id=id_)


def _part(fields: _Fields, number: int) -> Node:
    return next((_node(_message(value)) for part, value in fields if part == number), Node("const"))


def _message(value: int | bytes) -> _Fields:
    return list(_fields(value)) if isinstance(value, bytes) else []


def _number(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0


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
