"""Templates: values and texts filled in, and each fault named at its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.model.json import Json
from connector_master.model.problem import TransformFailed
from connector_master.pipeline.templates import InvalidTemplate, compile_template, compile_text

LEAD: Json = {"name": "Asha", "city": None, "n": 2, "tags": ["a", "b"], "attributes": {"x": {"y": 1}}}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{ lead.name }}", "Asha"),
        ("{{ lead.n }}", 2),
        ("{{ lead.n }} of {{ lead.city }}.", "2 of ."),
        ("{{lead.tags}}", ["a", "b"]),
        ("tags: {{ lead.tags }}", 'tags: ["a","b"]'),
        ("{{ {'a': {'b': lead.n}} }}", {"a": {"b": 2}}),
        ("{{ '}}' + lead.name }}", "}}Asha"),
        ("{{ '{{' }}x", "{{x"),
        ("{ not } one {", "{ not } one {"),
        ("{{ lead.n > 1 }}!", "true!"),
        ("{{ lead.city == null ? 'unknown' : lead.city }}", "unknown"),
    ],
)
def test_a_text_is_filled_in(text: str, filled: Json) -> None:
    assert compile_text(text, ("lead",)).fill({"lead": LEAD}) == filled


def test_json_is_filled_in_at_every_depth_and_its_keys_stay() -> None:
    template = compile_template({"a": [{"b": "{{ lead.name }}"}], "{{ k }}": True, "n": None, "c": 1.5}, ("lead",))

    assert template.fill({"lead": LEAD}) == {"a": [{"b": "Asha"}], "{{ k }}": True, "n": None, "c": 1.5}


def test_what_comes_out_empty_may_be_left_out() -> None:
    template = compile_template({"city": "{{ lead.city }}", "in": {"city": "{{ lead.city }}"}, "l": [None]}, ("lead",))

    assert template.fill({"lead": LEAD}, omits_empty=True) == {"in": {}, "l": [None]}


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ({"a": {"b": ["x", "{{ lead. }}"]}}, r"^a\.b\[1\]: Line 1"),
        ({"a": "{{ nobody }}", "b": "{{ 1 + }}"}, r"^a: .*nobody.*; b: Line 1"),
        ("{{ lead.name", "not closed"),
        ("{{ lead.name }", "not closed"),
        ("{{ '}} }}", "Syntax error"),
        ("{{ }}", "empty"),
        ("x" * 20_001, "longer than 20,000"),
        ([1] * 1_001, "more than 1,000 values"),
        ({"a": "{{ " + "lead.name + " * 300 + "'' }}"}, "longer than 2000"),
    ],
)
def test_a_broken_template_is_refused_with_the_place(template: Json, fault: str) -> None:
    with pytest.raises(InvalidTemplate, match=fault):
        compile_template(template, ("lead",))


def test_a_template_that_nests_too_deep_is_refused() -> None:
    deep: Any = "x"
    for _ in range(30):
        deep = [deep]

    with pytest.raises(InvalidTemplate, match="20 levels"):
        compile_template(deep, ("lead",))


def test_an_expression_that_fails_says_so() -> None:
    with pytest.raises(TransformFailed, match="nothing"):
        compile_template({"a": "{{ lead.nothing }}"}, ("lead",)).fill({"lead": LEAD})


@given(st.text(alphabet="{}'\"ab. ", max_size=60))
def test_any_text_is_filled_in_or_refused(text: str) -> None:
    try:
        filled = compile_text(text, ("lead",)).fill({"lead": LEAD})
    except (InvalidTemplate, TransformFailed):
        return
    json.dumps(filled)
    if "{{" not in text:
        assert filled == text
