"""Reading: what lies at a path in a record, by the rules of the grammar.

Text that holds JSON is entered as if it were nested. A list of `{name, value}` pairs is read like an object. Keys
compare exactly, then without regard to case and outer blanks. Depth and work are bounded whatever a sender builds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connector_master.model.json import Json
from connector_master.model.json_text import enter_text
from connector_master.pipeline.grammar import (
    LONGEST_PATH,
    MOST_STEPS,
    InvalidPath,
    Path,
    Selection,
    fold,
    parse_path,
    quote,
    write_step,
)

__all__ = ["InvalidPath", "Leaf", "Path", "Reader", "Step", "leaf_paths", "nested", "pair_of", "parse_path", "read"]

_DEEPEST = 48
_TEXTS_ENTERED = 3
_LONGEST_TEXT = 1 << 20
_LONGEST_LIST = 2_000
_MOST_LOOKS = 20_000
_IGNORED_KEYS = frozenset({"__proto__", "constructor", "prototype"})
_NAMES = ("name", "label", "title", "question", "key", "fieldName")
_VALUES = ("values", "value", "answer")
_MISSING: Final[Any] = object()

Place = tuple[int, str | int]
"""Where a value lies, as one Reader knows it: its container and the key in there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step down to a leaf: the key, the path that reads what lies there, as long as it can be written, and its place."""

    key: str
    path: str
    place: Place


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text, number, boolean, null, or list of such, the path that reads it, and the way down to it."""

    path: str
    value: Json
    way: tuple[Step, ...]


def read(record: Json, path: Path) -> Json:
    """Return what lies at `path`; None when nothing does, for a lead absent and null are the same."""
    return Reader(record).read(path)


def leaf_paths(record: Json, limit: int = 5000) -> list[str]:
    """Return each leaf's path as a user would write it. A leaf is a text, number, boolean, null, or list of such."""
    return Reader(record).unused(limit)


def pair_of(item: Json) -> tuple[str, str] | None:
    """Return the keys of an element's name and value, such as `("label", "value")`; None when it is no such pair."""
    if not isinstance(item, dict):
        return None
    value = next((key for key in _VALUES if key in item), None)
    if value is None:
        return None
    name = next((key for key in _NAMES if isinstance(item.get(key), str) and item[key]), None)
    return (name, value) if name else None


def nested(text: str) -> Json:
    """Return the object or list that `text` holds as JSON, None when it holds none."""
    if len(text) > _LONGEST_TEXT:
        return None
    inside = enter_text(text)
    return None if inside is text else inside


