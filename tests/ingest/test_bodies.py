"""Bodies: what each content type says, and that no bytes whatever do harm."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.ingest.bodies import Decoded, decode, refuse_compressed
from connector_master.ingest.form_bodies import FormLimits, nest
from connector_master.model.problem import InvalidBody, UnsupportedMediaType

SAMPLES = Path(__file__).parent.parent / "samples"
INDEX: dict[str, Any] = json.loads((SAMPLES / "webhook" / "index.json").read_text())
LEAD: Any = {"name": "José", "phone": "+919000000201"}
TEXT = json.dumps(LEAD, ensure_ascii=False)

JSON, FORM, LINES = "application/json", "application/x-www-form-urlencoded", "application/x-ndjson"
MULTIPART = "multipart/form-data; boundary=xyz"


def value(body: bytes, content_type: str | None) -> Any:
    return decode(body, content_type).value


# ---- JSON -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json; charset=us-ascii",
        "application/cloudevents+json",
        "text/json",
        "text/plain",
        "text/plain;charset=UTF-8",
        "",
        " ",
        None,
    ],
)
def test_json_is_read_under_each_of_its_types(content_type: str | None) -> None:
    assert decode(TEXT.encode(), content_type) == Decoded(LEAD, is_list=False)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "text/plain", None])
def test_unicode_is_told_by_its_bytes(codec: str, content_type: str | None) -> None:
    assert value(TEXT.encode(codec), content_type) == LEAD


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin1", "windows-1252", "ISO-8859-15"])
def test_a_charset_is_believed(charset: str) -> None:
    assert value(TEXT.encode("latin-1"), f"application/json; charset={charset}") == LEAD


@pytest.mark.parametrize(
    "charset", ["klingon", "rot13", "base64", "zlib", "unicode_escape", "idna", "../../x", "x" * 99]
)
def test_an_unknown_charset_is_unsupported(charset: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode(TEXT.encode(), f"application/json; charset={charset}")


def test_a_list_at_the_top_is_a_list_of_records() -> None:
    assert decode(b"[{}, {}]", JSON) == Decoded([{}, {}], is_list=True)
    assert decode(b"[]", JSON) == Decoded([], is_list=True)
    assert decode(b"7", JSON) == Decoded(7, is_list=False)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidBody, match="not UTF-8"):
        decode(TEXT.encode("latin-1"), JSON)
    with pytest.raises(InvalidBody, match="not text in big5"):
        decode(b'{"a": "\xff\xff"}', "application/json; charset=big5")


@pytest.mark.parametrize("content_type", [JSON, FORM, LINES, MULTIPART, "text/plain", None])
def test_an_empty_body_is_refused(content_type: str | None) -> None:
    with pytest.raises(InvalidBody):
        decode(b"", content_type)


@pytest.mark.parametrize(
    "content_type",
    ["application/xml", "text/html", "image/png", "application/octet-stream", "json", "multipart/mixed", "é", "\ud800"],
)
def test_other_types_are_unsupported(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode(TEXT.encode(), content_type)


@pytest.mark.parametrize("content_type", ["text/plain", None])
def test_text_that_does_not_look_like_json_is_unsupported(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode(b"phone=1", content_type)


def test_compressed_bodies_are_unsupported() -> None:
    for plain in (None, "", "identity", " Identity "):
        refuse_compressed(plain)
    for packed in ("gzip", "br", "identity, gzip", "x"):
        with pytest.raises(UnsupportedMediaType):
            refuse_compressed(packed)


# ---- newline-delimited JSON -------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [LINES, "application/jsonl", "application/json-lines"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n"])
def test_each_line_is_a_record(content_type: str, ending: bytes) -> None:
    assert decode(ending.join([b'{"a": 1}', b'{"a": 2}', b""]), content_type) == Decoded([{"a": 1}, {"a": 2}], True)
    assert decode(b'{"a": 1}', content_type) == Decoded([{"a": 1}], is_list=True)


def test_a_json_sequence_is_read() -> None:
    assert value(b'\x1e{"a": 1}\n\x1e{"a": 2}\n', "application/json-seq") == [{"a": 1}, {"a": 2}]


def test_a_broken_line_stays_text_and_harms_no_other() -> None:
    assert value(b'{"a": 1}\n{"a": \n{"a": 2}', LINES) == [{"a": 1}, '{"a":', {"a": 2}]


def test_lines_of_which_none_can_be_read_are_refused() -> None:
    with pytest.raises(InvalidBody, match="line 2"):
        decode(b"\nphone,name\n1,x", LINES)
    with pytest.raises(InvalidBody):
        decode(b" \n \r\n", LINES)


# ---- forms ------------------------------------------------------------------------------------------


def test_a_urlencoded_form_is_nested_and_decoded() -> None:
    body = b"a%5Bb%5D%5Bc%5D=v&x[]=1&x[]=2&k=1&k=2&plus=a+b%2Bc&data.json=%7B%7D&empty=&bare&&name=Jos%C3%A9\r\n"
    assert value(body, FORM) == {
        "a": {"b": {"c": "v"}},
        "x": ["1", "2"],
        "k": ["1", "2"],
        "plus": "a b+c",
        "data.json": "{}",
        "empty": "",
        "bare": "",
        "name": "José",
    }


def test_a_forms_charset_is_believed_and_bad_bytes_are_replaced() -> None:
    assert value(b"name=Jos%E9", FORM + "; charset=iso-8859-1") == {"name": "José"}
    assert value(b"name=Jos%E9&bad=%zz%", FORM) == {"name": "Jos\ufffd", "bad": "%zz%"}


def test_json_sent_as_a_form_is_read_as_a_form() -> None:
    assert value(b'{"phone": "1"}', FORM) == {'{"phone": "1"}': ""}


@pytest.mark.parametrize(
    ("fields", "nested"),
    [
        ([("a[0][b]", "1"), ("a[1][b]", "2")], {"a": [{"b": "1"}, {"b": "2"}]}),
        ([("a[3]", "1"), ("a[4]", "2")], {"a": {"3": "1", "4": "2"}}),
        ([("x[][a]", "1"), ("x[][b]", "2"), ("x[][a]", "3")], {"x": [{"a": "1", "b": "2"}, {"a": "3"}]}),
        ([("x", "1"), ("x[]", "2")], {"x": ["1", "2"]}),
        ([("x[]", "1"), ("x", "2")], {"x": ["1", "2"]}),
        ([("x", "1"), ("x[a]", "2")], {"x": "1", "x[a]": "2"}),
        ([("x[]", "1"), ("x[a]", "2")], {"x": ["1"], "x[a]": "2"}),
        ([("x[a]", "1"), ("x", "2")], {"x": [{"a": "1"}, "2"]}),
        ([("x[a]", "1"), ("x[a]", "2")], {"x": {"a": ["1", "2"]}}),
        ([("x[]", "1"), ("x[][]", "2")], {"x": ["1", ["2"]]}),
        ([("[x]", "1"), ("a[", "2"), ("b]", "3"), ("c[d", "4"), ("e[f]g", "5")], None),
    ],
)
def test_keys_say_how_fields_nest(fields: list[tuple[str, Any]], nested: dict[str, Any] | None) -> None:
    assert nest(fields, FormLimits()) == (dict(fields) if nested is None else nested)


def texts(value: Any) -> list[str]:
    """Every text in a value, in order."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value]


