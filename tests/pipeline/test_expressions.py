"""Expressions: what they can do, how their faults are named, and that none can take long."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_master.model.json import Json
from connector_master.model.problem import TransformFailed
from connector_master.pipeline.expressions import InvalidExpression, compile_expression

LONG = "x" * 10_000_000


@pytest.mark.parametrize(
    ("expression", "value", "record", "result"),
    [
        ("value.trim().lowerAscii()", " Asha ", {}, "asha"),
        ("value.replace('-', ' ').split(' ')[0]", "Asha-Rao x", {}, "Asha"),
        (
            "value.split(' ').map(w, w.substring(0, 1).upperAscii() + w.substring(1)).join(' ')",
            "asha rao",
            {},
            "Asha Rao",
        ),
        ("record.first + ' ' + record.last", None, {"first": "Asha", "last": "Rao"}, "Asha Rao"),
        ("record[?'x'].orValue('none')", None, {}, "none"),
        ("value == 'b2b' ? 'Business' : 'Person'", "b2b", {}, "Business"),
        ("value * 2", 21, {}, 42),
        ("{'a': [value, null, true]}", 1, {}, {"a": [1, None, True]}),
        ("timestamp(value)", "2026-10-12T10:00:00Z", {}, "2026-10-12T10:00:00+00:00"),
        ("value", "Asha\x00\ud800 Rao", {}, "Asha Rao"),
        ("record.a.b", None, {"a": {"b": "x\ud800"}}, "x"),
        ("value.matches('^[6-9][0-9]{9}$')", "9000000201", {}, True),
        ("value.lowerAscii()", "नमस्ते A", {}, "नमस्ते a"),
    ],
)
def test_an_expression_makes_a_value(expression: str, value: Json, record: Json, result: Json) -> None:
    assert compile_expression(expression).evaluate(value, record) == result


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("value +", r"^Line 1, column 8: Syntax error: mismatched input '<EOF>'$"),
        ("1 +\n valu", "^Line 2, column 2: undeclared reference to 'valu'; did you mean value[?]$"),
        ("value.starsWith('a')", "Line 1, column 16: undeclared reference to 'starsWith'; did you mean startsWith[?]$"),
        ("1 == 'a'", "^Line 1, column 3: found no matching overload for '==' applied to '[(]int, string[)]'$"),
        ("lookup(value)", "column 7: .*; it is called as lookup[(]value, table, otherwise[?][)]$"),
        ("value ==\n  'x' || value.matches('[')", "^Line 2, column 24: invalid regular expression: missing ]"),
        ("readTime(value, 'Pune')", "^Line 1, column 9: 'Pune' is no time zone"),
        ("formatTime(value, '%d.%Q')", "^Line 1, column 11: '%Q' is nothing that a time is written with"),
        ("value.split('').map(a, phone(value + a)).join(value)", "could build too much"),
        ("value.nope()", "undeclared reference to 'nope'"),
        ("((" * 60, "nested too deeply"),
        (" ", "empty"),
        ("value + 'x'" * 300, "longer than 2000"),
        ("value.split('').map(a, value.split('').map(b, value.replace(a, value)))", "could build too much"),
        ("value.replace('', value).replace('', value).replace('', value)", "could build too much"),
    ],
)
def test_a_broken_expression_is_refused_with_its_place(expression: str, fault: str) -> None:
    with pytest.raises(InvalidExpression, match=fault):
        compile_expression(expression)


@pytest.mark.parametrize(
    ("expression", "value", "fault"),
    [
        ("1 / 0", None, "divide by zero"),
        ("record.missing", None, 'Key not found in map : "missing"'),
        ("value.trim()", 5, "No matching overloads"),
        ("optional.of(1)", None, "makes no value that JSON has"),
        ("duration('1h')", None, "makes no value that JSON has"),
        ("value", 10**500, "out of range"),
        ("value.matches(value)", "[", "missing ]"),
        ("readTime(value)", "soon", "there is no time in it"),
        ("value.map(a, value.map(b, value.map(c, a)))", list(range(150)), "loops more than 10,000 times"),
    ],
)
def test_what_goes_wrong_is_said(expression: str, value: Json, fault: str) -> None:
    with pytest.raises(TransformFailed) as failure:
        compile_expression(expression).evaluate(value, {})

    assert fault in failure.value.detail


def test_an_error_does_not_quote_the_record() -> None:
    with pytest.raises(TransformFailed) as failure:
        compile_expression("record[value]").evaluate("Asha's secret", {})

    assert "secret" not in failure.value.detail


@pytest.mark.parametrize(
    "expression",
    [
        "value.trim()",
        "value.replace('x', value)",
        "value.split('').join(value)",
        "value.split('').map(a, value)",
        "value.split('').map(a, a + a).map(b, b + b)",
        "[value].map(a, a + a).map(b, b + b).map(c, c + c).map(d, d + d)",
        "value.matches('(x+x+)+y')",
        "value.matches('(x{0,1000}x{0,1000}){1,1}y')",
        "value.matches(value)",
        "value.matches('(.*)(.*)(.*)(.*)(.*)[ab]y')",
        "'%s'.format([value])",
        "value.reverse() + value.upperAscii() + value",
        "value.split('').filter(a, a != 'x').size()",
        "value.split('').exists(a, a == 'y')",
        "value.split(',').map(a, phone(a))",
        "value.split('').map(a, lookup(a, {'x': 'y'}))",
        "phone(value) + email(value) + title(value) + sha256(value) + formatTime(value, '%d')",
    ],
)
def test_a_trap_ends_in_a_tenth_of_a_second(expression: str) -> None:
    compiled = compile_expression(expression)
    largest = "x" * (compiled.program.largest_input - 1)

    for value in (LONG, largest, ("080-22345678," * 100_000)[: len(largest)]):
        # What is computed, not what passes meanwhile: a busy machine lets others run in between.
        start = time.thread_time()
        with suppress(TransformFailed):
            compiled.evaluate(value, {})
        assert time.thread_time() - start < 1


def test_an_input_that_is_too_large_is_said() -> None:
    with pytest.raises(TransformFailed, match="larger than 1,000 characters"):
        compile_expression("value.replace('x', value)").evaluate(LONG, {})


def test_a_list_that_is_too_long_to_be_gone_through_is_said() -> None:
    record: Json = {"answers": [{"id": 1}] * 1_001}

    with pytest.raises(TransformFailed, match="larger than"):
        compile_expression("record.answers.filter(a, a.id == 2)").evaluate(None, record)
    assert compile_expression("record.answers.exists(a, a.id == 2)").evaluate(None, record) is False


def test_a_large_record_counts_only_where_it_is_used() -> None:
    record: Json = {"notes": LONG}

    assert compile_expression("value + '!'").evaluate("x", record) == "x!"
    with pytest.raises(TransformFailed, match="larger than"):
        compile_expression("record.notes + '!'").evaluate("x", record)


PARTS = st.sampled_from(
    # Each hole is filled by a later part.
    [
        *("value", "record.a", "'x'", "1", "[1, 2]", "value.split('')", "null"),
        *("value.map(a, {})", "{}.replace('x', {})", "{} + {}", "{}.trim()", "[{}, {}]", "{}.join({})"),
        "{}.filter(b, b != {})",
    ]
)


@settings(deadline=2_000, max_examples=200)
@given(st.lists(PARTS, min_size=1, max_size=9), st.text(max_size=300) | st.lists(st.text(max_size=5), max_size=50))
def test_any_expression_compiles_or_is_refused_and_then_ends(parts: list[str], value: Json) -> None:
    text = "{}"
    for part in parts:
        text = text.replace("{}", part, 1) if "{}" in text else f"{text} == {part}"
    try:
        compiled = compile_expression(text.replace("{}", "value"))
    except InvalidExpression:
        return
    try:
        json.dumps(compiled.evaluate(value, {"a": "xyz"}))
    except TransformFailed:
        return