class Reader:
    """Reads one record at many paths. It remembers decoded texts and folded keys, and with `tracing` what was read."""

    __slots__ = ("_folded", "_looks", "_odd", "_texts", "_used", "record")

    def __init__(self, record: Json, *, tracing: bool = False) -> None:
        self.record = record
        self._texts: dict[str, Json] = {}
        self._folded: dict[int, dict[str, str]] = {}
        self._odd: dict[int, bool] = {}
        self._used: set[Place] | None = set() if tracing else None
        self._looks = 0

    def read(self, path: Path) -> Json:
        """Return what lies at `path`, None when nothing does."""
        self._looks = 0
        found: Json = self._down(self.record, path, 0, 0, 0)
        return None if found is _MISSING else found

    def unused(self, limit: int) -> list[str]:
        """Return the paths of the leaves that no `read` has touched yet."""
        return [leaf.path for leaf in self.leaves(limit)]

    def leaves(self, limit: int) -> list[Leaf]:
        """Return the leaves that no `read` has touched yet, each with the path that a user would write."""
        leaves: list[Leaf] = []
        for pretty, exact, value, way in self._leaves(self.record, "", "", (), 0, 0):
            if len(leaves) >= limit:
                break
            is_readable = self._is_plain(pretty, way) or self._leads_to(pretty, value)
            leaves.append(Leaf(pretty if is_readable else exact, value, way))
        return leaves

    def places(self, path: Path) -> set[Place]:
        """Return where a read of `path` ends. Nothing counts as touched by it."""
        found: set[Place] = set()
        tracing, self._used = self._used, found
        self.read(path)
        self._used = tracing
        return found

    def _down(self, here: Json, path: Path, step: int, depth: int, entered: int) -> Any:
        if step == len(path.steps):
            return here
        self._looks += 1
        if depth > _DEEPEST or self._looks > _MOST_LOOKS:
            return _MISSING
        if isinstance(here, dict):
            return self._into_object(here, path, step, depth + 1, entered)
        if isinstance(here, list):
            return self._into_list(here, path, step, depth + 1, entered)
        if isinstance(here, str) and entered < _TEXTS_ENTERED and (inside := self._decoded(here)) is not None:
            return self._down(inside, path, step, depth + 1, entered + 1)
        return _MISSING

    def _into_object(self, here: dict[str, Json], path: Path, step: int, depth: int, entered: int) -> Any:
        for after, key in path.literals[step]:
            if key in here and key not in _IGNORED_KEYS:
                found = self._down(_child(here, key), path, after, depth, entered)
                if found is not _MISSING:
                    return self._note(here, key, path, after, found)
        keys = self._folded_keys(here)
        for after, folded in path.folded[step]:
            if folded in keys and (key := keys[folded]) not in _IGNORED_KEYS:
                found = self._down(_child(here, key), path, after, depth, entered)
                if found is not _MISSING:
                    return self._note(here, key, path, after, found)
        wanted = path.steps[step]
        if isinstance(wanted, Selection):
            # Form plug-ins send fields as an object of objects: fields[type=tel].value.
            for key, item in here.items():
                if key not in _IGNORED_KEYS and self._is_selected(item, wanted, depth, entered):
                    found = self._down(item, path, step + 1, depth, entered)
                    if found is not _MISSING:
                        return self._note(here, key, path, step + 1, found)
        return _MISSING

    def _into_list(self, here: list[Json], path: Path, step: int, depth: int, entered: int) -> Any:
        wanted = path.steps[step]
        if isinstance(wanted, Selection):
            for position, item in enumerate(here[:_LONGEST_LIST]):
                if self._is_selected(item, wanted, depth, entered):
                    found = self._down(item, path, step + 1, depth, entered)
                    if found is not _MISSING:
                        return self._note(here, position, path, step + 1, found)
            return _MISSING
        if wanted.position is not None and wanted.position < len(here):
            found = self._down(here[wanted.position], path, step + 1, depth, entered)
            if found is not _MISSING:
                return self._note(here, wanted.position, path, step + 1, found)
        pairs = [(item, pair) for item in here[:_LONGEST_LIST] if isinstance(item, dict) and (pair := pair_of(item))]
        for keys in (path.literals[step], path.folded[step]) if pairs else ():
            for after, key in keys:
                for item, (name, value) in pairs:
                    label = str(item[name])
                    if key == (label if keys is path.literals[step] else fold(label)):
                        found = self._down(_child(item, value), path, after, depth, entered)
                        if found is not _MISSING:
                            return self._note(item, value, path, after, found)
        if len(here) == 1:
            return self._down(here[0], path, step, depth, entered)
        return _MISSING

    def _is_selected(self, item: Json, wanted: Selection, depth: int, entered: int) -> bool:
        if not isinstance(item, dict):
            return False
        tracing, self._used = self._used, None
        found = self._down(item, wanted.path, 0, depth, entered)
        self._used = tracing
        if found is _MISSING or found is None or isinstance(found, (dict, list)):
            return False
        return fold(wanted.value) in _text(found) if wanted.contains else fold(wanted.value) == _text(found)

    def _note(self, container: Json, key: str | int, path: Path, after: int, found: Any) -> Any:
        if self._used is not None and after == len(path.steps):
            self._used.add((id(container), key))
        return found

    def _decoded(self, text: str) -> Json:
        if text[:1] not in "{[ \t\r\n\ufeff" or not text:
            return None
        if text not in self._texts:
            self._texts[text] = nested(text)
        return self._texts[text]

    def _folded_keys(self, here: dict[str, Json]) -> dict[str, str]:
        keys = self._folded.get(id(here))
        if keys is None:
            keys = {}
            for key in here:
                keys.setdefault(fold(key), key)
            self._folded[id(here)] = keys
        return keys

    def _leaves(
        self, here: Json, pretty: str, exact: str, way: tuple[Step, ...], depth: int, entered: int
    ) -> Iterator[tuple[str, str, Json, tuple[Step, ...]]]:
        if depth > _DEEPEST:
            return
        if isinstance(here, str) and entered < _TEXTS_ENTERED and (inside := self._decoded(here)):
            yield from self._leaves(inside, pretty, exact, way, depth + 1, entered + 1)
        elif isinstance(here, dict) and here:
            self._odd[id(here)] = any("." in key or "[" in key for key in here)
            for key, item in here.items():
                if key in _IGNORED_KEYS or self._is_used(here, key):
                    continue
                shown = key if not pretty and _can_stand_alone(key) else write_step(pretty, key)
                down = (*way, Step(key, shown, (id(here), key)))
                yield from self._leaves(item, shown, f"{exact}[{quote(key)}]", down, depth + 1, entered)
        elif isinstance(here, list) and any(isinstance(item, (dict, list)) for item in here):
            for position, item in enumerate(here[:_LONGEST_LIST]):
                if self._is_used(here, position):
                    continue
                pair = pair_of(item) if isinstance(item, dict) else None
                if pair and isinstance(item, dict) and pretty:
                    if self._is_used(item, pair[1]):
                        continue
                    name = str(item[pair[0]])
                    shown = write_step(pretty, name)
                    place = f"{exact}[{position}][{quote(pair[1])}]"
                    down = (*way, Step(name, shown, (id(item), pair[1])))
                    yield from self._leaves(_child(item, pair[1]), shown, place, down, depth + 1, entered)
                else:
                    shown = f"{pretty}[{position}]"
                    down = (*way, Step(f"[{position}]", shown, (id(here), position)))
                    yield from self._leaves(item, shown, f"{exact}[{position}]", down, depth + 1, entered)
        elif pretty and here != {} and here != []:
            yield pretty, exact, here, way

    def _is_used(self, container: Json, key: str | int) -> bool:
        return self._used is not None and (id(container), key) in self._used

    def _is_plain(self, text: str, way: tuple[Step, ...]) -> bool:
        """Tell whether a path is nothing but keys, none of them to be mistaken for several: then it need not be tried."""
        if "[" in text or len(text) > LONGEST_PATH or len(way) > MOST_STEPS:
            return False
        return not any(self._odd.get(step.place[0], True) for step in way)

    def _leads_to(self, text: str, leaf: Json) -> bool:
        tracing, self._used = self._used, None
        try:
            return self.read(parse_path(text)) == leaf
        except InvalidPath:
            return False
        finally:
            self._used = tracing


def _child(here: dict[str, Json], key: str) -> Json:
    value = here[key]
    if key == "value" and value is not None and isinstance(options := here.get("options"), list):
        return _chosen(value, options)
    return value


def _chosen(value: Json, options: list[Json]) -> Json:
    # Tally sends the ids of the options that were chosen (docs/connectors/webhook.md).
    texts: dict[Json, Json] = {}
    for option in options[:_LONGEST_LIST]:
        if isinstance(option, dict) and isinstance(identity := option.get("id"), (str, int)):
            texts[identity] = option.get("text", option.get("label", identity))
    if isinstance(value, list):
        return [texts.get(one, one) if isinstance(one, (str, int)) else one for one in value]
    return texts.get(value, value) if isinstance(value, (str, int)) else value


def _can_stand_alone(key: str) -> bool:
    if not key or key != key.strip():
        return False
    if not any(sign in key for sign in ".[]\"'") and len(key) <= LONGEST_PATH:
        return True
    try:
        return bool(parse_path(key))
    except InvalidPath:
        return False


def _text(value: str | int | float) -> str:
    if isinstance(value, int) and value.bit_length() > 1_000:
        return ""
    return fold(str(value))
