"""The messages of the pages: brings languages/<code>/messages.po up to date with what the code says in English.

Run from the checkout's root: `.venv/bin/python -m tools.messages`. What is new has an empty translation, what is gone is
removed; tests/web/test_translations.py fails until each is translated.
"""

import ast
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

PACKAGE = Path(connector_master.__file__).parent
WEB = PACKAGE / "web"
_METHODS = [("**.py", "python"), ("web/templates/**.html", "jinja2")]
_KEYWORDS = {"_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "Words": None}
_UNSEEN = ("cli", "sandbox", "storage/migrations", "__main__")
"""What no page shows anything of."""
_BEHIND_PAGES = ("access", "services")
_OPTIONS = {"web/templates/**.html": {"trimmed": "true", "silent": "false"}}


def catalog() -> Catalog:
    """Return every message that a page can show, in the order of where it stands."""
    found = Catalog(project="Connector Master", charset="utf-8")
    for place, _line, message, _comments, context in extract_from_dir(
        str(PACKAGE), method_map=_METHODS, options_map=_OPTIONS, keywords=_KEYWORDS
    ):
        found.add(message, locations=[(place, 0)], context=context)
    for place, text in (*_said_elsewhere(), *_raised()):
        found.add(text, locations=[(place, 0)])
    return found


def update(language: str) -> Catalog:
    """Return the catalog of `language` with what is translated already, and with what is still to be."""
    path = WEB / "languages" / language / "messages.po"
    known = read_po(path.open("rb"), locale=language) if path.exists() else Catalog(locale=language)
    created = known.creation_date
    known.update(catalog(), no_fuzzy_matching=True)
    known.creation_date = created
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


def is_translated(string: str | tuple[str, ...] | list[str] | None) -> bool:
    """Return whether every form of a translation is there."""
    return all(string) if isinstance(string, (tuple, list)) else bool(string)


def _said_elsewhere() -> Iterator[tuple[str, str]]:
    """Yield what pages translate that other layers say: of sources, their forms' fields, and problems."""
    for connector in registry().values():
        place = f"connectors/{connector.type}"
        one, several = connector.account_kinds
        said = (connector.summary, *connector.prepare, one.capitalize(), several)
        lasts_if = connector.oauth.lasts_if if connector.oauth is not None else ""
        yield from ((place, text) for text in (*said, lasts_if) if text)
        for form in (connector.settings, connector.credentials):
            yield from ((place, text) for text in _of_form(fields_of(form)))
    for module in walk_packages(connector_master.__path__, "connector_master."):
        if not module.name.removeprefix("connector_master.").replace(".", "/").startswith(_UNSEEN):
            import_module(module.name)
    for kind in sorted(_kinds(Problem), key=lambda one: one.code):
        yield from ((f"problems/{kind.code}", text) for text in (kind.title, kind.remedy) if text)


def _raised() -> Iterator[tuple[str, str]]:
    """Yield what problems are given where they are raised, as a text or by the name of one in the module.

    That is remedies, and behind the pages details too; those of other layers tell of single records and answers.
    """
    kinds = {kind.__name__ for kind in _kinds(Problem)}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(_UNSEEN):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        named = {ast.unparse(one.targets[0]): one.value for one in tree.body if isinstance(one, ast.Assign)}
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            given = [keyword.value for keyword in call.keywords if keyword.arg == "remedy"]
            match ast.unparse(call.func):
                case "_Meaning":  # Tables of what providers' codes mean: kind, fact, remedy.
                    given += call.args[2:3]
                case "FieldError" if place.startswith(_BEHIND_PAGES):
                    given += call.args[1:2]
                case kind if kind in kinds and place.startswith(_BEHIND_PAGES):
                    given += call.args[:1]
            for one in given:
                text = named.get(ast.unparse(one), one)
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield place, text.value


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
