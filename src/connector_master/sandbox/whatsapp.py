"""A stand-in for Meta, as WhatsApp Business sees it: Graph's nodes, and signed webhooks (docs/connectors/whatsapp.md)."""

import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.enquiries import Enquiry
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn

_KINDS = (
    "text",
    "text",
    "image",
    "text",
    "ad",
    "text",
    "audio",
    "button",
    "text",
    "username",
    "text",
    "flow",
    "text",
    "order",
)
_SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"]
_FEW_FIELDS = frozenset({"id", "display_phone_number", "verified_name"})
_NEWEST_VERSION = 26


class WhatsApp(StandIn):
    """Knows every access token that begins with `sandbox`, one app, one account and one number in it.

    What a person writes follows from the enquiry's number; `messageType` in `lead` sets it: text, image, audio, ad,
    button, flow, order, username (the number is hidden), reaction, status, batch.
    """

    name = "whatsapp"
    title = "WhatsApp Business"
    summary = "Sends what people write, signed as Meta signs it, and answers Graph's questions about the number."
    address_settings = ("WHATSAPP_GRAPH_URL",)
    pushes = True
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS | {
        "token_expired": "refuses every token as expired (code 190, subcode 463)",
        "permission_missing": "says that a permission is missing (code 200)",
        "rate_limit": "says that there were too many calls to the account (code 80007)",
        "restricted": "says that the account is blocked for a while (code 368)",
        "passing": "fails for a moment (code 2, HTTP 500)",
        "few_fields": "lets a token read only three fields of the number (code 100)",
        "unsubscribed": "forgets that the app is subscribed to the account, and sends nothing",
        "dropped_pushes": "sends nothing",
        "duplicates": "sends every message twice in one body",
        "wrong_signature": "signs with another secret",
        "unsigned": "does not sign",
    }
    settings: ClassVar[Mapping[str, Any]] = {
        "pushTo": None,
        "appId": "12345",
        "appSecret": "sandbox-app-secret-0123456789abcdef",
        "phoneNumberId": "106540352242922",
        "businessAccountId": "102290129340398",
        "displayPhoneNumber": "+91 80000 00000",
        "verifiedName": "Example Traders",
        "status": "CONNECTED",
        "platformType": "CLOUD_API",
        "tokenExpiresAt": 0,
        "scopes": _SCOPES,
    }

    def routes(self) -> list[BaseRoute]:
        """Return the part of Graph that concerns one number."""
        return [
            Route("/v{version}/debug_token", self._debug_token),
            Route("/v{version}/{node}/phone_numbers", self._phone_numbers),
            Route("/v{version}/{node}/subscribed_apps", self._subscribed_apps, methods=["GET", "POST", "DELETE"]),
            Route("/v{version}/{node}/subscriptions", self._subscriptions, methods=["POST"]),
            Route("/v{version}/{node}", self._node),
        ]

    # ---- what is pushed ---------------------------------------------------------------------------------

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return an enquiry as Meta sends it: a whole body."""
        one = self.enquiry(entry)
        kind = entry.fields.get("messageType") or _KINDS[entry.number % len(_KINDS)]
        if kind == "status":
            changes = [self._change(statuses=[self._status(entry)])]
        elif kind == "batch":
            changes = [
                self._change(
                    contacts=[_contact(one)],
                    messages=[_message(entry, one, "text"), _message(entry, one, "image", part=1)],
                    statuses=[self._status(entry)],
                ),
                {"field": "message_template_status_update", "value": {"event": "APPROVED", "reason": "NONE"}},
            ]
        else:
            messages = [_message(entry, one, kind)]
            contact = _contact(one, hides_number=kind == "username")
            changes = [self._change(contacts=[contact], messages=messages)]
        return {
            "object": "whatsapp_business_account",
            "entry": [{"id": self.set["businessAccountId"], "changes": changes}],
        }

    def push_request(self, entry: Entry) -> httpx2.Request | None:
        """Return the signed body on its way to the callback, None without one or while the app is not subscribed."""
        if not self.set["pushTo"] or self.fault("unsubscribed"):
            return None
        shown = self.show(entry)
        if self.fault("duplicates"):
            for change in shown["entry"][0]["changes"]:
                change["value"].update(messages=change["value"].get("messages", []) * 2)
        # Meta escapes everything but ASCII, and slashes.
        body = json.dumps(shown, separators=(",", ":")).replace("/", "\\/").encode()
        headers = {"Content-Type": "application/json"}
        if not self.fault("unsigned"):
            secret = "another secret" if self.fault("wrong_signature") else str(self.set["appSecret"])
            headers["X-Hub-Signature-256"] = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
        return self.world.http.build_request(
            "POST", self.world.address(self.set["pushTo"]), content=body, headers=headers
        )

    def _change(self, **parts: Any) -> dict[str, Any]:
        metadata = {
            "display_phone_number": "".join(filter(str.isdigit, str(self.set["displayPhoneNumber"]))),
            "phone_number_id": self.set["phoneNumberId"],
        }
        return {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **parts}}

    def _status(self, entry: Entry) -> dict[str, Any]:
        return {
            "id": f"wamid.OUT{entry.number}",
            "status": "delivered",
            "timestamp": _seconds(entry.at),
            "recipient_id": self.enquiry(entry).phone.lstrip("+"),
        }

    # ---- what is asked ----------------------------------------------------------------------------------

    async def _node(self, request: Request) -> Response:
        if refused := await self._refused(request):
            return refused
        fields = request.query_params.get("fields", "id").split(",")
        if request.path_params["node"] != self.set["phoneNumberId"]:
            return self._invisible(request.path_params["node"])
        if self.fault("few_fields") and not _FEW_FIELDS.issuperset(fields):
            return self._failed("few_fields", 100, "(#100) Tried accessing a field that you may not read")
        self.note("number")
        return JSONResponse({name: value for name, value in self._number().items() if name in {*fields, "id"}})

    async def _phone_numbers(self, request: Request) -> Response:
        if refused := await self._refused(request, self.set["businessAccountId"]):
            return refused
        self.note("phone_numbers")
        return JSONResponse({"data": [self._number()], "paging": {"cursors": {"before": "MQZDZD", "after": "MQZDZD"}}})

    async def _subscribed_apps(self, request: Request) -> Response:
        if refused := await self._refused(request, self.set["businessAccountId"]):
            return refused
        self.note(f"subscribed_apps_{request.method.lower()}")
        if request.method != "GET":
            self.switch("unsubscribed", request.method == "DELETE")
            return JSONResponse({"success": True})
        app = {"id": self.set["appId"], "name": "Connector Master", "link": "https://apps.example/12345"}
        return JSONResponse({"data": [] if self.fault("unsubscribed") else [{"whatsapp_business_api_data": app}]})

    async def _subscriptions(self, request: Request) -> Response:
        """Take a callback address for the app, once it has answered the challenge."""
        form = {**request.query_params, **{name: str(value) for name, value in (await request.form()).items()}}
        if form.get("access_token") != f"{self.set['appId']}|{self.set['appSecret']}":
            return self._failed("wrong_token", 190, "Invalid OAuth access token.", subcode=467, status=401)
        challenge = str(1_158_201_444 + self.world.next_number())
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": form.get("verify_token", "")}
        address = self.world.address(form.get("callback_url", ""))
        try:
            answer = await self.world.http.get(address, params=query)
        except httpx2.HTTPError:
            answer = None
        if answer is None or answer.status_code != 200 or answer.text != challenge:
            told = "no answer" if answer is None else f"HTTP Status Code = {answer.status_code}"
            return self._failed("unverified", 2200, f"(#2200) Callback verification failed: {told}")
        self.set["pushTo"] = address
        self.note("verified")
        return JSONResponse({"success": True})

    async def _debug_token(self, request: Request) -> Response:
        if refused := await self._refused(request):
            return refused
        self.note("debug_token")
        about = {
            "app_id": self.set["appId"],
            "type": "SYSTEM_USER",
            "application": "Connector Master",
            "is_valid": request.query_params.get("input_token", "").startswith("sandbox"),
            "expires_at": self.set["tokenExpiresAt"],
            "scopes": self.set["scopes"],
            "granular_scopes": [
                {"scope": scope, "target_ids": [self.set["businessAccountId"]]} for scope in self.set["scopes"]
            ],
        }
        return JSONResponse({"data": about})

    def _number(self) -> dict[str, Any]:
        return {
            "id": self.set["phoneNumberId"],
            "display_phone_number": self.set["displayPhoneNumber"],
            "verified_name": self.set["verifiedName"],
            "quality_rating": "GREEN",
            "code_verification_status": "VERIFIED",
            "status": self.set["status"],
            "platform_type": self.set["platformType"],
            "account_mode": "LIVE",
            "name_status": "APPROVED",
        }

    async def _refused(self, request: Request, node: str | None = None) -> Response | None:
        """Return Graph's refusal of a call, None where it may go on. With `node` no other one is known."""
        if hindered := await self.hindered(request):
            return hindered
        version = request.path_params["version"].partition(".")[0]
        if not version.isdigit() or int(version) > _NEWEST_VERSION:
            return self._failed("unknown_version", 2500, "Unknown path components: /v" + version)
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query_params.get(
            "access_token", ""
        )
        if not token.startswith("sandbox"):
            return self._failed("wrong_token", 190, f"Malformed access token {token}", status=401)
        proof = request.query_params.get("appsecret_proof")
        expected = hmac.digest(str(self.set["appSecret"]).encode(), token.encode(), "sha256").hex()
        if proof is not None and not hmac.compare_digest(proof.encode(), expected.encode()):
            return self._failed("wrong_proof", 100, "Invalid appsecret_proof provided in the API argument")
        for name, (code, subcode, status, message) in _REFUSALS.items():
            if self.fault(name):
                return self._failed(name, code, message, subcode=subcode, status=status)
        if node is not None and request.path_params["node"] != node:
            return self._invisible(request.path_params["node"])
        return None

    def _invisible(self, node: str) -> Response:
        message = f"Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
        message += "permissions, or does not support this operation"
        return self._failed("invisible", 100, message, subcode=33)

    def _failed(self, outcome: str, code: int, message: str, *, subcode: int = 0, status: int = 400) -> Response:
        self.note(outcome)
        error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "ASandbox"}
        if subcode:
            error["error_subcode"] = subcode
        headers = {}
        if code == 80007:
            wait = {"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": 5}
            headers["X-Business-Use-Case-Usage"] = json.dumps({self.set["businessAccountId"]: [wait]})
        return JSONResponse({"error": error}, status, headers)


