"""The forms of the stand-in for Meta, and the leads that come of them: standard, custom, translated and archived ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_master.sandbox.enquiries import Enquiry, spell_phone
from connector_master.sandbox.stand_in import Entry


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a page: its questions as (key, label, type)."""

    id: str
    name: str
    locale: str
    questions: tuple[tuple[str, str, str], ...]
    status: str = "ACTIVE"


_FIRST_LEAD = 1_312_000_000_000_000
_AD = {
    "ad_id": "120210000000010001",
    "ad_name": "Carousel - Hindi - Oct",
    "adset_id": "120210000000020001",
    "adset_name": "Lookalike 2%",
    "campaign_id": "120210000000030001",
    "campaign_name": "Diwali Lead Gen 2026",
}

WISHES = {"asap": "As soon as possible", "this_month": "This month", "just_asking": "Just asking"}
"""The options of the custom form's question about time, by their keys."""

_STANDARD = Form(
    "771234567890123",
    "Diwali enquiry",
    "en_GB",
    (
        ("full_name", "Full name", "FULL_NAME"),
        ("phone_number", "Phone number", "PHONE"),
        ("email", "Email", "EMAIL"),
        ("company_name", "Company name", "COMPANY_NAME"),
        ("city", "City", "CITY"),
        ("state", "State", "STATE"),
        ("country", "Country", "COUNTRY"),
        ("zip_code", "Zip code", "ZIP_CODE"),
    ),
)
_CUSTOM = Form(
    "771234567890777",
    "Machinery enquiry v3",
    "en_GB",
    (
        ("first_name", "First name", "FIRST_NAME"),
        ("last_name", "Last name", "LAST_NAME"),
        ("phone_number", "Phone number", "PHONE"),
        ("work_email", "Work email", "WORK_EMAIL"),
        ("which_product_do_you_need?", "Which product do you need?", "CUSTOM"),
        ("when_do_you_need_it?", "When do you need it?", "CUSTOM"),
    ),
)
_TRANSLATED = Form(
    "771234567890888",
    "Formulário exemplo",
    "pt_BR",
    (
        ("nome_completo", "Nome completo", "FULL_NAME"),
        ("telefone", "Telefone", "PHONE"),
        ("e-mail", "E-mail", "EMAIL"),
        ("cidade", "Cidade", "CITY"),
    ),
)
_ARCHIVED = Form("771234567890111", "Old form", "en_GB", _STANDARD.questions[:3], "ARCHIVED")

FORMS = (_STANDARD, _CUSTOM, _TRANSLATED, _ARCHIVED)
"""All forms, the commonest first."""


def form_of(number: int, wanted: str | None = None) -> Form:
    """Return the form that a buyer has filled in: the `wanted` one, else one that follows from the enquiry's number."""
    return next((form for form in FORMS if form.id == wanted), FORMS[(0, 0, 1, 0, 2, 1)[number % 6]])


def about(form: Form, leads: int) -> dict[str, Any]:
    """Return a form as Graph gives it."""
    questions = []
    for number, (key, label, type_) in enumerate(form.questions, 1):
        question: dict[str, Any] = {"id": str(number), "key": key, "label": label, "type": type_}
        if key == "when_do_you_need_it?":
            question["options"] = [{"key": key, "value": value} for key, value in WISHES.items()]
        questions.append(question)
    return {
        "id": form.id,
        "name": form.name,
        "status": form.status,
        "locale": form.locale,
        "leads_count": leads,
        "questions": questions,
    }


def answers(form: Form, one: Enquiry, *, is_test: bool = False) -> list[dict[str, Any]]:
    """Return what a buyer has answered; `is_test`: what the Lead Ads Testing Tool fills in."""
    first, _, last = " ".join(one.name.split()).partition(" ")
    by_type: Mapping[str, str] = {
        "FULL_NAME": " ".join(one.name.split()),
        "FIRST_NAME": first,
        "LAST_NAME": last,
        "PHONE": spell_phone(one.phone, one.number),
        "EMAIL": one.email,
        "WORK_EMAIL": one.email,
        "COMPANY_NAME": one.company,
        "CITY": one.city,
        "STATE": one.state,
        "COUNTRY": one.country,
        "ZIP_CODE": one.pincode,
    }
    found = []
    for key, _, type_ in form.questions:
        text = by_type.get(type_)
        if type_ == "CUSTOM":
            text = list(WISHES)[one.number % len(WISHES)] if key.startswith("when") else one.product
        if is_test:
            text = "test@meta.com" if "EMAIL" in type_ else f"<test lead: dummy data for {key}>"
        # What was left empty comes without a value.
        found.append({"name": key, "values": [text] if text else []})
    return found


def lead(entry: Entry, one: Enquiry, *, shows_ads: bool) -> dict[str, Any]:
    """Return a lead as Graph gives it. Who may not see ads is told of none."""
    kind = kind_of(entry)
    form = form_of(entry.number, entry.fields.get("formId"))
    given: dict[str, Any] = {
        "id": lead_id(entry),
        "created_time": entry.at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "form_id": form.id,
        "is_organic": kind in ("organic", "test"),
        "platform": "ig" if kind == "instagram" else "fb",
        "field_data": answers(form, one, is_test=kind == "test"),
    }
    if not given["is_organic"] and shows_ads:
        given |= _AD
    if form is _CUSTOM:
        checked = "1" if entry.number % 2 else ""
        given["custom_disclaimer_responses"] = [{"checkbox_key": "optional_1", "is_checked": checked}]
    return given


def lead_id(entry: Entry) -> str:
    """Return the id under which a lead is announced."""
    return entry.fields.get("leadId") or str(_FIRST_LEAD + entry.number)


def kind_of(entry: Entry) -> str:
    """Return how a lead was made: ad, organic, instagram or test."""
    return (
        entry.fields.get("leadKind") or ("ad", "ad", "instagram", "ad", "organic", "instagram", "ad")[entry.number % 7]
    )
