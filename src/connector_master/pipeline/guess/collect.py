"""Collecting: the labelled values of a record, whatever shape its sender gave them (docs/connectors/webhook.md, 4).

Shapes are recognised by how they are built, so that a sender nobody has heard of is read too when it builds alike.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from connector_master.model.json import Json
from connector_master.pipeline.grammar import quote, write_step
from connector_master.pipeline.guess.labels import word_set, words_of
from connector_master.pipeline.paths import nested, pair_of

_DEEPEST = 8
MOST = 400
"""Values that are looked at in the hot path."""
_HINTS: Mapping[str, str] = {
    "tel": "phoneNumber",
    "phone": "phoneNumber",
    "phone_number": "phoneNumber",
    "phonenumber": "phoneNumber",
    "mobile": "phoneNumber",
    "input_phone_number": "phoneNumber",
    "email": "email",
    "email_address": "email",
    "input_email": "email",
}
# Containers that hold facts about the form, the page or the visitor's machine, never what the person typed.
_SKIPPED = word_set(
    """
    headers header meta metadata definition schema form forms page site settings webhook hook geo geoip ipinfo
    device browser owner assigned assignee agent account integration createdby created_by organizer
    event_memberships user_agent
    """
)
_NAME_PARTS = word_set(
    """
    prefix title first firstname given middle middlename last lastname suffix surname full fullname
    """
)
_NUMBERED = re.compile(r"\d{1,4}(\.\d{1,2})?")
_ONLY_LETTERS = re.compile(r"[^a-z]+")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One value, the path to it, and what its sender says about it.

    `place` is the path of what contains it; `field` is set where the sender's own shape or type leaves no doubt;
    `asked` says that the label is a question of a form rather than a key.
    """

    path: str
    label: str
    value: Json
    place: str
    field: str | None = None
    asked: bool = False


def collect(record: Mapping[str, Json], most: int = MOST) -> list[Labelled]:
    """Return the record's labelled values in order, at most `most`."""
    return list(islice(_walk(dict(record), "", "", "", 0), most))


def body_of(record: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """Return path and content of the sender's own body, out of a `{body, headers, query}` wrapper if it is in one."""
    body = record.get("body")
    if "headers" in record and isinstance(body, (dict, str)):
        inside = nested(body) if isinstance(body, str) else body
        if isinstance(inside, dict):
            return "body", inside
    return "", record


def _walk(here: Json, path: str, label: str, place: str, depth: int) -> Iterator[Labelled]:
    if depth > _DEEPEST:
        return
    if isinstance(here, str) and here[:1] in ("{", "[") and (inside := nested(here)):
        here = inside
    if isinstance(here, dict):
        yield from _object(here, path, label, place, depth)
    elif isinstance(here, list) and any(isinstance(one, (dict, list)) for one in here):
        yield from _list(here, path, depth)
    elif path:
        yield Labelled(path, label, here, place)


def _object(here: dict[str, Json], path: str, label: str, place: str, depth: int) -> Iterator[Labelled]:
    keys = {_ONLY_LETTERS.sub("", key.lower()) for key in here}
    if path and len(here) > 1 and keys <= _NAME_PARTS:
        yield Labelled(path, label, here, place, "name")
        return
    if path and ({"phone", "area"} <= keys or keys == {"full"}):
        yield Labelled(path, label, here, place)
        return
    if path and here and all(_is_form_field(one) for one in here.values()):
        yield from _form_fields(here, path)
        return
    if not path and sum(_NUMBERED.fullmatch(key) is not None for key in here) >= 3:
        yield from _numbered(here)
        here = {key: one for key, one in here.items() if not _NUMBERED.fullmatch(key)}
    wrapped = not path and body_of(here)[0] == "body"
    for key, one in here.items():
        inner = _top(key) if not path else write_step(path, key)
        if isinstance(one, (dict, list)) and key.lower() in _SKIPPED and not (wrapped and key == "body"):
            continue
        if key.lower() == "tracking" and isinstance(one, dict):
            one = {name: what for name, what in one.items() if name == "utm_campaign"}
        if key == "scheduled_event" and isinstance(one, dict):
            # Calendly: where the call goes to, when it is a phone call.
            where = one.get("location")
            if isinstance(where, dict) and "location" in where:
                yield Labelled(f"{inner}.location.location", "", where["location"], inner)
            continue
        if key == "answers" and isinstance(one, list) and isinstance(definition := here.get("definition"), dict):
            yield from _list(one, inner, depth + 1, _titles(definition))
        else:
            yield from _walk(one, inner, key, path, depth + 1)


def _list(
    here: list[Json], path: str, depth: int, titles: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Labelled]:
    pairs = 0
    seen: set[str] = set()
    for item in here:
        answer = _answer(item, path, titles) or _pair(item, path)
        if answer:
            pairs += 1
            if answer.path not in seen:
                seen.add(answer.path)
                yield answer
    if not pairs and here and isinstance(here[0], dict):
        yield from _walk(here[0], f"{path}[0]", "", path, depth + 1)


def _pair(item: Json, path: str) -> Labelled | None:
    """Read `{name, values}`, `{label, type, value, options}`, `{question, answer}` and their like."""
    pair = pair_of(item)
    if not pair or not isinstance(item, dict):
        return None
    name, value = pair
    label = str(item[name])
    hint = _hint(item.get("type"))
    if hint:
        return Labelled(f"{path}[type={_plain(str(item['type']))}].{value}", label, item[value], path, hint, asked=True)
    place = write_step(path, label) if name == "name" else f"{path}[{name}={_plain(label)}].{value}"
    return Labelled(place, label, item[value], path, asked=True)


def _answer(item: Json, path: str, titles: Mapping[str, str]) -> Labelled | None:
    """Read one of Typeform's answers: the value lies under a key named like its type, the question elsewhere."""
    if not isinstance(item, dict) or not isinstance(field := item.get("field"), dict):
        return None
    kind = item.get("type")
    key = {"choice": "choice.label", "choices": "choices.labels"}.get(str(kind), str(kind))
    value = item.get(key.partition(".")[0])
    if isinstance(value, dict):
        value = value.get(key.partition(".")[2])
    identity = next((name for name in ("ref", "id") if isinstance(field.get(name), str)), None)
    if value is None or identity is None:
        return None
    reference = str(field[identity])
    label = titles.get(reference) or str(field.get("title") or reference)
    if hint := _hint(kind):
        return Labelled(f"{path}[type={kind}].{key}", label, value, path, hint, asked=True)
    return Labelled(f"{path}[field.{identity}={_plain(reference)}].{key}", label, value, path, asked=True)


def _titles(definition: Mapping[str, Json]) -> dict[str, str]:
    """Return the questions of a Typeform by their refs and ids."""
    fields = definition.get("fields")
    titles: dict[str, str] = {}
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict) and isinstance(title := field.get("title"), str):
            titles.update({str(field[name]): title for name in ("ref", "id") if isinstance(field.get(name), str)})
    return titles


