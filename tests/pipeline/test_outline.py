"""A record as a tree: paths that read back, what feeds what, and work that stays bounded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.model.json import Json
from connector_master.pipeline.outline import MOST_LEAVES, Branch, outline
from connector_master.pipeline.paths import parse_path, read

KEYS = st.sampled_from(["a", "b", "a.b", "A", "value", "label", "x[0]", "Full Name ", "1", 'na"me', "", "é"])
RECORDS = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


def keys(branches: list[Branch]) -> list[object]:
    return [branch.key if branch.number is not None else {branch.key: keys(branch.branches)} for branch in branches]


def test_a_record_keeps_its_shape() -> None:
    record: Json = {"id": 1, "buyer": {"name": {"first": "Asha", "last": "Rao"}, "tags": ["a", "b"]}, "note": ""}

    shown = outline(record, {})

    assert keys(shown.branches) == ["id", {"buyer": [{"name": ["first", "last"]}, "tags"]}, "note"]
    assert [leaf.path for leaf in shown.leaves] == ["id", "buyer.name.first", "buyer.name.last", "buyer.tags", "note"]
    assert [leaf.number for leaf in shown.leaves] == [0, 1, 2, 3, 4]


def test_answers_are_named_after_their_questions() -> None:
    record: Json = {"answers": [{"label": "Your phone?", "value": "98765 43210"}, {"label": "City", "value": "Pune"}]}

    shown = outline(record, {"answers[label=City].value": "city"})

    assert keys(shown.branches) == [{"answers": ["Your phone?", "City"]}]
    assert [leaf.feeds for leaf in shown.leaves] == [(), ("city",)]


def test_text_that_holds_json_is_entered() -> None:
    record: Json = {"payload": json.dumps({"phone": "98765 43210"})}

    shown = outline(record, {"payload.phone": "phoneNumber"})

    assert keys(shown.branches) == [{"payload": ["phone"]}]
    assert shown.leaves[0].feeds == ("phoneNumber",)


def test_all_of_an_object_feeds_what_the_object_does() -> None:
    record: Json = {"name": {"first": "Asha", "last": "Rao"}, "phone": "1"}

    shown = outline(record, {"name": "name", "broken[": "city"})

    assert [leaf.feeds for leaf in shown.leaves] == [("name",), ("name",), ()]
    assert (shown.branches[0].path, shown.branches[0].is_compound, shown.branches[0].is_fed) == ("name", True, True)


def test_only_what_says_something_is_wasted() -> None:
    shown = outline({"a": "x", "b": "  ", "c": None, "d": "y"}, {"d": "name"})

    assert [leaf.is_wasted for leaf in shown.leaves] == [True, False, False, False]


def test_a_flood_of_fields_is_cut() -> None:
    shown = outline({f"f{number}": "x" for number in range(MOST_LEAVES + 1)}, {})

    assert (len(shown.leaves), shown.is_cut) == (MOST_LEAVES, True)


@given(RECORDS)
def test_every_path_reads_what_lies_there(record: dict[str, Json]) -> None:
    for leaf in outline(record, {}).leaves:
        assert read(record, parse_path(leaf.path)) == leaf.value


@given(RECORDS)
def test_what_is_mapped_by_its_path_is_fed(record: dict[str, Json]) -> None:
    for leaf in outline(record, {}).leaves:
        marked = outline(record, {leaf.path: "name"}).leaves[leaf.number or 0]
        assert marked.feeds == ("name",) or leaf.value is None


@pytest.mark.parametrize("record", [None, "text", 5, [1], {}])
def test_what_has_no_fields_has_no_branches(record: Json) -> None:
    assert outline(record, {}).branches == []
