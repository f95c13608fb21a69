"""Whose leads there are at the stand-in for LinkedIn: ad accounts, company pages, roles, and the names of campaigns."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.linkedin_forms import Owner, urn
from connector_master.sandbox.linkedin_gateway import ONE, PAGED, Call, Gateway
from connector_master.sandbox.linkedin_terms import (
    ADS,
    CAMPAIGNS,
    CREATIVES,
    EVENT_ROLES,
    ORGANIZATIONS,
    PAGES,
    REFUSALS,
)

if TYPE_CHECKING:
    from connector_master.sandbox.stand_in import StandIn

_URN = re.compile(r"urn:li:(sponsoredAccount|organization):([0-9]+)")
_STATUSES = ["ACTIVE", "CANCELED"]


class Accounts:
    """The ad accounts and pages that a stand-in's settings name, as `adAccounts` and `roles`."""

    def __init__(self, stand_in: "StandIn", gateway: Gateway) -> None:
        self._stand_in, self._gateway = stand_in, gateway

    def routes(self) -> list[BaseRoute]:
        """Return the calls that list and name them."""
        return [
            Route("/rest/adAccounts", self._ad_accounts),
            Route("/rest/adAccounts/{account}/adCampaigns/{id}", self._campaign),
            Route("/rest/adAccounts/{account}/creatives/{id}", self._creative),
            Route("/rest/organizationAcls", self._roles),
            Route("/rest/organizations/{id}", self._organization),
        ]

    def find(self, id_: str) -> Mapping[str, Any] | None:
        """Return the ad account with this id."""
        return next((one for one in self._stand_in.set["adAccounts"] if str(one["id"]) == id_), None)

    def may_read(self, owner: Owner, lead_type: str) -> bool:
        """Return whether the person's roles reach an owner's leads."""
        roles = self._stand_in.set["roles"]
        if lead_type != "SPONSORED":
            return roles.get(owner[1]) in EVENT_ROLES
        account = self.find(owner[1])
        return account is not None and str(account.get("organization")) in roles

    def refused(self, call: Call, owner: Owner, lead_type: str) -> Response | None:
        """Return the refusal of a call for an owner's leads, None where the person may read them."""
        is_account = owner[0] == "sponsoredAccount"
        if is_account != (lead_type == "SPONSORED"):
            return self._gateway.wrong_field("owner", f"{owner[0]} has no {lead_type} leads")
        is_known = self.find(owner[1]) is not None if is_account else int(owner[1]) in ORGANIZATIONS
        if not is_known:
            return self._gateway.not_found()
        if self.may_read(owner, lead_type):
            return None
        if self._stand_in.fault("role_hidden"):
            return self._gateway.refuse(REFUSALS["token_invalid"])
        return self._gateway.denied(call)

    async def _ad_accounts(self, request: Request) -> Response:
        takes = PAGED | {"search", "pageSize", "pageToken"}
        call = await self._gateway.admitted(request, "adAccounts.FINDER-search", ADS, takes)
        if isinstance(call, Response):
            return call
        try:
            known = self._stand_in.set["adAccounts"]
            rows = [_shown(one) for one in known if _is_sought(one, call.query.get("search"))]
        except (ValueError, TypeError, KeyError):
            return self._gateway.bad_request()
        by_token = "pageSize" in call.query or bool(self._stand_in.fault("page_tokens"))
        return self._gateway.list(call, rows, by_token=by_token)

    async def _roles(self, request: Request) -> Response:
        takes = PAGED | {"state", "role"}
        call = await self._gateway.admitted(request, "organizationAcls.FINDER-roleAssignee", PAGES, takes)
        if isinstance(call, Response):
            return call
        person = urn("person", "SandboxAdm01")
        rows = [
            {"roleAssignee": person, "state": "APPROVED", "role": role, "organization": urn("organization", id_)}
            for id_, role in self._stand_in.set["roles"].items()
            if call.query.get("state", "APPROVED") == "APPROVED" and call.query.get("role", role) == role
        ]
        return self._gateway.list(call, rows)

    async def _campaign(self, request: Request) -> Response:
        return await self._named(request, "adCampaigns.GET", {str(id_): name for id_, name in CAMPAIGNS})

    async def _creative(self, request: Request) -> Response:
        names = {urn("sponsoredCreative", id_): name for id_, name in CREATIVES}
        return await self._named(request, "creatives.GET", names)

    async def _named(self, request: Request, name: str, names: Mapping[str, str]) -> Response:
        call = await self._gateway.admitted(request, name, ADS, ONE)
        if isinstance(call, Response):
            return call
        # What is a URN comes encoded: raw, its colons are structure.
        if b":" in request.scope["raw_path"].rpartition(b"/")[2]:
            return self._gateway.bad_request()
        account, id_ = request.path_params["account"], request.path_params["id"]
        if id_ not in names or self.find(account) is None:
            return self._gateway.not_found()
        about: dict[str, Any] = {"id": int(id_) if id_.isdigit() else id_, "name": names[id_], "status": "ACTIVE"}
        return self._gateway.give(call, about | {"account": urn("sponsoredAccount", account)})

    async def _organization(self, request: Request) -> Response:
        call = await self._gateway.admitted(request, "organizations.GET", PAGES, ONE)
        if isinstance(call, Response):
            return call
        id_ = request.path_params["id"]
        if not id_.isdigit() or int(id_) not in ORGANIZATIONS:
            return self._gateway.not_found()
        if id_ not in self._stand_in.set["roles"]:
            return self._gateway.denied(call)
        return self._gateway.give(call, {"id": int(id_), "localizedName": ORGANIZATIONS[int(id_)]})


def read_owner(value: Any) -> Owner:
    """Return the owner that a query or a body names. Raises ValueError.

    >>> read_owner({"organization": "urn:li:organization:7"})
    ('organization', '7')
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("owner")
    ((kind, text),) = value.items()
    found = _URN.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1] != kind:
        raise ValueError("owner")
    return found[1], found[2]


def _is_sought(account: Mapping[str, Any], search: Any) -> bool:
    """Return whether a search means an account. Raises ValueError, TypeError or KeyError for one without sense."""
    asked = dict(search or {})
    statuses = asked.pop("status", {"values": _STATUSES})["values"]
    test = asked.pop("test", None)
    if asked or not isinstance(statuses, list) or test not in (None, "true", "false"):
        raise ValueError("search")
    is_test = "true" if account.get("test") else "false"
    return account.get("status", "ACTIVE") in statuses and test in (None, is_test)


def _shown(account: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": account["id"],
        "name": account["name"],
        "status": account.get("status", "ACTIVE"),
        "test": account.get("test", False),
        "type": "BUSINESS",
        "currency": "INR",
        "referenceInfo": {},
    }
    if (id_ := account.get("organization")) is None:
        return shown
    page = {"id": id_, "localizedName": ORGANIZATIONS[id_], "vanityName": f"page-{id_}"}
    return shown | {"reference": urn("organization", id_), "referenceInfo": {"organization": page}}
