"""The overview: what it says of each source, and to whom."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.access.caller import command_line
from connector_master.services import overview
from connector_master.services.overview import Verdict
from connector_master.storage.ids import first_id_at, new_id
from tests.support.hub import Hub, new_phone
from tests.web.conftest import SignIn

INDIA = ZoneInfo("Asia/Kolkata")


async def test_a_source_is_shown_with_its_leads_and_one_verdict(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Alive and well")
    await hub.send(connector, {"phone": new_phone(), "name": "Asha"})

    page = (await (await sign_in("manager")).get("/")).text

    assert "Alive and well" in page
    assert "All is well." in page


async def test_a_failure_is_the_verdict_with_the_way_to_mend_it(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="<i>Failing</i>")
    await hub.send(connector, {"name": "No phone"})

    page = (await (await sign_in("manager")).get("/")).text

    assert "&lt;i&gt;Failing&lt;/i&gt;" in page
    assert f'href="/failures?connectorId={connector.id}"' in page


async def test_executives_see_verdicts_without_actions(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Calm view")
    await hub.send(connector, {"name": "No phone"})

    page = (await (await sign_in("executive")).get("/")).text

    assert "Calm view" in page
    assert "/failures" not in page
    assert connector.url not in page


async def test_the_changing_part_comes_alone(hub: Hub, sign_in: SignIn) -> None:
    await hub.create_connector("webhook", name="Live")

    part = (await (await sign_in("manager")).get("/", **{"HX-Request": "true"})).text

    assert part.lstrip().startswith('<div id="live"')


async def _event(engine: AsyncEngine, workspace: UUID, connector: UUID, at: datetime, status: str = "created") -> UUID:
    id_ = UUID(int=first_id_at(at).int | (new_id().int & (2**76 - 1)))
    async with engine.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO events (workspace_id, id, connector_id, origin, status, received_at, payload)
                VALUES (:workspace, :id, :connector, 'push', :status, :at, '{}')
            """),
            {"workspace": workspace, "id": id_, "connector": connector, "status": status, "at": at},
        )
    return id_


async def _connector(engine: AsyncEngine, workspace: UUID, made: datetime) -> UUID:
    id_ = new_id()
    async with engine.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO connectors (workspace_id, id, type, name, status, settings, created_at)
                VALUES (:workspace, :id, 'webhook', 'Counted', 'active', '{}', :made)
            """),
            {"workspace": workspace, "id": id_, "made": made},
        )
    return id_


class _Hub:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine


async def test_today_is_told_beside_what_is_usual_by_this_time(database: AsyncEngine, workspace: UUID) -> None:
    # 20:00 in India, on a Friday.
    now = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    connector = await _connector(database, workspace, now - timedelta(days=60))
    for week in (1, 2, 3, 4):
        for hour in (-4, -3, -2, 3):
            for minute in (0, 5):
                await _event(
                    database,
                    workspace,
                    connector,
                    now - timedelta(days=7 * week) + timedelta(hours=hour, minutes=minute),
                )
    hub: object = _Hub(database)
    caller = command_line(workspace)

    before = await overview.overview(hub, caller, now=now, zone=INDIA)  # type: ignore[arg-type]
    await overview.count_due(hub, now)  # type: ignore[arg-type]
    after = await overview.overview(hub, caller, now=now, zone=INDIA)  # type: ignore[arg-type]

    assert before == after
    (source,) = after.sources
    assert (source.today.leads, source.usual, source.verdict) == (0, 6.0, Verdict.QUIET)


async def test_an_event_that_is_settled_later_is_counted_anew(database: AsyncEngine, workspace: UUID) -> None:
    now = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    connector = await _connector(database, workspace, now - timedelta(days=60))
    event = await _event(database, workspace, connector, now - timedelta(days=1), status="failed")
    hub: object = _Hub(database)
    await overview.count_due(hub, now)  # type: ignore[arg-type]
    async with database.begin() as connection:
        await connection.execute(text("UPDATE events SET status = 'created' WHERE id = :id"), {"id": event})
    await overview.count_due(hub, now)  # type: ignore[arg-type]

    found = await overview.overview(hub, command_line(workspace), now=now, zone=INDIA)  # type: ignore[arg-type]

    assert [(one.failed, one.verdict) for one in found.sources] == [(0, Verdict.WELL)]
    assert list(found.days.values())[-2] == {connector: 1}
