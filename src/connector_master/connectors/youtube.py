"""YouTube: people who leave a phone number in a comment on the channel's videos (docs/connectors/youtube.md).

YouTube gives nobody's phone or e-mail; what is known is what somebody typed. Comments without a phone, and subscribers, are
kept as interactions. Nothing is pushed: its notices (WebSub) tell of new videos only.
"""

from collections.abc import Iterator, Sequence

from connector_master.connectors.answers import answer as acknowledge
from connector_master.connectors.connector import Connector
from connector_master.connectors.google_oauth import google_oauth
from connector_master.connectors.identity import sent_id
from connector_master.connectors.youtube_api import BASE
from connector_master.connectors.youtube_channels import accounts
from connector_master.connectors.youtube_comment import (
    COMMENT,
    MAPPING,
    SUBSCRIPTION,
    comment_record,
    read_comment,
    subscriber_record,
    unread,
)
from connector_master.connectors.youtube_errors import SCOPE
from connector_master.connectors.youtube_pull import LIMITS, RAW_DAYS, pull, recheck, test
from connector_master.connectors.youtube_settings import Credentials, Settings
from connector_master.model.event import Push, Record
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import InvalidBody

_THREAD = "youtube#commentThread"
_LISTS = ("youtube#commentthreadlistresponse", "youtube#commentlistresponse", "youtube#subscriptionlistresponse")


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return what is in an answer of YouTube's that somebody pasted: comments, threads, subscribers. Raises InvalidBody."""
    if not isinstance(body, dict | list):
        raise InvalidBody("The body is neither an answer of YouTube's nor a list.")
    return [record for one in (body if isinstance(body, list) else [body]) for record in _records(one, settings)]


connector = Connector(
    type="youtube",
    title="YouTube",
    summary="People who leave a phone number in a comment on your channel. Comments are only read, nothing is written.",
    prepare=(
        "The Google account that owns the channel.",
        "An app in Google Cloud, unless an administrator has set one for everybody.",
    ),
    auth="oauth",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=acknowledge,
    base=BASE,
    base_setting="YOUTUBE_URL",
    oauth=google_oauth(SCOPE),
    accounts=accounts,
    account_kinds=("channel", "channels"),
    pull=pull,
    recheck=recheck,
    raw_days=RAW_DAYS,
    limits=LIMITS,
    # YouTube counts calls by Google Cloud project, whose sign is the OAuth client.
    limit_key=lambda credentials: credentials.client_id or "",
    test=test,
)


def _records(one: Json, settings: Settings) -> Iterator[Record]:
    sent = as_object(one)
    kind = sent.get("kind")
    if isinstance(kind, str) and kind.lower() in _LISTS:
        for item in as_list(sent.get("items")):
            yield from _records(item, settings)
    elif kind == _THREAD:
        snippet = as_object(sent.get("snippet"))
        for comment in (snippet.get("topLevelComment"), *as_list(as_object(sent.get("replies")).get("comments"))):
            yield _comment(comment, settings, sent_id(snippet.get("videoId")))
    elif kind == SUBSCRIPTION:
        yield subscriber_record(sent)
    else:
        yield _comment(one, settings) if kind == COMMENT else unread(one)


def _comment(sent: Json, settings: Settings, video_id: str | None = None) -> Record:
    comment = read_comment(as_object(sent), settings, video_id=video_id)
    return unread(sent) if comment is None else comment_record(comment, settings, {})
