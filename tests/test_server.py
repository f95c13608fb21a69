"""The HTTP server itself, on a real socket: deadlines, caps, framing, order, and senders that go away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from connector_master import server
from tests.support.wire import Wire, chunk, post

Application = Callable[[Any, Any, Any], Any]


class Echo:
    """An application that answers with path and body of what it was asked, once `may_answer` is set."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.begun = asyncio.Event()
        self.asked: list[str] = []
        self.gone: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        self.begun.set()
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.append(scope["path"])
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await self.may_answer.wait()
        await respond(send, 200, orjson.dumps({"path": scope["path"], "body": body.decode()}))


async def respond(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(application: Application, *, most_connections: int = 100) -> AsyncIterator[str]:
    """Serve an application; yield the address."""
    listener = server.listen("127.0.0.1", 0)
    running = server.make_server(application, most_connections=most_connections)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    await running.listening.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        await task


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a blink, so that a test need not wait for the real ones."""
    for name in ("HEADER_SECONDS", "BODY_SECONDS", "KEEP_ALIVE_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(server, name, 0.2)


def body_of(answer: Any) -> str:
    return str(answer.json()["body"])


# ---- deadlines --------------------------------------------------------------------------------------


def test_headers_get_ten_seconds_and_a_body_thirty() -> None:
    assert (server.HEADER_SECONDS, server.BODY_SECONDS) == (10, 30)


@pytest.mark.usefixtures("short")
async def test_a_sender_that_says_nothing_is_cut_off() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        assert await wire.rest() != b"only ends if the server closes"


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("begun", [b"P", b"POST / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_headers_that_do_not_end_are_cut_off_with_408(begun: bytes) -> None:
    application = Echo()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(begun)

        answer = await wire.answer()
        await wire.rest()

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert answer.headers["content-type"] == "application/problem+json"
    assert application.asked == []


@pytest.mark.usefixtures("short")
async def test_headers_that_drip_for_ever_are_cut_off() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await wire.send(b"X-Drip: 1\r\n")
                    await asyncio.sleep(0.01)

        await wire.send(b"POST / HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip())

        answer = await wire.answer()
        dripping.cancel()

    assert answer.status_code == 408


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("framing", ["Content-Length: 9", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_end_is_cut_off_with_408(framing: str) -> None:
    application = Echo()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(post("/slow", b"", framing) + b"1\r\n")

        answer = await wire.answer()
        await wire.rest()

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert application.gone == ["/slow"]


@pytest.mark.usefixtures("short")
async def test_a_second_request_on_the_same_connection_has_the_same_deadlines() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        await wire.send(post("/", b"1"))
        assert body_of(await wire.answer()) == "1"
        await wire.send(b"POST / HTTP/1.1\r\nHost: ")

        assert (await wire.answer()).status_code == 408


@pytest.mark.usefixtures("short")
async def test_an_application_that_thinks_longer_than_any_deadline_is_not_cut_off() -> None:
    application = Echo()
    application.may_answer.clear()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(post("/", b"slow to answer"))
        # Another connection's deadline passes meanwhile.
        async with Wire(address) as other:
            await other.rest()
        application.may_answer.set()

        assert body_of(await wire.answer()) == "slow to answer"


@pytest.mark.usefixtures("short")
async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        await wire.send(post("/", b"1"))
        await wire.answer()

        assert await wire.rest() == b""


# ---- the cap ----------------------------------------------------------------------------------------


async def test_connections_beyond_the_cap_are_turned_away_and_those_within_go_on() -> None:
    async with serving(Echo(), most_connections=2) as address, Wire(address) as first, Wire(address) as second:
        for wire in (first, second):
            await wire.send(post("/", b"1"))
            await wire.answer()
        async with Wire(address) as third:
            refused = await third.answer()
            await third.rest()
        await first.send(post("/", b"2"))
        assert body_of(await first.answer()) == "2"

    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_connections")
    assert int(refused.headers["retry-after"]) > 0


async def test_a_closed_connection_makes_room_for_the_next() -> None:
    async with serving(Echo(), most_connections=1) as address:
        for number in range(5):
            async with Wire(address) as wire:
                await wire.send(post("/", b"%d" % number, "Connection: close"))
                assert body_of(await wire.answer()) == str(number)
                await wire.rest()


# ---- framing ----------------------------------------------------------------------------------------

AMBIGUOUS = [
    ("length and chunks", ["Content-Length: 5", "Transfer-Encoding: chunked"]),
    ("chunks and length", ["Transfer-Encoding: chunked", "Content-Length: 5"]),
    ("two lengths", ["Content-Length: 5", "Content-Length: 6"]),
    ("a list of lengths", ["Content-Length: 5, 5"]),
    ("a negative length", ["Content-Length: -5"]),
    ("a length with a sign", ["Content-Length: +5"]),
    ("a length in hex", ["Content-Length: 0x5"]),
    ("a length beyond counting", ["Content-Length: 99999999999999999999999"]),
    ("a blank before the colon", ["Content-Length : 5"]),
    ("an unknown coding last", ["Transfer-Encoding: chunked, gzip"]),
    ("chunked twice", ["Transfer-Encoding: chunked, chunked"]),
    ("a folded coding", ["Transfer-Encoding:\r\n chunked"]),
    ("a strange coding", ["Transfer-Encoding: xchunked"]),
]


@pytest.mark.parametrize(("what", "lines"), AMBIGUOUS)
async def test_ambiguous_framing_is_400_and_closed(what: str, lines: list[str]) -> None:
    application = Echo()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(post("/", b"0\r\n\r\n", *lines) + post("/smuggled", b""))

        answer = await wire.answer()
        after = await wire.rest()

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_http"), what
    assert answer.headers["connection"] == "close"
    assert after == b""
    # Where the fault shows only after the headers, the application has begun, but never gets a body.
    assert application.asked == application.gone


@pytest.mark.parametrize(
    "broken", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"5;\x00\r\n"]
)
async def test_a_broken_chunk_is_400_and_closed(broken: bytes) -> None:
    application = Echo()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(post("/", b"", "Transfer-Encoding: chunked"))
        await application.begun.wait()
        await wire.send(chunk(b"good") + broken)

        answer = await wire.answer()
        await wire.rest()

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_http")
    assert application.gone == ["/"]


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"hello\r\n\r\n"]
)
async def test_another_protocol_is_400_and_closed(request_: bytes) -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        await wire.send(request_)

        answer = await wire.answer()
        await wire.rest()

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_http")


async def test_a_body_in_chunks_is_read_whole() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        await wire.send(post("/", b"", "Transfer-Encoding: chunked"))
        for part in (b"one ", b"two", b""):
            await wire.send(chunk(part))

        assert body_of(await wire.answer()) == "one two"


async def test_a_sender_that_waits_for_leave_to_go_on_gets_it() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        await wire.send(post("/", b"", "Content-Length: 4", "Expect: 100-continue"))
        assert (await wire.answer()).status_code == 100
        await wire.send(b"body")

        assert body_of(await wire.answer()) == "body"


async def test_the_offer_of_another_protocol_is_passed_over_and_the_body_read() -> None:
    # Java's HTTP client makes it with every first request to an http:// address.
    offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"]
    async with serving(Echo()) as address, Wire(address) as wire:
        for number in range(2):
            await wire.send(post("/", b'{"number": %d}' % number, *offer))
            assert body_of(await wire.answer()) == f'{{"number": {number}}}'


async def test_an_offer_of_another_protocol_that_comes_in_pieces_is_never_taken_for_the_next_request() -> None:
    application = Echo()
    hidden = post("/hidden", b"")
    whole = post("/", hidden, "Connection: Upgrade", "Upgrade: h2c")
    async with serving(application) as address, Wire(address) as wire:
        cut = whole.index(b"Upgrade: h2c") + 3
        await wire.send(whole[:cut])
        async with Wire(address) as other:  # a round trip, so that the pieces are read one by one
            await other.send(post("/other", b""))
            await other.answer()
        await wire.send(whole[cut:])

        answer = await wire.answer()

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_http")
    assert application.asked == ["/other"]


async def test_a_tunnel_is_refused() -> None:
    application = Echo()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")

        assert (await wire.answer()).status_code == 400

    assert application.asked == []


# ---- order ------------------------------------------------------------------------------------------


async def test_a_connection_is_used_again() -> None:
    async with serving(Echo()) as address, Wire(address) as wire:
        for number in range(20):
            await wire.send(post("/", b"%d" % number))
            assert body_of(await wire.answer()) == str(number)


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    application = Echo()
    application.may_answer.clear()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(b"".join(post(f"/{number}", b"%d" % number) for number in range(20)))
        await application.begun.wait()
        application.may_answer.set()

        assert [body_of(await wire.answer()) for _ in range(20)] == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    "broken", [b"rubbish\r\n\r\n", post("/b", b"", "Transfer-Encoding: chunked") + b"zz\r\n", post("/b", b"", "A\0: 1")]
)
async def test_a_broken_request_behind_a_good_one_does_not_take_its_answer(broken: bytes) -> None:
    application = Echo()
    application.may_answer.clear()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(post("/good", b"1") + broken)
        await application.begun.wait()
        application.may_answer.set()

        assert body_of(await wire.answer()) == "1"
        assert (await wire.answer()).status_code == 400
        assert await wire.rest() == b""

    assert application.asked == ["/good"]


async def test_what_follows_a_body_longer_than_its_length_does_not_take_its_answer() -> None:
    # A sender that counts characters instead of bytes announces less than it sends.
    async with serving(Echo()) as address, Wire(address) as wire:
        await wire.send(post("/", "José".encode() + b'"}', "Content-Length: 5"))

        assert body_of(await wire.answer()) == "José"
        assert (await wire.answer()).status_code == 400
        assert await wire.rest() == b""


@pytest.mark.usefixtures("short")
async def test_a_slow_request_behind_one_still_being_answered_is_refused_after_it() -> None:
    application = Echo()
    application.may_answer.clear()
    async with serving(application) as address, Wire(address) as wire:
        await wire.send(post("/good", b"1") + b"POST /slow HTTP/1.1\r\n")
        async with Wire(address) as other:
            await other.rest()
        application.may_answer.set()

        assert body_of(await wire.answer()) == "1"
        assert (await wire.answer()).status_code == 408


# ---- senders that go away, answers that must arrive -------------------------------------------------


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_sender_that_goes_away_in_the_middle_of_a_body_costs_nothing(framing: str) -> None:
    application = Echo()
    async with serving(application, most_connections=3) as address:
        for _ in range(10):
            application.begun.clear()
            async with Wire(address) as wire:
                await wire.send(post("/", b"", framing) + chunk(b"some"))
                await application.begun.wait()
        async with Wire(address) as wire:
            await wire.send(post("/after", b"1"))
            assert body_of(await wire.answer()) == "1"

    assert application.asked[-1] == "/after"
    assert len(application.gone) == 10


@pytest.mark.parametrize("framing", ["Content-Length: 20000000", "Transfer-Encoding: chunked"])
async def test_an_answer_before_the_end_of_a_body_arrives_although_the_sender_goes_on(framing: str) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await respond(send, 413, b"{}", (b"connection", b"close"))

    async with serving(refuse) as address, Wire(address) as wire:
        await wire.send(post("/", b"", framing))
        for _ in range(300):
            await wire.send(chunk(b"x" * 65_536))

        assert (await wire.answer()).status_code == 413
        assert await wire.rest() == b""


@pytest.mark.usefixtures("short")
async def test_a_sender_that_never_stops_is_closed_after_a_moment() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, 413, b"{}", (b"connection", b"close"))

    async with serving(refuse) as address, Wire(address) as wire:
        await wire.send(post("/", b"", "Transfer-Encoding: chunked"))
        with contextlib.suppress(ConnectionError):
            while True:
                await wire.send(chunk(b"x" * 65_536))


async def test_stopping_answers_what_has_arrived_and_closes_what_is_idle() -> None:
    application = Echo()
    application.may_answer.clear()
    listener = server.listen("127.0.0.1", 0)
    running = server.make_server(application, most_connections=10)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    await running.listening.wait()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with Wire(address) as idle, Wire(address) as busy:
        await busy.send(post("/", b"1"))
        await application.begun.wait()

        running.should_exit = True
        assert await idle.rest() == b""
        application.may_answer.set()

        answer = await busy.answer()
        assert (body_of(answer), answer.headers["connection"]) == ("1", "close")
        assert await busy.rest() == b""
        await task


async def test_trace_is_refused(hub: Any) -> None:
    for path in ("/", "/api/leads", "/healthz", "/api/connectors/webhook/x"):
        async with Wire(hub.address) as wire:
            await wire.send(f"TRACE {path} HTTP/1.1\r\nHost: x\r\nX-Secret: echo me\r\n\r\n".encode())

            answer = await wire.answer()

        assert answer.status_code in (404, 405)
        assert b"echo me" not in answer.body
