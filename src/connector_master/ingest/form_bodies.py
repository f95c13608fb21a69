"""Form bodies: URL-encoded and multipart fields, nested as their keys say, so that they read like JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from re import compile as pattern
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from connector_master.model.json import Json
from connector_master.model.problem import InvalidBody

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks


@dataclass(frozen=True, slots=True)
class FormLimits:
    """How much one form may hold; `depth` counts the brackets of a key, `headers` belong to one part."""

    fields: int = 5_000
    parts: int = 1_000
    depth: int = 16
    key_characters: int = 1_000
    headers: int = 16
    header_bytes: int = 4_096


_NESTED = pattern(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_STEPS = pattern(r"\[([^\[\]]*)\]")


def read_urlencoded(body: bytes, codec: str, limits: FormLimits) -> dict[str, Json]:
    """Return the fields of an `application/x-www-form-urlencoded` body. What `codec` can't read becomes U+FFFD."""
    if body.count(b"&") >= limits.fields:
        raise _too_many(limits.fields, "fields")
    # A file sent with a tool ends in a line break, which belongs to no field.
    pieces = [piece.partition(b"=") for piece in body.strip(b"\r\n").removeprefix(b"\xef\xbb\xbf").split(b"&") if piece]
    return nest([(_unquote(name, codec), _unquote(value, codec)) for name, _, value in pieces], limits)


def read_multipart(body: bytes, boundary: bytes, limits: FormLimits) -> dict[str, Json]:
    """Return the fields of a `multipart/form-data` body.

    A file becomes `{"filename", "contentType", "bytes"}`: its content stays in the raw payload only.
    """
    if not boundary:
        raise InvalidBody("The content type names no boundary.")
    start = body.find(b"--" + boundary)
    if start < 0:
        raise InvalidBody("The boundary of the content type is not in the body.")
    if body.count(b"--" + boundary) > limits.parts + 1:
        raise _too_many(limits.parts, "parts")
    parts = _Parts()
    try:
        parser = MultipartParser(
            boundary,
            parts.callbacks(),
            max_size=len(body) + 1,
            max_header_count=limits.headers,
            max_header_size=limits.header_bytes,
        )
        parser.write(body[start:])
    except FormParserError as error:
        raise InvalidBody("The parts of the form are misshapen.") from error
    if not parts.ended:
        raise InvalidBody("The form ends before its closing boundary.")
    return nest([part.field() for part in parts.all], limits)


def nest(fields: Iterable[tuple[str, Json]], limits: FormLimits) -> dict[str, Json]:
    """Return fields nested by the brackets of their keys; a key that is none of these forms stays literal.

    Nothing is dropped: repeated keys become lists, and a key that contradicts an earlier one is kept as written.

    >>> nest([("a[b]", "1"), ("x[]", "2"), ("x[]", "3"), ("p[0][q]", "4"), ("data.json", "{}")], FormLimits())
    {'a': {'b': '1'}, 'x': ['2', '3'], 'p': [{'q': '4'}], 'data.json': '{}'}
    """
    root: dict[str, Json] = {}
    for key, value in fields:
        if len(key) > limits.key_characters:
            raise InvalidBody(f"A key is longer than {limits.key_characters} characters.")
        match = _NESTED.fullmatch(key)
        path = [match[1], *_STEPS.findall(match[2])] if match else [key]
        if len(path) > limits.depth:
            raise InvalidBody(f"A key has more than {limits.depth - 1} pairs of brackets.")
        if len(path) == 1 or not _put(root, path, value):
            _add(root, key, value)
    return {key: _with_lists(value) for key, value in root.items()}


class _Part:
    """One part while it is read."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.header_name = b""
        self.header_value = b""
        self.data: list[bytes] = []

    def field(self) -> tuple[str, Json]:
        """Return the part's name and its text, or the reference to its file."""
        _, disposition = parse_options_header(self.headers.get(b"content-disposition", b""))
        if b"name" not in disposition:
            raise InvalidBody("A part of the form has no name.")
        name = disposition[b"name"].decode("utf-8", "replace")
        data = b"".join(self.data)
        # A browser sends an empty file name for a file field left empty.
        if filename := disposition.get(b"filename", b"").decode("utf-8", "replace"):
            media_type = self.headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
            return name, {"filename": filename, "contentType": media_type, "bytes": len(data)}
        return name, data.decode("utf-8", "replace")


class _Parts:
    """Gathers what the parser calls back with."""

    def __init__(self) -> None:
        self.all: list[_Part] = []
        self.ended = False

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": lambda: self.all.append(_Part()),
            "on_part_data": lambda data, start, end: self.all[-1].data.append(data[start:end]),
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._end,
        }

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self.all[-1].header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self.all[-1].header_value += data[start:end]

    def _header_end(self) -> None:
        part = self.all[-1]
        part.headers.setdefault(part.header_name.lower(), part.header_value.strip())
        part.header_name = part.header_value = b""

    def _end(self) -> None:
        self.ended = True


def _unquote(text: bytes, codec: str) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode(codec, "replace")


def _put(root: dict[str, Json], path: list[str], value: Json) -> bool:
    """Write `value` at `path`, where an empty step appends; return False if something else is there."""
    here: Json = root
    for step, following in pairwise(path):
        fresh: Json = [] if following == "" else {}
        if isinstance(here, dict):
            if step not in here:
                here[step] = fresh
            elif following == "" and not isinstance(here[step], dict | list):
                here[step] = [here[step]]
            here = here[step]
        elif isinstance(here, list) and step == "":
            # `x[][a]=1&x[][b]=2` is one object, until a key comes again.
            last = here[-1] if here else None
            if not (isinstance(last, dict) and following != "" and following not in last):
                here.append(fresh)
            here = here[-1]
        else:
            return False
    if isinstance(here, list) and path[-1] == "":
        here.append(value)
    elif isinstance(here, dict):
        _add(here, path[-1], value)
    else:
        return False
    return True


def _add(fields: dict[str, Json], key: str, value: Json) -> None:
    if key not in fields:
        fields[key] = value
        return
    present = fields[key]
    if isinstance(present, list):
        present.append(value)
    else:
        fields[key] = [present, value]


def _with_lists(value: Json) -> Json:
    """Turn objects whose keys are 0, 1, 2, … into lists; the depth of keys bounds the recursion."""
    if isinstance(value, list):
        return [_with_lists(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value and all(str(position) in value for position in range(len(value))):
        return [_with_lists(value[str(position)]) for position in range(len(value))]
    return {key: _with_lists(item) for key, item in value.items()}


def _too_many(limit: int, what: str) -> InvalidBody:
    return InvalidBody(f"The form has more than {limit} {what}.", remedy="Send fewer fields per request.")
