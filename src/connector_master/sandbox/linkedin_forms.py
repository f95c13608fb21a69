"""The forms of the stand-in for LinkedIn, and the leads that come of them: answers by the ids of questions alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_master.sandbox.enquiries import Enquiry, spell_phone
from connector_master.sandbox.linkedin_terms import CAMPAIGNS, CREATIVES
from connector_master.sandbox.stand_in import Entry

Owner = tuple[str, str]
"""What a form, a lead or a subscription belongs to: sponsoredAccount or organization, and its id."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form. Its questions are (predefined field or None, label, other labels by locale), its hidden fields go by name."""

    id: int
    version: int
    name: str
    questions: tuple[tuple[str | None, str, Mapping[str, str]], ...]
    locale: tuple[str, str] = ("en", "US")
    hidden: Mapping[str, str] = field(default_factory=dict)
    consents: tuple[str, ...] = ()
    state: str = "PUBLISHED"
    is_of_page: bool = False

    @property
    def urn(self) -> str:
        """Return the name by which leads call this version of it."""
        return f"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{self.id},{self.version})"

    def question_id(self, position: int) -> int:
        """Return the id of a question, by its place."""
        return int(f"10{11 + position}{self.id % 10_000_000:07d}")


_CHOICE = "Which products do you need?"
_OPTIONS = ("Pumps", "Valves", "Motors")
_NAME = (("FIRST_NAME", "First name", {"hi_IN": "पहला नाम"}), ("LAST_NAME", "Last name", {"hi_IN": "उपनाम"}))

_PUMPS = Form(
    7300001,
    2,
    "Pump enquiry 2026",
    (
        *_NAME,
        ("EMAIL", "Email address", {}),
        ("WORK_EMAIL", "Work email", {}),
        ("PHONE_NUMBER", "Phone number", {"hi_IN": "फ़ोन नंबर"}),
        ("WORK_PHONE_NUMBER", "Work phone number", {}),
        ("COMPANY_NAME", "Company name", {}),
        ("JOB_TITLE", "Job title", {}),
        ("CITY", "City", {}),
        ("STATE", "State/Province", {}),
        ("COUNTRY", "Country/Region", {}),
        ("ZIP_CODE", "Postal/Zip code", {}),
        ("COMPANY_SIZE", "Company size", {}),
        ("INDUSTRY", "Industry", {}),
        (None, _CHOICE, {}),
        (None, "When do you plan to buy?", {}),
        ("LINKEDIN_PROFILE_LINK", "LinkedIn profile link", {}),
    ),
    hidden={"utm_source": "linkedin", "product_line": "pumps-2026"},
    consents=("You may call me about this enquiry", "Send me the newsletter"),
)
# Nineteen digits: whoever reads it as a float asks for another form.
_DEALERS = Form(
    7212345678901234567,
    1,
    "डीलर पूछताछ",
    (
        ("FIRST_NAME", "First name", {"hi_IN": "पहला नाम"}),
        ("LAST_NAME", "Last name", {"hi_IN": "उपनाम"}),
        ("WORK_EMAIL", "Work email", {"hi_IN": "कार्यालय ईमेल"}),
        ("WORK_PHONE_NUMBER", "Work phone number", {"hi_IN": "कार्यालय फ़ोन"}),
        ("COMPANY_NAME", "Company name", {"hi_IN": "कंपनी"}),
        (None, "What do you deal in?", {"hi_IN": "आप क्या बेचते हैं?"}),
    ),
    locale=("hi", "IN"),
)
_CATALOGUE = Form(
    6955637458260688001,
    1,
    "Old catalogue form",
    (*_NAME, ("EMAIL", "Email address", {}), ("COMPANY_NAME", "Company name", {})),
    locale=("en", "IN"),
    state="ARCHIVED",
)
_WEBINAR = Form(
    7300009,
    1,
    "Webinar registration",
    (*_NAME, ("PHONE_NUMBER", "Phone number", {}), ("EMAIL", "Email address", {})),
    is_of_page=True,
)

ODD_ANSWERS: list[dict[str, Any]] = [
    {"questionId": 999, "answerDetails": {"textQuestionAnswer": {"answer": "Asked by a form that is gone"}}},
    {"questionId": _PUMPS.question_id(14), "answerDetails": {"multipleChoiceAnswer": {"options": [7]}}},
    {"questionId": _PUMPS.question_id(15), "answerDetails": None},
]
"""Answers to an unknown question, with an unknown option, and without content."""

