"""JSON text: exact where numbers are long, lenient where templates are careless, bounded everywhere."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.model.json_text import JsonLimits, enter_text, read_json
from connector_master.model.problem import InvalidBody

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=30,
)


@given(JSON, st.booleans())
def test_what_was_written_is_read(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert read_json(text.encode()) == value
    assert read_json(text) == value


@pytest.mark.parametrize("number", ["12345678901234567890123", "-" + "9" * 500, "1" * 100_000, "1e999", "-1e999"])
def test_a_number_that_no_machine_number_holds_stays_text(number: str) -> None:
    assert read_json(f'{{"id": {number}}}') == {"id": number}


def test_long_ids_are_never_rounded_into_one_another() -> None:
    assert read_json(b"[18446744073709551615, 18446744073709551616, -9223372036854775809]") == [
        18446744073709551615,
        "18446744073709551616",
        "-9223372036854775809",
    ]
    assert read_json(b"[0.10000000000000000000000001]") == [0.1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\ud800"', "\ud800"),
        (b'"\\udc00\\ud800 x"', "\udc00\ud800 x"),
        (b'"\\u0000"', "\x00"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"message": "two\nlines\tand a tab"}', {"message": "two\nlines\tand a tab"}),
    ],
)
def test_strange_but_clear_text_is_read(text: bytes, value: Any) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b'{"phone": "+91900', "Line 1, column 11"),
        (b'{\n "a": 1,\n "b" 2}', "Line 3, column 6"),
        (b'{"name": "Ravi "Secret" Sample"}', "Line 1, column 17"),
        (b"[1,]", "Line 1"),
        (b"NaN", "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'"\xff"', "byte 2"),
        (b"", "ends too early"),
        (b"{} {}", "Line 1, column 4"),
    ],
)
def test_broken_text_is_refused_by_its_place_without_quoting_it(text: bytes, where: str) -> None:
    with pytest.raises(InvalidBody) as refusal:
        read_json(text)
    assert where in refusal.value.detail
    assert "Secret" not in refusal.value.detail


@pytest.mark.parametrize("left", [b"[", b'{"a":', b'[{"\\ud800":', b"[1" + b"0" * 30 + b","])
@pytest.mark.parametrize("count", [65, 1_000, 100_000])
def test_deep_nesting_is_refused(left: bytes, count: int) -> None:
    right = b"]" if left.startswith(b"[") else b"}"
    with pytest.raises(InvalidBody):
        read_json(left * count)
    with pytest.raises(InvalidBody, match="deeper than 64"):
        read_json(left * count + b"1" + right * count)


def test_brackets_in_strings_are_no_nesting() -> None:
    text = json.dumps({"note": '[{"\\' * 500, "sad": "\ud800", "list": [[] for _ in range(100)]})
    assert read_json(text) == json.loads(text)
    assert read_json(b"[" * 64 + b"]" * 64) is not None


def test_too_many_values_and_too_long_keys_are_refused() -> None:
    with pytest.raises(InvalidBody, match="more than 10 values"):
        read_json(b"[" + b"0," * 999 + b"0]", JsonLimits(values=10))
    with pytest.raises(InvalidBody, match="longer than 1000"):
        read_json(b'{"' + b"k" * 1001 + b'": 1}')
    assert read_json(b'{"' + b"k" * 1000 + b'": 1}') == {"k" * 1000: 1}


@pytest.mark.parametrize("value", ["7", "text", "{broken", "", None, 7, {"a": "{}"}])
def test_only_text_that_is_an_object_or_a_list_is_entered(value: Any) -> None:
    assert enter_text(value) is value


def test_text_that_is_json_is_entered() -> None:
    assert enter_text(' [{"a": 1}]') == [{"a": 1}]
