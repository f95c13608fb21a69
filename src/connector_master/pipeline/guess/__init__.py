"""Guessing: a sensible field mapping for a record that nobody has mapped yet.

By label first, then by the type that the sender declares, then by content, each where the one before decided nothing.
"""

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache

from connector_master.model.json import Json
from connector_master.pipeline.guess.collect import MOST, Labelled, body_of, collect, is_meaningless
from connector_master.pipeline.guess.labels import FIRST_NAME, LAST_NAME, meaning_of, word_set, words_of
from connector_master.pipeline.guess.senders import has_own_name, known_fields
from connector_master.pipeline.mapping import CompiledMapping, compile_mapping
from connector_master.pipeline.values import phones_in, text_of

_ORDER = (
    *("phoneNumber", "name", "email", "businessName", "productName", "notes", "addressLine1", "addressLine2", "city"),
    *("state", "pincode", "country", "campaign", "source", "attributes.quantity", "externalId", "enquiredAt"),
)
_SOURCES_PER_FIELD = 8
_PERSONS = word_set(
    """
    body data fields formfields field formdata payload submission answers answer response values namedvalues
    record records attributes properties params json contact contacts person people customer client buyer sender
    user visitor lead leads enquiry inquiry request profile details contactdetails personaldetails fielddata
    hidden rawrequest datajson invitee
    """
)
_PLACES = frozenset({"city", "pincode", "country", "addressLine1"})
_UNSURE = 3
_MOST_KEYS = 100
_MOST_KNOWN = 512

_EMAIL = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?:p:|tel:)?\s*(\+?)([\d\s().\-/]{8,24})")
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,3}(?:\.\d{1,3}){3}")
_NEVER_A_PHONE = word_set(
    """
    ip id ids uuid guid time timestamp date gst gstin ifsc pan aadhaar aadhar account amount price budget value
    cost total salary qty quantity zip pin pincode postal postcode zipcode order invoice ref reference token otp
    score version row url page agent latitude longitude lat lng size weight age year code hash key currency utm
    gclid fbclid created updated submitted slug path turnover revenue income bank card license licence vat tax cin
    din receiver seller owner assigned support pretty form
    """
)
_NEVER_AN_EMAIL = word_set(
    """
    receiver recipient seller owner assigned assignee agent support admin reply cc bcc to from staff pretty url
    page form organizer created updated host
    """
)

_known: dict[tuple[str, ...], tuple[CompiledMapping, bool]] = {}


def propose(record: Json, most: int = MOST) -> dict[str, str]:
    """Return the sensible guesses for the first `most` values of `record` as an ordinary mapping, empty when there are none.

    >>> propose({"your-phone": "90000 00206", "Your Name": "Ravi Sample", "form_name": "Quote"})
    {'your-phone': 'phoneNumber', 'Your Name': 'name'}
    """
    return _decide(record, most)[0] if isinstance(record, dict) else {}


def guessed(record: Mapping[str, Json]) -> CompiledMapping:
    """Return the compiled proposal. For flat records whose keys alone decided, it is remembered by the keys."""
    keys = tuple(record)
    known = _known.get(keys)
    if known is not None and _keys_decide(record, known[1]):
        return known[0]
    mapping, rests_on_values, has_email = _decide(record)
    compiled = _compiled(tuple(mapping.items()))
    if not rests_on_values and len(keys) <= _MOST_KEYS and _keys_decide(record, has_email):
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[keys] = compiled, has_email
    return compiled


def _keys_decide(record: Mapping[str, Json], has_email: bool) -> bool:
    """Tell whether nothing in the record's values could change what its keys decide."""
    for value in record.values():
        if isinstance(value, str):
            if value[:1] in ("{", "[") or (not has_email and "@" in value):
                return False
        elif isinstance(value, (dict, list)):
            return False
    return True


@lru_cache(maxsize=1024)
def _compiled(entries: tuple[tuple[str, str], ...]) -> CompiledMapping:
    return compile_mapping(dict(entries))


