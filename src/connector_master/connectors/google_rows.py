"""Rows of lead_form_submission_data, as the Google Ads API gives them, in the webhook's shape."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connector_master.connectors.identity import sent_id
from connector_master.model.json import Json, as_list, as_object

MEMBER = "leadFormSubmissionData"

QUERY = (
    "SELECT lead_form_submission_data.resource_name, lead_form_submission_data.id, lead_form_submission_data.asset, "
    "lead_form_submission_data.campaign, lead_form_submission_data.ad_group, lead_form_submission_data.ad_group_ad, "
    "lead_form_submission_data.gclid, lead_form_submission_data.submission_date_time, "
    "lead_form_submission_data.lead_form_submission_fields, "
    "lead_form_submission_data.custom_lead_form_submission_fields, campaign.id, campaign.name "
    "FROM lead_form_submission_data WHERE lead_form_submission_data.submission_date_time >= '{since}' "
    "ORDER BY lead_form_submission_data.submission_date_time"
)
"""Leads since a day, the oldest first. The API knows no time of day here, and neither segments nor metrics."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of ad groups and forms by their ids; joined in the query, they could drop leads that have no ad group."""

    ad_groups: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)


NO_NAMES = Names()


def in_webhook_shape(row: Mapping[str, Json], names: Names = NO_NAMES) -> dict[str, Json]:
    """Return a row as the webhook would have sent it, with the campaign's name besides.

    >>> in_webhook_shape({"leadFormSubmissionData": {"id": "a", "adGroupAd": "customers/1/adGroupAds/2~3"}})
    {'lead_id': 'a', 'user_column_data': [], 'adgroup_id': '2', 'creative_id': '3'}
    """
    lead = as_object(row.get(MEMBER))
    campaign = as_object(row.get("campaign"))
    ad = _last(lead.get("adGroupAd")) or ""
    ad_group_id = _last(lead.get("adGroup")) or ad.partition("~")[0]
    asset_id = _last(lead.get("asset"))
    shown: dict[str, Json] = {
        "lead_id": sent_id(lead.get("id")) or _last(lead.get("resourceName")),
        "user_column_data": [*_standard(lead), *_custom(lead)],
        "asset_id": asset_id,
        "form_name": names.forms.get(asset_id or ""),
        "campaign_id": sent_id(campaign.get("id"))
        or _last(lead.get("campaign"))
        or _last(campaign.get("resourceName")),
        "campaign_name": _text(campaign.get("name")),
        "adgroup_id": ad_group_id,
        "adgroup_name": names.ad_groups.get(ad_group_id),
        "creative_id": ad.partition("~")[2],
        "gcl_id": _text(lead.get("gclid")),
        "lead_submit_time": _text(lead.get("submissionDateTime")),
    }
    return {name: value for name, value in shown.items() if value not in (None, "")}


def ad_groups_of(rows: Iterable[Json]) -> set[str]:
    """Return the ids of the ad groups that rows name."""
    shown = (in_webhook_shape(row).get("adgroup_id") for row in rows if isinstance(row, dict))
    return {id_ for id_ in shown if isinstance(id_, str) and id_.isascii() and id_.isdigit()}


def _standard(lead: Mapping[str, Json]) -> list[Json]:
    return [
        {"column_id": one.get("fieldType"), "string_value": one.get("fieldValue")}
        for one in as_list(lead.get("leadFormSubmissionFields"))
        if isinstance(one, dict)
    ]


def _custom(lead: Mapping[str, Json]) -> list[Json]:
    return [
        {
            "column_id": _question_id(one.get("questionText")),
            "column_name": one.get("questionText"),
            "string_value": one.get("fieldValue"),
        }
        for one in as_list(lead.get("customLeadFormSubmissionFields"))
        if isinstance(one, dict)
    ]


def _question_id(question: Json) -> str:
    """Return the id that the webhook gives such a question: its text in lower case, `_` for blanks."""
    return "_".join(question.lower().split())[:300] if isinstance(question, str) else ""


def _last(resource_name: Json) -> str | None:
    """Return the bare id at the end of `customers/1/campaigns/2`."""
    return sent_id(resource_name.rpartition("/")[2]) if isinstance(resource_name, str) else sent_id(resource_name)


def _text(value: Json) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
