"""A stand-in for Google Ads: lead forms' webhook, the API, and Google's sign-in, which YouTube uses too."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox import google_words as words
from connector_master.sandbox.google_words import CLOSED, DIRECT, MANAGED, MANAGER, ZONE
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn
from connector_master.sandbox.terms import CONSENT_ACTIONS, CONSENT_FAULTS, CONSENT_SETTINGS, Terms

ADS_SCOPE = "https://www.googleapis.com/auth/adwords"
YOUTUBE_SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"
YOUTUBE_READ_SCOPE = "https://www.googleapis.com/auth/youtube.readonly"

_ALIVE = frozenset({"v23", "v24", "v25", "v26"})
_QUERY = re.compile(r"SELECT (?P<fields>.+?) FROM (?P<resource>\w+)(?P<rest> .*)?", re.DOTALL)
_SINCE = re.compile(r"submission_date_time >= '([0-9]{4}-[0-9]{2}-[0-9]{2})'")
_LIMIT = re.compile(r"LIMIT ([0-9]+)")
_IN = re.compile(r"\.id IN \(([0-9, ]*)\)")
_LEAD = "lead_form_submission_data"
_LEAD_FIELDS = frozenset(
    {f"{_LEAD}.{name}" for name in ("resource_name", "id", "asset", "campaign", "ad_group", "ad_group_ad", "gclid")}
    | {f"{_LEAD}.{name}" for name in ("submission_date_time", "lead_form_submission_fields")}
    | {f"{_LEAD}.custom_lead_form_submission_fields", "campaign.id", "campaign.name"}
)
_LONGEST_KEPT = timedelta(days=60)

# A fault, with what is answered while it is on.
_REFUSALS: Mapping[str, tuple[int, str, str, str]] = {
    "token_expired": (401, "authenticationError", "OAUTH_TOKEN_EXPIRED", "The OAuth token has expired."),
    "token_revoked": (401, "authenticationError", "OAUTH_TOKEN_REVOKED", "The OAuth token has been revoked."),
    "two_step": (
        401,
        "authenticationError",
        "TWO_STEP_VERIFICATION_NOT_ENROLLED",
        "An account administrator changed this account's authentication settings.",
    ),
    "permission_denied": (
        403,
        "authorizationError",
        "USER_PERMISSION_DENIED",
        "User doesn't have permission to access customer.",
    ),
    "project_not_approved": (
        403,
        "authorizationError",
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
        "The Google Cloud project is only approved for use with test accounts.",
    ),
    "busy": (
        429,
        "quotaError",
        "RESOURCE_TEMPORARILY_EXHAUSTED",
        "Too many requests in a short amount of time.",
    ),
    "internal": (500, "internalError", "TRANSIENT_ERROR", "A transient internal error occurred."),
    "bad_query": (400, "queryError", "UNRECOGNIZED_FIELD", "Unrecognized field in the query."),
}


class Google(StandIn):
    """Has a manager account with a client, a closed client, and an account of its own; leads lie in the first client.

    `customerId` in `lead` puts it elsewhere, `isTest` makes it one of the test button, which the API never shows.
    """

    name = "google"
    title = "Google Ads"
    summary = "Sends leads of lead forms with their key, shows them by its API, and asks people for consent."
    path = "/google"
    address_settings = ("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL", "GOOGLE_ADS_URL")
    pushes = True
    terms = Terms(
        title="Google",
        authorize_path="/o/oauth2/v2/auth",
        token_path="/token",  # noqa: S106 (an address, not a secret)
        revoke_path="/revoke",
        scopes={
            ADS_SCOPE: "See, edit, create and delete your Google Ads accounts and data",
            YOUTUBE_SCOPE: "See, edit and permanently delete your YouTube videos, ratings, comments and captions",
            YOUTUBE_READ_SCOPE: "View your YouTube account",
        },
        returns_scopes=True,
        access_life=timedelta(seconds=3599),
        has_refresh_tokens=True,
        offline=True,
        access_prefix="ya29.a0-",
        refresh_prefix="1//0g-",
        refuses_unknown_revocation=True,
        # The second is the account of a brand, which owns a channel of its own; the third has none.
        persons=("Asha Verma", "Sandbox Outlet (brand account)", "Ravi Nair"),
    )
    actions = CONSENT_ACTIONS
    faults: ClassVar[Mapping[str, str]] = (
        COMMON_FAULTS
        | CONSENT_FAULTS
        | {name: f"says {code} (HTTP {status})" for name, (status, _, code, _) in _REFUSALS.items()}
        | {
            "quota": "says that the day's operations are used up, and names 900 seconds",
            "api_disabled": "says that the API is not enabled in the project",
            "scope_missing": "says that the scope of Google Ads was not granted",
            "unavailable": "fails (HTTP 503)",
            "version_gone": "knows no version of the API any more (HTTP 404, a page)",
            "bad_page_token": "forgets the tokens of pages",
            "array": "answers a search with an array, as searchStream does",
            "other_ids": "shows leads by its API under other ids than it pushed them",
            "late": "shows new leads by its API only after so many seconds",
            "dropped_pushes": "sends nothing",
            "duplicates": "sends every lead twice",
            "wrong_key": "sends another key",
            "no_key": "sends an empty key",
        }
    )
    settings: ClassVar[Mapping[str, Any]] = CONSENT_SETTINGS | {
        "pushTo": None,
        "googleKey": None,
        "pageSize": 10_000,
    }

    def reset(self) -> None:
        """Forget everything, also which pages were promised."""
        super().reset()
        self._pages: dict[str, tuple[str, int]] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the API's two calls."""
        return [
            Route("/{version}/customers:listAccessibleCustomers", self._accessible),
            Route("/{version}/customers/{customer}/googleAds:search", self._search, methods=["POST"]),
            Route("/{version}/customers/{customer}/googleAds:searchStream", self._search, methods=["POST"]),
        ]

    # ---- what is pushed ---------------------------------------------------------------------------------

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return a lead as the webhook sends it."""
        key = "another-key" if self.fault("wrong_key") else "" if self.fault("no_key") else self.set["googleKey"]
        is_test = _is_test(entry)
        id_ = f"TeSter-123-{entry.number}" if is_test else self._id(entry)
        return words.pushed(self.enquiry(entry), entry.at, id_=id_, key=key, is_test=is_test)

    def push_request(self, entry: Entry) -> httpx2.Request | None:
        """Return the lead on its way to the advertiser's address."""
        if not self.set["pushTo"]:
            return None
        return httpx2.Request("POST", self.world.address(self.set["pushTo"]), json=self.show(entry))

    async def push(self, entry: Entry) -> int | None:
        """Push a lead, twice where that fault is on: at least once is all that Google promises."""
        if self.fault("duplicates"):
            await super().push(entry)
        return await super().push(entry)

    # ---- the API ----------------------------------------------------------------------------------------

    async def _accessible(self, request: Request) -> Response:
        if hindered := await self._hindered(request):
            return hindered
        self.note("accessible")
        return JSONResponse({"resourceNames": [f"customers/{id_}" for id_ in (MANAGER, DIRECT)]})

    async def _search(self, request: Request) -> Response:
        if hindered := await self._hindered(request):
            return hindered
        version, customer = request.path_params["version"], request.path_params["customer"]
        asked = await request.json()
        if "pageSize" in asked:
            return self._refuse(version, 400, "requestError", "PAGE_SIZE_NOT_SUPPORTED", "Page size is not supported.")
        if refused := self._refused_account(version, customer, request.headers.get("login-customer-id")):
            return refused
        query = " ".join(str(asked.get("query", "")).split())
        read = _QUERY.fullmatch(query)
        if read is None or not self._knows(read):
            return self._refuse(version, 400, "queryError", "UNRECOGNIZED_FIELD", "Unrecognized field in the query.")
        rows = self._rows(read["resource"], read["rest"] or "", customer)
        return self._page(version, query, rows, asked.get("pageToken"), is_array=request.url.path.endswith("Stream"))

    def _page(self, version: str, query: str, rows: list[dict[str, Any]], token: Any, *, is_array: bool) -> Response:
        start = 0
        if token is not None:
            promised = None if self.fault("bad_page_token") else self._pages.get(str(token))
            if promised is None or promised[0] != query:
                return self._refuse(version, 400, "requestError", "INVALID_PAGE_TOKEN", "Page token is invalid.")
            start = promised[1]
        end = start + int(self.set["pageSize"])
        page: dict[str, Any] = {"fieldMask": "sandbox", "queryResourceConsumption": "80"}
        if rows[start:end]:
            page["results"] = rows[start:end]
        if rows[end:]:
            page["nextPageToken"] = f"sandbox-page-{len(self._pages)}"
            self._pages[page["nextPageToken"]] = (query, end)
        self.note("search", found=len(rows[start:end]))
        return JSONResponse([page] if is_array or self.fault("array") else page)

    async def _hindered(self, request: Request) -> Response | None:
        version = request.path_params["version"]
        if hindered := await self.hindered(request):
            return hindered
        if self.fault("version_gone") or version not in _ALIVE:
            self.note("version_gone")
            return words.not_found_page()
        if refused := self._refused_token(request, version):
            return refused
        for name, (status, family, code, message) in _REFUSALS.items():
            if self.fault(name):
                return self._refuse(version, status, family, code, message)
        if self.fault("quota"):
            quota = {"rateScope": "DEVELOPER", "rateName": "Number of operations", "retryDelay": "900s"}
            said = "Too many requests. Retry in 900 seconds."
            details = {"quotaErrorDetails": quota}
            return self._refuse(version, 429, "quotaError", "RESOURCE_EXHAUSTED", said, details)
        if self.fault("api_disabled"):
            self.note("SERVICE_DISABLED")
            said = "Google Ads API has not been used in project 123456789 before or it is disabled."
            return words.error_info(403, "SERVICE_DISABLED", said)
        if self.fault("unavailable"):
            self.note("unavailable")
            return words.front_door(503, "The service is currently unavailable.")
        return None

    def _refused_token(self, request: Request, version: str) -> Response | None:
        assert self.consent is not None
        token = self.consent.bearer(request)
        if token is None or token.why_dead in ("unknown", "expired"):
            self.note("wrong_token")
            return words.front_door(401, "Request had invalid authentication credentials.")
        if not token.is_alive:
            return self._refuse(version, *_REFUSALS["token_revoked"])
        if ADS_SCOPE not in token.scopes or self.fault("scope_missing"):
            self.note("scope_missing")
            said = "Request had insufficient authentication scopes."
            return words.error_info(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", said)
        return None

    def _refused_account(self, version: str, customer: str, login: str | None) -> Response | None:
        if customer == CLOSED:
            said = "The customer account can't be accessed because it is not yet enabled or has been deactivated."
            return self._refuse(version, 403, "authorizationError", "CUSTOMER_NOT_ENABLED", said)
        allowed = {MANAGER: (None, MANAGER), DIRECT: (None, DIRECT), MANAGED: (MANAGER,)}
        if login not in allowed.get(customer, ()):
            said = (
                "User doesn't have permission to access customer. Note: If you're accessing a client customer, the "
                "manager's customer id must be set in the 'login-customer-id' header."
            )
            return self._refuse(version, 403, "authorizationError", "USER_PERMISSION_DENIED", said)
        return None

    def _knows(self, read: "re.Match[str]") -> bool:
        fields = {field.strip() for field in read["fields"].split(",")}
        if read["resource"] == _LEAD:
            return fields <= _LEAD_FIELDS and "segments." not in (read["rest"] or "")
        if read["resource"] not in ("customer_client", "ad_group", "asset"):
            return False
        return all(field.startswith(f"{read['resource']}.") for field in fields)

    def _rows(self, resource: str, rest: str, customer: str) -> list[dict[str, Any]]:
        if resource == "customer_client":
            return words.clients_of(customer)
        if resource == "asset":
            return [{"asset": {"id": str(id_), "name": name}} for id_, name in words.FORMS]
        if resource == "ad_group":
            wanted = _IN.search(rest)
            ids = {one.strip() for one in wanted[1].split(",")} if wanted else None
            known = [(str(id_), name) for id_, name in words.AD_GROUPS]
            return [{"adGroup": {"id": id_, "name": name}} for id_, name in known if ids is None or id_ in ids]
        now = self.world.now()
        since = _SINCE.search(rest)
        start = max(now - _LONGEST_KEPT, datetime.fromisoformat(since[1]).replace(tzinfo=ZONE) if since else _EVER)
        limit = _LIMIT.search(rest)
        most = int(limit[1]) if limit else None
        leads = [one for one in self.between(start, now) if self._lies_in(one, customer) and not _is_test(one)]
        return [
            words.row(self.enquiry(one), one.at, id_=self._id(one, by_api=True), customer=customer)
            for one in leads[:most]
        ]

    def _lies_in(self, entry: Entry, customer: str) -> bool:
        return entry.fields.get("customerId", MANAGED) == customer

    def _id(self, entry: Entry, *, by_api: bool = False) -> str:
        own = entry.fields.get("id") or words.lead_id(entry.number)
        return f"other-{own}" if by_api and self.active.get("other_ids") else own

    def _refuse(
        self, version: str, status: int, family: str, code: str, message: str, details: dict[str, Any] | None = None
    ) -> Response:
        self.note(code)
        return words.refusal(status, family, code, message, version, details)


_EVER = datetime(2000, 1, 1, tzinfo=ZONE)


def _is_test(entry: Entry) -> bool:
    return entry.fields.get("isTest") == "true"


stand_in = Google
