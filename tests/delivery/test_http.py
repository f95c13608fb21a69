"""HTTP destinations against real receivers: what is sent, how it is proven, and what each answer means."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connector_master.delivery.http_settings import Settings
from connector_master.model.delivery import Occasion
from tests.delivery.means import LEAD, SECRET, Sender, parcel, sending
from tests.outbound.servers import answer as raw_answer
from tests.outbound.servers import serving as serving_bytes
from tests.support.receiver import Call, Receiver, Reply, receiving, said


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
async def send(tmp_path: Path) -> AsyncIterator[Sender]:
    async with sending(tmp_path) as sender:
        yield sender


def code(attempt: Any) -> str | None:
    return attempt.problem.code if attempt.problem else None


# ---- what is sent -----------------------------------------------------------------------------------


async def test_without_a_template_the_envelope_is_sent_and_signed(send: Sender, receiver: Receiver) -> None:
    attempt = await send("http", {"url": f"{receiver.url}/leads?to=x"})

    (call,) = receiver.calls
    assert (attempt.problem, attempt.status) == (None, 200)
    assert (call.method, call.path, call.query) == ("POST", "/leads", {"to": "x"})
    assert call.json == {"type": "lead.created", "timestamp": "2026-11-24T10:00:00Z", "data": LEAD}
    assert call.headers["content-type"] == "application/json"
    assert call.headers["idempotency-key"] == call.id == str(parcel().id)
    signed = f"{call.id}.{call.headers['webhook-timestamp']}.".encode() + call.body
    digest = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")), signed, sha256)
    assert call.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert attempt.request == {"method": "POST", "address": receiver.url, "bytes": len(call.body)}


async def test_a_template_makes_address_headers_and_body(send: Sender, receiver: Receiver) -> None:
    settings = {
        "url": f"{receiver.url}/a b/{{{{ lead.city }}}}/{{{{ delivery.externalId }}}}?n={{{{ lead.name }}}}",
        "method": "PATCH",
        "headers": {"X-Who": "{{ lead.name }} {{ delivery.type }}", "Content-Type": "application/vnd.x+json"},
        "template": {"fields": [{"Name": "{{ lead.name }}"}], "Email": "{{ lead.email }}", "n": "{{ lead.timesSeen }}"},
    }

    await send("http", settings, parcel(Occasion.UPDATED, external_id="../7", city="Pune/Süd", name="Ä\r\nX: y"))

    (call,) = receiver.calls
    assert (call.method, call.path) == ("PATCH", "/a%20b/Pune%2FS%C3%BCd/..%2F7")
    assert call.query == {"n": "Ä\r\nX: y"}
    assert call.headers["x-who"] == "%C3%84 X: y lead.updated"
    assert call.headers["content-type"] == "application/vnd.x+json"
    assert call.json == {"fields": [{"Name": "Ä\r\nX: y"}], "n": 1}


async def test_what_is_empty_stays_when_it_is_wanted(send: Sender, receiver: Receiver) -> None:
    template = {"Email": "{{ lead.email }}"}

    await send("http", {"url": receiver.url, "template": template, "omitEmpty": False})

    assert receiver.calls[0].json == {"Email": None}


async def test_a_form_is_sent_as_one(send: Sender, receiver: Receiver) -> None:
    template = {"name": "{{ lead.name }}", "tag": ["a", "b"], "more": "{{ lead.attributes }}"}

    await send("http", {"url": receiver.url, "format": "form", "template": template})

    (call,) = receiver.calls
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.body == b"name=Asha+Rao&tag=a&tag=b&more=%7B%22size%22%3A4%7D"


async def test_get_sends_no_body_and_is_signed_all_the_same(send: Sender, receiver: Receiver) -> None:
    await send("http", {"url": f"{receiver.url}/?p={{{{ lead.phoneNumber }}}}", "method": "GET"})

    (call,) = receiver.calls
    assert (call.method, call.body, call.query) == ("GET", b"", {"p": "+919876543210"})
    assert call.headers["webhook-signature"].startswith("v1,")


async def test_a_template_that_can_not_take_this_lead_is_told(send: Sender, receiver: Receiver) -> None:
    for template in ("{{ lead.attributes.none }}", "{{ 1 / 0 }}"):
        with pytest.raises(Exception, match="failed"):
            await send("http", {"url": receiver.url, "template": {"a": template}})

    assert receiver.calls == []


# ---- who sends it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "credentials", "header", "text"),
    [
        ({"authentication": "bearer"}, {"token": "t0"}, "authorization", "Bearer t0"),
        (
            {"authentication": "basic"},
            {"username": "u", "password": "pä"},
            "authorization",
            "Basic " + base64.b64encode("u:pä".encode()).decode(),
        ),
        ({"authentication": "header"}, {"token": "k"}, "x-api-key", "k"),
        (
            {"authentication": "header", "tokenHeader": "Authorization", "tokenFormat": "token {token}"},
            {"token": "a:b"},
            "authorization",
            "token a:b",
        ),
    ],
)
async def test_credentials_go_into_their_header(
    send: Sender, receiver: Receiver, settings: dict[str, Any], credentials: dict[str, str], header: str, text: str
) -> None:
    await send("http", {"url": receiver.url, **settings}, **credentials)

    assert receiver.calls[0].headers[header] == text


class TokenServer:
    """Gives tokens for client credentials, and takes leads with the latest one only."""

    def __init__(self, receiver: Receiver) -> None:
        self.given = 0
        self.asked: list[Call] = []
        self.receiver = receiver
        self.lasts = 3600
        receiver.behaviour = self.answer

    def answer(self, call: Call) -> Reply:
        if call.path == "/token":
            self.asked.append(call)
            self.given += 1
            return said(200, access_token=f"token-{self.given}", token_type="bearer", expires_in=self.lasts)
        return said() if call.headers["authorization"] == f"Bearer token-{self.given}" else said(401)


@pytest.mark.parametrize("how", ["basic", "body"])
async def test_an_access_token_is_asked_for_once_and_again_when_it_is_refused(
    send: Sender, receiver: Receiver, how: str
) -> None:
    server = TokenServer(receiver)
    settings = {
        "url": f"{receiver.url}/leads",
        "authentication": "oauth2",
        "tokenUrl": f"{receiver.url}/token",
        "scope": "leads",
        "clientAuthentication": how,
    }
    credentials = {"client_id": "me:1", "client_secret": "s&x"}

    first = await send("http", settings, **credentials)
    second = await send("http", settings, **credentials)
    server.given = 7  # What was given before is dead now.
    third = await send("http", settings, **credentials)

    assert [one.problem for one in (first, second, third)] == [None] * 3
    assert len(server.asked) == 2
    asked = server.asked[0]
    fields = dict(pair.split("=") for pair in asked.body.decode().split("&"))
    if how == "basic":
        assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"me%3A1:s%26x").decode()
        assert fields == {"grant_type": "client_credentials", "scope": "leads"}
    else:
        assert fields["client_id"] == "me%3A1"
        assert fields["client_secret"] == "s%26x"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (said(401, error="invalid_client"), "destination_refused"),
        (said(200, error="no"), "destination_refused"),
        (Reply(200, b"<html>"), "destination_refused"),
        (said(503), "receiver_unavailable"),
    ],
)
async def test_without_a_token_nothing_is_sent(send: Sender, receiver: Receiver, reply: Reply, problem: str) -> None:
    receiver.behaviour = lambda call: reply if call.path == "/token" else said()
    settings = {"url": f"{receiver.url}/leads", "authentication": "oauth2", "tokenUrl": f"{receiver.url}/token"}

    attempt = await send("http", settings, client_id="a", client_secret="b")

    assert code(attempt) == problem
    assert {call.path for call in receiver.calls} == {"/token"}


# ---- what the answer means --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (200, None),
        (201, None),
        (204, None),
        (301, "destination_refused"),
        (302, "destination_refused"),
        (400, "lead_refused"),
        (401, "destination_refused"),
        (403, "destination_refused"),
        (404, "destination_refused"),
        (408, "receiver_unavailable"),
        (409, "lead_refused"),
        (410, "receiver_gone"),
        (422, "lead_refused"),
        (429, "receiver_limited"),
        (500, "receiver_unavailable"),
        (503, "receiver_unavailable"),
        (599, "receiver_unavailable"),
    ],
)
async def test_a_status_says_what_happens_next(
    send: Sender, receiver: Receiver, status: int, problem: str | None
) -> None:
    receiver.replies = [Reply(status, b"why" if status != 204 else b"", {"retry-after": "7", "location": "/elsewhere"})]

    attempt = await send("http", {"url": receiver.url})

    assert (attempt.status, code(attempt), len(receiver.calls)) == (status, problem, 1)
    if attempt.problem is not None and status in (429, 503):
        assert attempt.problem.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("rule", "reply", "problem"),
    [
        ("body.success == true", said(200, success=True), None),
        ("body.success == true", said(200, success=False), "unexpected_answer"),
        ("body.success == true", said(200), "unexpected_answer"),
        ("body.success == true", Reply(200, b"<html>fine</html>"), "unexpected_answer"),
        ("body.contains('OK')", Reply(200, b"OK, thanks"), None),
        ("status in [200, 409]", said(409), None),
        ("status == 200", said(500), "receiver_unavailable"),
        ("!has(body.error)", said(200, error={"message": "Session expired"}), "unexpected_answer"),
        ("'yes'", said(200), "unexpected_answer"),
    ],
)
async def test_the_rule_for_success_looks_at_status_and_body(
    send: Sender, receiver: Receiver, rule: str, reply: Reply, problem: str | None
) -> None:
    receiver.replies = [reply]

    assert code(await send("http", {"url": receiver.url, "successWhen": rule})) == problem


@pytest.mark.parametrize(
    ("expression", "reply", "found"),
    [
        ("body.data[0].details.id", said(201, data=[{"details": {"id": "490"}}]), "490"),
        ("body.result", said(200, result=42), "42"),
        ("body.nothing", said(200), None),
        ("body", Reply(200, b"x" * 500), "x" * 200),
    ],
)
async def test_the_receivers_id_is_taken_from_its_answer(
    send: Sender, receiver: Receiver, expression: str, reply: Reply, found: str | None
) -> None:
    receiver.replies = [reply]

    attempt = await send("http", {"url": receiver.url, "idFrom": expression})

    assert (attempt.problem, attempt.external_id) == (None, found)


async def test_only_the_beginning_of_an_answer_is_kept_and_can_be_shown(send: Sender, receiver: Receiver) -> None:
    receiver.replies = [Reply(400, b"no\x00 \x1b[31m phone\n\n" + b"x" * 5_000)]

    attempt = await send("http", {"url": receiver.url})

    assert attempt.answer is not None
    assert attempt.answer.startswith("no   [31m phone\n\nxxx")
    assert len(attempt.answer) == 500


# ---- receivers that behave badly --------------------------------------------------------------------


async def test_a_receiver_that_never_answers_is_given_up(send: Sender, receiver: Receiver) -> None:
    receiver.replies = [Reply(hangs=True)]

    attempt = await send("http", {"url": receiver.url, "timeoutSeconds": 1})

    assert code(attempt) == "receiver_unavailable"
    assert "not complete within 1 seconds" in str(attempt.problem)


async def test_a_receiver_that_never_stops_is_cut_off(send: Sender, receiver: Receiver) -> None:
    receiver.replies = [Reply(endless=True)]

    attempt = await send("http", {"url": receiver.url})

    assert code(attempt) == "receiver_unavailable"
    assert "larger than" in str(attempt.problem)


async def test_a_receiver_that_breaks_off_or_is_not_there_is_told(send: Sender, receiver: Receiver) -> None:
    async with serving_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf") as broken:
        half = await send("http", {"url": broken.base})
    nobody = await send("http", {"url": broken.base})
    async with serving_bytes(raw_answer(b"x", "200 OK", Content_Encoding="br")) as packed:
        unread = await send("http", {"url": packed.base})

    assert [code(one) for one in (half, nobody, unread)] == ["receiver_unavailable"] * 3
    assert str(half.problem) == "The receiver gave no answer: the connection broke off."
    assert str(nobody.problem) == "The receiver gave no answer: no connection (refused)."


async def test_a_plain_receiver_called_by_https_is_told(send: Sender, receiver: Receiver) -> None:
    attempt = await send("http", {"url": receiver.url.replace("http:", "https:")})

    assert code(attempt) == "receiver_unavailable"
    assert "no encrypted connection" in str(attempt.problem)


async def test_the_guard_lets_no_private_address_through(tmp_path: Path, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    async with sending(tmp_path, loopback=False) as send:
        for host in (
            "127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
        ):
            attempt = await send("http", {"url": f"http://{host}:{port}/"})
            assert code(attempt) == "destination_refused", host
            assert "private, local or reserved" in str(attempt.problem)
            assert "OUTBOUND_ALLOW" in str(attempt.problem and attempt.problem.remedy)
        settings = {"url": "https://example.com/", "authentication": "oauth2", "tokenUrl": receiver.url + "/token"}
        assert code(await send("http", settings, client_id="a", client_secret="b")) == "destination_refused"

    assert receiver.calls == []


async def test_one_slow_call_does_not_hold_up_another(send: Sender, receiver: Receiver) -> None:
    receiver.behaviour = lambda call: Reply(hangs=call.path == "/slow")
    slow = asyncio.create_task(send("http", {"url": f"{receiver.url}/slow"}))

    fast = await send("http", {"url": f"{receiver.url}/fast"})

    assert (fast.problem, slow.done()) == (None, False)
    slow.cancel()


# ---- what is refused when it is saved ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "field", "fault"),
    [
        ({}, "url", "required"),
        ({"url": "ftp://x"}, "url", "https:// or http://"),
        ({"url": "https://"}, "url", "names a host"),
        ({"url": "https://x:99999/"}, "url", "names a host"),
        ({"url": "https://{{ lead.city }}.example/"}, "url", "names a host"),
        ({"url": "https://u:p@x.example/"}, "url", "basic authentication"),
        ({"url": "https://x.example/#a"}, "url", "never sent"),
        ({"url": "https://x.example/{{ led.id }}"}, "url", "led"),
        ({"headers": {"Authorization": "x"}}, "headers", "choose an authentication"),
        ({"headers": {"webhook-id": "x"}}, "headers", "set by the hub"),
        ({"headers": {"Content-Length": "1"}}, "headers", "set by the hub"),
        ({"headers": {"X": "a\nb"}}, "headers", "pattern"),
        ({"headers": {"X y": "a"}}, "headers", "pattern"),
        ({"headers": {"X": "{{ 1 + }}"}}, "headers", "X: Line 1"),
        ({"template": {"a": {"b": "{{ lead }"}}}, "template", "a.b: {{ is not closed"),
        ({"successWhen": "body.="}, "successWhen", "Line 1"),
        ({"successWhen": "lead.name"}, "successWhen", "lead"),
        ({"idFrom": ""}, "idFrom", "empty"),
        ({"authentication": "oauth2"}, "", "tokenUrl is needed"),
        ({"tokenUrl": "https://x.example/{{ lead.id }}"}, "tokenUrl", "not possible"),
        ({"tokenFormat": "nothing"}, "tokenFormat", "pattern"),
        ({"timeoutSeconds": 61}, "timeoutSeconds", "60"),
        ({"concurrency": 0}, "concurrency", "1"),
        ({"on": []}, "on", "1"),
        ({"on": ["lead.lost"]}, "on", "lead.created"),
        ({"nothing": 1}, "nothing", "Extra"),
    ],
)
def test_a_fault_is_named_when_it_is_saved(settings: dict[str, Any], field: str, fault: str) -> None:
    whole = settings if "url" in settings or field == "url" else {"url": "https://x.example/", **settings}

    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(whole)

    found, *_ = raised.value.errors()
    assert ".".join(map(str, found["loc"])).split(".")[0] == field
    assert fault in str(found["msg"])
