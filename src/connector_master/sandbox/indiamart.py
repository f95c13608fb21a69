"""A stand-in for IndiaMART: Push, and the Pull API in its second and first version (docs/connectors/indiamart.md)."""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.enquiries import spell_phone
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn

IST = timezone(timedelta(hours=5, minutes=30), "IST")
_KINDS = {"direct": "W", "bought": "B", "call": "P", "view": "BIZ", "whatsapp": "WA"}
_WINDOW = timedelta(days=7)
_HISTORY = timedelta(days=365)
_CALLS_IN_A_MINUTE = 5
_SWITCHED_OFF_AFTER = timedelta(hours=48)
_FIRST_ID = 2_900_000_000
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

_TIMES = (
    re.compile(r"(?P<d>\d{2})-(?P<m>[A-Za-z]{3})-(?P<y>\d{4}) ?(?P<clock>\d{2}:\d{2}:\d{2})?"),
    re.compile(r"(?P<d>\d{2})-(?P<m>\d{2})-(?P<y>\d{4}) ?(?P<clock>\d{2}:\d{2}:\d{2})?"),
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2}) (?P<clock>\d{2}:\d{2}:\d{2})"),
)
_V1_NAMES = {
    "UNIQUE_QUERY_ID": "QUERY_ID",
    "QUERY_TYPE": "QTYPE",
    "SENDER_NAME": "SENDERNAME",
    "SENDER_EMAIL": "SENDEREMAIL",
    "SENDER_MOBILE": "MOB",
    "SENDER_EMAIL_ALT": "EMAIL_ALT",
    "SENDER_MOBILE_ALT": "MOBILE_ALT",
    "SENDER_PHONE": "PHONE",
    "SENDER_PHONE_ALT": "PHONE_ALT",
    "SENDER_COMPANY": "GLUSR_USR_COMPANYNAME",
    "SENDER_ADDRESS": "ENQ_ADDRESS",
    "SENDER_CITY": "ENQ_CITY",
    "SENDER_STATE": "ENQ_STATE",
    "SENDER_COUNTRY_ISO": "COUNTRY_ISO",
    "SUBJECT": "SUBJECT",
    "QUERY_MESSAGE": "ENQ_MESSAGE",
    "QUERY_PRODUCT_NAME": "PRODUCT_NAME",
    "CALL_DURATION": "ENQ_CALL_DURATION",
    "RECEIVER_MOBILE": "ENQ_RECEIVER_MOB",
}


