"""Counted: a toy provider of comments that counts calls by the day, whose comments are edited and taken back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from connector_master.connectors.answers import answer
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form, PullSettings, Secret
from connector_master.connectors.oauth import Account, Address, Grant, OAuth
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import DailyLimitReached, ProviderLimited, ProviderUnavailable
from connector_master.outbound.client import Client


class Credentials(Form):
    """A token that was made elsewhere, and the app that the provider counts calls by."""

    client_id: str | None = None
    client_secret: Secret | None = None
    access_token: Secret | None = None


async def pull(client: Client, grant: Grant, settings: Any, window: Window) -> AsyncIterator[Page]:
    """Yield comments page by page; the state counts the pages that were ever read."""
    pages = window.state["pages"] if isinstance(window.state, dict) else 0
    assert isinstance(pages, int)
    number, is_last = 0, False
    while not is_last:
        asked = {"page": str(number), "deep": str(window.is_deep), "state": orjson.dumps(window.state).decode()}
        body = await _ask(client, "/comments", asked)
        number, pages, is_last = number + 1, pages + 1, bool(body["last"])
        until = window.end if is_last else window.start
        yield Page([_record(one) for one in body["comments"]], until, state={"pages": pages})


async def accounts(client: Client, grant: Grant, settings: Any) -> list[Account]:
    """Return the channels whose comments these are."""
    body = await _ask(client, "/channels", {})
    return [Account(id=str(one["id"]), name=str(one["id"]), kind="channel") for one in body["channels"]]


async def recheck(client: Client, grant: Grant, settings: Any, ids: Sequence[str]) -> list[Record]:
    """Return the comments that are still there, and what is gone as erased."""
    body = await _ask(client, "/comments/again", {"ids": ",".join(ids)})
    found = {one["id"]: one for one in body["comments"]}
    return [_record(found[id_]) if id_ in found else Record({}, external_id=id_, is_erased=True) for id_ in ids]


connector = Connector(
    type="counted",
    title="Counted",
    summary="Comments at a toy provider.",
    auth="oauth",
    settings=PullSettings,
    credentials=Credentials,
    mapping={"phone": "phoneNumber", "text": "notes", "id": "externalId"},
    records=lambda body, push, settings: [],
    acknowledge=answer,
    base="https://counted.example",
    base_setting="COUNTED_URL",
    oauth=OAuth(
        browser=Address("https://counted.example", "COUNTED_OAUTH_URL"),
        server=Address("https://counted.example", "COUNTED_TOKEN_URL"),
        authorize_path="/authorize",
        token_path="/token",
        scopes=("comments",),
        app_setting="COUNTED",
    ),
    accounts=accounts,
    account_kinds=("channel", "channels"),
    pull=pull,
    recheck=recheck,
    raw_days=30,
    limits=Limits(window=timedelta(days=90), calls_per_day=10, day_share=0.8, day_zone=ZoneInfo("America/Los_Angeles")),
    limit_key=lambda credentials: credentials.client_id or "",
)


async def _ask(client: Client, path: str, query: Mapping[str, str]) -> dict[str, Any]:
    answer = await client.get(path, query)
    if answer.status == 403:
        raise DailyLimitReached("The project's calls of the day are used up (quotaExceeded).")
    if answer.status == 429:
        raise ProviderLimited("Too many calls in a short time.", retry_after_seconds=5)
    body = answer.json()
    if answer.status != 200 or not isinstance(body, dict):
        raise ProviderUnavailable(f"The provider failed (HTTP {answer.status}).")
    return body


def _record(comment: dict[str, Json]) -> Record:
    has_phone = "phone" in comment
    return Record(
        comment,
        external_id=str(comment["id"]),
        version=str(comment["version"]),
        ignored=None if has_phone else "interaction",
    )
