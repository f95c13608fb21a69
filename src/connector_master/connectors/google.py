"""Google Ads: leads of lead forms, pushed by Google as they come, and pulled from its API (docs/connectors/google.md).

Pushes need no connection to Google, only the key that the advertiser pastes beside our address. Pulls find what pushes
missed, and bring the names of campaigns, which no push carries.
"""

from collections.abc import Iterator, Sequence

from connector_master.connectors.connector import Connector, Secrets, Verified
from connector_master.connectors.google_accounts import accounts
from connector_master.connectors.google_api import BASE, Credentials, Settings
from connector_master.connectors.google_errors import SCOPE
from connector_master.connectors.google_key import conceal, verify
from connector_master.connectors.google_lead import MAPPING, push_record
from connector_master.connectors.google_oauth import google_oauth
from connector_master.connectors.google_pull import LIMITS, pull, test
from connector_master.connectors.google_rows import MEMBER, in_webhook_shape
from connector_master.model.event import Answer, Outcome, Push, Record
from connector_master.model.json import Json
from connector_master.model.problem import InvalidBody

_OF_A_SEARCH = ("results", "fieldMask")


def verify_push(push: Push, secrets: Secrets, settings: Settings) -> Verified:
    """Return that the push shows the connector's key; raises InvalidSignature or InvalidBody."""
    return verify(push, secrets)


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return the lead of a push; of what is pasted also rows of the API, and a list of either. Raises InvalidBody."""
    if not isinstance(body, dict | list):
        raise InvalidBody("The body is neither a lead nor a list of leads.")
    return list(_records(body, push))


def acknowledge(outcomes: Sequence[Outcome], is_list: bool) -> Answer:
    """Return 200 for whatever was stored, also for a lead without a phone: anything else would be sent again, or lost."""
    return Answer(200, {})


connector = Connector(
    type="google",
    title="Google Ads",
    summary="Leads of Google Ads lead forms, as they come (webhook), and what a push missed (Google Ads API).",
    prepare=(
        "A Google account that may use the Google Ads account.",
        "The customer id, from the top right of Google Ads.",
        "An app in Google Cloud, unless an administrator has set one for everybody.",
    ),
    auth="oauth",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    verify=verify_push,
    presents_secret=lambda settings: True,
    conceal=conceal,
    refusal_member="message",
    base=BASE,
    base_setting="GOOGLE_ADS_URL",
    oauth=google_oauth(SCOPE),
    accounts=accounts,
    account_kinds=("account", "accounts"),
    pull=pull,
    limits=LIMITS,
    reconciles=True,
    test=test,
    door="google",
)


def _records(body: dict[str, Json] | list[Json], push: Push) -> Iterator[Record]:
    for one in body if isinstance(body, list) else [body]:
        if not isinstance(one, dict):
            yield Record(one, ignored="unrecognized")
        elif isinstance(one.get(MEMBER), dict):
            yield push_record(in_webhook_shape(one))
        elif any(name in one for name in _OF_A_SEARCH):
            rows = one.get("results")
            yield from _records([row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else [], push)
        elif one.get("lead_submit_time"):
            yield push_record(one)
        else:
            # Older deliveries don't say when the form was sent; they come within seconds.
            yield push_record(one | {"lead_submit_time": push.received_at.isoformat()})