class IndiaMart(StandIn):
    """Knows every key that begins with `sandbox`; each has limits of its own, all see the same enquiries."""

    name = "indiamart"
    title = "IndiaMART"
    summary = "Pushes enquiries, and gives them out at most once in five minutes per key."
    pushes = True
    address_settings = ("INDIAMART_URL",)
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS | {
        "key_expired": "refuses every key (CODE 401)",
        "rate_limit": "says that it was called too soon (CODE 429)",
        "blocked": "says Too Many  Requests (CODE 429)",
        "maintenance": "says Some Error Occured (CODE 500)",
        "new_key": "says that history is available after 24 hours (CODE 204)",
        "duplicates": "gives every enquiry twice",
        "late": "shows new enquiries only after so many seconds",
        "dropped_pushes": "pushes nothing",
        "code_as_text": "writes CODE as a text",
        "single_object": "gives a single enquiry as an object instead of a list",
    }
    settings: ClassVar[Mapping[str, Any]] = {
        "pushTo": None,
        "betweenSeconds": 300,
        "betweenSecondsV1": 900,
        "blockedSeconds": 900,
    }

    def reset(self) -> None:
        """Forget everything, also who called when."""
        super().reset()
        self._answered: dict[str, datetime] = {}
        self._called: dict[str, deque[datetime]] = {}
        self._blocked_until: dict[str, datetime] = {}
        self._failing_since: datetime | None = None
        self.is_switched_off = False

    def routes(self) -> list[BaseRoute]:
        """Return the two Pull APIs."""
        path = "/wservce/enquiry/listing/GLUSR_MOBILE/{mobile}/GLUSR_MOBILE_KEY/{key:path}"
        return [
            Route("/wservce/crm/crmListing/v2/", self._pull),
            Route(path + "/Start_Time/{start}/End_Time/{end}/", self._pull_v1),
            Route(path + "/", self._pull_v1),
        ]

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return an enquiry as v2 and Push write it."""
        one = self.enquiry(entry)
        is_call = one.kind == "call"
        shown = {
            "UNIQUE_QUERY_ID": entry.fields.get("id") or str(_FIRST_ID + entry.number),
            "QUERY_TYPE": _KINDS.get(one.kind, one.kind),
            "QUERY_TIME": f"{entry.at.astimezone(IST):%Y-%m-%d %H:%M:%S}",
            "SENDER_NAME": one.name or "IndiaMART Buyer",
            "SENDER_MOBILE": spell_phone(one.phone, 0)
            if entry.number % 3
            else spell_phone(one.phone, entry.number // 3),
            "SENDER_EMAIL": "" if is_call else one.email,
            "SUBJECT": "Buyer Call" if is_call else f"Requirement for {one.product}",
            "SENDER_COMPANY": one.company.replace("&", "&amp;") if entry.number % 4 == 0 else one.company,
            "SENDER_ADDRESS": one.address.replace(", ", ",      ", 1) if entry.number % 5 == 0 else one.address,
            "SENDER_CITY": one.city,
            "SENDER_STATE": one.state,
            "SENDER_PINCODE": one.pincode,
            "SENDER_COUNTRY_ISO": one.country,
            "SENDER_MOBILE_ALT": None if entry.number % 2 else "",
            "SENDER_PHONE": "",
            "SENDER_PHONE_ALT": "",
            "SENDER_EMAIL_ALT": "",
            "QUERY_PRODUCT_NAME": one.product,
            "QUERY_MESSAGE": "" if is_call else f"{one.message}<br> Quantity :   {one.quantity}<br>",
            "QUERY_MCAT_NAME": one.category,
            "CALL_DURATION": str(20 + entry.number % 90) if is_call else "",
            "RECEIVER_MOBILE": "+91-9999900000" if is_call else "",
            "RECEIVER_CATALOG": "",
        }
        return shown | {name: text for name, text in entry.fields.items() if name in shown}

    def push_request(self, entry: Entry) -> httpx2.Request | None:
        """Return the wrapped enquiry on its way to the listener that the seller named."""
        if not self.set["pushTo"] or self.is_switched_off:
            return None
        body = {"CODE": 200, "STATUS": "SUCCESS", "RESPONSE": self.show(entry)}
        return self.world.http.build_request("POST", self.world.address(self.set["pushTo"]), json=body)

    def pushed_and_answered(self, status: int) -> None:
        """Switch Push off after 48 hours without a 200."""
        if status == 200:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = self.world.now()
        elif self.world.now() - self._failing_since >= _SWITCHED_OFF_AFTER:
            self.is_switched_off = True

    def state(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return super().state() | {"isSwitchedOff": self.is_switched_off}

    # ---- version 2 --------------------------------------------------------------------------------------

    async def _pull(self, request: Request) -> Response:
        query = request.query_params
        key = query.get("glusr_crm_key", "")
        if hindered := await self.hindered(request):
            return hindered
        if not key.startswith("sandbox") or self.fault("key_expired"):
            return self._failed("wrong_key", 401, "Pull API Key that you are using is incorrect.")
        refusal = self._limit(key, timedelta(seconds=self.set["betweenSeconds"]))
        if refusal == "blocked" or self.fault("blocked"):
            self.note("blocked")
            return self._answer(
                {"CODE": 429, "STATUS": "FAILURE", "MESSAGE": "Too Many  Requests", "APP_AUTH_FAILURE_CODE": 429}
            )
        if refusal or self.fault("rate_limit"):
            text = (
                "It is advised to hit this API once in every 5 minutes, but it seems that you have crossed this limit."
            )
            return self._failed("too_soon", 429, f"{text} Please try again after 5 minutes.")
        if self.fault("maintenance"):
            return self._failed("maintenance", 500, "Some Error Occured")
        now = self.world.now()
        start, end = read_time(query.get("start_time")), read_time(query.get("end_time"), ends_day=True)
        if "start_time" not in query and "end_time" not in query:
            start, end = now - _WINDOW, now
        if start is None or end is None or start > end:
            return self._failed("bad_times", 400, "Please provide both the dates in the format DD-MM-YYYYHH:MM:SS.")
        if end - start > _WINDOW:
            self.breach("window", seconds=(end - start).total_seconds())
            return self._failed("window", 400, "The time difference between the dates should be 7 days at most.")
        if start < now - _HISTORY:
            self.breach("history", start=start.isoformat())
            return self._failed("history", 400, "You can fetch the data for the last 365 days only.")
        self._answered[key] = now
        if self.fault("new_key"):
            return self._failed("new_key", 204, "Data of this period will be available after 24 hours.")
        found = self._between(start, end)
        self.note("leads" if found else "no_leads", found=len(found))
        if not found:
            text = "There are no leads in the given time duration. Please try for a different duration."
            return self._answer(_failure(204, text))
        shown: Any = found[0] if self.fault("single_object") and len(found) == 1 else found
        body = {"CODE": 200, "STATUS": "SUCCESS", "MESSAGE": "", "TOTAL_RECORDS": len(found), "RESPONSE": shown}
        return self._answer(body)

    def _between(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        # It knows whole seconds, the last one included.
        shown = [self.show(entry) for entry in self.between(start, end + timedelta(microseconds=999_999))]
        return [one for one in shown for _ in range(2)] if self.fault("duplicates") else shown

    def _limit(self, key: str, between: timedelta) -> str | None:
        """Count a call; say whether it comes too soon or while the key is blocked."""
        now = self.world.now()
        called = self._called.setdefault(key, deque())
        called.append(now)
        while called[0] <= now - timedelta(minutes=1):
            called.popleft()
        if len(called) > _CALLS_IN_A_MINUTE:
            self._blocked_until[key] = now + timedelta(seconds=self.set["blockedSeconds"])
        if now < self._blocked_until.get(key, now):
            self.breach("blocked", key=key[:10])
            return "blocked"
        last = self._answered.get(key)
        if last is not None and now - last < between:
            self.breach("too_soon", key=key[:10], seconds=(now - last).total_seconds())
            return "too_soon"
        return None

    def _failed(self, outcome: str, code: int, message: str) -> Response:
        self.note(outcome)
        return self._answer(_failure(code, message))

    def _answer(self, body: dict[str, Any]) -> Response:
        if self.fault("code_as_text"):
            body["CODE"] = str(body["CODE"])
        return JSONResponse(body)

    # ---- version 1 --------------------------------------------------------------------------------------

    async def _pull_v1(self, request: Request) -> Response:
        if hindered := await self.hindered(request):
            return hindered
        mobile, key = request.path_params["mobile"], request.path_params["key"]
        if not (key.startswith("sandbox") and mobile.isdigit()) or self.fault("key_expired"):
            return self._failed_v1("wrong_key", "Mobile number or key is incorrect.")
        if self._limit(f"v1 {key}", timedelta(seconds=self.set["betweenSecondsV1"])) or self.fault("rate_limit"):
            text = (
                "It is advised to hit this API once in every 15 minutes,but it seems that you have crossed this limit."
            )
            return self._failed_v1("too_soon", f"{text} please try again after 15 minutes.")
        now = self.world.now()
        start = read_time(request.path_params.get("start")) or now - timedelta(days=1)
        end = read_time(request.path_params.get("end"), ends_day=True) or now
        self._answered[f"v1 {key}"] = now
        found = [_in_v1(one, row, len(self.book)) for row, one in enumerate(self._between(start, end), 1)]
        if not found:
            text = "There are no leads in the given time duration.please try for a different duration."
            return self._failed_v1("no_leads", text)
        self.note("leads", found=len(found))
        return JSONResponse(found)

    def _failed_v1(self, outcome: str, text: str) -> Response:
        self.note(outcome)
        return JSONResponse([{"Error_Message": text}])


def read_time(text: str | None, *, ends_day: bool = False) -> datetime | None:
    """Return a time in any form that IndiaMART is known to take, in IST; None when it is none.

    >>> read_time("10-Oct-202609:25:00").isoformat()
    '2026-10-10T09:25:00+05:30'
    """
    for form in _TIMES:
        if found := form.fullmatch((text or "").strip()):
            month = found["m"] if found["m"].isdigit() else _month(found["m"])
            clock = found["clock"] or ("23:59:59" if ends_day else "00:00:00")
            try:
                return datetime.fromisoformat(f"{found['y']}-{month}-{found['d']}T{clock}+05:30")
            except ValueError:
                return None
    return None


def _month(name: str) -> str:
    return f"{_MONTHS.index(name.title()) + 1:02d}" if name.title() in _MONTHS else "00"


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"CODE": code, "STATUS": "FAILURE", "MESSAGE": message, "TOTAL_RECORDS": 0, "RESPONSE": []}


def _in_v1(shown: Mapping[str, Any], row: int, total: int) -> dict[str, Any]:
    at = datetime.fromisoformat(shown["QUERY_TIME"])
    date = f"{at.day:02d}-{_MONTHS[at.month - 1]}-{at.year}"
    extra: Sequence[tuple[str, Any]] = (
        ("RN", str(row)),
        ("DATE_RE", date.replace("-", " ")),
        ("DATE_TIME_RE", f"{' ' if row % 2 == 0 else ''}{date} {at:%I:%M:%S} {'PM' if at.hour >= 12 else 'AM'}"),
        ("LOG_TIME", f"{at:%Y%m%d%H%M%S}"),
        ("READ_STATUS", None),
        ("COUNTRY_FLAG", ""),
        ("QUERY_MODID", "DIRECT"),
        ("TOTAL_COUNT", str(total)),
    )
    return {_V1_NAMES[name]: value for name, value in shown.items() if name in _V1_NAMES} | dict(extra)


stand_in = IndiaMart
