"""Bodies: the bytes of a push into values, by what its content type says, within limits.

The content type alone decides the reader, so JSON never becomes an upload (SECURITY.md 11). Whatever the bytes are,
what comes out is a value, InvalidBody or UnsupportedMediaType, and it comes at once.
"""

import codecs
import json
from dataclasses import dataclass, field
from functools import lru_cache
from re import compile as pattern

from python_multipart.multipart import parse_options_header

from connector_master.ingest.form_bodies import FormLimits, read_multipart, read_urlencoded
from connector_master.model.json import Json
from connector_master.model.json_text import JsonLimits, read_json
from connector_master.model.problem import InvalidBody, UnsupportedMediaType


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one body may hold, whatever its size in bytes."""

    json: JsonLimits = field(default_factory=JsonLimits)
    form: FormLimits = field(default_factory=FormLimits)
    records: int = 20_000


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body's value. `is_list` says that the body itself is a list of records: a JSON list, or a line for each."""

    value: Json
    is_list: bool


_MAX_CONTENT_TYPE_CHARACTERS = 1_000
_JSON_TYPES = frozenset({"application/json", "text/json", "application/x-json", "text/x-json"})
_LINE_TYPES = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/json-lines",
        "application/json-seq",
    }
)
_CHARSET = pattern(r"[A-Za-z0-9_.:-]{1,40}")
_CODEC = pattern(r"iso8859-\d{1,2}|cp125\d|koi8-[ru]|mac-roman|shift_jis|cp932|euc_(jp|kr)|gbk|gb2312|gb18030|big5")
_UTF8_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"


def refuse_compressed(content_encoding: str | None) -> None:
    """Raise UnsupportedMediaType for any `Content-Encoding` but identity: nothing is unpacked at the door."""
    if content_encoding and content_encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("Compressed bodies are not read.", remedy="Send the body without Content-Encoding.")


def decode(body: bytes, content_type: str | None, limits: Limits = LIMITS) -> Decoded:
    """Return what `body` says, read as `content_type` says.

    JSON (UTF-8, UTF-16 and UTF-32 told by their bytes, else the charset named), newline-delimited JSON, URL-encoded and
    multipart forms; text, or no content type, only if it looks like JSON. A line of newline-delimited JSON that can't
    be read stays text, so that it fails alone. Raises InvalidBody and UnsupportedMediaType.
    """
    media_type, charset, boundary = _media_type(content_type or "")
    if not body:
        raise InvalidBody("The body is empty.")
    if media_type in _JSON_TYPES or media_type.endswith("+json"):
        return _json(body, charset, limits)
    if media_type == "application/x-www-form-urlencoded":
        return Decoded(read_urlencoded(body, _codec(charset), limits.form), is_list=False)
    if media_type == "multipart/form-data":
        return Decoded(read_multipart(body, boundary, limits.form), is_list=False)
    if media_type in _LINE_TYPES:
        return _lines(body, charset, limits)
    if media_type in ("", "text/plain") and _looks_like_json(body):
        return _json(body, charset, limits)
    raise UnsupportedMediaType(
        "Bodies of this content type are not read." if media_type else "The request has no content type."
    )


def _json(body: bytes, charset: str | None, limits: Limits) -> Decoded:
    value = read_json(_as_utf8(body, _codec(charset)), limits.json)
    is_list = isinstance(value, list)
    if isinstance(value, list) and len(value) > limits.records:
        raise _too_many(limits)
    return Decoded(value, is_list)


def _lines(body: bytes, charset: str | None, limits: Limits) -> Decoded:
    # RFC 7464 (json-seq) puts a record separator before each text; it is a blank to everybody else.
    text = _as_utf8(body, _codec(charset)).replace(b"\x1e", b"\n")
    if text.count(b"\n") > 2 * limits.records:
        raise _too_many(limits)
    records: list[Json] = []
    broken: list[int] = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not (line := line.strip(_BLANKS)):
            continue
        try:
            records.append(read_json(line, limits.json))
        except InvalidBody:
            broken.append(number)
            records.append(line.decode("utf-8", "replace"))
    if len(broken) == len(records):
        raise InvalidBody(
            f"No line can be read; line {broken[0]} is the first." if broken else "The body has no record."
        )
    if len(records) > limits.records:
        raise _too_many(limits)
    return Decoded(records, is_list=True)


def _too_many(limits: Limits) -> InvalidBody:
    return InvalidBody(f"There are more than {limits.records} records.", remedy="Send fewer records per request.")


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> tuple[str, str | None, bytes]:
    """Return the type in lower case, its charset and its boundary."""
    if len(content_type) > _MAX_CONTENT_TYPE_CHARACTERS:
        raise UnsupportedMediaType("The content type is too long.")
    try:
        media_type, options = parse_options_header(content_type.strip())
    except UnicodeEncodeError as error:
        raise UnsupportedMediaType("The content type is unreadable.") from error
    charset = options.get(b"charset", b"").decode("latin-1")
    return media_type.decode("latin-1").strip(), charset or None, options.get(b"boundary", b"")


@lru_cache(maxsize=256)
def _codec(charset: str | None) -> str:
    """Return Python's name of a charset that may be read, UTF-8 by default; UTF-16 and 32 are told by the bytes."""
    if charset is None or charset.lower().startswith(("utf", "us-ascii", "ascii")):
        return "utf-8"
    try:
        name = codecs.lookup(charset).name if _CHARSET.fullmatch(charset) else ""
    except LookupError:
        name = ""
    if name == "utf-8" or _CODEC.fullmatch(name):
        return name
    raise UnsupportedMediaType("The charset is unknown.", remedy="Send UTF-8.")


def _looks_like_json(body: bytes) -> bool:
    # NULs go, so that UTF-16 and UTF-32 look alike; blanks may stand in front.
    start = body[:200].lstrip(b"\xef\xbb\xbf\xff\xfe\x00").replace(b"\x00", b"").lstrip(_BLANKS)
    return start.startswith((b"{", b"["))


def _as_utf8(body: bytes, codec: str) -> bytes:
    """Return `body` in UTF-8 without a byte order mark."""
    if body.startswith(_UTF8_BOM):
        return body[len(_UTF8_BOM) :]
    if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\x00" in body[:4]:
        codec = json.detect_encoding(body)
    if codec == "utf-8":
        return body
    try:
        text = body.decode(codec, "surrogatepass" if codec.startswith("utf") else "strict")
    except UnicodeError as error:
        raise InvalidBody(f"The body is not text in {codec}.") from error
    return text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