_REFUSALS: Mapping[str, tuple[int, int, int, str]] = {
    "token_expired": (190, 463, 401, "Error validating access token: Session has expired."),
    "permission_missing": (200, 0, 403, "(#200) You do not have the necessary permissions"),
    "rate_limit": (80007, 0, 400, "(#80007) There have been too many calls to this WhatsApp Business account."),
    "restricted": (368, 0, 400, "(#368) Temporarily blocked for policies violations"),
    "passing": (2, 0, 500, "(#2) Service temporarily unavailable"),
}


def _contact(one: Enquiry, *, hides_number: bool = False) -> dict[str, Any]:
    name = " ".join(one.name.split())
    contact: dict[str, Any] = {"profile": {"name": name}, "user_id": _user_id(one)}
    if hides_number:
        contact["profile"]["username"] = name.lower().replace(" ", ".")
    else:
        contact["wa_id"] = one.phone.lstrip("+")
    return contact


def _user_id(one: Enquiry) -> str:
    return f"{one.country}.2{one.phone.lstrip('+')}"


def _message(entry: Entry, one: Enquiry, kind: str, *, part: int = 0) -> dict[str, Any]:
    message = {
        "from": one.phone.lstrip("+"),
        "from_user_id": _user_id(one),
        "id": entry.fields.get("id") or f"wamid.SANDBOX{entry.number:08d}{part or ''}=",
        "timestamp": _seconds(entry.at),
    }
    if kind == "username":
        del message["from"]
        kind = "text"
    return message | _content(one, kind)


