"""LinkedIn's notices: what a push announces or takes back, and what in it is no lead (docs/connectors/linkedin.md)."""

from collections.abc import Collection

from connector_master.connectors.linkedin_restli import id_in, urn
from connector_master.model.event import Record
from connector_master.model.json import Json, as_object

RESPONSE = "leadGenFormResponse"

_LEAD_ACTION = "LEAD_ACTION"
_KEPT = ("type", RESPONSE, "leadGenForm", "owner", "associatedEntity", "leadType", "leadAction", "occurredAt")
_OWNERS = ("sponsoredAccount", "organization")


def notice(body: Json, lead_types: Collection[str]) -> Record:
    """Return the record of one notice: a lead announced, one withdrawn, or what is neither with the reason.

    Whatever answers stand beside the URN are left out: LinkedIn sends none, so nobody else's are believed.
    """
    if not isinstance(body, dict):
        return Record(body, ignored="unrecognized")
    response_id = id_in(body.get(RESPONSE), RESPONSE)
    kind, action = body.get("type", _LEAD_ACTION), body.get("leadAction", "CREATED")
    if kind != _LEAD_ACTION:
        return Record(body, ignored="other_type")
    if response_id is None:
        return Record(body, ignored="unrecognized")
    account = owner_of(body.get("owner"))
    if action == "DELETED":
        return Record({}, external_id=response_id, account=account, is_erased=True)
    if action != "CREATED":
        return Record(body, ignored="other_action", account=account)
    told: dict[str, Json] = {name: body[name] for name in _KEPT if name in body}
    lead_type = body.get("leadType")
    if isinstance(lead_type, str) and lead_type not in lead_types:
        return Record(told, ignored="other_lead_type", account=account)
    return Record(told, external_id=response_id, account=account, is_announced=True)


def owner_of(owner: Json) -> str | None:
    """Return the URN of a lead's owner, None where none is named.

    >>> owner_of({"organization": "urn:li:organization:31000001"})
    'urn:li:organization:31000001'
    """
    named = as_object(owner)
    return next((urn(kind, id_) for kind in _OWNERS if (id_ := id_in(named.get(kind), kind)) is not None), None)
