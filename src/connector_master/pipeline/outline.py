"""Outlines: a record as a tree for people to map from, who see at each leaf which fields of the lead it feeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector_master.model.json import Json
from connector_master.pipeline.grammar import InvalidPath, parse_path
from connector_master.pipeline.paths import Leaf, Place, Reader, Step
from connector_master.pipeline.values import is_filled

MOST_LEAVES = 5_000
_MOST_PARTS = 12


@dataclass(slots=True)
class Branch:
    """What lies at one key: a leaf, which has a number and a value, or more branches.

    `path` reads it, and is empty where no path as a person would write it does. `feeds` names the fields that it goes to.
    """

    key: str
    path: str
    number: int | None = None
    value: Json = None
    feeds: tuple[str, ...] = ()
    branches: list["Branch"] = field(default_factory=list)

    @property
    def is_wasted(self) -> bool:
        """Whether something is here that no field gets."""
        return self.number is not None and not self.feeds and is_filled(self.value)

    @property
    def is_fed(self) -> bool:
        """Whether something here or below goes to a field."""
        return bool(self.feeds) or any(branch.is_fed for branch in self.branches)

    @property
    def is_compound(self) -> bool:
        """Whether all of this together may be one value, such as a name in its parts."""
        return 0 < len(self.branches) <= _MOST_PARTS and all(one.number is not None for one in self.branches)


@dataclass(frozen=True, slots=True)
class Outline:
    """A record as a tree. `leaves` are those of its branches, in order; `is_cut` says that the record has more."""

    branches: list[Branch]
    leaves: list[Branch]
    is_cut: bool


def outline(record: Json, mapping: Mapping[str, str]) -> Outline:
    """Return `record` as a tree; `mapping` says by source path which field it feeds, and paths that are broken feed none.

    >>> [leaf.feeds for leaf in outline({"a": {"b": "1"}, "c": "2"}, {"a.b": "name"}).leaves]
    [('name',), ()]
    """
    reader = Reader(record)
    fed = _fed(reader, mapping)
    found = reader.leaves(MOST_LEAVES + 1)
    root = Branch("", "")
    leaves: list[Branch] = []
    # The containers on the way to the leaf before: what the next one shares of it is there already.
    open_ones: list[tuple[Place, Branch]] = []
    for number, leaf in enumerate(found[:MOST_LEAVES]):
        *down, last = leaf.way
        shared = _shared(open_ones, down)
        del open_ones[shared:]
        for step in down[shared:]:
            branch = Branch(step.key, _path_to(reader, step))
            (open_ones[-1][1] if open_ones else root).branches.append(branch)
            open_ones.append((step.place, branch))
        made = Branch(last.key, leaf.path, number, leaf.value, _feeds(fed, leaf))
        (open_ones[-1][1] if open_ones else root).branches.append(made)
        leaves.append(made)
    return Outline(root.branches, leaves, len(found) > MOST_LEAVES)


def _fed(reader: Reader, mapping: Mapping[str, str]) -> dict[Place, list[str]]:
    fed: dict[Place, list[str]] = {}
    for text, target in mapping.items():
        try:
            places = reader.places(parse_path(text))
        except InvalidPath:
            continue
        for place in places:
            fed.setdefault(place, []).append(target)
    return fed


def _feeds(fed: Mapping[Place, list[str]], leaf: Leaf) -> tuple[str, ...]:
    if not fed:
        return ()
    return tuple(dict.fromkeys(target for step in leaf.way for target in fed.get(step.place, ())))


def _shared(open_ones: list[tuple[Place, Branch]], down: list[Step]) -> int:
    shared = 0
    while shared < min(len(open_ones), len(down)) and open_ones[shared][0] == down[shared].place:
        shared += 1
    return shared


def _path_to(reader: Reader, step: Step) -> str:
    try:
        path = parse_path(step.path)
    except InvalidPath:
        return ""
    return step.path if step.place in reader.places(path) else ""
