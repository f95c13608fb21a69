"""Field mapping by example: a payload beside the lead it becomes, with lines from one to the other."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.connectors.connector import Connector
from connector_master.model.json import Json
from connector_master.model.lead import LEAD_FIELDS
from connector_master.model.problem import NotFound
from connector_master.pipeline.grammar import InvalidPath, Selection, parse_path
from connector_master.pipeline.guess.suggest import Suggestion
from connector_master.pipeline.mapping import ATTRIBUTES, JOINED
from connector_master.pipeline.process import Finding
from connector_master.services import connectors, mapping_bench, mapping_trials, mappings
from connector_master.services.mapping_bench import Bench, Entry, Line
from connector_master.services.mapping_trials import Comparison, Verdict
from connector_master.services.mappings import Edit, MappingChanged, OwnMapping
from connector_master.services.trials import fields_of
from connector_master.storage.field_mappings import MappingVersion
from connector_master.web.catalogue import status_words
from connector_master.web.events import status_words as event_words
from connector_master.web.language import _, say
from connector_master.web.leads import field_words
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()

_LAST = 50
_VERSIONS = 20
_EXCERPT = 120
_REQUIRED = "phoneNumber"
_WHOLE_TREE = 200
"""A payload with more fields than this is shown closed, but for what is mapped."""
_LONGEST_NOTE = 500
_MOST_DIGITS = 9
_WORST_FIRST = (Verdict.BROKEN, Verdict.MENDED, Verdict.CHANGED, Verdict.FAILING)


@dataclass(frozen=True, slots=True)
class Group:
    """One field of the lead on the page: what feeds it, what it becomes, what is wrong, and what may be taken for it."""

    target: str
    words: str
    is_required: bool
    lines: Sequence[tuple[int, Line]]
    result: Json
    problems: Sequence[Finding]
    suggestions: Sequence[Suggestion]
    combine: str
    joins: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One entry in which two mappings differ; None where one of them has none for this path."""

    path: str
    before: str | None
    after: str | None


@pages.get("/connectors/{id}/mapping", Permission.CONNECTORS_EDIT)
async def show_bench(visit: Visit) -> Response:
    """Show the saved mapping with the latest payload, or the event that is asked for."""
    bench = await _laid_out(visit, None, event_id=_uuid(visit.asked("eventId")), is_first_look=True)
    return visit.show("mapping/page.html", **_values(visit, bench, bench.row.mapping_version))


@pages.post("/connectors/{id}/mapping", Permission.CONNECTORS_EDIT)
async def work(visit: Visit) -> Response:
    """Do what a button of the bench says, and show the bench as it is then; only `save` changes what counts."""
    verb, _sep, what = visit.field("do").partition(":")
    entries = _edited(_entries(visit), verb, what, visit)
    version = _number(visit.field("version"))
    bench = await _laid_out(
        visit,
        entries,
        event_id=_uuid(visit.field("eventId")),
        text="" if verb == "look" and what == "event" else visit.field("sample"),
        is_first_look=verb == "look" or not visit.is_fragment,
        suggests=verb != "preview",
    )
    if verb == "save" and not bench.has_faults:
        return await _save(visit, bench, version)
    status = 422 if verb == "save" else 200
    values = _values(visit, bench, version)
    if verb == "test" and not bench.has_faults:
        tried = await mapping_trials.compare(visit.hub, visit.caller, bench.row.id, _wanted(bench), _LAST)
        values |= _compared(tried)
    if verb == "pick":
        values["picked"] = what
    if not visit.is_fragment:
        return visit.show("mapping/page.html", status=status, **values)
    return _piece(visit, verb, status, values)


@pages.get("/connectors/{id}/mapping/history", Permission.CONNECTORS_EDIT)
async def history(visit: Visit) -> Response:
    """Show who saved which mapping when, and what each changed."""
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    found, cursor = await mappings.list_page(
        visit.hub, visit.caller, shown.row.id, limit=_VERSIONS, cursor=visit.asked("cursor") or None
    )
    before = found[1:]
    if cursor is not None:
        earlier, _more = await mappings.list_page(visit.hub, visit.caller, shown.row.id, limit=1, cursor=cursor)
        before += earlier
    versions = [
        (version, _steps(_effective(previous, shown.connector), _effective(version, shown.connector)))
        for version, previous in zip(found, [*before, None], strict=False)
    ]
    return visit.show(
        "mapping/history.html",
        shown=shown,
        statuses=status_words(),
        versions=versions,
        next_cursor=cursor,
    )


