"""LinkedIn's leads, fetched: one that was announced, and all of a span of time, by owner and type."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_master.connectors.identity import sent_id
from connector_master.connectors.linkedin_accounts import chosen, lead_types_of, owner
from connector_master.connectors.linkedin_api import Rest, rest_of
from connector_master.connectors.linkedin_errors import NotThere
from connector_master.connectors.linkedin_lead import NO_NAMES, Names, campaign_of, creative_of, lead_record
from connector_master.connectors.linkedin_notices import RESPONSE, owner_of
from connector_master.connectors.linkedin_restli import encoded, form_version, id_in, text, urn
from connector_master.connectors.oauth import Account, Grant
from connector_master.connectors.pulling import Page, Window
from connector_master.model.event import Record
from connector_master.model.json import Json, as_object
from connector_master.model.problem import (
    BadProviderRequest,
    InvalidRecord,
    LeadNotFound,
    PermissionMissing,
    Problem,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Client

_RESOURCE = "leadFormResponses"
# What is not named does not come: names, and the form that gives answers their meaning.
_FIELDS = (
    "ownerInfo,associatedEntityInfo,leadMetadataInfo,leadMetadata,associatedEntity,owner,leadType,versionedLeadGenFormUrn,"
    "id,submittedAt,testLead,formResponse,form:(hiddenFields,creationLocale,name,id,content)"
)
_FORM_IS_AWAITED = timedelta(hours=1)
"""For so long after it was sent a lead waits for its form; then what can be told without it has to do."""


class FormUnreadable(ProviderUnavailable):
    """A lead's form can't be read, so its answers have no meaning yet."""

    remedy = (
        "Nothing to do at first: it is tried again, and after an hour the lead is taken without its form. See at LinkedIn "
        "whether the person who connected may still see the form."
    )


async def resolve(client: Client, grant: Grant, settings: Any, announcement: Json) -> Record:
    """Return the lead that was announced, as a pull would give it. Raises LeadNotFound, or what LinkedIn's error means."""
    about = as_object(announcement)
    lead_id = id_in(about.get(RESPONSE), RESPONSE)
    if lead_id is None:
        raise InvalidRecord("The announcement names no lead.")
    rest = rest_of(client, grant, settings)
    try:
        lead = await rest.get(f"{_RESOURCE}/{encoded(lead_id)}", _FIELDS)
    except NotThere as problem:
        raise LeadNotFound(
            f"LinkedIn does not show the lead that it announced, not yet or not to whoever connected. {problem.detail}",
            remedy="Nothing to do at first: it is tried for a day. If no lead is shown, see that the person who connected "
            "still has a role on the ad account and on its company page. A lead that was withdrawn is gone.",
        ) from problem
    if sent_id(lead.get("id", lead_id)) != lead_id or not isinstance(lead.get("formResponse"), dict):
        raise ProviderUnavailable("LinkedIn sent something else than the lead with its answers.")
    record = await _record(rest, grant, {"id": lead_id, **lead})
    lead_type = lead.get("leadType")
    if record.ignored is None and isinstance(lead_type, str) and lead_type not in settings.lead_types:
        return replace(record, ignored="other_lead_type")
    return record


async def pull(client: Client, grant: Grant, settings: Any, window: Window) -> AsyncIterator[Page]:
    """Yield the leads of every chosen ad account and page, type by type.

    One that can't be read doesn't keep the others from it: what was wrong with the first is raised at the end, and the mark
    stays. Raises what LinkedIn's errors mean.
    """
    rest = rest_of(client, grant, settings)
    first: Problem | None = None
    reads_some = False
    for account in await chosen(client, grant, settings):
        for lead_type in lead_types_of(account, settings):
            try:
                async for records, unread in _leads(rest, grant, account, lead_type, window):
                    yield Page(records, window.start)
                    first = first or unread
                reads_some = True
            except TokenRefused:
                raise
            except Problem as problem:
                first = first or _about(problem, account)
    if isinstance(first, PermissionMissing) and reads_some:
        # Whoever connected can read leads, only not all of them: that is no reason to stop what works.
        raise BadProviderRequest(first.detail, remedy=first.remedy)
    if first is not None:
        raise first
    yield Page((), window.end)


