"""HTTP to providers, over real sockets: what is refused, what is repeated, what ends, and what is never told."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from connector_master.model.problem import AddressRefused, BadProviderRequest, ProviderUnavailable
from connector_master.outbound import http
from connector_master.outbound.client import Client, SecretPath
from connector_master.outbound.http import Bounds, HttpClient, Outbound
from tests.outbound.servers import answer, serving

BOUNDS = Bounds(connect_seconds=1, silence_seconds=1, total_seconds=3, answer_bytes=1_000_000)
Make = Callable[..., HttpClient]


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes clients of one process's connections; pauses between repeats are short."""
    monkeypatch.setattr(http, "_FIRST_PAUSE_SECONDS", 0.01)
    async with Outbound(allow=[ip_network("127.0.0.2/32")], bounds=BOUNDS) as outbound:

        def client(base: str, *, trusted: bool = True, repeats: bool = True) -> HttpClient:
            return outbound.client(base, name="toy", trusted=trusted, repeats=repeats)

        yield client


@pytest.fixture
def log() -> Any:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def test_an_answer_of_any_status_comes_back_whole(make: Make) -> None:
    async with serving(answer(b'{"a": 1}', "418 I'm a teapot", Retry_After="7", X_Odd="b")) as server:
        client: Client = make(server.base)
        got = await client.get("/path", {"q": "a b&c/+="}, headers={"X-Mine": "1"})
    assert (got.status, got.json(), got.headers["retry-after"], got.headers["x-odd"]) == (418, {"a": 1}, "7", "b")
    assert got.retry_after_seconds() == 7
    head = server.heads[0]
    assert head.startswith("GET /path?q=a%20b%26c%2F%2B%3D HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}" in head.lower()
    assert "x-mine: 1" in head.lower()
    assert "user-agent: connector-master/" in head.lower()


async def test_a_path_that_is_encoded_stays_as_it_is(make: Make) -> None:
    async with serving(answer()) as server:
        await make(server.base + "/before/").get("/KEY/a%2Fb%2B%3D/Start/10-Oct-2026%2009:25:00/")
    assert server.heads[0].startswith("GET /before/KEY/a%2Fb%2B%3D/Start/10-Oct-2026%2009:25:00/ HTTP/1.1")


async def test_json_and_forms_are_posted(make: Make) -> None:
    bodies: list[bytes] = []

    async def keep(head: bytes, writer: asyncio.StreamWriter) -> None:
        bodies.append(head)
        writer.write(answer())

    async with serving(keep) as server:
        await make(server.base).post("/x", json={"a": 1})
        await make(server.base).post("/x", form={"a": "1 2"})
    assert b"application/json" in bodies[0]
    assert b"application/x-www-form-urlencoded" in bodies[1]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0",
        "127.0.0.1.",
        "localhost.",
        "①②⑦.⓪.⓪.①",
    ],
)
async def test_no_spelling_of_this_machine_is_called_at_a_users_word(make: Make, host: str) -> None:
    async with serving(answer()) as server:
        with pytest.raises((AddressRefused, ProviderUnavailable, BadProviderRequest)) as refusal:
            await make(f"http://{host}:{server.port}", trusted=False).get("/")
    assert server.heads == []
    assert not isinstance(refusal.value, ProviderUnavailable) or "its name is not known" in refusal.value.detail


async def test_a_network_that_an_operator_allows_is_called(make: Make) -> None:
    async with serving(answer()) as server:
        with pytest.raises(ProviderUnavailable):  # allowed, but nobody listens there
            await make(f"http://127.0.0.2:{server.port}", trusted=False).get("/")
        assert (await make(server.base, trusted=True).get("/")).status == 200


