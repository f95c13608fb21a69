"""Connections over their days: looked at daily, told of before they end, lost when the provider says so."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connector_master.services import connections, connectors, lifetimes, renewals
from connector_master.storage.connectors import ConnectorRow
from tests.support.inside import Inside, open_inside
from tests.support.sandbox import Sandbox, running_sandbox

META = {"appId": "1234567890123456", "appSecret": "sandbox-app-secret-0123456789abcdef"}
GOOGLE = {"clientId": "sandbox-client", "clientSecret": "sandbox-secret"}
LINKEDIN = {"clientId": "770000sandbox", "clientSecret": "WPL_AP1.SandboxOnlySecret01.c2FuZGJveA=="}


@pytest.fixture(scope="module")
def played() -> Iterator[Sandbox]:
    """A sandbox that goes by the real time."""
    with running_sandbox(clock=None) as sandbox:
        yield sandbox


@pytest.fixture
async def inside(database_url: str, tmp_path: Path, played: Sandbox) -> AsyncIterator[Inside]:
    """A hub whose providers the sandbox plays, and everybody there agrees."""
    played.control("reset", {"seed": 1})
    addresses = dict.fromkeys(("META_GRAPH_URL", "META_OAUTH_URL"), f"{played.url}/meta")
    addresses |= dict.fromkeys(("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL", "GOOGLE_ADS_URL"), f"{played.url}/google")
    addresses |= dict.fromkeys(("LINKEDIN_OAUTH_URL", "LINKEDIN_API_URL"), f"{played.url}/linkedin")
    for provider in ("meta", "google", "linkedin"):
        played.set(provider, consents="allow")
    async with open_inside(database_url, tmp_path, addresses) as opened:
        yield opened


async def connected(inside: Inside, sandbox: Sandbox, type_: str, credentials: dict[str, str]) -> ConnectorRow:
    row = await inside.create_connector(type_, credentials=credentials)
    await connect(inside, sandbox, row)
    return row


async def connect(inside: Inside, sandbox: Sandbox, row: ConnectorRow) -> None:
    url = await connections.authorize(inside.hub, inside.caller, row.type, row.id)
    back = dict(parse_qsl(urlsplit(sandbox.http.get(url).headers["location"]).query))
    await connections.complete(
        inside.hub,
        inside.caller,
        state=back["state"],
        code=back["code"],
        error=None,
        error_description=None,
        issuer=None,
    )


async def a_day_later(inside: Inside) -> None:
    await inside.sql("UPDATE connections SET check_at = now()")
    await lifetimes.look_after(inside.hub)


async def connection(inside: Inside) -> Any:
    (found,) = await inside.sql("SELECT * FROM connections")
    return found


async def told(inside: Inside, kind: str) -> list[str]:
    found = await inside.sql("SELECT message FROM activity WHERE kind = :kind ORDER BY id", kind=kind)
    return [line.message for line in found]


async def test_a_connection_that_ends_within_a_week_is_told_of_once_and_how_it_would_last(
    inside: Inside, played: Sandbox
) -> None:
    played.set("google", refreshSeconds=6 * 86_400)
    await connected(inside, played, "google", GOOGLE)

    assert await lifetimes.look_after(inside.hub) == 1
    await a_day_later(inside)

    (line,) = await told(inside, "connection_ends")
    assert "connect again before" in line
    assert "publish the app" in line


async def test_a_connection_is_told_of_again_the_nearer_its_end_is(inside: Inside, played: Sandbox) -> None:
    played.set("google", refreshSeconds=6 * 86_400)
    await connected(inside, played, "google", GOOGLE)
    await a_day_later(inside)

    for hours in (70, 69, 20, 19):
        await inside.sql("UPDATE connections SET ends_at = now() + make_interval(hours => :hours)", hours=hours)
        await a_day_later(inside)

    assert len(await told(inside, "connection_ends")) == 3


async def test_a_connection_with_months_ahead_is_not_told_of(inside: Inside, played: Sandbox) -> None:
    await connected(inside, played, "meta", META)

    await lifetimes.look_after(inside.hub)

    assert await told(inside, "connection_ends") == []
    assert (await connection(inside)).checked_at is not None


async def test_whoever_connects_again_is_told_of_the_next_end(inside: Inside, played: Sandbox) -> None:
    played.set("google", refreshSeconds=6 * 86_400)
    row = await connected(inside, played, "google", GOOGLE)
    await a_day_later(inside)

    await connect(inside, played, row)
    await lifetimes.look_after(inside.hub)

    assert len(await told(inside, "connection_ends")) == 2


async def test_a_token_that_the_provider_calls_dead_is_lost_before_anything_fails(
    inside: Inside, played: Sandbox
) -> None:
    row = await connected(inside, played, "meta", META)
    played.control("meta/actions", {"action": "revoke_all"})

    await a_day_later(inside)
    await a_day_later(inside)

    assert (await connection(inside)).lost_at is not None
    assert len(await told(inside, "authorization_lost")) == 1
    (found,) = await inside.sql("SELECT status FROM connectors WHERE id = :id", id=row.id)
    assert found.status == "needs_authorization"


async def test_who_gets_no_refresh_token_is_told_from_two_weeks_before_the_end(inside: Inside, played: Sandbox) -> None:
    played.fault("linkedin", no_refresh_token=True)
    played.set("linkedin", accessSeconds=13 * 86_400)
    await connected(inside, played, "linkedin", LINKEDIN)

    await a_day_later(inside)

    (line,) = await told(inside, "connection_ends")
    assert "approved partners" in line


async def test_a_dead_token_that_can_be_renewed_is_no_end(inside: Inside, played: Sandbox) -> None:
    await connected(inside, played, "linkedin", LINKEDIN)
    played.pass_time(days=61)

    await a_day_later(inside)

    assert (await connection(inside)).lost_at is None
    await end_access(inside)
    assert await renewals.renew_due(inside.hub) == 1


async def test_a_lost_connection_is_not_found_again_by_pausing(inside: Inside, played: Sandbox) -> None:
    row = await connected(inside, played, "google", GOOGLE)
    played.control("google/actions", {"action": "revoke_all"})
    await end_access(inside)
    await renewals.renew_due(inside.hub)

    await connectors.pause(inside.hub, inside.caller, row.id)
    resumed = await connectors.resume(inside.hub, inside.caller, row.id)

    assert resumed.row.status == "needs_authorization"


async def test_nothing_is_connected_for_an_hour(inside: Inside, played: Sandbox) -> None:
    played.fault("google", no_refresh_token=True)

    with pytest.raises(connections.NoRefreshToken):
        await connected(inside, played, "google", GOOGLE)

    assert await inside.sql("SELECT 1 FROM connections") == []


async def test_a_look_that_failed_for_a_passing_reason_is_taken_again_soon(inside: Inside, played: Sandbox) -> None:
    await connected(inside, played, "meta", META)
    played.fault("meta", passing=True)

    await a_day_later(inside)

    (found,) = await inside.sql("SELECT check_at < now() + interval '2 hours' AS is_soon, lost_at FROM connections")
    assert (found.is_soon, found.lost_at) == (True, None)


# ---- renewals that fail -----------------------------------------------------------------------------


async def end_access(inside: Inside) -> None:
    await inside.sql("UPDATE connections SET expires_at = now(), refresh_at = now()")


async def test_a_renewal_that_failed_for_a_passing_reason_waits_and_loses_nothing(
    inside: Inside, played: Sandbox
) -> None:
    await connected(inside, played, "google", GOOGLE)
    played.fault("google", token_down=True)
    await end_access(inside)

    assert await renewals.renew_due(inside.hub) == 0
    asked = played.state("google")["counts"]
    assert await renewals.renew_due(inside.hub) == 0

    assert played.state("google")["counts"] == asked
    assert (await connection(inside)).lost_at is None
    played.fault("google", token_down=None)
    await end_access(inside)
    assert await renewals.renew_due(inside.hub) == 1


async def test_an_app_that_the_provider_refuses_is_told_of_once_and_the_agreement_outlives_it(
    inside: Inside, played: Sandbox
) -> None:
    row = await connected(inside, played, "google", GOOGLE)
    await inside.change(row, credentials={"clientSecret": "of another app"})

    for _ in range(3):
        await end_access(inside)
        assert await renewals.renew_due(inside.hub) == 0

    (line,) = await told(inside, "connector_status")
    assert "client secret" in line
    assert (await connection(inside)).lost_at is None
    await inside.change(row, credentials={"clientSecret": GOOGLE["clientSecret"]})
    await end_access(inside)
    assert await renewals.renew_due(inside.hub) == 1