FORMS = (_PUMPS, _DEALERS, _CATALOGUE, _WEBINAR)
"""All forms, the commonest first."""


def urn(kind: str, id_: object) -> str:
    """Return the name that LinkedIn gives a thing of its own."""
    return f"urn:li:{kind}:{id_}"


def owner_shown(owner: Owner) -> dict[str, str]:
    """Return an owner as bodies name it."""
    return {owner[0]: urn(*owner)}


def type_of(entry: Entry) -> str:
    """Return the type of a lead: SPONSORED, EVENT, COMPANY or ORGANIZATION_PRODUCT."""
    return entry.fields.get("leadType", "SPONSORED")


def owner_of(entry: Entry, account: str, organization: str) -> Owner:
    """Return whose lead it is: the ad account's or the page's that its maker named, else the one given here."""
    if type_of(entry) == "SPONSORED":
        return "sponsoredAccount", entry.fields.get("accountId", account)
    return "organization", entry.fields.get("organizationId", organization)


def form_of(entry: Entry) -> Form:
    """Return the form that was filled in: the one that its maker named, else one that follows from its number."""
    wanted = entry.fields.get("formId")
    if type_of(entry) != "SPONSORED":
        return _WEBINAR
    return next((one for one in FORMS if str(one.id) == wanted), (_PUMPS, _PUMPS, _DEALERS)[entry.number % 3])


def lead_id(entry: Entry) -> str:
    """Return the id under which a lead is announced, or taken back."""
    own = entry.fields.get("withdraws") or entry.fields.get("id")
    return own or f"0f6c1a52-1111-4aaa-8b00-{entry.number:012d}-3"


def about(form: Form, owner: Owner) -> dict[str, Any]:
    """Return a form as `leadForms` gives it."""
    language, country = form.locale
    hidden = [{"name": name, "value": value} for name, value in form.hidden.items()]
    return {
        "id": form.id,
        "versionId": form.version,
        "name": form.name,
        "state": form.state,
        "owner": owner_shown(owner),
        "creationLocale": {"country": country, "language": language},
        "created": 1_790_000_000_000,
        "lastModified": 1_791_000_000_000,
        "hiddenFields": hidden,
        "reviewInfo": {"reviewStatus": "APPROVED", "rejectionReasons": []},
        "content": {
            "headline": {"localized": {"en_US": form.name}},
            "questions": [_question(form, position) for position in range(len(form.questions))],
            "legalInfo": {
                "legalInfoId": 1_007_300_001,
                "privacyPolicyUrl": "https://traders.example.com/privacy",
                "consents": [
                    {"id": id_, "checkRequired": id_ == 0, "consent": {"localized": {"en_US": text}}}
                    for id_, text in enumerate(form.consents)
                ],
            },
        },
    }


def lead(entry: Entry, one: Enquiry, owner: Owner, owner_name: str) -> dict[str, Any]:
    """Return a lead with everything that can be asked for; only what is named is shown."""
    form = form_of(entry)
    shown = about(form, owner)
    given: dict[str, Any] = {
        "owner": owner_shown(owner),
        "submitter": urn("person", f"SandboxMbr{entry.number:02d}"),
        "leadType": type_of(entry),
        "versionedLeadGenFormUrn": form.urn,
        "id": lead_id(entry),
        "submittedAt": milliseconds(entry),
        "testLead": is_test(entry),
        "associatedEntity": associated(entry),
        "formResponse": {
            "consentResponses": [
                {"accepted": id_ == 0 or entry.number % 2 == 0, "consentId": id_} for id_ in range(len(form.consents))
            ],
            "answers": _answers(form, one),
        },
        "form": {name: shown[name] for name in ("hiddenFields", "creationLocale", "name", "id", "content")},
    }
    if type_of(entry) == "SPONSORED":
        campaign, name = CAMPAIGNS[entry.number % len(CAMPAIGNS)]
        creative, creative_name = CREATIVES[entry.number % len(CREATIVES)]
        known = {"id": urn("sponsoredCampaign", campaign), "name": name, "type": "SPONSORED_UPDATES"}
        given |= {
            "leadMetadata": {"sponsoredLeadMetadata": {"campaign": known["id"]}},
            "leadMetadataInfo": {"sponsoredLeadMetadataInfo": {"campaign": known}},
            "ownerInfo": {"sponsoredAccountInfo": {"name": owner_name}},
            "associatedEntityInfo": {
                "associatedCreative": {"id": urn("sponsoredCreative", creative), "name": creative_name}
            },
        }
    return given


