"""A stand-in for TradeIndia's My Inquiry API (docs/connectors/tradeindia.md)."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.enquiries import spell_phone
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn

IST = timezone(timedelta(hours=5, minutes=30), "IST")
_FIRST_ID = 840_000_000
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_PLACEHOLDER = "noreply@noreply.tradeindia.com"
_REFUSAL = "Sorry! Our service is currently undergoing maintenance. Please try again later."
_REQUIRED = ("userid", "profile_id", "key", "from_date", "to_date")
_COUNTRIES = {"IN": "India", "AE": "United Arab Emirates", "NP": "Nepal", "US": "USA"}


class TradeIndia(StandIn):
    """Knows every key that begins with `sandbox`; all see the same enquiries, the newest first."""

    name = "tradeindia"
    title = "TradeIndia"
    summary = "Is asked day by day, in pages; pushes nothing."
    address_settings = ("TRADEINDIA_URL",)
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS | {
        "key_expired": "refuses every key, and claims maintenance (HTTP 403)",
        "rate_limit": "says that there were too many requests (HTTP 429)",
        "maintenance": "fails (HTTP 500)",
        "error_list": "answers with a list that holds an Error_Message (HTTP 200)",
        "text": "answers with a plain text (HTTP 200)",
        "login_page": "answers with its login page (HTTP 200)",
        "same_page": "sends its first page for ever",
        "endless": "sends full pages of new enquiries for ever",
        "duplicates": "gives every enquiry twice",
        "wrapped": "puts the list under `data`",
        "late": "shows new enquiries only after so many seconds",
    }
    settings: ClassVar[Mapping[str, Any]] = {"betweenSeconds": 1.4}

    def reset(self) -> None:
        """Forget everything, also who called when."""
        super().reset()
        self._called: dict[str, float] = {}
        self._made_up = 0

    def routes(self) -> list[BaseRoute]:
        """Return the one address, which takes GET and forms."""
        return [Route("/utils/my_inquiry.html", self._inquiries, methods=["GET", "POST"])]

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return an enquiry as My Inquiry writes it."""
        one = self.enquiry(entry)
        at = entry.at.astimezone(IST)
        is_call = one.kind == "call"
        phone = spell_phone(one.phone, entry.number % 2)
        dashes = "-" * 59
        message = (
            f"<p>You have received a call on <b>{_day(at)}</b> from <b>{one.phone}</b>. Call duration: 42 sec.</p>"
            if is_call
            else f"{one.message}\r\nQuantity: {one.quantity}\r\n{dashes}\r\nSender Details\r\nName - {one.name}\r\n"
            f"Mobile - {phone}\r\nContact buyer with your best offer.\r\n"
        )
        shown = {
            "rfi_id": entry.fields.get("id") or str(_FIRST_ID + entry.number),
            "source": "PHONE_INQUIRY" if is_call else "DIRECT",
            "inquiry_type": "Phone Inquiry" if is_call else "Product Inquiry",
            "product_source": "",
            "product_id": str(5_100_000 + entry.number % 14),
            "view_status": "UNREAD",
            "month_slot": f"{at:%b %Y}",
            "ago_time": _ago(self.world.now() - entry.at),
            "generated": str(int(at.timestamp())),
            "generated_date": _day(at),
            "generated_time": f"{at:%H:%M:%S}",
            "subject": f"Inquiry for {one.product}",
            "product_name": "" if is_call else one.product,
            "quantity": one.quantity,
            "message": message,
            "sender": "" if is_call else one.name,
            "sender_name": "" if is_call else one.name,
            "sender_co": "" if is_call else one.company,
            "sender_mobile": "" if is_call else phone,
            "sender_other_mobiles": "",
            "landline_number": "",
            "sender_email": _PLACEHOLDER if is_call or not one.email else one.email,
            "sender_other_emails": "",
            "sender_uid": str(3_200_000 + entry.number),
            "address": "" if is_call else one.address,
            "sender_city": one.city,
            "sender_state": one.state,
            "sender_country": _COUNTRIES.get(one.country, one.country),
            "website": "",
            "receiver_uid": "1000001",
            "receiver_name": "Seller Owner",
            "receiver_co": "My Company Pvt Ltd",
            "receiver_mobile": "+919999900000",
        }
        return shown | {name: text for name, text in entry.fields.items() if name in shown}

    async def _inquiries(self, request: Request) -> Response:
        asked: dict[str, str] = dict(request.query_params)
        if request.method == "POST":
            asked |= {name: str(value) for name, value in (await request.form()).items()}
        if hindered := await self.hindered(request):
            return hindered
        self._keep_pace(asked.get("key", ""))
        if failed := self._failure(asked):
            return failed
        days = [_read_day(asked[name]) for name in ("from_date", "to_date")]
        if days[0] is None or days[1] is None:
            self.note("bad_dates")
            return JSONResponse({"status": "error", "message": "Sorry! Please provide valid dates."}, 429)
        rows = self._rows(asked, days[0], days[1])
        self.note("inquiries" if rows else "no_inquiries", found=len(rows), page=asked.get("page_no"))
        return JSONResponse({"success": True, "data": rows} if self.fault("wrapped") else rows)

    def _failure(self, asked: Mapping[str, str]) -> Response | None:
        if not all(asked.get(name) for name in _REQUIRED):
            self.note("parameter_missing")
            text = "Sorry! Please provide all the required parameters."
            return JSONResponse({"status": "error", "message": text}, 429)
        if not asked["key"].startswith("sandbox") or self.fault("key_expired"):
            self.note("wrong_key")
            return JSONResponse({"success": False, "message": _REFUSAL}, 403)
        if self.fault("rate_limit"):
            self.note("rate_limit")
            return JSONResponse({"status": "error", "message": "Too many requests."}, 429)
        if self.fault("maintenance"):
            self.note("maintenance")
            return JSONResponse({"success": False, "message": _REFUSAL}, 500)
        if self.fault("error_list"):
            self.note("error_list")
            return JSONResponse([{"Error_Message": "Something went wrong"}])
        if self.fault("text"):
            self.note("text")
            return HTMLResponse("Invalid Credentials")
        if self.fault("login_page"):
            self.note("login_page")
            return HTMLResponse(
                "<!DOCTYPE html><html><head><title>Login</title></head><body>Please login</body></html>"
            )
        return None

    def _rows(self, asked: Mapping[str, str], first: date, last: date) -> list[dict[str, Any]]:
        size = _number(asked.get("limit"), 1_000_000)
        page = 1 if self.fault("same_page") else _number(asked.get("page_no"), 1)
        if self.fault("endless"):
            at = datetime.combine(first, time(12), IST)
            self._made_up += size
            numbers = range(self._made_up, self._made_up + size)
            return [self.show(Entry(10_000_000 + number, at, at)) for number in numbers]
        start, end = datetime.combine(first, time(), IST), datetime.combine(last + timedelta(days=1), time(), IST)
        entries = [entry for entry in self.between(start, end) if entry.at < end]
        entries.reverse()
        if self.fault("duplicates"):
            entries = [entry for entry in entries for _ in range(2)]
        return [self.show(entry) for entry in entries[(page - 1) * size : page * size]]

    def _keep_pace(self, key: str) -> None:
        # Real time: nobody who waits between two calls looks at the sandbox's clock.
        now = asyncio.get_running_loop().time()
        before = self._called.get(key)
        self._called[key] = now
        if before is not None and now - before < self.set["betweenSeconds"]:
            self.breach("pace", key=key[:10], seconds=round(now - before, 3))


def _day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def _ago(past: timedelta) -> str:
    minutes = int(past.total_seconds() // 60)
    return f"{minutes} minutes ago" if minutes < 60 else f"{minutes // 60} hours ago"


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _number(text: str | None, default: int) -> int:
    return max(1, int(text[:9])) if text and text.isascii() and text.isdigit() else default


stand_in = TradeIndia
