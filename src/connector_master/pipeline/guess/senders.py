"""Senders: ids and times that only a known sender's shape makes trustworthy (docs/connectors/webhook.md, section 4).

A plain `id` is never taken: one that is the same for every lead would swallow all but the first.
"""

from collections.abc import Iterator, Mapping

from connector_master.model.json import Json

_META_COLUMNS = frozenset(
    {"ad_id", "ad_name", "adset_id", "campaign_id", "campaign_name", "form_id", "form_name", "platform"}
)


def known_fields(body: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield (path, lead field) for the sender's id of the enquiry and the time of it, where the shape is known."""
    response, payload, data = (body.get(key) for key in ("form_response", "payload", "data"))
    if isinstance(response, dict) and "token" in response and "answers" in response:
        yield "form_response.token", "externalId"
        yield "form_response.submitted_at", "enquiredAt"
    elif (
        isinstance(payload, dict)
        and "uri" in payload
        and ("scheduled_event" in payload or "questions_and_answers" in payload)
    ):
        yield "payload.uri", "externalId"
        yield "created_at", "enquiredAt"
    elif (
        isinstance(payload, dict)
        and "data" in payload
        and "id" in payload
        and ("formId" in payload or "siteId" in payload)
    ):
        yield "payload.id", "externalId"
        yield "payload.submittedAt", "enquiredAt"
    elif isinstance(data, dict) and "fields" in data and "submissionId" in data and "eventId" in body:
        yield "data.submissionId", "externalId"
        yield "data.createdAt", "enquiredAt"
    elif "rawRequest" in body and "submissionID" in body:
        yield "submissionID", "externalId"
    elif "FormID" in body and "UniqueID" in body:
        yield "UniqueID", "externalId"
    elif "id" in body and {"form_id", "date_created", "is_starred"} <= body.keys():
        yield "id", "externalId"
        yield "date_created", "enquiredAt"
    elif _is_meta_lead(body):
        yield "id", "externalId"
        if "created_time" in body:
            yield "created_time", "enquiredAt"


def has_own_name(path: str, record: Mapping[str, Json]) -> bool:
    """Tell whether a bare `name` at `path` ("" for the top) would name the form or page rather than a person."""
    here: Json = dict(record)
    for step in path.split(".") if path else ():
        here = here.get(step) if isinstance(here, dict) else None
    return isinstance(here, dict) and any(
        sign in here for sign in ("formId", "siteId", "form_id", "formName", "triggerType", "site", "form_key")
    )


def _is_meta_lead(body: Mapping[str, Json]) -> bool:
    identity = body.get("id")
    if isinstance(identity, str) and identity.startswith("l:") and identity[2:].isdigit():
        return True
    return isinstance(body.get("field_data"), list) and identity is not None and bool(_META_COLUMNS & body.keys())
