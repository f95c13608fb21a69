"""Resolves: fetching leads that a push only announced, for as long as it takes."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from connector_master.connectors import registry
from connector_master.connectors.connector import Connector
from connector_master.connectors.oauth import Grant
from connector_master.ingest.pacing import MustWait
from connector_master.ingest.resolve import fetch, settle_fetched
from connector_master.ingest.source import Source
from connector_master.model.event import Record
from connector_master.model.problem import (
    ConnectorNotFound,
    CredentialsRefused,
    LeadNotFound,
    Problem,
    ProviderLimited,
    Transient,
)
from connector_master.services.credentials import open_credentials, paced
from connector_master.services.grants import using
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.storage import connectors, jobs, resolves
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.events import RawEvent

_BATCH = 200
_WAITS = (10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400)
"""Seconds after which a lead that could not be fetched is tried again; the last for ever (DESIGN.md section 6)."""
_SHOWN_WITHIN = timedelta(hours=24)
"""A lead that its provider does not know for so long will not be known."""
_TRIED_FOR = timedelta(days=7)
_PERSON_WAIT = timedelta(hours=6)
"""How long what only a person can mend waits before it is tried all the same."""


async def run(hub: Hub, workspace: UUID, connector_id: UUID) -> None:
    """Fetch what is due of what was announced to a connector, until nothing is; a worker calls this.

    Nothing is fetched while the connector is paused or needs authorization: it waits for that to end.
    """
    while True:
        async with hub.engine.connect() as connection:
            batch = await resolves.due(connection, workspace, connector_id, _BATCH)
            if not batch:
                return
            row = await connectors.get(connection, workspace, connector_id)
            source = await source_of(connection, hub.keys, hub.apps, row) if row is not None else None
        if row is None or source is None:
            await _give_up(hub, workspace, batch, ConnectorNotFound("The connector was deleted before it was fetched."))
            continue
        if row.status in ("paused", "needs_authorization"):
            return
        if not await _fetch_batch(hub, row, source, batch):
            return


async def sweep(hub: Hub) -> None:
    """Defer what is due to be fetched and that nobody fetches: what waited long enough, and whatever was missed."""
    async with hub.engine.begin() as connection:
        for workspace, connector_id in await resolves.connectors_due(connection):
            args = {"workspace_id": str(workspace), "connector_id": str(connector_id)}
            if not await jobs.is_deferred(connection, jobs.RESOLVE_LEADS, **args):
                await jobs.defer(connection, jobs.RESOLVE_LEADS, **args)


async def _fetch_batch(hub: Hub, row: ConnectorRow, source: Source, batch: Sequence[RawEvent]) -> bool:
    """Fetch and settle a batch; return whether the next may be tried at once."""
    connector: Connector = registry()[row.type]
    resolve = connector.resolve
    assert resolve is not None
    found: dict[UUID, Record | Problem] = {}
    stopped: Problem | None = None
    try:
        async with hub.engine.connect() as connection:
            credentials = await open_credentials(connection, hub.keys, row, connector)
        client = paced(hub, connector, credentials)

        async def use(grant: Grant) -> None:
            await fetch(resolve, client, grant, source, batch, found)

        await using(hub, row, connector, use)
    except MustWait as waits:
        stopped = waits.why
    except Problem as problem:
        stopped = problem
    now = datetime.now(UTC)
    await settle_fetched(hub.writer, source, batch, found, now)
    limited = [one for one in found.values() if isinstance(one, ProviderLimited)]
    for said in {(one.code, one.retry_after_seconds): one for one in limited}.values():
        await client.rest(said)
    # Those that fail alike wait together: a long outage must not make a job for each lead.
    alike: dict[tuple[str, str, int], tuple[Problem, list[RawEvent]]] = {}
    for event in batch:
        outcome = found.get(event.event.id) or stopped
        if isinstance(outcome, Problem):
            key = (outcome.code, outcome.detail, event.event.attempts)
            alike.setdefault(key, (outcome, []))[1].append(event)
    for why, events in alike.values():
        await _put_off(hub, row, events, why, now)
    return stopped is None and not limited


async def _put_off(hub: Hub, row: ConnectorRow, events: Sequence[RawEvent], problem: Problem, now: datetime) -> None:
    longest = _SHOWN_WITHIN if isinstance(problem, LeadNotFound) else _TRIED_FOR
    is_hopeless = not isinstance(problem, Transient | CredentialsRefused)
    hopeless = [one for one in events if is_hopeless or now - one.event.received_at > longest]
    if hopeless:
        await _give_up(hub, row.workspace_id, hopeless, problem)
    waiting = [one.event.id for one in events if one not in hopeless]
    if not waiting:
        return
    if isinstance(problem, CredentialsRefused):
        wait = _PERSON_WAIT
    elif isinstance(problem, ProviderLimited) and problem.retry_after_seconds is not None:
        wait = timedelta(seconds=problem.retry_after_seconds + 1)
    else:
        seconds = _WAITS[min(events[0].event.attempts - 1, len(_WAITS) - 1)]
        wait = timedelta(seconds=seconds * random.uniform(0.9, 1.2))  # noqa: S311 (spreads load, keeps no secret)
    async with hub.engine.begin() as connection:
        await resolves.postpone(
            connection, row.workspace_id, waiting, now + wait, code=problem.code, detail=problem.detail
        )


async def _give_up(hub: Hub, workspace: UUID, batch: Sequence[RawEvent], problem: Problem) -> None:
    async with hub.engine.begin() as connection:
        await resolves.give_up(
            connection,
            workspace,
            [one.event.id for one in batch],
            code=problem.code,
            detail=f"{problem.detail} {problem.remedy}",
        )
