"""A stand-in for Meta, as Lead Ads sees it: consent, pages, forms, leads, and signed webhooks (docs/connectors/meta.md)."""

import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.grants import Grant, Token
from connector_master.sandbox.meta_forms import FORMS, Form, about, form_of, kind_of, lead, lead_id
from connector_master.sandbox.meta_lists import one_page, picked, span
from connector_master.sandbox.meta_terms import FAULTS, PAGES, REFUSALS, SCOPES, TERMS
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn
from connector_master.sandbox.terms import CONSENT_ACTIONS, CONSENT_FAULTS, CONSENT_SETTINGS

_NEWEST_VERSION = 26
_DATA_LIFE = timedelta(days=90)
_FEW_FIELDS = frozenset({"id", "created_time", "form_id", "field_data", "name", "status", "access_token"})
_PERSON_ID = "1000000000000001"


class Meta(StandIn):
    """One app, its people and their pages. Beside tokens it has issued, it knows every one that begins with `sandbox`.

    `sandbox-page-<id>` is a page's own, `sandbox-system…` a system user's. In `lead`, `formId` and `pageId` say where it was
    made, `leadKind` how: ad (default), organic, instagram or test.
    """

    name = "meta"
    title = "Meta Lead Ads"
    summary = "Announces leads by webhook, and gives them out by page and form."
    path = "/meta"
    address_settings = ("META_GRAPH_URL", "META_OAUTH_URL")
    pushes = True
    terms = TERMS
    actions: ClassVar[Mapping[str, str]] = CONSENT_ACTIONS | {"end_page_tokens": "End the pages' tokens"}
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS | CONSENT_FAULTS | FAULTS
    settings: ClassVar[Mapping[str, Any]] = {
        **{name: value for name, value in CONSENT_SETTINGS.items() if name not in ("clientId", "clientSecret")},
        "pushTo": None,
        "subscribedPages": (),
        "appId": "1234567890123456",
        "appSecret": "sandbox-app-secret-0123456789abcdef",
        "needsProof": False,
        "usagePercent": 5,
        "pages": PAGES,
    }

    def reset(self) -> None:
        """Forget everything, pages' tokens and subscriptions too."""
        super().reset()
        self._page_tokens: dict[tuple[Grant, str], Token] = {}
        self._by_id: dict[str, Entry] = {}

    def add(
        self, at: datetime | None = None, *, late: timedelta = timedelta(0), fields: Mapping[str, str] | None = None
    ) -> Entry:
        """Note an enquiry; its id is looked up later."""
        entry = super().add(at, late=late, fields=fields)
        self._by_id[lead_id(entry)] = entry
        return entry

    def act(self, action: str) -> str:
        """Do one of `actions`."""
        if action != "end_page_tokens":
            return super().act(action)
        for token in self._page_tokens.values():
            token.is_revoked = True
        ended = len(self._page_tokens)
        self._page_tokens.clear()
        return f"{ended} token(s) of pages have ended."

    def routes(self) -> list[BaseRoute]:
        """Return the part of Graph that concerns leads."""
        return [
            Route("/v{version}/debug_token", self._debug_token),
            Route("/v{version}/me/permissions", self._permissions, methods=["GET", "DELETE"]),
            Route("/v{version}/{node}/accounts", self._accounts),
            Route("/v{version}/{node}/assigned_pages", self._assigned_pages),
            Route("/v{version}/{node}/subscribed_apps", self._subscribed_apps, methods=["GET", "POST", "DELETE"]),
            Route("/v{version}/{node}/subscriptions", self._subscriptions, methods=["GET", "POST"]),
            Route("/v{version}/{node}/leadgen_forms", self._forms),
            Route("/v{version}/{node}/leads", self._leads),
            Route("/v{version}/{node}", self._node),
        ]

    # ---- what is pushed ---------------------------------------------------------------------------------

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return an enquiry as Meta announces it: a whole body, with ids only."""
        seconds = int(entry.at.timestamp())
        value: dict[str, Any] = {
            "leadgen_id": lead_id(entry),
            "page_id": self._page_of(entry),
            "form_id": form_of(entry.number, entry.fields.get("formId")).id,
            "created_time": seconds,
        }
        if kind_of(entry) in ("ad", "instagram"):
            value |= {"ad_id": "120210000000010001", "adgroup_id": "120210000000010001"}
        change = {"field": "leadgen", "value": value}
        return {"object": "page", "entry": [{"id": value["page_id"], "time": seconds + 3, "changes": [change]}]}

    def push_request(self, entry: Entry) -> httpx2.Request | None:
        """Return the signed body on its way to the callback, None without one or while the page is not subscribed."""
        if not self.set["pushTo"] or self._page_of(entry) not in self.set["subscribedPages"]:
            return None
        shown = self.show(entry)
        if self.fault("duplicates"):
            shown["entry"][0]["changes"] *= 2
        body = json.dumps(shown, separators=(",", ":")).replace("/", "\\/").encode()
        headers = {"Content-Type": "application/json"}
        if not self.fault("unsigned"):
            secret = "another secret" if self.fault("wrong_signature") else str(self.set["appSecret"])
            headers["X-Hub-Signature-256"] = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
        return self.world.http.build_request(
            "POST", self.world.address(self.set["pushTo"]), content=body, headers=headers
        )

    # ---- people, pages and subscriptions ----------------------------------------------------------------

    async def _debug_token(self, request: Request) -> Response:
        if refused := await self._hindrance(request):
            return refused
        if not self._is_app(request) and isinstance(asked := self._token(request), Response):
            return asked
        self.note("debug_token")
        assert self.consent
        token = self.consent.find(request.query_params.get("input_token", ""))
        about_it: dict[str, Any] = {
            "app_id": self.set["appId"],
            "application": "Connector Master",
            "is_valid": token.is_alive,
        }
        if not token.is_alive:
            error = {"code": 190, "message": "Error validating access token.", "subcode": _subcode(token)}
            return JSONResponse({"data": about_it | {"error": error, "scopes": []}})
        page_id = _page_id(token)
        kind = "PAGE" if page_id else "SYSTEM_USER" if token.text.startswith("sandbox-system") else "USER"
        began = token.grant.began_at if token.grant else token.issued_at
        about_it |= {
            "type": kind,
            "issued_at": int(token.issued_at.timestamp()),
            "expires_at": int(token.expires_at.timestamp()) if token.expires_at else 0,
            "data_access_expires_at": 0 if kind == "SYSTEM_USER" else int((began + _DATA_LIFE).timestamp()),
            "scopes": sorted(token.scopes),
            "user_id": _PERSON_ID,
        }
        return JSONResponse({"data": about_it | ({"profile_id": page_id} if page_id else {})})

    async def _permissions(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request), Response):
            return token
        self.note(f"permissions_{request.method.lower()}")
        if request.method == "DELETE":
            if token.grant:
                token.grant.is_revoked = True
            return self._success()
        listed = [
            {"permission": scope, "status": "granted" if scope in token.scopes else "declined"} for scope in SCOPES
        ]
        return JSONResponse({"data": listed})

    async def _accounts(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request, "pages_show_list"), Response):
            return token
        if _page_id(token):
            return self._failed(
                "wrong_node", 100, "(#100) Tried accessing nonexisting field (accounts) on node type (Page)"
            )
        if self._reads_too_much(request):
            return self._failed("few_fields", 100, "(#100) Tried accessing a field that you may not read")
        self.note("accounts")
        return self._page(request, [self._about_page(token, page, request) for page in self._pages_of(token)])

    async def _assigned_pages(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request), Response):
            return token
        self.note("assigned_pages")
        return self._page(request, [])

    async def _subscribed_apps(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request), Response):
            return token
        page_id = request.path_params["node"]
        if self._known_page(token, page_id) is None:
            return self._invisible(page_id)
        if _page_id(token) != page_id:
            return self._failed("user_token", 210, "(#210) A page access token is required to request this resource.")
        if "pages_manage_metadata" not in token.scopes:
            message = "(#200) Requires pages_manage_metadata permission to manage the object"
            return self._failed("permission_missing", 200, message, status=403)
        self.note(f"subscribed_apps_{request.method.lower()}")
        pages = [one for one in self.set["subscribedPages"] if one != page_id]
        if request.method == "GET":
            app = {"id": self.set["appId"], "name": "Connector Master", "subscribed_fields": ["leadgen"]}
            return JSONResponse({"data": [app] if page_id in self.set["subscribedPages"] else []})
        if request.method == "POST" and "leadgen" in request.query_params.get("subscribed_fields", "").split(","):
            pages.append(page_id)
        self.set["subscribedPages"] = pages
        return self._success()

    async def _subscriptions(self, request: Request) -> Response:
        """Tell the app's callback address, or take one once it has answered the challenge."""
        if refused := await self._hindrance(request):
            return refused
        if not self._is_app(request) or request.path_params["node"] != self.set["appId"]:
            return self._failed("wrong_token", 15, "(#15) This method must be called with an app access_token.")
        if request.method == "GET":
            self.note("subscriptions_get")
            known = {
                "object": "page",
                "callback_url": self.world.address(self.set["pushTo"]) if self.set["pushTo"] else "",
                "active": True,
                "fields": [{"name": "leadgen", "version": "v25.0"}],
            }
            return JSONResponse({"data": [known] if self.set["pushTo"] else []})
        form = {**request.query_params, **{name: str(value) for name, value in (await request.form()).items()}}
        challenge = str(1_158_201_444 + self.world.next_number())
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": form.get("verify_token", "")}
        try:
            answer = await self.world.http.get(self.world.address(form.get("callback_url", "")), params=query)
        except httpx2.HTTPError:
            answer = None
        if answer is None or answer.status_code != 200 or answer.text != challenge:
            told = "no answer" if answer is None else f"HTTP Status Code = {answer.status_code}"
            return self._failed("unverified", 2200, f"(#2200) Callback verification failed: {told}")
        self.set["pushTo"] = form["callback_url"]
        self.note("subscriptions_post")
        return self._success()

    # ---- forms and leads --------------------------------------------------------------------------------

    async def _forms(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request, "pages_read_engagement"), Response):
            return token
        page_id = request.path_params["node"]
        if self._known_page(token, page_id) is None:
            return self._invisible(page_id)
        if self._reads_too_much(request):
            return self._failed("few_fields", 100, "(#100) Tried accessing a field that you may not read")
        self.note("forms")
        return self._page(request, [picked(self._about_form(form, page_id), request) for form in FORMS])

    async def _leads(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request, "leads_retrieval"), Response):
            return token
        form = next((one for one in FORMS if one.id == request.path_params["node"]), None)
        if form is None:
            return self._invisible(request.path_params["node"])
        if refused := self._no_leads(request):
            return refused
        try:
            low, high = span(request.query_params.get("filtering"))
        except (ValueError, KeyError, TypeError):
            return self._failed("wrong_filter", 100, "(#100) Invalid filtering parameter")
        self.note("leads")
        found = [
            picked(lead(entry, self.enquiry(entry), shows_ads="ads_management" in token.scopes), request)
            for page in ([_page_id(token)] if _page_id(token) else [one["id"] for one in self._pages_of(token)])
            for entry in self._entries(form, page)
            if low < int(entry.at.timestamp()) < high
        ]
        return self._page(request, sorted(found, key=lambda one: str(one["id"]), reverse=True))

    async def _node(self, request: Request) -> Response:
        if isinstance(token := await self._authorized(request), Response):
            return token
        node = request.path_params["node"]
        if node == "me":
            return self._me(token, request)
        if page := self._known_page(token, node):
            self.note("page")
            return JSONResponse(self._about_page(token, page, request))
        if form := next((one for one in FORMS if one.id == node), None):
            if self._reads_too_much(request):
                return self._failed("few_fields", 100, "(#100) Tried accessing a field that you may not read")
            self.note("form")
            return JSONResponse(picked(self._about_form(form, None), request))
        entry = self._by_id.get(node)
        mine = [page["id"] for page in self._pages_of(token)]
        if entry is None or entry.visible_at > self.world.now() or self._page_of(entry) not in mine:
            return self._invisible(node)
        if "leads_retrieval" not in token.scopes:
            return self._failed("permission_missing", 200, "(#200) Requires leads_retrieval permission", status=403)
        if refused := self._no_leads(request):
            return refused
        self.note("lead")
        return JSONResponse(
            picked(lead(entry, self.enquiry(entry), shows_ads="ads_management" in token.scopes), request)
        )

    def _me(self, token: Token, request: Request) -> Response:
        fields = request.query_params.get("fields", "id,name").split(",")
        page = self._known_page(token, _page_id(token) or "")
        if page is None and "category" in fields:
            return self._failed(
                "wrong_node", 100, "(#100) Tried accessing nonexisting field (category) on node type (User)"
            )
        self.note("me")
        me = self._about_page(token, page, request) if page else {"id": _PERSON_ID, "name": token.person}
        return JSONResponse(me)

    def _no_leads(self, request: Request) -> Response | None:
        if self.fault("leads_access"):
            message = "(#10) CRM access has been revoked from Lead Access Manager"
            return self._failed("leads_access", 10, message, status=403)
        if self._reads_too_much(request):
            return self._failed("few_fields", 100, "(#100) Tried accessing a field that you may not read")
        return None

    # ---- small things -----------------------------------------------------------------------------------

    def _entries(self, form: Form, page_id: str | None) -> Iterator[Entry]:
        now = self.world.now()
        for entry in self.book:
            is_here = page_id is None or self._page_of(entry) == page_id
            if is_here and entry.visible_at <= now and form_of(entry.number, entry.fields.get("formId")) is form:
                yield entry

    def _page_of(self, entry: Entry) -> str:
        return entry.fields.get("pageId") or str(self.set["pages"][0]["id"])

    def _pages_of(self, token: Token) -> list[dict[str, Any]]:
        own = _page_id(token)
        return [
            page
            for page in self.set["pages"]
            if (own is None or page["id"] == own) and (token.accounts is None or page["id"] in token.accounts)
        ]

    def _known_page(self, token: Token, page_id: str) -> dict[str, Any] | None:
        return next((page for page in self._pages_of(token) if page["id"] == page_id), None)

    def _about_page(self, token: Token, page: Mapping[str, Any], request: Request) -> dict[str, Any]:
        assert self.consent
        own = token
        if _page_id(token) is None and token.grant is not None:
            key = (token.grant, str(page["id"]))
            if key not in self._page_tokens:
                self._page_tokens[key] = self.consent.issue(token.grant, None, account=str(page["id"]))
            own = self._page_tokens[key]
        return picked({**page, "access_token": own.text}, request, ("id", "name"))

    def _about_form(self, form: Form, page_id: str | None) -> dict[str, Any]:
        shown = about(form, sum(1 for _ in self._entries(form, page_id)))
        return {name: value for name, value in shown.items() if name != "questions" or not self.fault("no_questions")}

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        try:
            body = one_page(rows, request, is_endless=bool(self.fault("endless")))
        except ValueError:
            return self._failed("wrong_cursor", 100, "(#100) Invalid cursors values")
        return JSONResponse(body, headers=self._usage())

    def _usage(self) -> dict[str, str]:
        percent = self.set["usagePercent"]
        return {"X-App-Usage": json.dumps({"call_count": percent, "total_cputime": 1, "total_time": 2})}

    def _success(self) -> Response:
        return JSONResponse({"success": "true" if self.fault("text_success") else True})

    def _reads_too_much(self, request: Request) -> bool:
        asked = request.query_params.get("fields", "id").split(",")
        return not _FEW_FIELDS.issuperset(asked) and bool(self.fault("few_fields"))

    def _is_app(self, request: Request) -> bool:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query_params.get(
            "access_token", ""
        )
        return hmac.compare_digest(shown.encode(), f"{self.set['appId']}|{self.set['appSecret']}".encode())

    async def _authorized(self, request: Request, scope: str | None = None) -> Token | Response:
        """Return the token of a call that may go on, else Graph's refusal."""
        if refused := await self._hindrance(request):
            return refused
        token = self._token(request)
        if isinstance(token, Token) and scope is not None and scope not in token.scopes:
            message = "(#100) Object does not exist, cannot be loaded due to missing permission or reviewable feature. "
            return self._failed("permission_missing", 100, f"{message}This endpoint requires the '{scope}' permission.")
        return token

    async def _hindrance(self, request: Request) -> Response | None:
        if hindered := await self.hindered(request):
            return hindered
        version = request.path_params["version"].partition(".")[0]
        if not version.isdigit() or int(version) > _NEWEST_VERSION:
            return self._failed("unknown_version", 2500, "Unknown path components: /v" + version)
        for name, (code, subcode, status, message) in REFUSALS.items():
            if self.fault(name):
                return self._failed(name, code, message, subcode=subcode, status=status)
        return None

    def _token(self, request: Request) -> Token | Response:
        assert self.consent
        token = self.consent.bearer(request)
        if token is None:
            return self._failed("no_token", 104, "An access token is required to request this resource.", status=401)
        if not token.is_alive:
            message = "Error validating access token: it is no longer valid."
            return self._failed("dead_token", 190, message, subcode=_subcode(token), status=401)
        proof = request.query_params.get("appsecret_proof")
        expected = hmac.digest(str(self.set["appSecret"]).encode(), token.text.encode(), "sha256").hex()
        if proof is None and self.set["needsProof"]:
            return self._failed("no_proof", 100, "API calls from the server require an appsecret_proof argument")
        if proof is not None and not hmac.compare_digest(proof.encode(), expected.encode()):
            return self._failed("wrong_proof", 100, "Invalid appsecret_proof provided in the API argument")
        return token

    def _invisible(self, node: str) -> Response:
        message = f"Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
        message += "permissions, or does not support this operation"
        return self._failed("invisible", 100, message, subcode=33)

    def _failed(self, outcome: str, code: int, message: str, *, subcode: int = 0, status: int = 400) -> Response:
        self.note(outcome)
        error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "ASandbox"}
        if subcode:
            error["error_subcode"] = subcode
        headers = self._usage()
        if code == 80005:
            wait = {"type": "leadgen", "call_count": 100, "estimated_time_to_regain_access": 17}
            headers["X-Business-Use-Case-Usage"] = json.dumps({self.set["pages"][0]["id"]: [wait]})
        return JSONResponse({"error": error}, status, headers)


def _page_id(token: Token) -> str | None:
    """Return the page whose own token this is."""
    given = token.text.removeprefix("sandbox-page-")
    return token.account or (given if given != token.text else None)


def _subcode(token: Token) -> int:
    return {"expired": 463, "revoked": 460}.get(token.why_dead or "", 467)


stand_in = Meta
