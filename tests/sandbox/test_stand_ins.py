"""The stand-ins are true to the documents: limits, windows, refusals, and what is pushed."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.support.sandbox import CLOCK, Sandbox

V2 = "/wservce/crm/crmListing/v2/"
KEY = "sandbox/key+of=="


def ask(sandbox: Sandbox, key: str = KEY, **times: str) -> dict[str, Any]:
    answer = sandbox.http.get(sandbox.url + V2, params={"glusr_crm_key": key, **times})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def inquiries(sandbox: Sandbox, **changed: str) -> Any:
    asked = {"userid": "1", "profile_id": "2", "key": "sandbox", "from_date": "2026-10-12", "to_date": "2026-10-12"}
    answer = sandbox.http.get(f"{sandbox.url}/utils/my_inquiry.html", params=asked | changed)
    return answer.status_code, answer.json()


# ---- IndiaMART ------------------------------------------------------------------------------------------


def test_an_answer_has_the_five_documented_keys(sandbox: Sandbox) -> None:
    sandbox.add("indiamart")
    assert list(ask(sandbox)) == ["CODE", "STATUS", "MESSAGE", "TOTAL_RECORDS", "RESPONSE"]


def test_calls_are_limited_by_key_and_a_breach_is_told(sandbox: Sandbox) -> None:
    codes = [ask(sandbox)["CODE"], ask(sandbox, "sandbox-other")["CODE"], ask(sandbox)["CODE"]]
    assert codes == [204, 204, 429]
    sandbox.pass_time(minutes=5)
    assert ask(sandbox)["CODE"] == 204
    state = sandbox.state("indiamart")
    assert (state["counts"]["breaches"], [one["rule"] for one in state["breaches"]]) == (1, ["too_soon"])


def test_more_than_five_calls_in_a_minute_block_the_key_for_fifteen(sandbox: Sandbox) -> None:
    said = [ask(sandbox)["MESSAGE"] for _ in range(6)]
    assert said[-1] == "Too Many  Requests"
    sandbox.pass_time(minutes=14)
    assert ask(sandbox)["MESSAGE"] == "Too Many  Requests"
    sandbox.pass_time(minutes=15)
    assert ask(sandbox)["CODE"] == 204


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("05-Oct-202616:00:00", "12-Oct-202616:00:00", 204),
        ("05-Oct-202615:59:59", "12-Oct-202616:00:00", 400),
        ("12-OCT-2026", "12-Oct-2026", 204),
        ("12-10-2026 10:00:00", "12-10-202611:00:00", 204),
        ("01-Jan-2025", "02-Jan-2025", 400),
        ("12-Oct-202611:00:00", "12-Oct-202610:00:00", 400),
        ("12-Okt-2026", "12-Okt-2026", 400),
        ("30-Feb-2026", "30-Feb-2026", 400),
        ("", "12-Oct-2026", 400),
    ],
)
def test_windows_are_checked(sandbox: Sandbox, start: str, end: str, code: int) -> None:
    assert ask(sandbox, start_time=start, end_time=end)["CODE"] == code


def test_one_time_alone_is_refused(sandbox: Sandbox) -> None:
    assert ask(sandbox, start_time="12-Oct-2026")["CODE"] == 400


def test_an_enquiry_that_is_late_is_seen_late(sandbox: Sandbox) -> None:
    sandbox.control("indiamart/leads", {"lateSeconds": 600})
    assert ask(sandbox)["CODE"] == 204
    sandbox.pass_time(minutes=10)
    assert ask(sandbox)["TOTAL_RECORDS"] == 1


class _Listener(BaseHTTPRequestHandler):
    status = 200
    bodies: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[str]:
    _Listener.status = 200
    _Listener.bodies.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/listen"
    server.shutdown()


def test_enquiries_are_pushed_wrapped_unless_pushes_are_dropped(sandbox: Sandbox, listener: str) -> None:
    sandbox.set("indiamart", pushTo=listener)
    sent = sandbox.add("indiamart", name="Asha Example", phone="+919000000001")
    sandbox.fault("indiamart", dropped_pushes=1)
    sandbox.add("indiamart")
    sandbox.add("indiamart")
    assert len(_Listener.bodies) == 2
    assert _Listener.bodies[0] == {"CODE": 200, "STATUS": "SUCCESS", "RESPONSE": sent}
    assert (sent["SENDER_NAME"], sent["SENDER_MOBILE"]) == ("Asha Example", "+91-9000000001")
    assert sandbox.state("indiamart")["pushed"] == {"200": 2, "dropped": 1}


def test_forty_eight_hours_without_a_200_switch_push_off(sandbox: Sandbox, listener: str) -> None:
    sandbox.set("indiamart", pushTo=listener)
    _Listener.status = 500
    for hours in (0, 47, 2):
        sandbox.pass_time(hours=hours)
        sandbox.add("indiamart")
    assert sandbox.state("indiamart")["isSwitchedOff"]
    sandbox.add("indiamart")
    assert len(_Listener.bodies) == 3


def test_nobody_listening_is_noted_and_harms_nothing(sandbox: Sandbox) -> None:
    sandbox.set("indiamart", pushTo="http://127.0.0.1:1/x")
    sandbox.add("indiamart")
    assert sandbox.state("indiamart")["pushed"] == {"unanswered": 1}


# ---- TradeIndia -----------------------------------------------------------------------------------------


def test_a_missing_parameter_is_429_and_a_wrong_key_claims_maintenance(sandbox: Sandbox) -> None:
    missing, wrong = inquiries(sandbox, userid=""), inquiries(sandbox, key="x")
    assert (missing[0], missing[1]["status"]) == (429, "error")
    assert (wrong[0], wrong[1]["success"]) == (403, False)
    assert "maintenance" in wrong[1]["message"]


def test_pages_hold_what_is_asked_for_the_newest_first(sandbox: Sandbox) -> None:
    sandbox.spread("tradeindia", 5, CLOCK - timedelta(hours=2), CLOCK)
    found = [inquiries(sandbox, limit="2", page_no=str(page))[1] for page in (1, 2, 3, 4)]
    assert [len(page) for page in found] == [2, 2, 1, 0]
    times = [row["generated_time"] for page in found for row in page]
    assert times == sorted(times, reverse=True)
    assert len(inquiries(sandbox)[1]) == 5


def test_what_changes_by_itself_changes(sandbox: Sandbox) -> None:
    sandbox.add("tradeindia")
    before = inquiries(sandbox)[1][0]["ago_time"]
    sandbox.pass_time(hours=1)
    assert inquiries(sandbox)[1][0]["ago_time"] != before


def test_calls_in_quick_succession_are_told(sandbox: Sandbox) -> None:
    inquiries(sandbox)
    inquiries(sandbox)
    assert sandbox.state("tradeindia")["breaches"][0]["rule"] == "pace"


def test_a_form_is_taken_too(sandbox: Sandbox) -> None:
    form = {"userid": "1", "profile_id": "2", "key": "sandbox", "from_date": "2026-10-12", "to_date": "2026-10-12"}
    assert sandbox.http.post(f"{sandbox.url}/utils/my_inquiry.html", data=form).json() == []
