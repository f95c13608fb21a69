"""Pulling Google Ads leads: a query for each account, its pages in order, cut exactly to the window asked for."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

from connector_master.connectors.connector import Check
from connector_master.connectors.google_accounts import customers
from connector_master.connectors.google_api import (
    Customer,
    PageTokenRefused,
    Settings,
    customer_number,
    list_accessible,
    search,
    search_all,
)
from connector_master.connectors.google_lead import pull_record
from connector_master.connectors.google_rows import MEMBER, NO_NAMES, QUERY, Names, ad_groups_of, in_webhook_shape
from connector_master.connectors.identity import digest_of, sent_id
from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.model.event import Record
from connector_master.model.json import Json, as_object
from connector_master.model.problem import Problem, TokenRefused
from connector_master.model.words import Words
from connector_master.outbound.client import Client

# Google keeps leads for up to 60 days; what is promised is 30.
LIMITS = Limits(
    window=timedelta(days=60),
    history=timedelta(days=60),
    first=timedelta(days=30),
    overlap=timedelta(hours=24),
    page_size=10_000,
    rests_after=timedelta(minutes=5),
)

_DAY = timedelta(days=1)
_AD_GROUPS = "SELECT ad_group.id, ad_group.name FROM ad_group WHERE ad_group.id IN ({ids})"
_FORMS = "SELECT asset.id, asset.name FROM asset WHERE asset.type = 'LEAD_FORM'"
_ONE = "SELECT lead_form_submission_data.id FROM lead_form_submission_data LIMIT 1"
_MOST_IDS = 500
_RESTARTS = 2


async def pull(client: Client, grant: Grant, settings: Settings, window: Window) -> AsyncIterator[Page]:
    """Yield the window's leads, account by account, the oldest first in each.

    An account that fails does not keep the others from being read; then its problem is raised, and nothing counts as read.
    """
    problem: Problem | None = None
    asked = await customers(client, grant, settings)
    for customer in asked:
        try:
            async for records in _leads(client, grant, settings, customer, window):
                yield Page(records, window.start)
        except TokenRefused:
            raise
        except Problem as failed:
            problem = problem or (failed if len(asked) == 1 else failed.at(customer_number(customer.id)))
    if problem is not None:
        raise problem
    yield Page([], window.end)


async def test(client: Client, grant: Grant, settings: Settings) -> Check:
    """Ask what the token reaches, and each account for one lead. Raises as `pull` does."""
    reached = await list_accessible(client, grant, settings)
    asked = await customers(client, grant, settings)
    found = 0
    for customer in asked:
        found += len((await search(client, grant, settings, customer, _ONE)).rows)
    numbers: list[Json] = [customer_number(one.id) for one in asked]
    directly: list[Json] = [customer_number(one) for one in reached]
    asked_of = f"{', '.join(map(str, numbers[:5]))}{' …' if len(numbers) > 5 else ''}"
    message = (
        Words("Google Ads answered for %(accounts)s; there are leads.", accounts=asked_of)
        if found
        else Words("Google Ads answered for %(accounts)s; there is no lead in the last 60 days.", accounts=asked_of)
    )
    return Check(True, message, {"accounts": numbers, "reachedDirectly": directly, "hasLeads": bool(found)})


async def _leads(
    client: Client, grant: Grant, settings: Settings, customer: Customer, window: Window
) -> AsyncIterator[list[Record]]:
    """Yield each page's leads of one account. A page whose token died begins the query anew: events know their twins."""
    # A day is read in the account's zone, which may lie up to a day beside ours.
    query = QUERY.format(since=(window.start - _DAY).date().isoformat())
    for attempt in range(_RESTARTS + 1):
        try:
            async for rows in search_all(client, grant, settings, customer, query):
                within = [row for row in rows if _is_within(row, window)]
                names = await _names(client, grant, settings, customer, within) if within else NO_NAMES
                if within:
                    yield [_record(row, customer, names) for row in within]
                if rows and all(_is_later(row, window) for row in rows):
                    return
            return
        except PageTokenRefused:
            if attempt == _RESTARTS:
                raise


def _record(row: Json, customer: Customer, names: Names) -> Record:
    if not isinstance(row, dict) or not isinstance(row.get(MEMBER), dict):
        return Record(row, external_id=digest_of(row), ignored="unrecognized")
    return pull_record(in_webhook_shape(row, names) | {"customer_id": customer.id})


def _is_within(row: Json, window: Window) -> bool:
    at = _submitted_at(row)
    return at is None or window.start <= at <= window.end


def _is_later(row: Json, window: Window) -> bool:
    at = _submitted_at(row)
    return at is not None and at > window.end


def _submitted_at(row: Json) -> datetime | None:
    """Return when a lead was sent, None where that can't be told: such a one is better read twice than never."""
    text = as_object(as_object(row).get(MEMBER)).get("submissionDateTime")
    try:
        at = datetime.fromisoformat(text.strip()) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


async def _names(client: Client, grant: Grant, settings: Settings, customer: Customer, rows: list[Json]) -> Names:
    """Return the names of what these rows came by; none where Google does not tell, for a lead counts without them."""
    try:
        return Names(
            await _ad_group_names(client, grant, settings, customer, ad_groups_of(rows)),
            await grant.memory.get(
                f"google/forms/{customer.id}", lambda: _read_names(client, grant, settings, customer, _FORMS, "asset")
            ),
        )
    except TokenRefused:
        raise
    except Problem:
        return NO_NAMES


async def _ad_group_names(
    client: Client, grant: Grant, settings: Settings, customer: Customer, ids: set[str]
) -> Mapping[str, str]:
    known: dict[str, str] = await grant.memory.get(f"google/ad_groups/{customer.id}", _nothing_yet)
    unknown = sorted(ids - known.keys())
    for first in range(0, len(unknown), _MOST_IDS):
        some = unknown[first : first + _MOST_IDS]
        query = _AD_GROUPS.format(ids=", ".join(some))
        found = await _read_names(client, grant, settings, customer, query, "adGroup")
        known.update({id_: found.get(id_, "") for id_ in some})
    return known


async def _nothing_yet() -> dict[str, str]:
    return {}


async def _read_names(
    client: Client, grant: Grant, settings: Settings, customer: Customer, query: str, member: str
) -> dict[str, str]:
    found: dict[str, str] = {}
    async for rows in search_all(client, grant, settings, customer, query):
        for row in rows:
            one = as_object(as_object(row).get(member))
            id_, name = sent_id(one.get("id")), one.get("name")
            if id_ is not None and isinstance(name, str):
                found[id_] = name
    return found