@pages.post("/connectors/{id}/mapping/versions/{version}/restore", Permission.CONNECTORS_EDIT)
async def restore(visit: Visit) -> Response:
    """Bring an earlier mapping back."""
    version = _number(visit.request.path_params["version"])
    if version is None:
        raise NotFound("This connector's mapping has no version of this number.")
    await connectors.restore_mapping(visit.hub, visit.caller, visit.id(), version)
    news = _("The mapping of version %(version)s counts again.", version=version)
    return visit.go(f"/connectors/{visit.id()}/mapping", news)


# ---- what the form says ------------------------------------------------------------------------------


def _entries(visit: Visit) -> list[Entry]:
    """Return the form's rows: `rows.3.path` with its field, transform, and a starter that replaces the transform."""
    names = [name.split(".") for name in visit.fields if name.startswith("rows.") and name.endswith(".path")]
    found = []
    for number in sorted(number for name in names if (number := _number(name[1])) is not None):
        path, target = visit.field(f"rows.{number}.path"), visit.field(f"rows.{number}.target")
        starter = starters().get(visit.field(f"rows.{number}.starter"))
        transform = starter[1] if starter else visit.field(f"rows.{number}.transform").strip()
        found.append(Entry(path, target, transform, visit.field(f"combine.{target}")))
    return found


def _edited(entries: list[Entry], verb: str, what: str, visit: Visit) -> list[Entry]:
    if verb == "add":
        return _with(entries, visit.field("path") or visit.field("listed"), _target(visit))
    if verb == "take":
        wanted = visit.many("suggested") if what == "all" else [what]
        for one in wanted:
            target, _sep, path = one.partition(":")
            entries = _with(entries, path, target)
        return entries
    if verb == "reset":
        return []
    number = _number(what)
    if number is None or number >= len(entries):
        return entries
    if verb == "remove":
        return entries[:number] + entries[number + 1 :]
    if verb == "up":
        return _moved_up(entries, number)
    return entries


def _with(entries: list[Entry], path: str, target: str) -> list[Entry]:
    """Return `entries` with one more; a path that feeds another field moves, with its transform."""
    if not path.strip() or not target:
        return entries
    combine = next((one.combine for one in entries if one.field == target and one.combine), "")
    known = next((one for one in entries if one.path == path), Entry(path, target))
    return [one for one in entries if one.path != path] + [replace(known, field=target, combine=combine)]


def _moved_up(entries: list[Entry], number: int) -> list[Entry]:
    above = next((n for n in range(number - 1, -1, -1) if entries[n].field == entries[number].field), None)
    if above is None:
        return entries
    moved = list(entries)
    moved[above], moved[number] = moved[number], moved[above]
    return moved


def _target(visit: Visit) -> str:
    target = visit.field("target")
    if target != ATTRIBUTES:
        return target
    name = visit.field("attribute").strip() or _key_of(visit.field("path") or visit.field("listed"))
    return f"{ATTRIBUTES}{name}"


def _key_of(path: str) -> str:
    """Return what a path's last step is called, for a detail that is named after it.

    >>> _key_of("data.fields[label=Budget].value"), _key_of('namedValues["City "][0]')
    ('Budget', 'City')
    """
    try:
        steps = parse_path(path).steps
    except InvalidPath:
        return path.strip()
    for step in reversed(steps):
        if isinstance(step, Selection):
            return step.value.strip()
        if step.position is None and step.name not in ("value", "values", "answer"):
            return step.name.strip()
    return path.strip()


# ---- saving ------------------------------------------------------------------------------------------


def _wanted(bench: Bench) -> OwnMapping:
    """Return what is saved: nothing of its own where that is what the type has anyway."""
    has_own = bench.edited is not None and (
        bench.connector.guesses or not mappings.is_same(bench.edited, bench.connector.mapping)
    )
    return bench.edited if has_own else None