@given(st.lists(st.lists(st.sampled_from(["a", "[b]", "[]", "[0]", "[", "]"]), max_size=5).map("".join), max_size=12))
def test_no_field_is_ever_dropped(keys: list[str]) -> None:
    fields = [(key, str(number)) for number, key in enumerate(keys)]
    assert sorted(texts(nest(fields, FormLimits()))) == sorted(text for _, text in fields)


@pytest.mark.parametrize("body", [b"&" * 5000, b"a&" * 6000, b"a" + b"[b]" * 17 + b"=1", b"k" * 1001 + b"=1"])
def test_a_form_beyond_its_limits_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        decode(body, FORM)


def part(disposition: str, content: bytes, *headers: bytes) -> bytes:
    lines = [b"--xyz", b"Content-Disposition: form-data; " + disposition.encode(), *headers, b"", content, b""]
    return b"\r\n".join(lines)


def test_a_multipart_form_gives_its_texts_and_refers_to_its_files() -> None:
    body = b"".join(
        [
            b"preamble\r\n",
            part('name="phone"', b"+91 90000 00201"),
            part('name="tags[]"', b"a"),
            part('name="tags[]"', b"b\r\n--xy"),
            part('name="name"', "José".encode(), b"Content-Type: text/plain; charset=utf-8"),
            part('name="plan"; filename="dräft.pdf"', b"%PDF\x00", b"content-type: application/pdf"),
            part('name="none"; filename=""', b"", b"Content-Type: application/octet-stream"),
            b"--xyz--\r\nepilogue",
        ]
    )
    assert value(body, MULTIPART) == {
        "phone": "+91 90000 00201",
        "tags": ["a", "b\r\n--xy"],
        "name": "José",
        "plan": {"filename": "dräft.pdf", "contentType": "application/pdf", "bytes": 5},
        "none": "",
    }


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (part('name="a"', b"1") + b"--xyz--", "multipart/form-data"),
        (part('name="a"', b"1") + b"--xyz--", "multipart/form-data; boundary="),
        (part('name="a"', b"1") + b"--xyz--", "multipart/form-data; boundary=other"),
        (part('name="a"', b"1") + b"--xyz--", "multipart/form-data; boundary=" + "x" * 300),
        (part('name="a"', b"1"), MULTIPART),
        (part('name="a"', b"1")[:30], MULTIPART),
        (part('nome="a"', b"1") + b"--xyz--", MULTIPART),
        (part('name="a"', b"1") * 1001 + b"--xyz--", MULTIPART),
        (part('name="a"', b"1", b"X: " + b"y" * 9000) + b"--xyz--", MULTIPART),
        (part('name="a"', b"1", *[b"X: y"] * 50) + b"--xyz--", MULTIPART),
        (b"--xyz\r\nno colon here\r\n\r\n1\r\n--xyz--", MULTIPART),
    ],
)
def test_a_misshapen_multipart_form_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(InvalidBody):
        decode(body, content_type)


