"""Answers of a LinkedIn lead, joined with its form: they carry only ids of questions, and the form gives them meaning.

The predefined field of a question decides, never its label or name, which are their author's own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from connector_master.connectors.identity import sent_id
from connector_master.connectors.linkedin_restli import text
from connector_master.model.json import Json, as_list, as_object

ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "JOB_TITLE": "jobTitle",
        "JOB_FUNCTION": "jobFunction",
        "SENIORITY": "seniority",
        "COMPANY_SIZE": "companySize",
        "INDUSTRY": "industry",
        "LINKEDIN_PROFILE_LINK": "linkedinProfileLink",
        "DEGREE": "degree",
        "FIELD_OF_STUDY": "fieldOfStudy",
        "SCHOOL_NAME": "schoolName",
        "START_DATE": "startDate",
        "GRADUATION_DATE": "graduationDate",
        "GENDER": "gender",
    }
)
"""Predefined fields that are kept beside the lead's own; others become `otherAnswers`."""

FIELDS = frozenset(
    {"FULL_NAME", "FIRST_NAME", "LAST_NAME", "PHONE_NUMBER", "WORK_PHONE_NUMBER", "EMAIL", "WORK_EMAIL", "COMPANY_NAME"}
    | {"CITY", "STATE", "COUNTRY", "ZIP_CODE"}
)
_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "NAME": "FULL_NAME",
        "PHONE": "PHONE_NUMBER",
        "WORKPHONE": "WORK_PHONE_NUMBER",
        "EMAILADDRESS": "EMAIL",
        "WORKEMAILADDRESS": "WORK_EMAIL",
        "COMPANY": "COMPANY_NAME",
        "STATEPROVINCE": "STATE",
        "COUNTRYREGION": "COUNTRY",
        "POSTALCODE": "ZIP_CODE",
        "POSTALZIPCODE": "ZIP_CODE",
        "ZIP": "ZIP_CODE",
        "LINKEDINPROFILE": "LINKEDIN_PROFILE_LINK",
        "UNIVERSITY": "SCHOOL_NAME",
        "SCHOOL": "SCHOOL_NAME",
    }
    | {name.replace("_", ""): name for name in (*FIELDS, *ATTRIBUTES)}
)
"""Predefined fields by their letters alone: not all of their names are documented."""

_NOT_LETTERS = re.compile(r"[^0-9A-Z]+")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_NUMBER = re.compile(r"\+[0-9][0-9 ().-]{6,24}")
_MOST = 500
_LONGEST_LABEL = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """A question that was answered. `field` is its predefined field, None for a question of the form's own."""

    field: str | None
    name: str | None
    label: str
    answer: str


def answers_of(lead: Mapping[str, Json], form: Mapping[str, Json]) -> Iterator[Answer]:
    """Yield each question that was answered, once, in the order of the answers."""
    questions = _by_id(as_object(form.get("content")).get("questions"), "questionId")
    locale = _locale(form)
    texts: dict[str, list[str]] = {}
    for one in map(as_object, as_list(as_object(lead.get("formResponse")).get("answers"))[:_MOST]):
        id_ = sent_id(one.get("questionId"))
        if id_ is not None and (said := _said(one, questions.get(id_, {}), locale)):
            texts.setdefault(id_, []).append(said)
    for id_, found in texts.items():
        whole = ", ".join(dict.fromkeys(found))
        if id_ in questions:
            yield _answer(id_, questions[id_], locale, whole)
        else:
            yield Answer(None if questions else _guessed(whole), None, f"Question {id_}", whole)


def hidden_of(form: Mapping[str, Json]) -> dict[str, Json]:
    """Return a form's hidden fields, whose values are the same for all of its leads."""
    fields = [as_object(one) for one in as_list(form.get("hiddenFields"))[:_MOST]]
    return {name: value for one in fields if (name := text(one.get("name"))) and (value := text(one.get("value")))}


def consents_of(lead: Mapping[str, Json], form: Mapping[str, Json]) -> list[Json]:
    """Return what somebody agreed to or not, in the form's words."""
    legal = as_object(as_object(form.get("content")).get("legalInfo"))
    locale = _locale(form)
    consents = _by_id(legal.get("consents"), "id")
    found: list[Json] = []
    for one in map(as_object, as_list(as_object(lead.get("formResponse")).get("consentResponses"))[:_MOST]):
        id_, accepted = one.get("consentId"), one.get("accepted")
        if isinstance(id_, int | str) and isinstance(accepted, bool):
            known = _localized(consents.get(str(id_), {}).get("consent"), locale)
            found.append({"id": id_, **({"text": known} if known else {}), "accepted": accepted})
    return found


def _answer(id_: str, question: Mapping[str, Json], locale: str, said: str) -> Answer:
    name = text(question.get("name"))
    label = _localized(question.get("question"), locale) or name or f"Question {id_}"
    return Answer(_field(question.get("predefinedField")), name, label[:_LONGEST_LABEL].rstrip(":"), said)


def _said(answer: Mapping[str, Json], question: Mapping[str, Json], locale: str) -> str | None:
    details = as_object(answer.get("answerDetails"))
    typed = text(as_object(details.get("textQuestionAnswer")).get("answer"))
    chosen = as_list(as_object(details.get("multipleChoiceAnswer")).get("options"))[:_MOST]
    choice = as_object(as_object(question.get("questionDetails")).get("multipleChoiceQuestionDetails"))
    options = _by_id(choice.get("options"), "id")
    ids = [id_ for one in chosen if (id_ := sent_id(one)) is not None]
    return typed or ", ".join(_localized(options.get(id_, {}).get("text"), locale) or id_ for id_ in ids) or None


def _field(predefined: Json) -> str | None:
    """Return the predefined field of a question, None for a question of the form's own.

    >>> _field("FIRST_NAME"), _field("postalCode"), _field("SOMETHING_NEW"), _field(None)
    ('FIRST_NAME', 'ZIP_CODE', 'SOMETHING_NEW', None)
    """
    said = predefined.strip().upper() if isinstance(predefined, str) else ""
    return _ALIASES.get(_NOT_LETTERS.sub("", said)) or _NOT_LETTERS.sub("_", said).strip("_") or None


def _guessed(text: str) -> str | None:
    """Return what an answer tells by itself where nothing is known of the form."""
    if _EMAIL.fullmatch(text):
        return "EMAIL"
    return "PHONE_NUMBER" if _NUMBER.fullmatch(text) else None


def _by_id(listed: Json, name: str) -> Mapping[str, Mapping[str, Json]]:
    """Return objects by their id as text, however it was sent. One with the id 0 is as real as the others."""
    objects = [one for one in as_list(listed)[:_MOST] if isinstance(one, dict)]
    return {id_: one for one in objects if (id_ := sent_id(one.get(name))) is not None}


def _locale(form: Mapping[str, Json]) -> str:
    locale = as_object(form.get("creationLocale"))
    return f"{locale.get('language')}_{locale.get('country')}"


def _localized(value: Json, locale: str) -> str | None:
    """Return a text in the form's own language, else in the first that there is."""
    texts = as_object(as_object(value).get("localized"))
    found = text(texts.get(locale)) or next(filter(None, map(text, texts.values())), None)
    return " ".join(found.split()) if found else None
