"""A lead: a person or business that enquired."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from connector_master.model.json import Json

LEAD_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "phoneNumber": "phone_number",
        "name": "name",
        "email": "email",
        "source": "source",
        "businessName": "business_name",
        "addressLine1": "address_line1",
        "addressLine2": "address_line2",
        "city": "city",
        "state": "state",
        "country": "country",
        "pincode": "pincode",
        "productName": "product_name",
        "notes": "notes",
        "campaign": "campaign",
        "externalId": "external_id",
        "enquiredAt": "enquired_at",
    }
)
"""What a field mapping may fill: the name in JSON and the attribute here (SPEC.md "Supported Lead Fields", API.md)."""


@dataclass(frozen=True, slots=True)
class LeadWarning:
    """Something in a record that could not be used, though the lead could: `field` names the lead's field."""

    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDraft:
    """A lead as one record gives it, normalized, before deduplication.

    `phone_number` is E.164, `country` ISO alpha-2, `enquired_at` aware in UTC. `attributes` holds what is
    mapped beyond the lead's own fields, JSON values only.
    """

    phone_number: str
    name: str | None = None
    email: str | None = None
    source: str | None = None
    business_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    pincode: str | None = None
    product_name: str | None = None
    notes: str | None = None
    campaign: str | None = None
    external_id: str | None = None
    enquired_at: datetime | None = None
    attributes: Mapping[str, Json] = field(default_factory=dict)
    warnings: tuple[LeadWarning, ...] = ()
