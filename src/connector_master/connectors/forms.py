"""Forms: the models that a connector's settings and credentials are declared with.

The API validates with them, `GET /api/connector-types` describes them, and the pages draw their fields from them.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from connector_master.model.form import Form as Form

Secret = Annotated[str, Field(min_length=1, max_length=4096, json_schema_extra={"secret": True})]
"""A credential that is sealed at rest and never shown again."""

Region = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_upper=True)]
"""A country as ISO 3166 alpha-2, in upper case."""


class DuplicatePolicy(Form):
    """When an enquiry belongs to a lead that is already known."""

    fields: tuple[Literal["phoneNumber", "email", "productName"], ...] = Field(
        default=("phoneNumber",),
        max_length=10,
        title="Same in",
        description="What must be equal for two enquiries to be one lead. The phone number always counts.",
    )
    window_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        title="Window in days",
        description="After this many days the same person counts as a new lead. Empty: never.",
    )

    @field_validator("fields")
    @classmethod
    def _begin_with_the_phone(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("phoneNumber", *fields)))


class LeadSettings(Form):
    """Settings that every type of source has."""

    default_region: Region = Field(
        default="IN",
        title="Default country",
        description="Two-letter code of the country whose phone numbers come without a country code, such as IN.",
    )
    rate_limit_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        title="Requests per minute",
        description="More requests than this are answered with 429 and a time to try again. Empty: no limit.",
    )
    duplicate_policy: DuplicatePolicy = Field(
        default_factory=DuplicatePolicy,
        title="Duplicates",
        description="When an enquiry counts as one more from a known lead instead of a new lead.",
    )


class PullSettings(LeadSettings):
    """Settings that every source has which is asked on a schedule."""

    sync_interval_minutes: int = Field(
        default=15,
        ge=5,
        le=120,
        title="Minutes between syncs",
        description="How often the provider is asked for new enquiries, counted from the end of the last time.",
    )
