"""Process: one record becomes one lead. Read, transform, normalize, validate; a phone number is all that it must have.

Whatever else can't be used costs a warning, never the lead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial

from connector_master.model.json import Json
from connector_master.model.lead import LEAD_FIELDS, LeadDraft
from connector_master.model.lead import LeadWarning as LeadWarning
from connector_master.model.problem import InvalidPhone, InvalidRecord, MissingPhone, Permanent, TransformFailed
from connector_master.model.words import Words
from connector_master.pipeline.guess import guessed
from connector_master.pipeline.mapping import CompiledMapping, FieldMapping, Target, compile_mapping
from connector_master.pipeline.normalize import (
    clean_text,
    html_to_text,
    normalize_country,
    normalize_email,
    normalize_name,
    normalize_phone,
    normalize_pincode,
    normalize_state,
    parse_time,
    pincode_in,
    proven_phone,
)
from connector_master.pipeline.paths import Reader
from connector_master.pipeline.values import Keeper, address_part, is_filled, name_of, phones_in, text_of

_NOTHING = compile_mapping({})
_NO_OBJECT = Words("The record is not an object with fields")
_NO_PHONE_MAPPED = Words(
    "Phone number missing: no source is mapped to phoneNumber, and none was recognised by name or content"
)
_LONGEST_TEXT = 500
_LONGEST_NOTES = 10_000
_MOST_OTHER_PHONES = 20
MOST_UNMAPPED = 5_000
_OTHER_PHONES = "otherPhones"
_PLAIN = ("businessName", "productName", "campaign", "externalId")
_ADDRESS = ("addressLine1", "addressLine2", "city")
_READ: Mapping[str, Callable[[Json], str | None]] = {
    field: partial(address_part, field=field) for field in (*_ADDRESS, "state", "pincode", "country")
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What a connector says about its records: how to read local phones and times, and what to assume.

    `trusts_phones`: the source has proven its numbers, so one in E.164 need only be possible.
    """

    default_region: str = "IN"
    zone: tzinfo = UTC
    source: str | None = None
    guesses: bool = False
    trusts_phones: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a dry run tells: `blocks` when no lead can be made because of it."""

    field: str
    code: str
    message: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What a record would become: the lead as far as it goes (camelCase), what is wrong, and what nobody maps."""

    lead: dict[str, Json]
    problems: list[Finding]
    unmapped: list[str]
    mapping: FieldMapping


def process(record: Json, mapping: CompiledMapping | None, profile: Profile) -> LeadDraft:
    """Return the lead that `record` gives; raises MissingPhone, InvalidPhone, InvalidRecord or TransformFailed.

    Without a mapping the sensible guesses are used where the profile allows them.
    """
    if not isinstance(record, dict):
        raise InvalidRecord(_NO_OBJECT)
    making = _Making(Reader(record), mapping or _mapping_for(record, profile), profile)
    fields = making.fields()
    if making.problem is not None:
        raise making.problem
    return LeadDraft(**fields, attributes=making.attributes, warnings=tuple(making.warnings))  # type: ignore[arg-type]


def try_out(
    record: Json, mapping: CompiledMapping | None, profile: Profile, *, most_unmapped: int = MOST_UNMAPPED
) -> Trial:
    """Return what `process` would make of `record`, every problem that it has, and the paths that nothing uses."""
    if not isinstance(record, dict):
        refused = InvalidRecord(_NO_OBJECT)
        used = mapping.mapping if mapping else {}
        return Trial({}, [Finding("payload", refused.code, refused.detail, blocks=True)], [], used)
    mapping = mapping or _mapping_for(record, profile)
    reader = Reader(record, tracing=True)
    making = _Making(reader, mapping, profile, gathers=True)
    fields = making.fields()
    lead: dict[str, Json] = {}
    for name, attribute in LEAD_FIELDS.items():
        value = fields.get(attribute)
        if isinstance(value, datetime):
            lead[name] = value.isoformat().replace("+00:00", "Z")
        elif value is not None:
            lead[name] = value
    if making.attributes:
        lead["attributes"] = dict(making.attributes)
    findings = [Finding(problem.field or "", problem.code, problem.detail, blocks=True) for problem in making.problems]
    findings += [Finding(warning.field, warning.code, warning.message, blocks=False) for warning in making.warnings]
    return Trial(lead, findings, reader.unused(most_unmapped), mapping.mapping)


