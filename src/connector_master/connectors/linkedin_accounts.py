"""LinkedIn's ad accounts and company pages: which of them a grant reaches, and whose leads the person who agreed may read.

Leads of ads belong to an ad account, all others to a page. Leads of an ad account are given only to those who have a role on
its page as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_master.connectors.identity import sent_id
from connector_master.connectors.linkedin_api import Rest, rest_of
from connector_master.connectors.linkedin_lead import SPONSORED
from connector_master.connectors.linkedin_restli import id_in, text, urn
from connector_master.connectors.oauth import Account, Grant
from connector_master.model.json import Json, as_object
from connector_master.model.problem import BadProviderRequest, PermissionMissing
from connector_master.model.words import Words
from connector_master.outbound.client import Client

AD_ACCOUNT, PAGE = "sponsoredAccount", "organization"

_SEARCH: Mapping[str, Json] = {"q": "search", "search": {"status": {"values": ["ACTIVE"]}, "test": False}}
_FIELDS = "id,name,test,referenceInfo"
_ROLES: Mapping[str, Json] = {"q": "roleAssignee", "state": "APPROVED"}
_READERS = frozenset({"ADMINISTRATOR", "CONTENT_ADMINISTRATOR"})
"""The roles on a page that read the leads of its events."""


@dataclass(slots=True)
class _Page:
    """A company page, and the roles that the person who agreed has on it."""

    roles: set[str] = field(default_factory=set)
    name: str | None = None


async def accounts(client: Client, grant: Grant, settings: Any) -> list[Account]:
    """Return every ad account and page that the grant reaches. Raises what LinkedIn's errors mean.

    One whose leads can't be read says why. What may not be listed hides nothing else.
    """
    rest = rest_of(client, grant, settings)
    refused: PermissionMissing | None = None
    pages: dict[str, _Page] | None = None
    try:
        pages = await _pages(rest)
    except PermissionMissing as problem:
        refused = problem
    found: list[Account] = []
    if SPONSORED in settings.lead_types:
        try:
            found += await _ad_accounts(rest, pages)
        except PermissionMissing as problem:
            refused = problem
    if pages and set(settings.lead_types) - {SPONSORED}:
        found += [await _page(rest, id_, page) for id_, page in pages.items()]
    if refused is not None and not found:
        raise refused
    return sorted(found, key=lambda one: (not one.is_selectable, one.kind, one.name.casefold(), one.id))


async def chosen(client: Client, grant: Grant, settings: Any) -> Sequence[Account]:
    """Return the chosen ones; while none is chosen, all that may be. Raises as `accounts` does, and where there is none."""
    if grant.accounts:
        return grant.accounts
    if found := [one for one in await accounts(client, grant, settings) if one.is_selectable]:
        return found
    raise PermissionMissing(
        "Whoever connected reaches no ad account and no page at LinkedIn whose leads they may read.",
        remedy="Have the person given a role on the ad account and on its company page (such as Lead Gen Forms Manager), "
        "then connect again.",
    )


def lead_types_of(account: Account, settings: Any) -> list[str]:
    """Return the types of leads that are asked of an account: one of an ad account, the others of a page."""
    is_of_ads = id_in(account.id, AD_ACCOUNT) is not None
    return [one for one in settings.lead_types if (one == SPONSORED) == is_of_ads]


def owner(account: Account) -> dict[str, Json]:
    """Return an account as LinkedIn names the owner of leads."""
    return {AD_ACCOUNT if id_in(account.id, AD_ACCOUNT) is not None else PAGE: account.id}


async def _pages(rest: Rest) -> dict[str, _Page]:
    found: dict[str, _Page] = {}
    async for listed in rest.rows("organizationAcls", _ROLES):
        for one in listed:
            id_ = id_in(one.get("organization"), PAGE) or id_in(one.get("organizationalTarget"), PAGE)
            role = text(one.get("role"))
            if id_ is not None and role is not None and one.get("state", "APPROVED") == "APPROVED":
                found.setdefault(id_, _Page()).roles.add(role)
    return found


async def _ad_accounts(rest: Rest, pages: Mapping[str, _Page] | None) -> list[Account]:
    found: dict[str, Account] = {}
    async for listed in rest.rows("adAccounts", _SEARCH, _FIELDS):
        for one in listed:
            if (id_ := sent_id(one.get("id"))) is not None:
                found.setdefault(id_, _ad_account(id_, one, pages))
    return list(found.values())


def _ad_account(id_: str, shown: Mapping[str, Json], pages: Mapping[str, _Page] | None) -> Account:
    linked = as_object(as_object(shown.get("referenceInfo")).get("organization"))
    page_id = sent_id(linked.get("id")) or id_in(shown.get("reference"), PAGE)
    page_name = text(linked.get("localizedName"))
    page = pages.get(page_id) if pages is not None and page_id is not None else None
    if page is not None and page_name is not None:
        page.name = page_name
    reason = None
    if shown.get("test") is True:
        reason = Words("It is a test account: it has no leads.")
    elif page_id is None:
        reason = Words(
            "No company page is linked to this ad account, and LinkedIn gives leads to nobody without one. Link the page in "
            "Campaign Manager (Account settings), then connect again."
        )
    elif pages is not None and page is None:
        reason = Words(
            "You have no role on its company page %(page)s, and LinkedIn gives leads to nobody without one. Have an "
            "administrator of the page make you Lead Gen Forms Manager, then connect again.",
            page=page_name or page_id,
        )
    details: dict[str, Json] = {
        "number": id_,
        "page": page_name,
        "pageId": page_id,
        "roles": [*sorted(page.roles)] if page is not None else None,
    }
    return Account(
        id=urn(AD_ACCOUNT, id_),
        name=text(shown.get("name")) or id_,
        kind="ad account",
        is_selectable=reason is None,
        reason=reason,
        details={name: value for name, value in details.items() if value is not None},
    )


async def _page(rest: Rest, id_: str, page: _Page) -> Account:
    reason = None
    if not page.roles & _READERS:
        reason = Words(
            "Your role on this page is %(roles)s; leads of its events go to ADMINISTRATOR and CONTENT_ADMINISTRATOR only. "
            "Leads of ads come by the ad account.",
            roles=sorted(page.roles),
        )
    return Account(
        id=urn(PAGE, id_),
        name=page.name or await _page_name(rest, id_) or id_,
        kind="page",
        is_selectable=reason is None,
        reason=reason,
        details={"number": id_, "roles": [*sorted(page.roles)]},
    )


async def _page_name(rest: Rest, id_: str) -> str | None:
    """Return a page's name; None where LinkedIn does not tell, for a page counts without it."""
    try:
        return text((await rest.get(f"organizations/{id_}")).get("localizedName"))
    except (BadProviderRequest, PermissionMissing):
        return None