def _decide(record: Mapping[str, Json], most: int = MOST) -> tuple[dict[str, str], bool, bool]:
    """Return the mapping, whether it rests on values, and whether a label named the e-mail."""
    everything = collect(record, most)
    root, body = body_of(record)
    found: dict[str, list[tuple[int, int, str]]] = {}
    rests_on_values = False
    kinds = ((one, one.field or (meaning_of(one.label) or ("",))[0]) for one in everything)
    contacts = {one.place for one, kind in kinds if kind in ("phoneNumber", "email")}
    for order, one in enumerate(everything):
        meant = (one.field, 0) if one.field else _meaning(one, contacts)
        if meant is None:
            continue
        field, rank = meant
        if field == "state" and rank == 2 and not _has_place(one, everything):
            rests_on_values = True
            continue
        found.setdefault(field, []).append((rank, order, one.path))
    _settle_names(found, everything, contacts, record)
    has_email = "email" in found
    if min(found.get("phoneNumber", [(9, 0, "")]))[0] >= _UNSURE:
        rests_on_values = True
        by_content = [(9, order, path) for order, path in enumerate(_phones_by_content(everything))]
        found["phoneNumber"] = found.get("phoneNumber", []) + by_content
    else:
        # Calendly: the event's place, when it is a phone call.
        located = [one for one in everything if one.path.endswith("scheduled_event.location.location")]
        found["phoneNumber"] += [(9, 0, one.path) for one in located if _looks_like_phone(one.value)]
    if not has_email:
        found["email"] = [(9, order, path) for order, path in enumerate(_emails_by_content(everything))]
    for path, field in known_fields(body):
        rests_on_values = True
        found[field] = [(0, 0, f"{root}.{path}" if root else path)]
    return _mapping(found), rests_on_values, has_email


def _mapping(found: Mapping[str, list[tuple[int, int, str]]]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for field in _ORDER:
        for _, _, path in sorted(found.get(field, ()))[:_SOURCES_PER_FIELD]:
            mapping.setdefault(path, field)
    return mapping


def _has_place(one: Labelled, everything: Iterable[Labelled]) -> bool:
    # A `state` alone may be a status.
    near = (other for other in everything if other.place == one.place)
    return any((meaning_of(other.label) or ("", 0))[0] in _PLACES for other in near)


def _meaning(one: Labelled, contacts: Set[str]) -> tuple[str, int] | None:
    if not one.label or (one.label.lower().startswith("utm_") and one.label.lower() != "utm_campaign"):
        return None
    meant = meaning_of(one.label)
    if meant is None or meant[0] != "name" or one.asked or not one.place or words_of(one.label) != ("name",):
        return meant
    # `product.name` is a product's; `data.name` is a person's, and so is one beside a phone or an e-mail address.
    container = one.place.rpartition(".")[2]
    if one.place in contacts or "".join(words_of(container)) in _PERSONS:
        return meant
    return meaning_of(f"{container} name")


def _settle_names(
    found: dict[str, list[tuple[int, int, str]]],
    everything: list[Labelled],
    contacts: Set[str],
    record: Mapping[str, Json],
) -> None:
    """Leave one whole name, then first and last; a form's own name is none."""
    whole = []
    for rank, order, path in sorted(found.pop("name", [])):
        one = everything[order]
        own = words_of(one.label) != ("name",) or one.asked or one.place in contacts
        if own or not has_own_name(one.place, record):
            whole.append((rank + (one.place not in contacts), order, path))
    names = sorted(whole)[:1]
    for rank, part in enumerate((FIRST_NAME, LAST_NAME), start=20):
        names += [(rank, order, path) for _, order, path in sorted(found.pop(part, []))[:1]]
    if names:
        found["name"] = names


def _phones_by_content(everything: Iterable[Labelled]) -> list[str]:
    looking = [
        one
        for one in everything
        if one.field is None and not set(words_of(one.label)) & _NEVER_A_PHONE and _looks_like_phone(one.value)
    ]
    return [one.path for one in sorted(looking, key=lambda one: not is_meaningless(one.label))]


def _emails_by_content(everything: Iterable[Labelled]) -> list[str]:
    return [
        one.path
        for one in everything
        if one.field is None
        and not set(words_of(one.label)) & _NEVER_AN_EMAIL
        and (text := text_of(one.value))
        and _EMAIL.fullmatch(text.strip())
    ]


def _looks_like_phone(value: Json) -> bool:
    """Tell whether a value can hardly be anything but a phone number: no date, IP address, Unix time or id."""
    if isinstance(value, (bool, float)):
        return False
    texts = list(phones_in(value))
    text = texts[0].strip() if len(texts) == 1 else ""
    written = _PHONE.fullmatch(text)
    if not written or _DATE.match(text):
        return False
    digits = re.sub(r"\D", "", written[2])
    if written[1]:
        return 8 <= len(digits) <= 15
    if len(digits) == 10:
        return digits[0] in "6789" or (digits[0] not in "01" and digits != written[2].strip())
    return (len(digits) == 11 and digits[0] == "0" and digits[1] in "6789") or (
        len(digits) == 12 and digits.startswith("91")
    )