async def test_a_name_with_one_private_address_among_public_ones_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]

    async def resolve(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(AddressRefused):
        await make("http://mixed.example", trusted=False).get("/")
    assert asked == ["mixed.example"]


async def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_the_one_called(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(answer()) as server:
        answers = iter([["127.0.0.1"], ["10.0.0.1"]])

        async def resolve(host: str, port: int, **_: Any) -> Any:
            addresses = next(answers) if host == "changing.example" else [host]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        got = await make(f"http://changing.example:{server.port}").get("/")
    assert got.status == 200
    assert f"host: changing.example:{server.port}" in server.heads[0].lower()


async def test_a_redirect_is_an_answer_and_not_an_order(make: Make) -> None:
    async with serving(answer()) as target, serving(answer(b"", "302 Found", Location=target.base)) as server:
        got = await make(server.base).get("/")
    assert (got.status, target.heads) == (302, [])


async def test_no_proxy_is_taken_from_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer()) as proxy, serving(answer()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base)
        async with Outbound(bounds=BOUNDS) as outbound:
            await outbound.client(server.base, name="toy", trusted=True).get("/")
    assert (len(server.heads), proxy.heads) == (1, [])


async def test_a_cookie_of_one_call_is_not_sent_with_the_next(make: Make) -> None:
    async with serving(answer(Set_Cookie="session=of-somebody-else; Path=/")) as server:
        await make(server.base).get("/")
        await make(server.base).get("/")
    assert "cookie" not in server.heads[1].lower()


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
async def test_a_gateways_fault_is_asked_again_at_most_twice(make: Make, status: str) -> None:
    async with serving(answer(b"", status), answer(b"", status), answer(b"[1]")) as server:
        assert (await make(server.base).get("/")).json() == [1]
    async with serving(answer(b"", status)) as server:
        assert str((await make(server.base).get("/")).status) == status[:3]
    assert len(server.heads) == 3


@pytest.mark.parametrize("status", ["500 Oh", "429 Too Many Requests", "401 Who"])
async def test_other_answers_are_asked_for_once(make: Make, status: str) -> None:
    async with serving(answer(b"", status)) as server:
        await make(server.base).get("/")
    assert len(server.heads) == 1


async def test_what_was_sent_is_not_sent_again_where_calls_are_counted_nor_for_a_post(make: Make) -> None:
    async with serving(answer(b"", "502 Bad Gateway")) as server:
        await make(server.base, repeats=False).get("/")
        await make(server.base).post("/", json={})
    assert len(server.heads) == 2


async def test_a_longer_wait_that_the_provider_asks_for_is_left_to_the_caller(make: Make) -> None:
    async with serving(answer(b"", "503 Service Unavailable", Retry_After="60")) as server:
        assert (await make(server.base).get("/")).retry_after_seconds() == 60
    assert len(server.heads) == 1


async def test_a_connection_that_breaks_is_tried_again_and_then_named(make: Make) -> None:
    async with serving(b"", answer(b"[2]")) as server:
        assert (await make(server.base).get("/")).json() == [2]
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") as server:
        with pytest.raises(ProviderUnavailable, match="the connection broke off"):
            await make(server.base).get("/")
    assert len(server.heads) == 3


async def test_nobody_listening_is_named_as_refused(make: Make) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ProviderUnavailable, match=r"toy gave no answer: no connection \(refused\)"):
            await make(f"http://127.0.0.1:{held.getsockname()[1]}").get("/")


async def test_a_name_that_does_not_exist_is_named_so(make: Make) -> None:
    with pytest.raises(ProviderUnavailable, match="its name is not known"):
        await make("http://nowhere.invalid", trusted=False).get("/")


async def test_silence_ends(make: Make) -> None:
    async def say_nothing(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with serving(say_nothing) as server:
        with pytest.raises(ProviderUnavailable, match="silence for 1 seconds"):
            await make(server.base).get("/")


async def test_an_answer_that_drips_for_ever_ends(make: Make) -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.2)

    async with serving(drip) as server:
        started = asyncio.get_running_loop().time()
        with pytest.raises(ProviderUnavailable, match="not complete within 3 seconds"):
            await make(server.base).get("/")
    assert asyncio.get_running_loop().time() - started < 4


