"""Meta's leads, fetched: one that was announced, and all of a span of time, form by form."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from connector_master.connectors.graph import Fault, Graph
from connector_master.connectors.meta_calls import as_page, ask_some, digest, graph_of, problem_of, rows
from connector_master.connectors.meta_lead import lead_record
from connector_master.connectors.meta_notices import decimal
from connector_master.connectors.meta_pages import accounts
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
)
from connector_master.outbound.client import Client

PAGE_SIZE = 100

_LEAD = (
    "id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,is_organic,platform,field_data,"
    "custom_disclaimer_responses"
)
_FEW_OF_LEAD = "id,created_time,form_id,field_data"
_FORM = "id,name,status,locale,questions"
_FEW_OF_FORM = "id,name"
_FORMS = "id,name,status,locale,leads_count,questions"
_FEW_OF_FORMS = "id,name,status"
_DRAFT = "DRAFT"
_ARCHIVED = frozenset({"ARCHIVED", "DELETED"})


async def resolve(client: Client, grant: Grant, settings: Any, announcement: Json) -> Record:
    """Return the lead that was announced, as a pull would give it. Raises LeadNotFound, or what Graph's error means."""
    about = as_object(announcement)
    lead_id, page_id = decimal(about.get("leadgen_id")), decimal(about.get("page_id"))
    if lead_id is None:
        raise InvalidRecord("The announcement names no lead.")
    graph = await graph_of(client, grant, settings, is_patient=False)
    account = grant.account(page_id)

    async def fetch(page: Graph) -> Record:
        lead = await _lead(page, lead_id)
        form_id = decimal(lead.get("form_id")) or decimal(about.get("form_id"))
        form = await _form(grant, page, form_id)
        return lead_record({"id": lead_id, **lead}, form, page_id)

    return await as_page(grant, graph, account, fetch)


async def pull(client: Client, grant: Grant, settings: Any, window: Window) -> AsyncIterator[Page]:
    """Yield the leads of every form of every chosen page, archived forms too.

    One page or form that can't be read doesn't keep the others from it: what was wrong with the first is raised at the end,
    and the mark stays. Raises what Graph's errors mean.
    """
    first: Problem | None = None
    graph = await graph_of(client, grant, settings)
    chosen = await _chosen(client, grant, settings)
    for account in chosen:
        try:
            page, forms = await as_page(grant, graph, account, partial(_forms, page_id=account.id))
        except Problem as problem:
            first = first or _where(problem, account, chosen)
            continue
        for form in forms:
            try:
                async for records in _leads(grant, page, account.id, form, window):
                    yield Page(records, window.start)
            except Problem as problem:
                first = first or _where(problem, account, chosen)
                if not isinstance(problem, BadProviderRequest):
                    break
    if first is not None:
        raise first
    yield Page((), window.end)


async def _chosen(client: Client, grant: Grant, settings: Any) -> list[Account]:
    """Return the chosen pages; while none is chosen, all that may be."""
    if grant.accounts:
        return list(grant.accounts)
    found = [one for one in await accounts(client, grant, settings) if one.is_selectable]
    if not found:
        raise PermissionMissing(
            "The token reaches no page whose leads it may read.",
            remedy="Have yourself (or the system user) given the page with the task Ads in Meta's Business settings, then "
            "connect again and tick the page in Meta's dialog.",
        )
    return found


def _where(problem: Problem, account: Account, chosen: Sequence[Account]) -> Problem:
    """Return a problem that says which of several pages it is about."""
    return problem if len(chosen) == 1 else problem.at(account.name)


async def _lead(page: Graph, lead_id: str) -> dict[str, Json]:
    answer = await ask_some(page, lead_id, {}, _LEAD, _FEW_OF_LEAD)
    if not isinstance(answer, Fault):
        # Without the right to its answers a lead may come without them, and that is not "no answers".
        if decimal(answer.get("id", lead_id)) != lead_id or not isinstance(answer.get("field_data"), list):
            raise ProviderUnavailable("Meta sent something else than the lead with its answers.")
        return answer
    if not answer.is_invisible:
        raise problem_of(answer)
    raise LeadNotFound(
        "Meta does not show the lead that it announced, not yet or not to this token: "
        f"{answer.message} (Meta's code {answer.code}/{answer.subcode})",
        remedy="Nothing to do at first: it is tried for a day. If it stays, see in Leads Access Manager (Business settings, "
        "Integrations, Leads Access) whether the app and the person may read leads. A lead that was deleted, or is older "
        "than 90 days, is gone.",
    )


async def _forms(page: Graph, page_id: str) -> tuple[Graph, list[dict[str, Json]]]:
    """Return the forms of a page that may hold leads, and Graph with the token that could read them."""
    query = {"limit": str(PAGE_SIZE)}
    found: dict[str, dict[str, Json]] = {}
    async for listed in rows(page, f"{page_id}/leadgen_forms", query, _FORMS, _FEW_OF_FORMS):
        for form in listed:
            if (id_ := decimal(form.get("id"))) is not None and _may_hold_leads(form):
                found.setdefault(id_, {**form, "id": id_})
    return page, list(found.values())


def _may_hold_leads(form: Mapping[str, Json]) -> bool:
    status = form.get("status")
    return status != _DRAFT and not (status in _ARCHIVED and form.get("leads_count") == 0)


async def _leads(
    grant: Grant, page: Graph, page_id: str, listed: Mapping[str, Json], window: Window
) -> AsyncIterator[list[Record]]:
    """Yield the records of a form's leads in the window, each lead once."""
    form_id = decimal(listed.get("id"))
    form = listed if isinstance(listed.get("questions"), list) else None
    # Whole seconds, both ends taken in.
    since, until = int(window.start.timestamp()) - 1, int(window.end.timestamp()) + 1
    filtering = [
        {"field": "time_created", "operator": "GREATER_THAN", "value": since},
        {"field": "time_created", "operator": "LESS_THAN", "value": until},
    ]
    query = {"limit": str(PAGE_SIZE), "filtering": json.dumps(filtering, separators=(",", ":"))}
    seen: set[str | None] = set()
    async for leads in rows(page, f"{form_id}/leads", query, _LEAD, _FEW_OF_LEAD):
        if leads and form is None:
            form = await _form(grant, page, form_id)
        records = [lead_record({"form_id": form_id, **lead}, form or {}, page_id) for lead in leads]
        fresh = {record.external_id: record for record in reversed(records) if record.external_id not in seen}
        seen |= fresh.keys()
        yield list(reversed(fresh.values()))


async def _form(grant: Grant, page: Graph, form_id: str | None) -> Mapping[str, Json]:
    """Return a form, read once in an hour; an empty one where it can't be read for good: a lead is worth more than labels."""
    if form_id is None:
        return {}

    async def read() -> Mapping[str, Json]:
        answer = await ask_some(page, form_id, {}, _FORM, _FEW_OF_FORM)
        if not isinstance(answer, Fault):
            return answer
        problem = problem_of(answer)
        if isinstance(problem, BadProviderRequest | PermissionMissing):
            return {}
        raise problem

    found: Mapping[str, Json] = await grant.memory.get(f"meta form {form_id} {digest(page.token)}", read)
    return found