async def _save(visit: Visit, bench: Bench, version: int | None) -> Response:
    edit = Edit(began_with=version, note=visit.field("note").strip()[:_LONGEST_NOTE] or None)
    try:
        saved = await connectors.change_mapping(visit.hub, visit.caller, bench.row.id, _wanted(bench), edit)
    except MappingChanged as conflict:
        values = _values(visit, bench, conflict.saved.version)
        theirs = _effective(conflict.saved, bench.connector)
        values |= {"conflict": conflict.saved, "both": _steps(theirs, bench.edited or {})}
        if visit.is_fragment:
            return _piece(visit, "save", conflict.status, values)
        return visit.show("mapping/page.html", status=conflict.status, **values)
    news = _("The mapping is saved as version %(version)s.", version=saved.row.mapping_version)
    if saved.row.mapping_version == bench.row.mapping_version:
        news = _("The mapping is saved as it was: nothing changed.")
    event = f"?eventId={bench.sample.event.id}" if bench.sample.event else ""
    return visit.go(f"/connectors/{bench.row.id}/mapping{event}", news)


# ---- what the page shows -----------------------------------------------------------------------------


async def _laid_out(
    visit: Visit,
    entries: Sequence[Entry] | None,
    *,
    event_id: UUID | None,
    text: str = "",
    is_first_look: bool = False,
    suggests: bool = True,
) -> Bench:
    return await mapping_bench.lay_out(
        visit.hub,
        visit.caller,
        visit.id(),
        entries,
        event_id=event_id,
        text=text,
        is_first_look=is_first_look,
        suggests=suggests,
    )


def _values(visit: Visit, bench: Bench, version: int | None) -> dict[str, Any]:
    shown = bench.outline
    feeds = {leaf.number: leaf.feeds for leaf in shown.leaves if leaf.feeds} if shown else {}
    groups = _groups(bench)
    return {
        "bench": bench,
        "connector": bench.row,
        "version": version,
        "groups": groups,
        "proposals": [one for group in groups for one in group.suggestions],
        "targets": field_words(),
        "target_words": _target_words,
        "words_of": _words,
        "outcome": _outcome(bench),
        "is_changed": not mappings.is_same(_wanted(bench), bench.row.field_mapping),
        "is_default": bench.row.field_mapping is None,
        "note": visit.field("note"),
        "feeds": json.dumps(feeds, separators=(",", ":")),
        "wasted": sum(leaf.is_wasted for leaf in shown.leaves) if shown else 0,
        "is_whole": shown is not None and len(shown.leaves) <= _WHOLE_TREE,
        "starters": starters(),
        "statuses": status_words(),
        "event_statuses": event_words(),
        "excerpt": excerpt,
        "picked": "",
        "comparison": None,
        "different": (),
        "changed_fields": (),
        "conflict": None,
        "both": (),
        "verdicts": verdict_words(),
        "last": _LAST,
    }


def _piece(visit: Visit, verb: str, status: int, values: Mapping[str, Any]) -> Response:
    """Return what a script puts in place: only what is said about the inputs while somebody types, else as much as needed."""
    if verb == "preview":
        return visit.show("mapping/results.html", **values)
    if verb == "test" and values["comparison"] is not None:
        response = visit.show("mapping/differences.html", **values)
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#differences", "outerHTML show:top"
        return response
    if verb == "look":
        response = visit.show("mapping/bench.html", **values)
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#bench", "outerHTML"
        return response
    return visit.show("mapping/board.html", status=status, is_piece=True, **values)


def _compared(comparison: Comparison) -> dict[str, Any]:
    different = [one for one in comparison.differences if one.verdict is not Verdict.SAME]
    fields = Counter(change.field for one in different if one.verdict is not Verdict.FAILING for change in one.changes)
    return {
        "comparison": comparison,
        # Leads that would be lost come first.
        "different": sorted(different, key=lambda one: _WORST_FIRST.index(one.verdict)),
        "changed_fields": fields.most_common(),
    }