async def test_an_answer_of_200_megabytes_is_left_after_one(make: Make) -> None:
    sent = 0

    async def pour(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            writer.write(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
            await writer.drain()
            sent += 1

    async with serving(pour) as server:
        with pytest.raises(ProviderUnavailable, match="larger than 976 KiB"):
            await make(server.base).get("/")
    assert sent < 50
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n") as server:
        with pytest.raises(ProviderUnavailable, match="larger than"):
            await make(server.base).get("/")


def _layers(size: int, layers: int) -> bytes:
    body = b"0" * size
    for _ in range(layers):
        body = gzip.compress(body)
    return body


async def test_a_packed_answer_is_unpacked_and_a_packed_flood_is_not(make: Make) -> None:
    async with serving(answer(gzip.compress(b"[3]"), Content_Encoding="gzip")) as server:
        assert (await make(server.base).get("/")).json() == [3]
    async with serving(answer(zlib.compress(b"[4]"), Content_Encoding="deflate")) as server:
        assert (await make(server.base).get("/")).json() == [4]
    async with serving(answer(_layers(200_000_000, 1), Content_Encoding="gzip")) as server:
        with pytest.raises(ProviderUnavailable, match="larger than"):
            await make(server.base).get("/")
    async with serving(answer(_layers(50_000_000, 2), Content_Encoding="gzip, gzip")) as server:
        with pytest.raises(ProviderUnavailable, match="packed in a way that was not asked for"):
            await make(server.base).get("/")
    async with serving(answer(b"no gzip", Content_Encoding="gzip")) as server:
        with pytest.raises(ProviderUnavailable, match="can't be unpacked"):
            await make(server.base).get("/")


@pytest.mark.parametrize("sent", [b"\x00\x01\x02 no http\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n", b"[]"])
async def test_what_is_not_http_is_unavailable(make: Make, sent: bytes) -> None:
    async with serving(sent) as server:
        with pytest.raises(ProviderUnavailable):
            await make(server.base).get("/")


async def test_one_slow_provider_leaves_connections_for_others(make: Make) -> None:
    waiting = asyncio.Event()

    async def wait(head: bytes, writer: asyncio.StreamWriter) -> None:
        await waiting.wait()
        writer.write(answer())

    async with serving(wait) as slow, serving(answer()) as quick:
        client = make(slow.base)
        calls = [asyncio.create_task(client.get("/")) for _ in range(60)]
        await asyncio.sleep(0.1)
        assert len(slow.heads) == 20
        assert (await make(quick.base).get("/")).status == 200
        waiting.set()
        assert {got.status for got in await asyncio.gather(*calls)} == {200}


SECRET = "hunter2-the-key"


@pytest.mark.parametrize("sent", [answer(b"", "401 No"), b"rubbish\r\n\r\n", b""])
async def test_no_key_is_told_in_logs_metrics_and_problems(
    make: Make, sent: bytes, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told = ""
    async with serving(sent) as server:
        client = make(server.base)
        path = SecretPath(f"/KEY/{SECRET}/", "/KEY/…/")
        try:
            await client.get(path, {"key": SECRET}, headers={"Authorization": f"Bearer {SECRET}"})
        except ProviderUnavailable as problem:
            told = problem.detail
    assert any(SECRET in head for head in server.heads)
    assert [(line["event"], line["provider"], line["path"]) for line in log] == [("provider_called", "toy", "/KEY/…/")]
    figures = "".join(f"{metric.samples}" for metric in REGISTRY.collect())
    assert SECRET not in f"{log}{caplog.text}{told}{figures}"


async def test_every_call_is_counted_by_outcome(make: Make) -> None:
    def counted(outcome: str) -> float:
        labels = {"provider": "toy", "outcome": outcome}
        return REGISTRY.get_sample_value("connector_master_provider_calls_total", labels) or 0

    before = counted("4xx"), counted("refused")
    async with serving(answer(b"", "404 Not Found")) as server:
        await make(server.base).get("/")
        with pytest.raises(AddressRefused):
            await make(server.base, trusted=False).get("/")
    assert (counted("4xx"), counted("refused")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    "base",
    [
        "",
        *[
            "ftp://example.com",
            "example.com",
            "http://",
            "http://a:b@example.com",
            "http://example.com/?x=1",
            "http://example.com/#x",
            "http://example.com:99999",
            "http://[::1",
            "http://0177.0.0.1",
        ],
    ],
)
async def test_what_is_no_address_is_refused_at_once(make: Make, base: str) -> None:
    with pytest.raises(BadProviderRequest):
        make(base)


async def test_a_path_can_not_change_the_host(make: Make) -> None:
    with pytest.raises(BadProviderRequest):
        await make("http://example.com").get("@127.0.0.1/")
