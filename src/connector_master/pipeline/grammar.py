"""The grammar of paths: where in a record a value lies, as a person writes it in a field mapping.

It is docs/connectors/webhook.md's: the literal key first at every level (so `1.3` and `fields[tel][value]` are found as
keys, the longest one first), then dots, positions (`name[0]`, `name.0`), selections (`[type=tel]`, `[question~phone]`
for "contains") and quoted keys (`["Full Name "]`); `a[b][c]` equals `a.b.c`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_PATH = 500
MOST_STEPS = 32


class InvalidPath(ValueError):
    """A path's syntax is broken; the message says where."""


@dataclass(frozen=True, slots=True)
class Key:
    """Go down by a key, or by a position where a list is met."""

    name: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Take the element whose `path` reads as `value` (or contains it, without regard to case)."""

    path: "Path"
    value: str
    contains: bool


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. `literals` and `folded` hold, for each step, the keys to try and the step after each."""

    text: str
    steps: tuple[Key | Selection, ...]
    literals: tuple[tuple[tuple[int, str], ...], ...]
    folded: tuple[tuple[tuple[int, str], ...], ...]

    @property
    def plain(self) -> str | None:
        """The key that the whole path is, if that is how it would be tried first."""
        after, key = self.literals[0][0] if self.literals[0] else (0, "")
        return key if after == len(self.steps) else None


_Written = tuple[Key | Selection, int, int]


def parse_path(text: str) -> Path:
    """Return the path that `text` writes; raises InvalidPath when a bracket or quote is left open, or it is too long.

    >>> [step.name for step in parse_path('namedValues["Full Name "][0]').steps]
    ['namedValues', 'Full Name ', '0']
    """
    if not text.strip():
        raise InvalidPath("The path is empty")
    if len(text) > LONGEST_PATH:
        raise InvalidPath(f"The path is longer than {LONGEST_PATH} characters")
    written = list(_steps(text))
    if not written:
        raise InvalidPath("The path names no field")
    if len(written) > MOST_STEPS:
        raise InvalidPath(f"The path has more than {MOST_STEPS} steps")
    literals = tuple(_literals(text, written, first) for first in range(len(written)))
    folded = tuple(tuple((after, fold(key)) for after, key in keys) for keys in literals)
    return Path(text, tuple(step for step, _, _ in written), literals, folded)


def write_step(prefix: str, key: str) -> str:
    """Return `prefix` extended by one key, quoted where the grammar would read it otherwise.

    >>> write_step("namedValues", "City"), write_step("namedValues", "Full Name ")
    ('namedValues.City', 'namedValues["Full Name "]')
    """
    if key and key == key.strip() and not any(sign in key for sign in ".[]\"'"):
        return f"{prefix}.{key}" if prefix else key
    return f"{prefix}[{quote(key)}]"


def quote(key: str) -> str:
    """Return `key` as a quoted key or value of the grammar."""
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def fold(key: str) -> str:
    """Return `key` as keys are compared when none is exactly equal."""
    return key.strip().casefold()


def _steps(text: str) -> Iterator[_Written]:
    position = 0
    while position < len(text):
        if text[position] == "[":
            end = _closing(text, position) + 1
            if (step := _bracketed(text[position + 1 : end - 1], position)) is not None:
                yield step, position, end
        else:
            end = min((found for sign in ".[" if (found := text.find(sign, position)) >= 0), default=len(text))
            yield _key(text[position:end]), position, end
        position = end
        if text[position : position + 1] == ".":
            position += 1
            if position == len(text):
                # A label may end with a dot; then only the literal key can be meant.
                yield _key(""), position, position


def _closing(text: str, opening: int) -> int:
    """Return where the bracket that opens at `opening` closes; quotes hide brackets."""
    position = opening + 1
    quoted = ""
    while position < len(text):
        sign = text[position]
        if quoted:
            if sign == "\\":
                position += 1
            elif sign == quoted:
                quoted = ""
        elif sign in "\"'" and text[position - 1] in "[=~":
            quoted = sign
        elif sign == "]":
            return position
        position += 1
    what = "quote" if quoted else "bracket"
    raise InvalidPath(f"The {what} opened at character {opening + 1} is not closed")


def _bracketed(inside: str, opening: int) -> Key | Selection | None:
    if not inside:
        # Form keys such as `products[]` name the whole list.
        return None
    if inside[0] in "\"'":
        return _key(_unquoted(inside, opening))
    for position, sign in enumerate(inside):
        if sign in "=~":
            left, right = inside[:position].strip(), inside[position + 1 :]
            if not left:
                raise InvalidPath(f"The selection at character {opening + 1} names no key before {sign}")
            value = _unquoted(right, opening) if right[:1] in ('"', "'") else right
            return Selection(parse_path(left), value, contains=sign == "~")
    return _key(inside)


def _unquoted(text: str, opening: int) -> str:
    if len(text) < 2 or text[-1] != text[0]:
        raise InvalidPath(f"The quote in the bracket at character {opening + 1} is not closed")
    characters = iter(text[1:-1])
    return "".join(next(characters, "") if sign == "\\" else sign for sign in characters)


def _key(name: str) -> Key:
    return Key(name, int(name) if name.isascii() and name.isdigit() and len(name) <= 6 else None)


def _literals(text: str, written: list[_Written], first: int) -> tuple[tuple[int, str], ...]:
    start = written[first][1]
    last = len(written)
    keys = [
        (after, text[start : len(text) if after == last else written[after - 1][2]]) for after in range(last, first, -1)
    ]
    step = written[first][0]
    if isinstance(step, Key) and keys[-1][1] != step.name:
        keys.append((first + 1, step.name))
    return tuple(keys)
