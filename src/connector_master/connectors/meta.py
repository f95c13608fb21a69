"""Meta Lead Ads: leads from forms on Facebook and Instagram (docs/connectors/meta.md).

A push names a lead and never says what is in it: it is stored at once, and the lead is fetched afterwards. Pulls read the
forms of the chosen pages for leads whose push never came.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

from pydantic import ConfigDict, Field

from connector_master.connectors import graph
from connector_master.connectors.answers import one, several
from connector_master.connectors.connector import Connector, MappingTarget, Secrets, Verified
from connector_master.connectors.forms import Form, PullSettings, Secret
from connector_master.connectors.meta_check import check_connection
from connector_master.connectors.meta_fetch import PAGE_SIZE, pull, resolve
from connector_master.connectors.meta_lead import is_lead, lead_record
from connector_master.connectors.meta_notices import announced, decimal, notices
from connector_master.connectors.meta_oauth import OAUTH
from connector_master.connectors.meta_pages import accounts, subscribe, unsubscribe
from connector_master.connectors.meta_webhooks import answer_challenge, verify_signature
from connector_master.connectors.pulling import Limits
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import InvalidBody


class Settings(PullSettings):
    """What is taken on trust, what is asked for, and which Graph."""

    signature: Literal["optional", "required"] = Field(
        default="required",
        title="Signature",
        description="Whether pushes are refused while the app secret is not entered. Once it is, all have to be signed.",
    )
    sync_interval_minutes: int = Field(
        default=60,
        ge=5,
        le=120,
        title="Minutes between syncs",
        description="How often the forms are read for leads whose push never came. Meta allows a quiet page few calls.",
    )
    ad_details: bool = Field(
        default=True,
        title="Campaign and ad names",
        description="Whether connecting also asks for ads_management and pages_manage_ads, without which leads may lack "
        "the names of campaign, ad set and ad.",
    )
    business_pages: bool = Field(
        default=False,
        title="Pages of a business portfolio",
        description="Whether connecting also asks for business_management. Some pages that a business owns are not listed "
        "without it.",
    )
    api_version: str = Field(
        default=graph.DEFAULT_VERSION,
        pattern=graph.VERSION,
        title="Graph API version",
        description="The version of Meta's API that is called, such as v25.0.",
    )


class Credentials(Form):
    """The app, and a token that was made elsewhere, if one is to be used."""

    # Ids are numbers at Meta, and come as such from scripts.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    app_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        title="App ID",
        description="Under App settings, Basic, of your app at Meta.",
    )
    app_secret: Secret | None = Field(
        default=None,
        title="App secret",
        description="Beside the app ID. Meta signs every push with it.",
        json_schema_extra={"secret": True},
    )
    access_token: Secret | None = Field(
        default=None,
        title="Access token",
        description="Only to go without Connect: a token of a system user, or of one page.",
        json_schema_extra={"secret": True},
    )


MAPPING: dict[str, MappingTarget] = {
    # SPEC.md's own.
    "field_data.phone_number": "phoneNumber",
    "field_data.full_name": "name",
    "field_data.email": "email",
    "ad_name": "source",
    "campaign_name": "campaign",
    # Found by the type of the question, whatever its key.
    "phone": "phoneNumber",
    "other_phones": "phoneNumber",
    "name": {"field": "name", "combine": "first"},
    "email": "email",
    "company": "businessName",
    "street": "addressLine1",
    "city": "city",
    "state": "state",
    "country": "country",
    "pincode": "pincode",
    "notes": "notes",
    "campaign": "campaign",
    "id": "externalId",
    "created_time": "enquiredAt",
    "platform": "attributes.platform",
    "is_organic": "attributes.isOrganic",
    "form_id": "attributes.formId",
    "form_name": "attributes.formName",
    "page_id": "attributes.pageId",
    "campaign_id": "attributes.campaignId",
    "adset_id": "attributes.adSetId",
    "adset_name": "attributes.adSetName",
    "ad_id": "attributes.adId",
    '["ad_name"]': "attributes.adName",
    "consents": "attributes.consents",
    "answers": "attributes.answers",
}

LIMITS = Limits(
    page_size=PAGE_SIZE,
    window=timedelta(days=30),
    history=timedelta(days=90),
    first=timedelta(days=30),
    overlap=timedelta(hours=1),
    rests_after=timedelta(minutes=15),
)


def verify(push: Push, secrets: Secrets, settings: Settings) -> Verified:
    """Return how the push was verified; raises InvalidSignature."""
    return verify_signature(push, secrets, is_required=settings.signature == "required")


def challenge(push: Push, secrets: Secrets, settings: Settings) -> Answer:
    """Return the answer to Meta's verification request; raises ForbiddenChallenge."""
    return answer_challenge(push, secrets)


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return one record for each change in the body, in its order: leads announced, and what is none, with the reason.

    A lead as Graph gives it is taken only from a person who tries it out, never from the door. Raises InvalidBody.
    """
    if not isinstance(body, dict | list):
        raise InvalidBody("The body is neither an object nor a list of objects.")
    is_tried = not push.headers
    return [record for one in (body if isinstance(body, list) else [body]) for record in _body(one, is_tried=is_tried)]


def acknowledge(outcomes: Sequence[Outcome], is_list: bool) -> Answer:
    """Return 200 for whatever was stored: Meta sends for 36 hours what was answered otherwise."""
    return Answer(200, one(outcomes[0]) if len(outcomes) == 1 and not is_list else several(outcomes))


connector = Connector(
    type="meta",
    title="Meta Lead Ads",
    summary="Leads from forms on Facebook and Instagram, as they come.",
    prepare=(
        "A Facebook account that manages the page whose forms you use.",
        "An app at Meta for Developers, unless an administrator has set one for everybody.",
        "This installation's HTTPS address, for leads to come at once.",
    ),
    auth="oauth",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    verify=verify,
    challenge=challenge,
    signs_with="appSecret",
    makes_secret=False,
    needs_verify_token=True,
    base=graph.BASE,
    base_setting="META_GRAPH_URL",
    oauth=OAUTH,
    accounts=accounts,
    account_kinds=("page", "pages"),
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    resolve=resolve,
    pull=pull,
    reconciles=True,
    limits=LIMITS,
    test=check_connection,
    door="meta",
)


def _body(body: Json, *, is_tried: bool) -> Iterator[Record]:
    if is_tried and (tried := list(_leads(body))):
        yield from tried
        return
    # A notice that came among others is kept without what stood around it.
    record = announced(body) if isinstance(body, dict) and "entry" not in body else None
    if record is not None:
        yield record
    else:
        yield from notices(body)


def _leads(body: Json) -> Iterator[Record]:
    """Yield the leads that somebody pasted: one, one beside its form, or a list as Graph gives it."""
    if not isinstance(body, dict):
        return
    lead = body.get("lead")
    if is_lead(body):
        yield lead_record(body, as_object(body.get("form")), decimal(body.get("page_id")))
    elif is_lead(lead):
        yield lead_record(lead, as_object(body.get("form")), decimal(body.get("page_id")))
    else:
        yield from (lead_record(one, {}, None) for one in as_list(body.get("data")) if is_lead(one))
