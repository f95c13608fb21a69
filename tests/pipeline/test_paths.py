"""Paths: the literal key first, then the walk; nothing that a sender builds breaks or slows it."""

import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.model.json import Json
from connector_master.pipeline.paths import InvalidPath, leaf_paths, parse_path, read

KEYS = st.text(st.sampled_from('ab.[]"\\ 0=~'), max_size=6) | st.sampled_from(["value", "name", "options", "__proto__"])
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
# `options` give values another text, and numbers tell leaves apart.
HARD_KEYS = st.text(st.sampled_from('ab.[]"\\ 0=~'), max_size=6)
NESTED: st.SearchStrategy[Json] = st.recursive(
    st.integers(), lambda inner: st.dictionaries(HARD_KEYS, inner, min_size=1, max_size=4), max_leaves=12
)


def _leaves(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    else:
        yield value


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("phone", {"phone": "x"}),
        ("1.3", {"1.3": "x", "1": {"3": "no"}}),
        ("Phone Number", {"Phone Number": "x"}),
        ("What's your budget?", {"What's your budget?": "x"}),
        ("Tell us more...", {"Tell us more...": "x"}),
        ("fields[tel][value]", {"fields[tel][value]": "x"}),
        ("fields[tel][value]", {"fields": {"tel": {"value": "x"}}}),
        ("a[b][c]", {"a": {"b": {"c": "x"}}}),
        ("a.b.c", {"a.b": {"c": "x"}, "a": {"b": {"c": "no"}}}),
        ("a.b.c", {"a.b": {"other": 1}, "a": {"b": {"c": "x"}}}),
        ("data.json", {"data.json": "x"}),
        ("data.json.name[0]", {"data.json": '{"name": ["x"]}'}),
        ("rawRequest.q5_phone.full", {"rawRequest": ' {"q5_phone": {"full": "x"}}'}),
        ("name[0]", {"name": ["x", "y"]}),
        ("name.0", {"name": ["x", "y"]}),
        ("lead.phone", {"lead": [{"phone": "x"}]}),
        ('namedValues["Full Name "][0]', {"namedValues": {"Full Name ": ["x"]}}),
        ("namedvalues.full name.0", {"namedValues": {"Full Name ": ["x"]}}),
        ("PHONE", {" Phone ": "x"}),
        ("Phone", {"phone": "no", "Phone": "x"}),
        ("answers[type=phone_number].phone", {"answers": [{"type": "text"}, {"type": "phone_number", "phone": "x"}]}),
        ("answers[field.ref=n].text", {"answers": [{"field": {"ref": "m"}}, {"field": {"ref": "n"}, "text": "x"}]}),
        ('fields[label="a]b"].value', {"fields": [{"label": "a]b", "value": "x"}]}),
        ("q[question~PHONE].answer", {"q": [{"question": "Your phone number?", "answer": "x"}]}),
        ("fields[type=tel].value", {"fields": {"f_4": {"type": "tel", "value": "x"}}}),
        ("field_data.phone_number[0]", {"field_data": [{"name": "phone_number", "values": ["x"]}]}),
        ("fields.Full name", {"fields": [{"key": "q1", "label": "Full name", "value": "x"}]}),
        (
            "fields[label=Product].value",
            {"fields": [{"label": "Product", "value": "o", "options": [{"id": "o", "text": "x"}]}]},
        ),
        ("products[]", {"products": "x"}),
    ],
)
def test_a_path_finds_what_a_person_means_by_it(path: str, record: Json) -> None:
    assert read(record, parse_path(path)) == "x"


@pytest.mark.parametrize("path", ["a.c", "a[1]", "a.b.c", "__proto__.polluted", "constructor", "a[x=1]", "b.c.d"])
def test_a_path_to_nothing_reads_none(path: str) -> None:
    assert (
        read({"a": {"b": "text"}, "__proto__": {"polluted": 1}, "constructor": 1, "b": "{broken"}, parse_path(path))
        is None
    )


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a[b", "bracket opened at character 2 is not closed"),
        ('a["b]', "quote opened at character 2 is not closed"),
        ('a["b"c]', "quote in the bracket at character 2"),
        ("a[=x]", "names no key before ="),
        ("[]", "names no field"),
        (".".join("a" * 40), "more than 32 steps"),
        ("a" * 501, "longer than 500"),
    ],
)
def test_broken_syntax_is_refused_with_its_place(path: str, fault: str) -> None:
    with pytest.raises(InvalidPath, match=fault):
        parse_path(path)


def test_json_inside_json_inside_json_is_entered_only_so_often() -> None:
    record: Json = "x"
    for _ in range(3):
        record = json.dumps({"a": record})

    assert read({"a": record}, parse_path("a.a.a.a")) == "x"
    assert read({"a": json.dumps({"a": record})}, parse_path("a.a.a.a.a")) is None


def test_leaf_paths_are_written_as_a_person_would() -> None:
    record: Json = {
        "1.3": "Deepa",
        "fields[tel][value]": "9",
        "payload": {"data": {"Phone Number": "9", "Full Name ": ["A"]}},
        "field_data": [{"name": "city", "values": ["Pune"]}],
        "data.json": '{"name": ["V"]}',
        "empty": {},
    }

    assert leaf_paths(record) == [
        "1.3",
        "fields[tel][value]",
        "payload.data.Phone Number",
        'payload.data["Full Name "]',
        "field_data.city",
        "data.json.name",
    ]


def test_leaf_paths_stop_at_the_limit() -> None:
    assert len(leaf_paths({str(number): number for number in range(9_000)}, limit=10)) == 10


@given(st.text(st.sampled_from("ab.[]\"'= ~\\0") | st.characters(), max_size=40))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except InvalidPath:
        return
    assert read({text: "x"}, path) == "x" or text in ("__proto__", "constructor", "prototype")


@given(st.dictionaries(HARD_KEYS, NESTED, max_size=4))
def test_every_leaf_path_reads_its_own_leaf(record: dict[str, Json]) -> None:
    assert [read(record, parse_path(path)) for path in leaf_paths(record)] == list(_leaves(record))


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_leaf_paths_can_always_be_parsed(record: dict[str, Json]) -> None:
    for path in leaf_paths(record):
        parse_path(path)


@given(JSON, st.text(st.sampled_from('ab.[]"= ~0'), min_size=1, max_size=12))
def test_reading_never_fails(record: Json, text: str) -> None:
    try:
        path = parse_path(text)
    except InvalidPath:
        return
    read(record, path)


def test_a_hostile_record_costs_little() -> None:
    deep: Json = "x"
    for _ in range(400):
        deep = {"a": deep, "a.a": deep, "A": deep}
    wide: Json = {"a": [{"name": str(number), "value": number} for number in range(50_000)]}
    start = time.perf_counter()

    for path in (".".join("a" * 32), "a.a[a=a].a", "a[name=x].value"):
        read(deep, parse_path(path))
        read(wide, parse_path(path))

    assert time.perf_counter() - start < 5