# ---- real and hostile bodies ------------------------------------------------------------------------


@pytest.mark.parametrize("name", INDEX)
def test_every_senders_sample_is_read(name: str) -> None:
    found = value((SAMPLES / "webhook" / name).read_bytes(), INDEX[name]["headers"]["Content-Type"])
    assert isinstance(found, dict)
    assert len(found) >= 2


def test_fields_of_real_forms_lie_where_their_senders_put_them() -> None:
    def sample(name: str) -> Any:
        return value((SAMPLES / "webhook" / name).read_bytes(), INDEX[name]["headers"]["Content-Type"])

    assert sample("elementor-advanced.form")["fields"]["name"]["value"] == "Asha Example"
    assert json.loads(sample("jotform.multipart")["rawRequest"])["q4_email"] == "sunita@example.com"
    assert "phone_number" in json.loads(sample("unbounce.form")["data.json"])


HOSTILE = {
    "brackets": (b"[" * 1_000_000, JSON),
    "objects": (b'{"a":' * 200_000, JSON),
    "numbers": (b"[1" + b",1" * 500_000 + b"]", JSON),
    "lists": (b'["\\ud800"' + b",[]" * 300_000 + b"]", JSON),
    "digits": (b"1" * 1_000_000, JSON),
    "escapes": (b'["' + b'\\"' * 500_000, JSON),
    "escaped quotes outside": (b"[" * 100 + b'\\"' * 500_000, JSON),
    "lines": (b"{\n" * 500_000, LINES),
    "broken lines": (b"{\n" * 20_000, LINES),
    "fields": (b"a&" * 500_000, FORM),
    "percent": (b"%" * 1_000_000, FORM),
    "brackets in keys": (b"[" * 1_000_000, FORM),
    "deep keys": (b"&".join(b"a%d" % n + b"[b]" * 15 + b"=1" for n in range(4_900)), FORM),
    "line ends": (part('name="a"', b"\r\n" * 500_000) + b"--xyz--", MULTIPART),
    "almost boundaries": (part('name="a"', b"\r\n--xy" * 150_000) + b"--xyz--", MULTIPART),
    "line ends in front": (b"\r\n" * 500_000 + part('name="a"', b"1") + b"--xyz--", MULTIPART),
    "line ends behind": (part('name="a"', b"1") + b"--xyz--" + b"\r\n" * 500_000, MULTIPART),
    "endless header": (b"--xyz\r\n" + b"A" * 1_000_000, MULTIPART),
    "boundaries": (b"--xyz\r\n" * 140_000, MULTIPART),
    "content type": (b"{}", "multipart/form-data; " + 'a=";' * 20_000),
}


@pytest.mark.parametrize(("body", "content_type"), HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_of_malice_ends_at_once(body: bytes, content_type: str) -> None:
    started = time.process_time()
    with suppress(InvalidBody, UnsupportedMediaType):
        decode(body, content_type)
    assert time.process_time() - started < 2


TYPES = st.sampled_from([JSON, FORM, LINES, MULTIPART, "text/plain", None, "application/json; charset=utf-16"])
REAL = [
    (path.read_bytes(), INDEX[name]["headers"]["Content-Type"])
    for name in INDEX
    if (path := SAMPLES / "webhook" / name).exists()
]


@given(st.binary(max_size=300), TYPES | st.text(max_size=60))
def test_any_bytes_under_any_type_give_a_value_or_a_problem(body: bytes, content_type: str | None) -> None:
    with suppress(InvalidBody, UnsupportedMediaType):
        assert isinstance(decode(body, content_type), Decoded)


@given(st.sampled_from(REAL), st.data())
def test_real_bodies_with_bytes_changed_give_a_value_or_a_problem(real: tuple[bytes, str], data: st.DataObject) -> None:
    body = bytearray(real[0])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        if not body:
            break
    with suppress(InvalidBody, UnsupportedMediaType):
        assert isinstance(decode(bytes(body), real[1]), Decoded)