def _groups(bench: Bench) -> list[Group]:
    lines: dict[str, list[tuple[int, Line]]] = {}
    for number, line in enumerate(bench.lines):
        lines.setdefault(line.entry.field, []).append((number, line))
    paths = {line.entry.path for line in bench.lines}
    suggestions: dict[str, list[Suggestion]] = {}
    for one in bench.suggestions:
        if one.field not in lines and one.path not in paths:
            suggestions.setdefault(one.field, []).append(one)
    result = fields_of(bench.tried.lead) if bench.tried else {}
    problems = bench.tried.problems if bench.tried else ()
    targets = dict.fromkeys([*LEAD_FIELDS, *lines, *suggestions])
    return [
        Group(
            target=target,
            words=_target_words(target),
            is_required=target == _REQUIRED,
            lines=lines.get(target, ()),
            result=result.get(target),
            problems=[one for one in problems if one.field == target],
            suggestions=suggestions.get(target, ()),
            combine=next((line.entry.combine for _n, line in lines.get(target, ()) if line.entry.combine), ""),
            joins=target in JOINED,
        )
        for target in targets
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of the sample, in words, and how that is to be taken."""

    words: str
    tone: str


def _outcome(bench: Bench) -> Outcome:
    if bench.tried is None:
        return Outcome(
            say(bench.sample.fault) or _("There is no payload yet."), "bad" if bench.sample.fault else "info"
        )
    if any(one.blocks for one in bench.tried.problems):
        return Outcome(_("This would be no lead: see what is marked below."), "bad")
    if bench.tried.outcome == "created":
        return Outcome(_("This would be a new lead."), "good")
    own = bench.sample.event.lead_id if bench.sample.event else None
    if own == bench.tried.lead_id:
        return Outcome(_("This is the lead that it has become."), "good")
    return Outcome(_("This would add to a lead that is known already."), "good")


def _steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Step]:
    """Return where two mappings differ, by source path."""
    paths = dict.fromkeys([*before, *after])
    both = [Step(path, _said(before.get(path)), _said(after.get(path))) for path in paths]
    return [step for step in both if step.before != step.after]


def _said(target: str | Mapping[str, str] | None) -> str | None:
    if target is None:
        return None
    spec = {"field": target} if isinstance(target, str) else target
    words = [_target_words(spec["field"])]
    if spec.get("transform"):
        words.append(spec["transform"])
    if spec.get("combine"):
        words.append(_("joined") if spec["combine"] == "join" else _("first filled"))
    return " · ".join(words)


def _effective(version: MappingVersion | None, connector: Connector) -> Mapping[str, Any]:
    if version is None:
        return {}
    if version.field_mapping is None:
        return {} if connector.guesses else connector.mapping
    return version.field_mapping


def _target_words(target: str) -> str:
    return field_words().get(target, target.removeprefix(ATTRIBUTES))


def _words(targets: Sequence[str]) -> str:
    return ", ".join(map(_target_words, targets))


def starters() -> dict[str, tuple[str, str]]:
    """Return transforms to begin with, by name: in words, and as an expression (docs/pages.md)."""
    return {
        "trim": (_("Without blanks around it"), "value.trim()"),
        "lower": (_("In small letters"), "value.lowerAscii()"),
        "upper": (_("In capitals"), "value.upperAscii()"),
        "replace": (_("Replace one text by another"), 'value.replace("-", " ")'),
        "first": (_("What stands before a comma"), 'value.split(",")[0].trim()'),
        "start": (_("The first 10 characters"), "size(value) > 10 ? value.substring(0, 10) : value"),
        "code": (_("With a country code in front"), '"+91" + value'),
        "list": (_("A list as one text"), 'value.join(", ")'),
        "other": (_("Together with another field"), 'value + " " + record[?"last_name"].orValue("")'),
        "if": (_("Only under a condition"), 'value == "yes" ? "Wants a call" : ""'),
        "else": (_("Something else where the field is missing"), 'record[?"country"].orValue("India")'),
        "fixed": (_("Always the same text"), '"Website"'),
    }


def verdict_words() -> dict[str, tuple[str, str]]:
    """Return what each verdict about an event is called, and how it is to be taken."""
    return {
        "same": (_("As before"), "still"),
        "changed": (_("Changes"), "info"),
        "mended": (_("Becomes a lead"), "good"),
        "broken": (_("No longer a lead"), "bad"),
        "failing": (_("Still no lead"), "wait"),
    }


def excerpt(value: Json, longest: int = _EXCERPT) -> str:
    """Return a value as one line to show, cut where it is long.

    >>> excerpt("Asha\\nRao"), excerpt(["a", 1]), excerpt("x" * 9, 5)
    ('Asha Rao', '["a", 1]', 'xxxxx…')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # A megabyte in one field need not be gone through for a line of it.
    text = " ".join(text[: longest * 4].encode("utf-8", "replace").decode().split())
    return f"{text[:longest]}…" if len(text) > longest else text


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
