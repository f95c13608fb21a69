"""The messages of the pages: brings languages/<code>/messages.po up to date with what the code says in English.

Run from the checkout's root: `.venv/bin/python -m tools.messages`. What is new has an empty translation, what is gone is
removed; tests/web/test_translations.py fails until each is translated.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import connector_master
from connector_master.connectors import registry
from connector_master.model.problem import Problem
from connector_master.services.form_fields import fields_of
from connector_master.web.language import LANGUAGES

WEB = Path(connector_master.__file__).parent / "web"
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
_KEYWORDS = {"_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
_OPTIONS = {"**.html": {"trimmed": "true", "silent": "false"}}


def catalog() -> Catalog:
    """Return every message that a page can show, in the order of where it stands."""
    found = Catalog(project="Connector Master", charset="utf-8")
    for place, _line, message, _comments, context in extract_from_dir(
        str(WEB), method_map=_METHODS, options_map=_OPTIONS, keywords=_KEYWORDS
    ):
        found.add(message, locations=[(place, 0)], context=context)
    for place, text in _said_elsewhere():
        found.add(text, locations=[(place, 0)])
    return found


def update(language: str) -> Catalog:
    """Return the catalog of `language` with what is translated already, and with what is still to be."""
    path = WEB / "languages" / language / "messages.po"
    known = read_po(path.open("rb"), locale=language) if path.exists() else Catalog(locale=language)
    known.update(catalog(), no_fuzzy_matching=True)
    known.obsolete.clear()
    known.fuzzy = False
    known.header_comment = f"# The pages' messages in {LANGUAGES[language]} (tools/messages.py brings them up to date)."
    return known


def main() -> None:
    """Write the catalogs of every language but English."""
    for language in LANGUAGES:
        if language == "en":
            continue
        made = update(language)
        path = WEB / "languages" / language / "messages.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, made, omit_header=False, include_lineno=False, width=0)
        missing = sum(1 for message in made if message.id and not is_translated(message.string))
        print(f"{language}: {len(made)} messages, {missing} to be translated", file=sys.stderr)


def is_translated(string: str | tuple[str, ...] | list[str]) -> bool:
    """Return whether every form of a translation is there."""
    return all(string) if isinstance(string, (tuple, list)) else bool(string)


def _said_elsewhere() -> Iterator[tuple[str, str]]:
    """Yield what pages translate that other layers say: of sources, their forms' fields, and problems."""
    for connector in registry().values():
        place = f"connectors/{connector.type}"
        yield from ((place, text) for text in (connector.summary, *connector.prepare))
        for form in (connector.settings, connector.credentials):
            yield from ((place, text) for text in _of_form(fields_of(form)))
    for module in walk_packages(connector_master.__path__, "connector_master."):
        if not module.name.startswith(
            (
                "connector_master.cli",
                "connector_master.sandbox",
                "connector_master.storage.migrations",
                "connector_master.__main__",
            )
        ):
            import_module(module.name)
    for kind in sorted(_kinds(Problem), key=lambda one: one.code):
        yield from ((f"problems/{kind.code}", text) for text in (kind.title, kind.remedy) if text)


def _of_form(fields: object) -> Iterator[str]:
    for one in fields:  # type: ignore[attr-defined]
        yield from (text for text in (one.label, one.help) if text)
        for definition in one.schema.get("$defs", {}).values():
            for part in definition.get("properties", {}).values():
                yield from (part[name] for name in ("title", "description") if name in part)


def _kinds(base: type[Problem]) -> Iterator[type[Problem]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


if __name__ == "__main__":
    main()
