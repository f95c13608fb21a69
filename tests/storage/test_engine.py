"""The engine: statements are planned for what they are asked about."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_LATEST = text(
    "SELECT id FROM events WHERE workspace_id = :workspace AND connector_id = :connector ORDER BY id DESC LIMIT 1"
)


async def test_a_statement_that_is_asked_often_is_still_planned_for_whom_it_asks_about(
    database: AsyncEngine, workspace: UUID
) -> None:
    async with database.connect() as connection:
        for _ in range(30):
            await connection.execute(_LATEST, {"workspace": workspace, "connector": workspace})
        plans = text("SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements")
        generic, custom = (await connection.execute(plans)).one()

    assert (generic, custom > 10) == (0, True)
