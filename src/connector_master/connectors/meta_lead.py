"""A lead as Graph gives it, read with its form: which answer is the phone, which the name, and what the rest says.

A question's key is its author's own, in any language; its type is Meta's. So the type decides, and the key only where
there is none. What fits no field of a lead is told in the notes, under the question's own words.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from connector_master.connectors.identity import digest_of
from connector_master.connectors.meta_notices import decimal
from connector_master.model.event import Record
from connector_master.model.json import Json, as_list, as_object

_IDS = ("id", "form_id", "page_id", "ad_id", "adset_id", "campaign_id", "adgroup_id")
_TEST = re.compile(r"<\s*test lead:", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^0-9a-z]+")
_SUFFIX = re.compile(r"(?:_[0-9]{1,3})+$")
_MOST_ANSWERS = 500
_MOST_VALUES = 200

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "full_name": "name",
        "name": "name",
        "first_name": "first_name",
        "middle_name": "middle_name",
        "last_name": "last_name",
        "email": "email",
        "work_email": "work_email",
        "phone": "phone",
        "phone_number": "phone",
        "work_phone": "work_phone",
        "work_phone_number": "work_phone",
        "whatsapp_number": "work_phone",
        "company_name": "company",
        "company": "company",
        "city": "city",
        "state": "state",
        "province": "state",
        "country": "country",
        "zip": "pincode",
        "zip_code": "pincode",
        "post_code": "pincode",
        "postal_code": "pincode",
        "street_address": "street",
    }
)
_KEYS: Mapping[str, str] = MappingProxyType(
    dict(_TYPES)
    | dict.fromkeys(
        ("your_name", "nome_completo", "nombre_completo", "nom_complet", "vollstandiger_name", "nome"), "name"
    )
    | dict.fromkeys(("nombre", "prenom", "primeiro_nome", "vorname", "given_name"), "first_name")
    | dict.fromkeys(("sobrenome", "apellido", "apellidos", "nachname", "surname", "family_name"), "last_name")
    | dict.fromkeys(("e_mail", "email_address", "mail", "correo_electronico", "correo"), "email")
    | dict.fromkeys(("business_email", "company_email"), "work_email")
    | dict.fromkeys(
        ("whatsapp_number", "whatsapp", "whatsapp_no", "mobile", "mobile_number", "mobile_no"), "other_phone"
    )
    | dict.fromkeys(("phone_no", "contact_number", "contact_no", "your_phone_number", "cell_phone"), "other_phone")
    | dict.fromkeys(("telefone", "numero_de_telefone", "celular", "telefono", "numero_de_telefono"), "other_phone")
    | dict.fromkeys(("telephone", "numero_de_telephone", "telefonnummer"), "other_phone")
    | dict.fromkeys(("business_name", "organisation", "organization", "empresa", "nome_da_empresa"), "company")
    | dict.fromkeys(("cidade", "ciudad", "ville", "town"), "city")
    | dict.fromkeys(("estado", "provincia", "region"), "state")
    | dict.fromkeys(("pais", "pays"), "country")
    | dict.fromkeys(("pincode", "pin_code", "postcode", "cep", "codigo_postal", "zipcode"), "pincode")
    | dict.fromkeys(("address", "endereco", "direccion"), "street")
)
_PHONES = ("phone", "work_phone", "other_phone")
_EMAILS = ("email", "work_email")
_NAMES = ("first_name", "middle_name", "last_name")
_ALSO_TOLD = frozenset({"street"})


@dataclass(frozen=True, slots=True)
class _Answer:
    key: str
    label: str
    text: str
    by_type: str | None
    by_key: str | None


def lead_record(lead: Json, form: Mapping[str, Json], page_id: str | None) -> Record:
    """Return the record of a lead as Graph gave it, the same however it was found. `form` is empty where it isn't known."""
    if not isinstance(lead, dict):
        return Record(lead, external_id=digest_of(lead), ignored="unrecognized", account=page_id)
    # One that was read before keeps what its form told then.
    value = lead if isinstance(lead.get("answers"), dict) else _flattened(lead, form, page_id)
    lead_id = decimal(lead.get("id"))
    if lead_id is None:
        return Record(value, external_id=digest_of(lead), ignored="unrecognized", account=page_id)
    is_test = _is_test(lead.get("field_data"))
    return Record(
        value,
        external_id=lead_id,
        ignored="test" if is_test else None,
        account=page_id,
        detail="Made with Meta's Lead Ads Testing Tool." if is_test else None,
    )


def is_lead(value: Json) -> bool:
    """Return whether this is a lead as Graph gives it, or as `lead_record` makes it."""
    return isinstance(value, dict) and "field_data" in value


def _flattened(lead: Mapping[str, Json], form: Mapping[str, Json], page_id: str | None) -> dict[str, Json]:
    answers = list(_answers(lead, _questions(form)))
    fields, rest = _sorted_out(answers)
    texts: dict[str, Json] = {}
    for one in answers:
        earlier = texts.get(one.key)
        texts[one.key] = f"{earlier}, {one.text}" if earlier else one.text
    form_name = _text(form.get("name"))
    parts: dict[str, Json] = {
        "page_id": page_id,
        "form_name": form_name,
        "answers": texts,
        **fields,
        "notes": "\n".join(f"{one.label}: {one.text}" for one in rest),
        "campaign": _campaign(lead, form_name),
        "consents": _consents(lead.get("custom_disclaimer_responses")),
    }
    # What Graph says under its own names comes last: nothing of ours takes its place, and read again all stays the same.
    own = {name: one for name, one in lead.items() if name not in _MADE or name in _GRAPHS}
    sent = own | {name: id_ for name in _IDS if (id_ := decimal(lead.get(name))) is not None}
    return {name: part for name, part in parts.items() if part not in (None, "", {}, [])} | sent