async def _leads(
    rest: Rest, grant: Grant, account: Account, lead_type: str, window: Window
) -> AsyncIterator[tuple[list[Record], Problem | None]]:
    """Yield the records of each page, each lead once, and why one of the page's leads is not among them."""
    # The same span for all pages, so that offsets hold; both ends taken in.
    span: dict[str, Json] = {
        "start": int(window.start.timestamp() * 1000) - 1,
        "end": int(window.end.timestamp() * 1000) + 1,
    }
    asked: dict[str, Json] = {
        "q": "owner",
        "owner": owner(account),
        "leadType": {"leadType": lead_type},
        "limitedToTestLeads": False,
        "submittedAtTimeRange": span,
    }
    seen: set[tuple[str | None, str | None]] = set()
    async for leads in rest.rows(_RESOURCE, asked, _FIELDS):
        records: list[Record] = []
        unread: Problem | None = None
        for lead in leads:
            try:
                record = await _record(rest, grant, {"owner": owner(account), "leadType": lead_type, **lead})
            except FormUnreadable as problem:
                unread = unread or problem
                continue
            key = (record.external_id, record.version)
            if key not in seen:
                seen.add(key)
                records.append(record)
        yield records, unread


async def _record(rest: Rest, grant: Grant, lead: Mapping[str, Json]) -> Record:
    form: Mapping[str, Json] = as_object(lead.get("form"))
    if not as_object(form.get("content")).get("questions"):
        known = await _form(rest, lead)
        if known is None and _is_fresh(lead):
            raise FormUnreadable("LinkedIn does not show the form of a lead.")
        form = known or form
    return lead_record(dict(lead), form, await _names(rest, grant, lead))


async def _form(rest: Rest, lead: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """Return a lead's form, read once in a minute; None where it can't be read. Raises what passes by itself."""
    version = form_version(lead.get("versionedLeadGenFormUrn"))
    if version is None:
        return None

    async def read() -> Mapping[str, Json] | None:
        try:
            return await rest.get(f"leadForms/{encoded(version[0])}")
        except (BadProviderRequest, PermissionMissing):
            return None

    found: Mapping[str, Json] | None = await rest.memory.get(f"linkedin form {version}", read, seconds=60)
    return found


def _is_fresh(lead: Mapping[str, Json]) -> bool:
    at = lead.get("submittedAt")
    if isinstance(at, bool) or not isinstance(at, int):
        return False
    # Whose clock is wrong by more than that does not wait for ever.
    return abs(datetime.now(UTC).timestamp() - at / 1000) < _FORM_IS_AWAITED.total_seconds()


async def _names(rest: Rest, grant: Grant, lead: Mapping[str, Json]) -> Names:
    """Return the names that a lead did not bring."""
    named = owner_of(lead.get("owner"))
    account = grant.account(named)
    names = Names(owner=account.name) if account is not None else NO_NAMES
    account_id = id_in(named, "sponsoredAccount")
    if account_id is None or isinstance(lead.get("leadMetadataInfo"), dict):
        return names
    campaign, creative = campaign_of(lead), creative_of(lead)
    return replace(
        names,
        campaign=await _name(rest, f"adAccounts/{account_id}/adCampaigns/{encoded(campaign)}") if campaign else None,
        creative=await _name(rest, f"adAccounts/{account_id}/creatives/{encoded(urn('sponsoredCreative', creative))}")
        if creative
        else None,
    )


async def _name(rest: Rest, resource: str) -> str | None:
    """Return a name, read once in an hour; None where LinkedIn does not tell, for a lead counts without it."""

    async def read() -> str | None:
        try:
            return text((await rest.get(resource)).get("name"))
        except (BadProviderRequest, PermissionMissing):
            return None

    try:
        found: str | None = await rest.memory.get(f"linkedin name {resource}", read)
    except Problem:
        return None
    return found


def _about(problem: Problem, account: Account) -> Problem:
    """Return the problem, naming whose leads could not be read."""
    detail = f"{account.name}: {problem.detail}"
    return type(problem)(detail, remedy=problem.remedy, retry_after_seconds=problem.retry_after_seconds)
