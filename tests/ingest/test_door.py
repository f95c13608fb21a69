"""The door as an ASGI application: the order of its checks, what it keeps, and whom it believes about addresses.

API.md's table is walked through in tests/journeys/test_receiving.py; here is what that one can't see or set.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog.testing
from sqlalchemy import text

from connector_master.access.caller import command_line
from connector_master.app import application, open_hub
from connector_master.settings import Settings
from connector_master.storage.connectors import ConnectorRow
from tests.support.hub import new_phone, until
from tests.support.inside import Inside

WRONG = {"X-Webhook-Signature": "sha256=" + "0" * 64}
JSON = {"Content-Type": "application/json"}


class Front:
    """A hub's ASGI application as a caller at `ip` meets it."""

    def __init__(self, inside: Inside, door: Any, ip: str) -> None:
        self.inside = inside
        transport = httpx2.ASGITransport(door, raise_app_exceptions=True, client=(ip, 1234))
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://hub")

    async def send(self, connector: ConnectorRow, body: bytes, **headers: str) -> httpx2.Response:
        path = f"/api/connectors/webhook/{connector.webhook_id}"
        return await self.client.post(path, content=body, headers=JSON | headers)


@asynccontextmanager
async def opened(database_url: str, folder: Path, ip: str = "192.0.2.7", **settings: Any) -> AsyncIterator[Front]:
    async with open_hub(database_url, secret_keys=None, data_dir=folder) as running:
        async with running.hub.engine.connect() as connection:
            workspace = (await connection.execute(text("SELECT id FROM workspaces"))).scalar_one()
        inside = Inside(running.hub, command_line(workspace))
        yield Front(inside, application(running, Settings(_env_file=None, data_dir=folder, **settings)), ip)


@pytest.fixture
async def front(database_url: str, tmp_path: Path) -> AsyncIterator[Front]:
    async with opened(database_url, tmp_path, max_body_bytes=2_000) as made:
        yield made


def lead() -> bytes:
    return json.dumps({"phone": new_phone()}).encode()


# ---- the order of its checks ------------------------------------------------------------------------


async def test_an_address_comes_before_the_size_of_a_body(front: Front) -> None:
    answer = await front.client.post("/api/connectors/webhook/" + "x" * 32, content=b" " * 5_000)

    assert answer.status_code == 404


async def test_the_size_of_a_body_comes_before_its_signature(front: Front) -> None:
    connector = await front.inside.create_connector()

    assert (await front.send(connector, b" " * 5_000, **WRONG)).status_code == 413


async def test_a_signature_comes_before_the_limit_and_the_limit_before_the_body(front: Front) -> None:
    connector = await front.inside.create_connector(settings={"rateLimitPerMinute": 1})

    statuses = [(await front.send(connector, b"{broken", **headers)).status_code for headers in (WRONG, {}, WRONG, {})]

    assert statuses == [401, 400, 401, 429]


async def test_a_signature_comes_before_the_type_and_the_encoding(front: Front) -> None:
    connector = await front.inside.create_connector()

    answer = await front.send(connector, b"x", **WRONG, **{"Content-Type": "image/png", "Content-Encoding": "gzip"})

    assert answer.status_code == 401


async def test_bad_signatures_that_come_together_are_counted_in_few_lines(front: Front) -> None:
    connector = await front.inside.create_connector()

    answers = await asyncio.gather(*(front.send(connector, lead(), **WRONG) for _ in range(200)))

    assert {answer.status_code for answer in answers} == {401}

    async def all_are_counted() -> list[Any] | None:
        lines = await front.inside.sql("SELECT data, ip FROM activity WHERE kind = 'signature_refused'")
        return lines if sum((data or {"attempts": 1})["attempts"] for data, _ in lines) == 200 else None

    lines = await until(all_are_counted)
    assert {ip for _, ip in lines} == {"192.0.2.7"}
    assert len(lines) < 20


# ---- what it keeps ----------------------------------------------------------------------------------


async def kept_headers(front: Front) -> dict[str, str]:
    ((headers,),) = await front.inside.sql("SELECT headers FROM events")
    return headers  # type: ignore[no-any-return]


async def test_headers_are_kept_but_for_those_that_may_hold_a_secret(front: Front) -> None:
    connector = await front.inside.create_connector()
    names = ("Authorization", "Cookie", "X-Api-Key", "X-My-Password", "Proxy-Authorization", "X-Access-Token")
    secret = dict.fromkeys(names, "s3cret")

    await front.send(connector, lead(), **secret, **{"User-Agent": "A form", "Webhook-Id": "msg_1"})

    kept = await kept_headers(front)
    assert (kept["user-agent"], kept["webhook-id"], kept["content-type"]) == ("A form", "msg_1", "application/json")
    assert "s3cret" not in json.dumps(kept)


async def test_no_more_of_the_headers_is_kept_than_a_person_would_read(front: Front) -> None:
    connector = await front.inside.create_connector()

    await front.send(connector, lead(), **{f"X-{number}": "v" * 5_000 for number in range(200)})

    kept = await kept_headers(front)
    assert len(kept) <= 60
    assert max(map(len, kept.values())) <= 500


async def test_no_answer_may_be_stored_by_a_cache_or_read_as_another_type(front: Front) -> None:
    connector = await front.inside.create_connector()

    for answer in (await front.send(connector, lead()), await front.send(connector, b"{broken")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


# ---- whom it believes -------------------------------------------------------------------------------


async def ip_kept(front: Front, **headers: str) -> str:
    connector = await front.inside.create_connector()
    answer = await front.send(connector, lead(), **headers)
    ((ip,),) = await front.inside.sql("SELECT ip FROM events WHERE id = :id", id=answer.json()["eventId"])
    return str(ip)


async def test_a_stranger_s_word_about_his_address_is_not_taken(front: Front) -> None:
    assert await ip_kept(front, **{"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}) == "192.0.2.7"


async def test_a_trusted_proxy_s_word_is_taken_and_only_the_last_one(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url, tmp_path, ip="10.1.2.3", trusted_proxies="10.0.0.0/8") as front:
        assert await ip_kept(front) == "10.1.2.3"
        assert await ip_kept(front, **{"X-Forwarded-For": "198.51.100.9"}) == "198.51.100.9"
        assert await ip_kept(front, **{"X-Forwarded-For": "6.6.6.6, 198.51.100.9"}) == "198.51.100.9"
        assert await ip_kept(front, **{"X-Forwarded-For": "6.6.6.6, 198.51.100.9, 10.9.9.9"}) == "198.51.100.9"


async def test_a_proxy_that_is_not_trusted_is_a_stranger(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url, tmp_path, ip="192.0.2.7", trusted_proxies="10.0.0.0/8") as front:
        assert await ip_kept(front, **{"X-Forwarded-For": "6.6.6.6"}) == "192.0.2.7"


# ---- the unexpected ---------------------------------------------------------------------------------


async def test_a_fault_of_ours_is_a_problem_with_an_id_that_the_log_knows_and_the_next_push_is_taken(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = await front.inside.create_connector()
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
        patch.setattr("connector_master.ingest.door.decode", None)
        answer = await front.send(connector, lead())

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in answer.text
    (entry,) = [entry for entry in logs if entry["event"] == "door_failed"]
    assert entry["error_id"] in answer.json()["detail"]
    assert (await front.send(connector, lead())).status_code == 200