def _is_form_field(one: Json) -> bool:
    return isinstance(one, dict) and "value" in one and ("type" in one or "title" in one or "label" in one)


def _form_fields(here: dict[str, Json], path: str) -> Iterator[Labelled]:
    for key, one in here.items():
        if isinstance(one, dict):
            title = next(
                (one[name] for name in ("title", "label") if isinstance(one.get(name), str) and one[name]), key
            )
            yield Labelled(
                f"{write_step(path, key)}.value", str(title), one["value"], path, _hint(one.get("type")), asked=True
            )


def _numbered(here: Mapping[str, Json]) -> Iterator[Labelled]:
    """Read Gravity Forms' numbered fields: parts of names are .3 and .6, of addresses .1 and .3 to .6."""
    groups = {key.partition(".")[0] for key in here if "." in key and _NUMBERED.fullmatch(key)}
    for group in sorted(groups, key=int):
        parts = {key.partition(".")[2]: value for key, value in here.items() if key.startswith(f"{group}.")}
        if "3" in parts and "6" in parts and not {"1", "5"} & set(parts):
            yield Labelled(f"{group}.3", "", parts["3"], "", "name.first")
            yield Labelled(f"{group}.6", "", parts["6"], "", "name.last")
        elif _is_address(parts):
            for part, field in zip("123456", _ADDRESS, strict=True):
                if part in parts:
                    yield Labelled(f"{group}.{part}", "", parts[part], "", field)
    for key, value in here.items():
        if _NUMBERED.fullmatch(key) and "." not in key:
            yield Labelled(key, "", value, "")


_ADDRESS = ("addressLine1", "addressLine2", "city", "state", "pincode", "country")


def _is_address(parts: Mapping[str, Json]) -> bool:
    # Check boxes are numbered alike: a postcode has a digit, a city and a country have none.
    if not {"1", "3", "5"} <= set(parts):
        return False
    city, postcode, country = (str(parts.get(part) or "") for part in "356")
    return not any(map(str.isdigit, city + country)) and (
        not postcode or (len(postcode) <= 10 and any(map(str.isdigit, postcode)))
    )


def _hint(kind: Json) -> str | None:
    return _HINTS.get(kind.lower()) if isinstance(kind, str) else None


def _plain(value: str) -> str:
    return quote(value) if value != value.strip() or any(sign in value for sign in "[]\"'\\") else value


def _top(key: str) -> str:
    """Return a top-level key as a path: as it is where it reads as itself, because the literal key comes first."""
    return key if key == key.strip() and key and "[" not in key and "]" not in key else write_step("", key)


def is_meaningless(label: str) -> bool:
    """Tell whether a label says nothing at all: a number, or a builder's own `field_6f8642e`, `input_5`."""
    words = words_of(label)
    return not words or all(len(word) < 3 or word in ("field", "text", "input", "question", "number") for word in words)