def notice(entry: Entry, owner: Owner, *, about_lead: Entry, is_withdrawn: bool) -> dict[str, Any]:
    """Return what is told about a lead: that it is there, or that its member has withdrawn it; never what is in it."""
    form = form_of(about_lead)
    spaced = form.urn if entry.number % 2 else form.urn.replace(",", ", ")
    known = associated(about_lead)
    entity = {"sponsoredCreative": known["associatedCreative"]} if "associatedCreative" in known else known
    # Both have been seen: seconds and milliseconds.
    occurred = milliseconds(entry) if entry.number % 3 else milliseconds(entry) // 1000
    return {
        "type": "LEAD_ACTION",
        "leadGenFormResponse": urn("leadGenFormResponse", lead_id(about_lead)),
        "leadGenForm": spaced,
        "owner": owner_shown(owner),
        "associatedEntity": entity,
        "leadType": type_of(about_lead),
        "leadAction": "DELETED" if is_withdrawn else "CREATED",
        "occurredAt": occurred,
    }


def associated(entry: Entry) -> dict[str, str]:
    """Return what a lead came by: a creative, or an event of the page."""
    if type_of(entry) != "SPONSORED":
        return {"event": urn("event", 7_300_000_000_000_000_009)}
    return {"associatedCreative": urn("sponsoredCreative", CREATIVES[entry.number % len(CREATIVES)][0])}


def is_test(entry: Entry) -> bool:
    """Return whether a lead is somebody's trial."""
    return entry.fields.get("isTest") == "true"


def milliseconds(entry: Entry) -> int:
    """Return when a lead was sent in, as LinkedIn counts."""
    return int(entry.at.timestamp() * 1000)


def _question(form: Form, position: int) -> dict[str, Any]:
    predefined, label, more = form.questions[position]
    details: dict[str, Any] = {"textQuestionDetails": {"maxResponseLength": 300}}
    if label == _CHOICE:
        options = [{"id": id_, "text": {"localized": {"en_US": text}}} for id_, text in enumerate(_OPTIONS)]
        details = {"multipleChoiceQuestionDetails": {"options": options}}
    number = sum(1 for one, _, _ in form.questions[:position] if one is None)
    question: dict[str, Any] = {
        "questionId": form.question_id(position),
        "question": {"localized": {"en_US": label, **more}},
        "responseEditable": True,
        "responseRequired": predefined in ("FIRST_NAME", "LAST_NAME"),
        "name": label if predefined else f"Custom question {number}",
        "questionDetails": details,
    }
    return question | ({"predefinedField": predefined} if predefined else {})


def _answers(form: Form, one: Enquiry) -> list[dict[str, Any]]:
    """Return what a buyer has answered, in no order; what was left empty is missing."""
    first, _, last = " ".join(one.name.split()).partition(" ")
    at_work = one.number % 5 == 0 or not any(field == "PHONE_NUMBER" for field, _, _ in form.questions)
    by_field: Mapping[str | None, str] = {
        "FIRST_NAME": first,
        "LAST_NAME": last,
        "WORK_PHONE_NUMBER" if at_work else "PHONE_NUMBER": spell_phone(one.phone, one.number),
        "WORK_EMAIL" if at_work else "EMAIL": one.email,
        "COMPANY_NAME": one.company,
        "JOB_TITLE": "Purchase Manager",
        "CITY": one.city,
        "STATE": one.state,
        "COUNTRY": "India" if one.country == "IN" else one.country,
        "ZIP_CODE": one.pincode,
        "COMPANY_SIZE": "51-200",
        None: f"{one.product}, {one.quantity}",
    }
    found = []
    for position, (predefined, label, _) in enumerate(form.questions):
        details: dict[str, Any] = {"textQuestionAnswer": {"answer": by_field.get(predefined, "")}}
        if label == _CHOICE:
            details = {"multipleChoiceAnswer": {"options": sorted({0, one.number % len(_OPTIONS)})}}
        elif not by_field.get(predefined):
            continue
        found.append({"questionId": form.question_id(position), "answerDetails": details})
    turn = one.number % max(1, len(found))
    return found[turn:] + found[:turn]
