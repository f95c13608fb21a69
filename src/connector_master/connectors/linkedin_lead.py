"""A lead of LinkedIn's and its form as one record, and which field of a lead each part of it fills.

What fits no field is told in the notes, under the question's own words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector_master.connectors.connector import MappingTarget
from connector_master.connectors.identity import digest_of, sent_id
from connector_master.connectors.linkedin_answers import ATTRIBUTES, FIELDS, Answer, answers_of, consents_of, hidden_of
from connector_master.connectors.linkedin_notices import RESPONSE, owner_of
from connector_master.connectors.linkedin_restli import form_version, id_in, text, urn
from connector_master.connectors.phone_questions import gives_phone
from connector_master.model.event import Record
from connector_master.model.json import Json, as_object

SOURCE = "linkedin"
SPONSORED = "SPONSORED"

MAPPING: dict[str, MappingTarget] = {
    "answers.FULL_NAME": "name",
    "answers.FIRST_NAME": "name",
    "answers.LAST_NAME": "name",
    "answers.PHONE_NUMBER": "phoneNumber",
    "answers.WORK_PHONE_NUMBER": "phoneNumber",
    "phoneAnswers": "phoneNumber",
    "answers.EMAIL": "email",
    "answers.WORK_EMAIL": "email",
    "answers.COMPANY_NAME": "businessName",
    "answers.CITY": "city",
    "answers.STATE": "state",
    "answers.COUNTRY": "country",
    "answers.ZIP_CODE": "pincode",
    "notes": "notes",
    "campaignName": "campaign",
    "campaignId": "campaign",
    "id": "externalId",
    "submittedAt": "enquiredAt",
    "source": "source",
    "workEmail": "attributes.workEmail",
    **{f"answers.{field}": f"attributes.{name}" for field, name in ATTRIBUTES.items()},
    "otherAnswers": "attributes.otherAnswers",
    "hidden": "attributes.hidden",
    "consents": "attributes.consents",
    "leadType": "attributes.leadType",
    "formId": "attributes.formId",
    "formName": "attributes.formName",
    "ownerId": "attributes.ownerId",
    "ownerName": "attributes.ownerName",
    # The same place in other words, for the id is kept beside the name.
    '["campaignId"]': "attributes.campaignId",
    "campaignType": "attributes.campaignType",
    "creativeId": "attributes.creativeId",
    "creativeName": "attributes.creativeName",
    "eventId": "attributes.eventId",
}


@dataclass(frozen=True, slots=True)
class Names:
    """Names of what a lead came by, looked up because the lead did not bring them."""

    owner: str | None = None
    campaign: str | None = None
    creative: str | None = None


NO_NAMES = Names()


def lead_record(lead: Json, form: Mapping[str, Json], names: Names = NO_NAMES) -> Record:
    """Return the record of a lead as LinkedIn gave it, the same however it was found. `form` is empty where it isn't known.

    The same id at another time of submission is another text of the record.
    """
    if not isinstance(lead, dict):
        return Record(lead, external_id=digest_of(lead), ignored="unrecognized")
    # One that was joined before keeps what its form told then.
    value = lead if isinstance(lead.get("answers"), dict) else _joined(lead, form, names)
    account = owner_of(lead.get("owner")) or _account(value)
    lead_id = sent_id(value.get("id"))
    if lead_id is None:
        return Record(value, external_id=digest_of(lead), ignored="unrecognized", account=account)
    is_test = value.get("testLead") is True
    campaign_id = value.get("campaignId")
    # Where the name could not be told before, the id stood for it.
    replaced = {"campaign": campaign_id} if isinstance(campaign_id, str) and value.get("campaignName") else None
    return Record(
        value,
        external_id=lead_id,
        ignored="test" if is_test else None,
        account=account,
        detail="A test lead of the form's preview." if is_test else None,
        version=sent_id(value.get("submittedAt")),
        stands_for=replaced,
    )


def is_lead(value: Json) -> bool:
    """Return whether this is a lead as LinkedIn gives it, or as `lead_record` makes it."""
    return isinstance(value, dict) and ("formResponse" in value or isinstance(value.get("answers"), dict))


def campaign_of(lead: Mapping[str, Json]) -> str | None:
    """Return the id of the campaign that a lead came by, None where it came by none."""
    by_name = _campaign_info(lead).get("id")
    by_id = as_object(as_object(lead.get("leadMetadata")).get("sponsoredLeadMetadata")).get("campaign")
    return id_in(by_name) or id_in(by_id)


def creative_of(lead: Mapping[str, Json]) -> str | None:
    """Return the id of the ad that a lead came by, None where it came by none."""
    entity = as_object(lead.get("associatedEntity"))
    return id_in(entity.get("associatedCreative")) or id_in(entity.get("sponsoredCreative"))


def _joined(lead: Mapping[str, Json], form: Mapping[str, Json], names: Names) -> dict[str, Json]:
    """Return lead and form as one record (docs/connectors/linkedin.md), without what says nothing."""
    answers = list(answers_of(lead, form))
    fields = _by_field(answers)
    custom = [one for one in answers if one.field is None]
    version = form_version(lead.get("versionedLeadGenFormUrn"))
    emails = (fields.get("EMAIL"), fields.get("WORK_EMAIL"))
    campaign = _campaign_info(lead)
    creative = as_object(as_object(lead.get("associatedEntityInfo")).get("associatedCreative"))
    made: dict[str, Json] = {
        "id": sent_id(lead.get("id")) or id_in(lead.get(RESPONSE)),
        "submittedAt": lead.get("submittedAt"),
        "leadType": lead.get("leadType"),
        "ownerId": id_in(owner_of(lead.get("owner"))),
        "ownerName": _owner_name(lead) or names.owner,
        "campaignId": campaign_of(lead),
        "campaignName": text(campaign.get("name")) or names.campaign,
        "campaignType": text(campaign.get("type")),
        "creativeId": creative_of(lead),
        "creativeName": text(creative.get("name")) or names.creative,
        "eventId": id_in(as_object(lead.get("associatedEntity")).get("event")),
        "formId": sent_id(form.get("id")) or (version[0] if version else None),
        "formName": text(form.get("name")),
        "answers": {**fields},
        "otherAnswers": {_camel(name): one for name, one in fields.items() if name not in FIELDS | ATTRIBUTES.keys()},
        "workEmail": emails[1] if emails[0] and emails[1] and emails[0].lower() != emails[1].lower() else None,
        "phoneAnswers": [one.answer for one in custom if gives_phone(one.label, one.answer)],
        "custom": [_shown(one) for one in custom],
        "notes": "\n".join(f"{one.label}: {one.answer}" for one in custom),
        "hidden": hidden_of(form),
        "consents": consents_of(lead, form),
        "source": SOURCE,
    }
    kept = {name: value for name, value in made.items() if value not in (None, "", {}, [])}
    return {**kept, "answers": made["answers"], "testLead": lead.get("testLead") is True}


def _by_field(answers: Sequence[Answer]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in answers:
        if one.field is not None:
            earlier = found.get(one.field)
            found[one.field] = f"{earlier}, {one.answer}" if earlier and earlier != one.answer else one.answer
    return found


def _shown(answer: Answer) -> Json:
    shown: dict[str, Json] = {"name": answer.name, "label": answer.label, "answer": answer.answer}
    return {name: value for name, value in shown.items() if value is not None}


def _account(value: Mapping[str, Json]) -> str | None:
    """Return the URN of the owner of a lead that was joined before."""
    owner_id, lead_type = sent_id(value.get("ownerId")), value.get("leadType")
    if owner_id is None:
        return None
    return urn("sponsoredAccount" if lead_type in (None, SPONSORED) else "organization", owner_id)


def _owner_name(lead: Mapping[str, Json]) -> str | None:
    info = as_object(lead.get("ownerInfo"))
    return next((name for one in info.values() if (name := text(as_object(one).get("name")))), None)


def _campaign_info(lead: Mapping[str, Json]) -> Mapping[str, Json]:
    info = as_object(as_object(lead.get("leadMetadataInfo")).get("sponsoredLeadMetadataInfo"))
    return as_object(info.get("campaign"))


def _camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)
