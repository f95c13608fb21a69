"""Styles, scripts and icons: files beside this module, served under an address that changes with them."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from xml.etree import ElementTree

from markupsafe import Markup
from starlette.responses import Response

_TYPES = MappingProxyType(
    {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
)
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@cache
def contents() -> Mapping[str, bytes]:
    """Return every file that is served, by its path below static/."""
    return MappingProxyType(dict(_walk(files("connector_master.web") / "static", "")))


@cache
def version() -> str:
    """Return what changes whenever a file does."""
    digest = sha256()
    for path, content in sorted(contents().items()):
        digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:12]


def address(path: str) -> str:
    """Return the address of a file. Raises KeyError when there is none: a page must not ask for what is missing."""
    contents()[path]
    return f"/static/{version()}/{path}"


def answer(asked_version: str, path: str) -> Response | None:
    """Return a file; None where there is none. One asked for under another version is not kept by browsers."""
    content = contents().get(path)
    if content is None:
        return None
    headers = _FOREVER if asked_version == version() else {"Cache-Control": "no-store"}
    return Response(content, headers=headers, media_type=_TYPES[path.rpartition(".")[2]])


def icon(name: str, label: str = "") -> Markup:
    """Return an icon as inline SVG. Without `label` it is decoration, hidden from screen readers."""
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round" {}>{}</svg>'
    ).format(said, _shapes(name))


@cache
def _shapes(name: str) -> Markup:
    source = (files("connector_master.web") / "icons" / f"{name}.svg").read_text()
    drawing = ElementTree.fromstring(source)  # noqa: S314 - our own file
    for shape in drawing:
        shape.tag = shape.tag.rpartition("}")[2]
        shape.tail = None
    return Markup("".join(ElementTree.tostring(shape, encoding="unicode") for shape in drawing))  # noqa: S704


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, path + "/")
        elif path.rpartition(".")[2] in _TYPES:
            found.append((path, entry.read_bytes()))
    return found
