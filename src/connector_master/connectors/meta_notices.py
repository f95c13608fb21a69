"""Meta's notices: what one webhook body announces, and what in it is no lead (docs/connectors/meta.md)."""

from collections.abc import Iterator, Mapping
from re import compile as pattern
from types import MappingProxyType

from connector_master.model.event import Record
from connector_master.model.json import Json, as_list, as_object

_PREFIXED = pattern(r"(?:[a-z]{1,3}:)?([0-9]{1,40})")
_NAMES = ("leadgen_id", "page_id", "form_id", "ad_id", "adgroup_id")
_TEST_BUTTON = "444444444444"
_NOBODY = frozenset({"0", _TEST_BUTTON})
"""The ids in what the dashboard's Test button sends."""

_OTHER_FIELDS: Mapping[str, str] = MappingProxyType({"leadgen_update": "lead_update", "leadgen_fat": "lead_update"})
_OTHER_OBJECTS: Mapping[str, str] = MappingProxyType({"instagram": "instagram"})


def notices(body: Json) -> Iterator[Record]:
    """Yield one record for each change and message in a body, in its order. What is no lead is ignored with the reason."""
    about = as_object(body).get("object")
    entries = as_list(as_object(body).get("entry"))
    if about != "page" or not entries:
        reason = _OTHER_OBJECTS.get(about, "other_object") if isinstance(about, str) and about != "page" else None
        yield Record(body, ignored=reason or "unrecognized")
        return
    for entry in entries:
        yield from _entry(entry)


def announced(value: Mapping[str, Json], entry_id: str | None = None) -> Record | None:
    """Return the record of a lead that is announced by its id, None where none is.

    Whatever answers stand beside the id are left out: Meta sends none, so nobody else's are believed.
    """
    ids = {name: found for name in _NAMES if (found := decimal(value.get(name))) is not None}
    lead_id = ids.get("leadgen_id")
    if lead_id is None:
        return None
    if entry_id == "0" or lead_id in _NOBODY or ids.get("page_id") in _NOBODY or ids.get("form_id") in _NOBODY:
        # Without an id of its own: every press of the button is to be seen.
        return Record(_known(value, ids), ignored="test", detail="Sent by the Test button of the app's page at Meta.")
    page_id = ids.get("page_id") or entry_id
    if page_id is not None:
        ids["page_id"] = page_id
    return Record(_known(value, ids), external_id=lead_id, account=page_id, is_announced=True)


def decimal(value: Json) -> str | None:
    """Return an id as decimal digits, None for what is none. Never through a float, which can't hold one.

    >>> decimal(1312000000000005), decimal(" 1312000000000005"), decimal("l:1312"), decimal(1.3e15), decimal(True)
    ('1312000000000005', '1312000000000005', '1312', None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return str(value) if 0 <= value < 10**40 else None
    found = _PREFIXED.fullmatch(value.strip()[:50])
    return found[1] if found else None


def _entry(entry: Json) -> Iterator[Record]:
    if not isinstance(entry, dict):
        yield Record(entry, ignored="unrecognized")
        return
    is_empty = True
    for change in as_list(entry.get("changes")):
        is_empty = False
        yield _change(change, decimal(entry.get("id")))
    for name in ("messaging", "standby"):
        for message in as_list(entry.get(name)):
            is_empty = False
            yield Record(message, ignored="messenger")
    if is_empty:
        yield Record(entry, ignored="unrecognized")


def _change(change: Json, entry_id: str | None) -> Record:
    field = as_object(change).get("field")
    if not isinstance(change, dict) or not isinstance(field, str):
        return Record(change, ignored="unrecognized")
    if field != "leadgen":
        return Record(change, ignored=_OTHER_FIELDS.get(field, "other_field"))
    record = announced(as_object(change.get("value")), entry_id)
    if record is None:
        return Record(change, ignored="invalid_lead", detail="Meta announced a lead without an id that can be read.")
    return record


def _known(value: Mapping[str, Json], ids: Mapping[str, str]) -> Json:
    created = value.get("created_time")
    told: dict[str, Json] = dict(ids)
    if isinstance(created, int | str) and not isinstance(created, bool):
        told["created_time"] = created
    return told