def _mapping_for(record: dict[str, Json], profile: Profile) -> CompiledMapping:
    return guessed(record) if profile.guesses else _NOTHING


class _Making:
    """One lead in the making. With `gathers` problems are collected instead of ending it."""

    __slots__ = (
        "attributes",
        "gathers",
        "keeper",
        "mapping",
        "plain",
        "problems",
        "profile",
        "reader",
        "targets",
        "warnings",
    )

    def __init__(self, reader: Reader, mapping: CompiledMapping, profile: Profile, *, gathers: bool = False) -> None:
        self.reader = reader
        self.plain: Mapping[str, Json] = {} if gathers or not isinstance(reader.record, dict) else reader.record
        self.mapping = mapping
        self.targets: Mapping[str, Target] = mapping.targets
        self.profile = profile
        self.gathers = gathers
        self.keeper = Keeper()
        self.attributes: dict[str, Json] = {}
        self.warnings: list[LeadWarning] = []
        self.problems: list[Permanent] = []

    @property
    def problem(self) -> Permanent | None:
        """The first thing that makes a lead impossible."""
        return self.problems[0] if self.problems else None

    def fields(self) -> dict[str, str | datetime | None]:
        """Return the lead's fields by the names of LeadDraft; attributes, warnings and problems are collected here."""
        targets = self.targets
        for target in self.mapping.attributes:
            self._attribute(target)
        made: dict[str, str | datetime | None] = {}
        # The country first: phones, states and postal codes are read with it.
        country = self._country() if "country" in targets else None
        phone = self._phone(country)
        if phone is None and not self.gathers:
            return made
        made["phone_number"] = phone
        made["country"] = country
        if "name" in targets:
            made["name"] = self._name()
        if "email" in targets:
            made["email"] = self._email()
        made["source"] = (self._text("source") if "source" in targets else None) or self.profile.source
        for field in _PLAIN:
            if field in targets:
                made[LEAD_FIELDS[field]] = self._text(field)
        for field in _ADDRESS:
            if field in targets:
                made[LEAD_FIELDS[field]] = self._text(field, read=_READ[field])
        if "state" in targets and (state := self._text("state", read=_READ["state"])):
            made["state"] = normalize_state(state, country)
        self._pincode(made, country)
        if "notes" in targets:
            made["notes"] = self._text("notes", clean=html_to_text, separator="\n", longest=_LONGEST_NOTES)
        if "enquiredAt" in targets:
            made["enquired_at"] = self._enquired_at()
        return made

    def _values(self, target: Target) -> list[Json]:
        """Return what the target's sources hold, after their transforms, without what is empty."""
        values: list[Json] = []
        for source in target.sources:
            # Most paths are a key of the record that holds text; the reader is for all others, and takes note of what is used.
            value = self.plain.get(source.plain) if source.plain is not None else None
            if type(value) is not str:
                value = self.reader.read(source.path)
            if source.expression is not None and (is_filled(value) or not source.expression.needs_value):
                try:
                    value = source.expression.evaluate(value, self.reader.record)
                except TransformFailed as error:
                    self.problems.append(TransformFailed(error.detail, field=source.path.text))
                    continue
            if is_filled(value):
                values.append(value)
        return values

    def _phone(self, country: str | None) -> str | None:
        target = self.targets.get("phoneNumber")
        if target is None:
            self.problems.append(MissingPhone(_NO_PHONE_MAPPED, field="phoneNumber"))
            return None
        region = country or self.profile.default_region
        filled = False
        numbers: list[str] = []
        for value in self._values(target):
            for text in phones_in(value):
                try:
                    phone = normalize_phone(text, region, self.profile.default_region)
                except MissingPhone:
                    continue
                except InvalidPhone:
                    filled = True
                    if self.profile.trusts_phones and (proven := proven_phone(text)):
                        numbers.append(proven)
                    continue
                numbers.append(phone.e164)
                numbers.extend(phone.others)
        if numbers:
            if len(numbers) > 1 and (others := [one for one in dict.fromkeys(numbers) if one != numbers[0]]):
                kept: list[Json] = list(others[:_MOST_OTHER_PHONES])
                self.attributes.setdefault(_OTHER_PHONES, kept)
            return numbers[0]
        where = ", ".join(source.path.text for source in target.sources[:10])
        self.problems.append(
            InvalidPhone(Words("No complete, valid phone number in: %(where)s", where=where), field="phoneNumber")
            if filled
            else MissingPhone(Words("Nothing found in: %(where)s", where=where), field="phoneNumber")
        )
        return None

    def _country(self) -> str | None:
        text = self._text("country", read=_READ["country"])
        if text is None:
            return None
        country = normalize_country(text)
        if country is None:
            self.attributes.setdefault("country", text)
            self._warn("country", "unknown_country", Words("Not a country's name or code; kept in attributes.country"))
        return country

    def _name(self) -> str | None:
        target = self.targets["name"]
        names = [name for value in self._values(target) if (text := name_of(value)) and (name := normalize_name(text))]
        if not target.joins or len(names) < 2:
            return names[0] if names else None
        kept = names[0]
        for name in names[1:]:
            # "Asha Example" and then "Asha" and "Example" is still one name.
            if f" {name.casefold()} " not in f" {kept.casefold()} ":
                kept = f"{kept} {name}"
        return normalize_name(kept)

    def _email(self) -> str | None:
        filled = False
        for value in self._values(self.targets["email"]):
            text = text_of(value)
            if text is not None:
                if email := normalize_email(text):
                    return email
                filled = True
        if filled:
            self._warn("email", "invalid_email", Words("No e-mail address that can be written to; left out"))
        return None

    def _pincode(self, made: dict[str, str | datetime | None], country: str | None) -> None:
        text = None
        if "pincode" in self.targets:
            text = self._text("pincode", read=_READ["pincode"])
        pincode = normalize_pincode(text, country or self._likely_country()) if text else None
        address = made.get("address_line2") or made.get("address_line1")
        if pincode is None and isinstance(address, str) and (country or self._likely_country()) == "IN":
            pincode = pincode_in(address)
        if pincode is not None:
            made["pincode"] = pincode

    def _likely_country(self) -> str | None:
        return self.profile.default_region if "country" not in self.attributes else None

    def _enquired_at(self) -> datetime | None:
        filled = False
        for value in self._values(self.targets["enquiredAt"]):
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if isinstance(value, (str, int, float)) and not isinstance(value, bool):
                if moment := parse_time(value, self.profile.zone):
                    return moment
                filled = True
        if filled:
            self._warn("enquiredAt", "invalid_time", Words("Not a time that can be read; left out"))
        return None

    def _text(
        self,
        field: str,
        *,
        read: Callable[[Json], str | None] = text_of,
        clean: Callable[[str], str] | None = None,
        separator: str = ", ",
        longest: int = _LONGEST_TEXT,
    ) -> str | None:
        """Return the field's text: of its sources the first filled one, or all of them joined."""
        target = self.targets[field]
        kept: list[str] = []
        for value in self._values(target):
            raw = value if isinstance(value, str) and read is text_of else read(value)
            text = (clean or _one_line)(raw) if raw else ""
            if field in _ADDRESS:
                text = text.strip(" ,")
            if text and text not in kept:
                kept.append(text)
                if not target.joins:
                    break
        if not kept:
            return None
        text = kept[0] if len(kept) == 1 else separator.join(kept)
        if len(text) > longest:
            text = text[:longest].rstrip()
            self._warn(
                field, "text_cut", Words("Longer than %(longest)s characters; the rest was left out", longest=longest)
            )
        return text

    def _attribute(self, target: Target) -> None:
        values = self._values(target)
        if not values:
            return
        if target.joins and len(values) > 1:
            self.attributes[target.field] = self.keeper.keep(", ".join(filter(None, map(text_of, values))))
        else:
            self.attributes[target.field] = self.keeper.keep(values[0])

    def _warn(self, field: str, code: str, message: str) -> None:
        self.warnings.append(LeadWarning(field, code, message))


def _one_line(text: str) -> str:
    return clean_text(html_to_text(text)) if "&" in text or "<" in text else clean_text(text)
