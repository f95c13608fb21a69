"""A stand-in for LinkedIn: consent, lead gen forms, their leads, and signed notices (docs/connectors/linkedin.md)."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox import linkedin_forms as forms
from connector_master.sandbox.linkedin_accounts import Accounts, read_owner
from connector_master.sandbox.linkedin_forms import FORMS, Owner, form_of, lead_id, type_of
from connector_master.sandbox.linkedin_gateway import ONE, PAGED, Gateway
from connector_master.sandbox.linkedin_restli import Value
from connector_master.sandbox.linkedin_terms import (
    AD_ACCOUNTS,
    FAULTS,
    LEAD_TYPES,
    LEADS,
    REFUSALS,
    ROLES,
    TERMS,
    VERSIONS,
)
from connector_master.sandbox.linkedin_webhooks import MOST_PER_OWNER, Subscription, Subscriptions, why_refused
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn
from connector_master.sandbox.terms import CONSENT_ACTIONS, CONSENT_FAULTS, CONSENT_SETTINGS

if TYPE_CHECKING:
    from connector_master.sandbox.world import World

_ACCOUNT, _ORGANIZATION = "510000001", "31000002"
_NAMES = frozenset({"ownerInfo", "leadMetadataInfo", "associatedEntityInfo", "form"})


class LinkedIn(StandIn):
    """One app, one person with some ad accounts and pages. Beside tokens it has issued, it knows those that begin with `sandbox`.

    In `lead`, `leadType` says what kind it is (SPONSORED), `accountId`, `organizationId` and `formId` where it was made,
    `isTest` that it is a trial. `withdraws` names a lead that its member takes back: that is told, and it is gone.
    """

    name = "linkedin"
    title = "LinkedIn"
    summary = "Announces leads of lead gen forms by webhook, and gives them out by ad account or page."
    path = "/linkedin"
    address_settings = ("LINKEDIN_OAUTH_URL", "LINKEDIN_API_URL")
    pushes = True
    terms = TERMS
    actions = CONSENT_ACTIONS
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS | CONSENT_FAULTS | FAULTS
    settings: ClassVar[Mapping[str, Any]] = CONSENT_SETTINGS | {
        "clientId": "770000sandbox",
        "clientSecret": "WPL_AP1.SandboxOnlySecret01.c2FuZGJveA==",
        "adAccounts": AD_ACCOUNTS,
        "roles": ROLES,
        "versions": VERSIONS,
        "mostOnAPage": 50,
        "keptDays": 90,
        "callsPerDay": None,
    }

    def __init__(self, world: "World") -> None:
        self.gateway = Gateway(self)
        self.accounts = Accounts(self, self.gateway)
        super().__init__(world)

    def reset(self) -> None:
        """Forget everything, subscriptions too."""
        super().reset()
        self.gateway.reset()
        self.subscriptions = Subscriptions(self.world)
        self._by_id: dict[str, Entry] = {}
        self._withdrawn: set[str] = set()

    def state(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return super().state() | {"subscriptions": [one.shown() for one in self.subscriptions.all]}

    def add(
        self, at: datetime | None = None, *, late: timedelta = timedelta(0), fields: Mapping[str, str] | None = None
    ) -> Entry:
        """Note an enquiry, or that one is withdrawn."""
        entry = super().add(at, late=late, fields=fields)
        if "withdraws" in entry.fields:
            self._withdrawn.add(lead_id(entry))
        else:
            self._by_id[lead_id(entry)] = entry
        return entry

    def routes(self) -> list[BaseRoute]:
        """Return the part of the API that concerns leads."""
        return [
            *self.accounts.routes(),
            Route("/rest/leadForms", self._forms),
            Route("/rest/leadForms/{id}", self._form),
            Route("/rest/leadFormResponses", self._leads),
            Route("/rest/leadFormResponses/{id}", self._lead),
            Route("/rest/leadNotifications", self._list_subscriptions),
            Route("/rest/leadNotifications", self._subscribe, methods=["POST"]),
            Route("/rest/leadNotifications/{id}", self._unsubscribe, methods=["DELETE"]),
        ]

    # ---- what is pushed ---------------------------------------------------------------------------------

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return what is told of an enquiry: its id and where it came from."""
        meant = self._meant(entry)
        is_withdrawn = "withdraws" in entry.fields
        return forms.notice(entry, self._owner(meant), about_lead=meant, is_withdrawn=is_withdrawn)

    async def push(self, entry: Entry) -> int | None:
        """Tell everybody who has subscribed and whose address still passes the challenge; return the last answer."""
        status = None
        for one in self._subscribed(entry):
            if not await self.subscriptions.still_passes(one, self._secret()):
                self.pushed["blocked"] += 1
                continue
            for _ in range(2 if self.fault("duplicates") else 1):
                way = next((name for name in ("bare", "prefixed") if self.fault(f"{name}_signature")), "documented")
                secret = "another secret" if self.fault("wrong_signature") else self._secret()
                key = None if self.fault("unsigned") else secret
                status = await self.send(self.subscriptions.notice(one.webhook, self.show(entry), key, way=way))
        return status

    # ---- forms and leads --------------------------------------------------------------------------------

    async def _forms(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, "leadForms.FINDER-owner", LEADS, PAGED | {"owner"})
        if isinstance(call, Response):
            return call
        try:
            owner = read_owner(call.query.get("owner"))
        except ValueError:
            return self.gateway.bad_request()
        is_page = owner[0] == "organization"
        if refused := self.accounts.refused(call, owner, "EVENT" if is_page else "SPONSORED"):
            return refused
        if self.fault("no_forms"):
            return self.gateway.denied(call)
        return self.gateway.list(call, [forms.about(form, owner) for form in FORMS if form.is_of_page == is_page])

    async def _form(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, "leadForms.GET", LEADS, ONE)
        if isinstance(call, Response):
            return call
        id_ = request.path_params["id"]
        if not id_.isdigit():
            return self.gateway.bad_request()
        form = next((one for one in FORMS if str(one.id) == id_), None)
        if form is None:
            return self.gateway.not_found()
        if self.fault("no_forms"):
            return self.gateway.denied(call)
        owner = ("organization", _ORGANIZATION) if form.is_of_page else ("sponsoredAccount", _ACCOUNT)
        return self.gateway.give(call, forms.about(form, owner))

    async def _leads(self, request: Request) -> Response:
        takes = PAGED | {"owner", "leadType", "limitedToTestLeads", "submittedAtTimeRange"}
        takes |= {"versionedLeadGenFormUrn", "associatedEntity"}
        call = await self.gateway.admitted(request, "leadFormResponses.FINDER-owner", LEADS, takes)
        if isinstance(call, Response):
            return call
        try:
            owner, lead_type = read_owner(call.query.get("owner")), _lead_type(call.query.get("leadType"))
            low, high = _span(call.query.get("submittedAtTimeRange"))
        except ValueError:
            return self.gateway.bad_request()
        if refused := self.accounts.refused(call, owner, lead_type):
            return refused
        form, only_tests = call.query.get("versionedLeadGenFormUrn"), call.query.get("limitedToTestLeads") == "true"
        rows = [
            self._lead_shown(one)
            for one in self._visible(owner, lead_type)
            if low <= forms.milliseconds(one) <= high
            and form in (None, form_of(one).urn)
            and (not only_tests or forms.is_test(one))
        ]
        return self.gateway.list(call, rows[::-1])

    async def _lead(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, "leadFormResponses.GET", LEADS, ONE)
        if isinstance(call, Response):
            return call
        entry = self._by_id.get(request.path_params["id"])
        if entry is None or not self._is_visible(entry):
            return self.gateway.not_found()
        if not self.accounts.may_read(self._owner(entry), type_of(entry)):
            # Where a role is missing, one lead is not there, and sometimes the token is blamed.
            return self.gateway.refuse(REFUSALS["token_invalid" if self.fault("role_hidden") else "not_found"])
        return self.gateway.give(call, self._lead_shown(entry))

    # ---- subscriptions ----------------------------------------------------------------------------------

    async def _list_subscriptions(self, request: Request) -> Response:
        takes = PAGED | {"owner", "leadType", "versionedForm", "associatedEntity"}
        call = await self.gateway.admitted(request, "leadNotifications.FINDER-criteria", LEADS, takes)
        if isinstance(call, Response):
            return call
        criteria = call.query.get("owner")
        try:
            owner = read_owner(criteria.get("value") if isinstance(criteria, dict) else None)
            lead_type = _lead_type(call.query["leadType"]) if "leadType" in call.query else None
        except ValueError:
            return self.gateway.bad_request()
        return self.gateway.list(call, [one.shown() for one in self.subscriptions.of(owner, lead_type)])

    async def _subscribe(self, request: Request) -> Response:
        """Take an address for an owner's leads, once it has passed the challenge."""
        call = await self.gateway.admitted(request, "leadNotifications.CREATE", LEADS)
        if isinstance(call, Response):
            return call
        try:
            asked = await request.json()
            owner, webhook, lead_type = read_owner(asked["owner"]), str(asked["webhook"]), str(asked["leadType"])
        except (ValueError, KeyError, TypeError):
            return self.gateway.bad_request()
        if lead_type not in LEAD_TYPES:
            return self.gateway.wrong_field("leadType", "there is no such type")
        if refused := self.accounts.refused(call, owner, lead_type):
            return refused
        if told := why_refused(webhook):
            return self.gateway.wrong_field("webhook", told)
        if len(self.subscriptions.of(owner, None)) >= MOST_PER_OWNER:
            return self.gateway.wrong_field("owner", "it has too many subscriptions")
        if not await self.subscriptions.passes(webhook, self._secret()):
            self.counts["unverified"] += 1
            return self.gateway.refuse((400, None, None, "This URL did not pass the security challenge check"))
        made = self.subscriptions.add(webhook, owner, lead_type, asked.get("versionedForm"))
        self.note(call.name)
        headers = {"x-restli-id": str(made.id), "location": f"/leadNotifications/{made.id}"}
        if lead_type == "SPONSORED":
            return Response(status_code=201, headers=headers)
        return JSONResponse({"id": made.id}, 201, headers)

    async def _unsubscribe(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, "leadNotifications.DELETE", LEADS)
        if isinstance(call, Response):
            return call
        if not self.subscriptions.remove(request.path_params["id"]):
            return self.gateway.not_found()
        self.note(call.name)
        return Response(status_code=204)

    # ---- leads in the book ------------------------------------------------------------------------------

    def _visible(self, owner: Owner, lead_type: str) -> Iterator[Entry]:
        for entry in self.book:
            if self._is_visible(entry) and type_of(entry) == lead_type and self._owner(entry) == owner:
                yield entry

    def _is_visible(self, entry: Entry) -> bool:
        now = self.world.now()
        is_kept = entry.at >= now - timedelta(days=float(self.set["keptDays"]))
        return is_kept and entry.visible_at <= now and lead_id(entry) not in self._withdrawn

    def _meant(self, entry: Entry) -> Entry:
        """Return the lead that an entry is about: itself, or the one that it withdraws."""
        return self._by_id.get(entry.fields.get("withdraws", ""), entry)

    def _owner(self, entry: Entry) -> Owner:
        return forms.owner_of(entry, _ACCOUNT, _ORGANIZATION)

    def _subscribed(self, entry: Entry) -> list[Subscription]:
        meant = self._meant(entry)
        found = self.subscriptions.of(self._owner(meant), type_of(meant))
        return [one for one in found if one.form in (None, form_of(meant).urn)]

    def _lead_shown(self, entry: Entry) -> dict[str, Any]:
        owner = self._owner(entry)
        account = self.accounts.find(owner[1]) or {"name": ""}
        shown = forms.lead(entry, self.enquiry(entry), owner, account["name"])
        if self.fault("odd_answers"):
            shown["formResponse"]["answers"] += forms.ODD_ANSWERS
        hidden = _NAMES if self.fault("plain") else {"form"} if self.fault("no_forms") else frozenset()
        return {name: value for name, value in shown.items() if name not in hidden}

    def _secret(self) -> str:
        return str(self.set["clientSecret"])


def _lead_type(value: Value | None) -> str:
    """Return the one type of leads that a query asks for. Raises ValueError."""
    lead_type = value.get("leadType") if isinstance(value, dict) else None
    if lead_type not in LEAD_TYPES:
        raise ValueError("leadType")
    return str(lead_type)


def _span(value: Value | None) -> tuple[float, float]:
    """Return the first and the last moment that are asked for, in milliseconds. Raises ValueError."""
    if value is None:
        return float("-inf"), float("inf")
    if not isinstance(value, dict) or "start" not in value or not value.keys() <= {"start", "end"}:
        raise ValueError("submittedAtTimeRange")
    low, high = int(str(value["start"])), int(str(value["end"])) if "end" in value else float("inf")
    if low > high:
        raise ValueError("submittedAtTimeRange")
    return low, high


stand_in = LinkedIn