def _content(one: Enquiry, kind: str) -> dict[str, Any]:
    text = {"type": "text", "text": {"body": one.message}}
    if kind == "image":
        image = {
            "id": "1003383421387256",
            "mime_type": "image/jpeg",
            "sha256": "example=",
            "caption": f"Need {one.quantity}",
        }
        return {"type": "image", "image": image}
    if kind == "audio":
        return {
            "type": "audio",
            "audio": {"id": "1003383421387299", "mime_type": "audio/ogg; codecs=opus", "voice": True},
        }
    if kind == "button":
        return {"type": "button", "button": {"payload": "YES", "text": "Yes, interested"}}
    if kind == "reaction":
        return {"type": "reaction", "reaction": {"message_id": "wamid.OUT1", "emoji": "👍"}}
    if kind == "order":
        item = {"product_retailer_id": one.product, "quantity": 3, "item_price": 4500, "currency": "INR"}
        return {"type": "order", "order": {"catalog_id": "354160437058781", "product_items": [item]}}
    if kind == "flow":
        answers = {"flow_token": "unused", "full_name": one.name, "city": one.city, "requirement": one.quantity}
        reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(answers)}
        return {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}
    if kind == "ad":
        referral = {
            "source_url": "https://fb.me/3cr4Wqqkv",
            "source_id": "120226305854810726",
            "source_type": "ad",
            "headline": f"{one.category}: festive offer",
            "body": "Chat with us",
            "media_type": "image",
            "ctwa_clid": f"Aff-sandbox-{one.number}",
        }
        return text | {"referral": referral}
    return text


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


stand_in = WhatsApp
