"""The functions that expressions can call: each with its documented example, and with whatever JSON holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.model.json import Json
from connector_master.model.problem import TransformFailed
from connector_master.pipeline.expressions import compile_expression
from connector_master.pipeline.functions import FUNCTIONS, Function

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
FURTHER = {"region": "'US'", "count": "3", "otherwise": "0", "table": "{'a': 'b'}", "zone": "'UTC'", "pattern": "'%Y'"}


def evaluated(expression: str, value: Json = None) -> Json:
    return compile_expression(expression).evaluate(value, {})


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_a_function_does_what_its_example_says(function: Function) -> None:
    expression, result = function.example

    assert evaluated(expression) == result


@pytest.mark.parametrize(
    ("expression", "value", "result"),
    [
        ("phone(value)", 919876543210, "+919876543210"),
        ("phone(value)", 9876543210.0, "+919876543210"),
        ("phone(value, 'GB')", "020 7183 8750", "+442071838750"),
        ("phone(value, 'gb')", "020 7183 8750", "+442071838750"),
        ("value.phone()", "98XXXXXX10", ""),
        ("value.phone()", None, ""),
        ("phoneCountry(value)", "98765 43210", "IN"),
        ("phoneCountry(value)", "none", ""),
        ("email(value)", "noreply@example.com", ""),
        ("email(value)", ["asha@example.com"], "asha@example.com"),
        ("emailDomain(value)", "nobody", ""),
        ("lower(value)", "ΑΘΗΝΑ", "αθηνα"),
        ("value.upper()", "straße", "STRASSE"),
        ("title(value)", "madhya  PRADESH o'neil", "Madhya  Pradesh O'neil"),
        ("firstName(value)", "Asha", "Asha"),
        ("lastName(value)", "Asha", ""),
        ("lastName(value)", " Asha  Rao ", "Rao"),
        ("text(value)", 5.0, "5"),
        ("text(value)", {"label": "Pump", "value": 1}, "Pump"),
        ("text(value)", {"a": 1}, ""),
        ("filled(value)", [None, ""], False),
        ("filled(value)", 0, True),
        ("left(value, 500)", "short", "short"),
        ("left(value, -1)", "short", ""),
        ("left(value, 2)", "नमस्ते", "नम"),
        ("digits(value)", "१२ x3", "१२3"),
        ("number(value, 0)", "Rs. 2,500/-", 2500.0),
        ("number(value, 0)", "-3.5 °C", -3.5),
        ("number(value, -1)", "many", -1.0),
        ("number(value, -1)", "10-20", -1.0),
        ("number(value, 0)", 12, 12.0),
        ("lookup(value, {'a': 1})", " A ", "1"),
        ("lookup(value, {'a': 'x'}, 'else')", "b", "else"),
        ("lookup(value, record)", "b", ""),
        ("lookup(value, {'7': 'seven'})", 7, "seven"),
        ("readTime(value, 'Asia/Kolkata').getHours('UTC')", "12/10/2026 15:30", 10),
        ("readTime(value) < timestamp('2026-10-13T00:00:00Z')", 1791801000, True),
        ("formatTime(value, '%H:%M', 'America/New_York')", "2026-10-12T10:00:00Z", "06:00"),
        ("formatTime(timestamp(value), '%A, %d %B %Y')", "2026-10-12T10:00:00Z", "Monday, 12 October 2026"),
        ("formatTime(value, '100%%')", "2026-10-12", "100%"),
        ("formatTime(value, '%Y')", "soon", ""),
        ("sha256(value)", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("md5(value)", 1, "c4ca4238a0b923820dcc509a6f75849b"),
    ],
)
def test_what_a_function_makes(expression: str, value: Json, result: Json) -> None:
    assert evaluated(expression, value) == result


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "readTime"])
@given(value=JSON)
def test_a_function_takes_whatever_there_is(name: str, value: Json) -> None:
    function = FUNCTIONS[name]
    parameters = function.signature.partition("(")[2].rstrip(")").replace("?", "").split(", ")
    arguments = ", ".join(
        ["value", *(FURTHER[parameter] for parameter in parameters[1 : len(function.takes) - function.optional])]
    )

    for expression in (f"{name}({arguments})", f"value.{name}({arguments.partition(', ')[2]})"):
        assert evaluated(expression, value) is not None


def test_a_time_zone_that_is_no_constant_fails_when_it_is_none() -> None:
    with pytest.raises(TransformFailed, match="is no time zone"):
        evaluated("readTime('2026-10-12', value)", "Pune")
