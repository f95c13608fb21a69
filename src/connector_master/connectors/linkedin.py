"""LinkedIn Lead Gen Forms: leads of ads, events and pages (docs/connectors/linkedin.md).

A push names a lead and never says what is in it: it is stored at once, and the lead is fetched afterwards with its form. Pulls
read the chosen ad accounts and pages for leads whose push never came.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from connector_master.connectors.answers import one, several
from connector_master.connectors.connector import Connector, Secrets, Verified
from connector_master.connectors.forms import Form, PullSettings, Secret
from connector_master.connectors.linkedin_accounts import accounts
from connector_master.connectors.linkedin_api import BASE, DEFAULT_VERSION, PAGE_SIZE
from connector_master.connectors.linkedin_check import check_connection
from connector_master.connectors.linkedin_fetch import pull, resolve
from connector_master.connectors.linkedin_lead import MAPPING, is_lead, lead_record
from connector_master.connectors.linkedin_notices import notice
from connector_master.connectors.linkedin_oauth import OAUTH
from connector_master.connectors.linkedin_subscriptions import subscribe, unsubscribe
from connector_master.connectors.linkedin_webhook import answer_challenge, verify_signature
from connector_master.connectors.pulling import Limits
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import InvalidBody

LeadType = Literal["SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"]

_NEVER_PUBLISHED = "202512"


class Settings(PullSettings):
    """What is taken on trust, which leads are asked for, and which version of the API."""

    signature: Literal["optional", "required"] = Field(
        default="required",
        title="Signature",
        description="Whether pushes are refused while the client secret is not entered. Once it is, all have to be signed.",
    )
    sync_interval_minutes: int = Field(
        default=60,
        ge=5,
        le=120,
        title="Minutes between syncs",
        description="How often ad accounts and pages are read for leads whose push never came. LinkedIn counts calls by the "
        "day.",
    )
    lead_types: tuple[LeadType, ...] = Field(
        default=("SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"),
        min_length=1,
        max_length=10,
        title="Leads",
        description="Which leads are taken: of ads (SPONSORED), of a page's events, and of old forms on a page or on a "
        "product's page.",
    )
    api_version: str = Field(
        default=DEFAULT_VERSION,
        pattern=r"^20[0-9]{2}(?:0[1-9]|1[0-2])$",
        title="LinkedIn API version",
        description="The month of the version of LinkedIn's API that is called, such as 202609. A version lives about a year.",
    )

    @field_validator("lead_types")
    @classmethod
    def _each_once(cls, lead_types: tuple[LeadType, ...]) -> tuple[LeadType, ...]:
        return tuple(dict.fromkeys(lead_types))

    @field_validator("api_version")
    @classmethod
    def _was_published(cls, version: str) -> str:
        if version == _NEVER_PUBLISHED:
            raise ValueError("LinkedIn published no version of this month.")
        return version


class Credentials(Form):
    """The app at LinkedIn, and tokens that were made elsewhere, if such are to be used."""

    client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        title="Client ID",
        description="On the page Auth of your app at LinkedIn.",
    )
    client_secret: Secret | None = Field(
        default=None,
        title="Client secret",
        description="Beside the client ID. LinkedIn signs every push with it.",
        json_schema_extra={"secret": True},
    )
    access_token: Secret | None = Field(
        default=None,
        title="Access token",
        description="Only to go without Connect: one that was made elsewhere, such as with LinkedIn's token generator.",
        json_schema_extra={"secret": True},
    )
    refresh_token: Secret | None = Field(
        default=None,
        title="Refresh token",
        description="Beside such an access token, where LinkedIn gave one. Only approved partners get any.",
        json_schema_extra={"secret": True},
    )


# LinkedIn may keep leads of some types for 365 days; what can be counted on is 90.
LIMITS = Limits(
    page_size=PAGE_SIZE,
    window=timedelta(days=30),
    history=timedelta(days=365),
    first=timedelta(days=30),
    overlap=timedelta(hours=1),
    rests_after=timedelta(minutes=1),
)


def verify(push: Push, secrets: Secrets, settings: Settings) -> Verified:
    """Return how the push was verified; raises InvalidSignature."""
    return verify_signature(push, secrets, is_required=settings.signature == "required")


def challenge(push: Push, secrets: Secrets, settings: Settings) -> Answer:
    """Return the answer to LinkedIn's challenge, which comes every two hours; raises InvalidChallenge."""
    return answer_challenge(push, secrets)


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return one record for each notice: leads announced or withdrawn, and what is neither, with the reason.

    A lead as LinkedIn gives it is taken only from a person who tries it out, never from the door. Raises InvalidBody.
    """
    if not isinstance(body, dict | list):
        raise InvalidBody("The body is neither an object nor a list of objects.")
    is_tried = not push.headers
    return [
        record
        for each in (body if isinstance(body, list) else [body])
        for record in (list(_leads(each)) if is_tried else []) or [notice(each, settings.lead_types)]
    ]


def acknowledge(outcomes: Sequence[Outcome], is_list: bool) -> Answer:
    """Return 200 for whatever was stored, also for a lead without a phone: its id is kept, and that is all LinkedIn needs."""
    return Answer(200, one(outcomes[0]) if len(outcomes) == 1 and not is_list else several(outcomes))


connector = Connector(
    type="linkedin",
    title="LinkedIn",
    summary="Leads of LinkedIn's Lead Gen Forms on ads, events and pages, as they come.",
    prepare=(
        "A LinkedIn account that manages the ad account or the page.",
        "An app that LinkedIn has given access to Lead Sync.",
    ),
    auth="oauth",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    verify=verify,
    challenge=challenge,
    signs_with="clientSecret",
    makes_secret=False,
    base=BASE,
    base_setting="LINKEDIN_API_URL",
    oauth=OAUTH,
    accounts=accounts,
    account_kinds=("account", "accounts"),
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    subscribes_by_address=True,
    resolve=resolve,
    pull=pull,
    reconciles=True,
    limits=LIMITS,
    test=check_connection,
    door="linkedin",
)


def _leads(body: Json) -> Iterator[Record]:
    """Yield the leads that somebody pasted: one, one beside its form, or a list as LinkedIn gives it."""
    if not isinstance(body, dict):
        return
    lead = body.get("lead")
    if is_lead(body):
        yield lead_record(body, as_object(body.get("form")))
    elif is_lead(lead):
        yield lead_record(lead, as_object(body.get("form")))
    else:
        yield from (lead_record(each, as_object(as_object(each).get("form"))) for each in as_list(body.get("elements")))