_GRAPHS = frozenset(_IDS)
_MADE = frozenset(
    {"form", "form_name", "answers", "name", "phone", "other_phones", "email", "company", "city", "state", "country"}
    | {"pincode", "street", "notes", "campaign", "consents"}
)


def _questions(form: Mapping[str, Json]) -> Mapping[str, Mapping[str, Json]]:
    """Return a form's questions by their key, or else by their label."""
    found: dict[str, Mapping[str, Json]] = {}
    questions = [one for one in as_list(form.get("questions"))[:_MOST_ANSWERS] if isinstance(one, dict)]
    for name in ("key", "label"):
        for one in questions:
            if text := _text(one.get(name)):
                found.setdefault(text, one)
    return found


def _answers(lead: Mapping[str, Json], questions: Mapping[str, Mapping[str, Json]]) -> Iterator[_Answer]:
    for item in as_list(lead.get("field_data"))[:_MOST_ANSWERS]:
        if not isinstance(item, dict):
            continue
        key = _text(item.get("name")) or "answer"
        question = questions.get(key, {})
        texts = [text for one in _values(item) if (text := _text(one))]
        if not texts:
            continue
        labels = _labels(question)
        by_type = _TYPES.get(_folded(_text(question.get("type")) or ""))
        text = ", ".join(labels.get(one, one) for one in texts)
        yield _Answer(key, _text(question.get("label")) or key, text, by_type, _KEYS.get(_folded_key(key)))


def _values(item: Mapping[str, Json]) -> Sequence[Json]:
    values = item.get("values", item.get("value"))
    return values[:_MOST_VALUES] if isinstance(values, list) else [values]


def _labels(question: Mapping[str, Json]) -> Mapping[str, str]:
    """Return what each option of a multiple-choice question says, by its key."""
    options = [as_object(one) for one in as_list(question.get("options"))]
    pairs = [(_text(one.get("key")), _text(one.get("value"))) for one in options]
    return {key: value for key, value in pairs if key and value}


def _sorted_out(answers: Sequence[_Answer]) -> tuple[dict[str, Json], list[_Answer]]:
    """Return what fills a field of a lead, and the answers that are left for the notes."""
    taken: dict[str, _Answer] = {}
    phones: list[_Answer] = []
    for by in ("by_type", "by_key"):
        for one in answers:
            field = getattr(one, by)
            if field is None or one in phones or one in taken.values() or (by == "by_key" and one.by_type):
                continue
            if field in _PHONES:
                phones.append(one)
            else:
                taken.setdefault(field, one)
    phones.sort(key=lambda one: _PHONES.index(one.by_type or one.by_key or "other_phone"))
    email = next((taken[name] for name in _EMAILS if name in taken), None)
    names = [taken[name] for name in _NAMES if name in taken]
    whole = taken.get("name")
    fields: dict[str, Json] = {
        "phone": phones[0].text if phones else None,
        "other_phones": [one.text for one in phones[1:]],
        "name": whole.text if whole else " ".join(one.text for one in names),
        "email": email.text if email else None,
    }
    used = [*phones, *([whole] if whole else names), *([email] if email else [])]
    for name in ("company", "city", "state", "country", "pincode", "street"):
        if name in taken:
            fields[name] = taken[name].text
            used += [] if name in _ALSO_TOLD else [taken[name]]
    return fields, [one for one in answers if not any(one is other for other in used)]


def _campaign(lead: Mapping[str, Json], form_name: str | None) -> str | None:
    if named := _text(lead.get("campaign_name")):
        return named
    has_ad = lead.get("is_organic") is False or any(name in lead for name in ("ad_id", "ad_name", "campaign_id"))
    if lead.get("is_organic") is True or not has_ad:
        # Nobody paid for it, so no campaign brought it.
        return None
    return _text(lead.get("ad_name")) or form_name


def _consents(value: Json) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for one in as_list(value)[:_MOST_ANSWERS]:
        if isinstance(one, dict) and (key := _text(one.get("checkbox_key"))):
            # "1" and "" in Meta's documents, true and false elsewhere.
            found[key] = str(one.get("is_checked")).strip().lower() in ("1", "true")
    return found


def _is_test(field_data: Json) -> bool:
    return any(
        isinstance(one, str) and _TEST.search(one)
        for item in as_list(field_data)
        if isinstance(item, dict)
        for one in (*_values(item), item.get("name"))
    )


def _text(value: Json) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**40):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def _folded_key(key: str) -> str:
    """Return a question's key as it is compared: `Phone_Number_0?` is `phone_number`."""
    return _SUFFIX.sub("", _folded(key))


def _folded(text: str) -> str:
    """Return a text without accents, in lower case, its words joined by underscores.

    >>> _folded("Número de  Teléfono?"), _folded("E-mail")
    ('numero_de_telefono', 'e_mail')
    """
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode()
    return _NOT_IN_NAMES.sub("_", plain.lower()).strip("_")
