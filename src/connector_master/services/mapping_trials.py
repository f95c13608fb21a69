"""Trying a field mapping on what really came: the last payloads, before and after an edit. Nothing is created."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from connector_master.access.caller import Caller
from connector_master.ingest.retry import records_in
from connector_master.ingest.source import Source
from connector_master.model.json import Json
from connector_master.model.problem import NotFound, Permanent
from connector_master.pipeline.mapping import CompiledMapping
from connector_master.pipeline.process import Finding, Trial, try_out
from connector_master.services.hub import Hub
from connector_master.services.mappings import OwnMapping
from connector_master.services.sources import mapping_of, source_of
from connector_master.services.trials import fields_of, readable
from connector_master.storage import activity, connectors, events
from connector_master.storage.events import Event, RawEvent

MOST_TRIED = 200


class Verdict(StrEnum):
    """What an edit does to one event."""

    SAME = "same"
    CHANGED = "changed"
    MENDED = "mended"
    """It could be no lead before, and can now."""
    BROKEN = "broken"
    """It could be a lead before, and can't now."""
    FAILING = "failing"
    """It can be no lead either way."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a lead as the saved mapping fills it, and as the edited one would; None where it does not."""

    field: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edit does to one event: the fields that change, and the problems under the edited mapping."""

    event: Event
    verdict: Verdict
    changes: Sequence[Change]
    problems: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an edit does to the last events, newest first."""

    differences: Sequence[Difference]

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many events have each verdict."""
        found = Counter(one.verdict for one in self.differences)
        return {verdict: found[verdict] for verdict in Verdict}


async def compare(hub: Hub, caller: Caller, connector_id: UUID, mapping: OwnMapping, last: int) -> Comparison:
    """Return what `mapping` would make of a connector's last events, beside what the saved one makes of them.

    That payloads were read goes into the activity log. Raises NotFound, InvalidRequest.
    """
    async with hub.engine.begin() as connection:
        row = await connectors.get(connection, caller.workspace_id, connector_id)
        source = None if row is None else await source_of(connection, hub.keys, hub.apps, row)
        if row is None or source is None:
            raise NotFound("No connector here has this id.")
        edited = mapping_of(source.connector, mapping)
        raws = await events.raw_samples(connection, caller.workspace_id, connector_id, last)
        await activity.write(
            connection,
            caller.workspace_id,
            kind="mapping_tried",
            message=f"Mapping tried on the last {len(raws)} payloads",
            actor=caller,
            connector_id=connector_id,
            data={"events": len(raws)},
        )
    return Comparison(await asyncio.to_thread(lambda: [_difference(source, raw, edited) for raw in raws]))


def _difference(source: Source, raw: RawEvent, edited: CompiledMapping | None) -> Difference:
    try:
        records = records_in(source, raw)
    except Permanent as problem:
        return Difference(
            raw.event, Verdict.FAILING, (), [Finding("payload", problem.code, problem.detail, blocks=True)]
        )
    if not records or records[0].ignored is not None:
        return Difference(raw.event, Verdict.SAME, (), ())
    before, after = (
        readable(try_out(records[0].value, mapping, source.profile, most_unmapped=0))
        for mapping in (source.mapping, edited)
    )
    old, new = fields_of(before.lead), fields_of(after.lead)
    changes = [
        Change(field, old.get(field), new.get(field))
        for field in dict.fromkeys([*old, *new])
        if old.get(field) != new.get(field)
    ]
    return Difference(raw.event, _verdict(before, after, changes), changes, after.problems)


def _verdict(before: Trial, after: Trial, changes: Sequence[Change]) -> Verdict:
    failed, fails = (any(one.blocks for one in trial.problems) for trial in (before, after))
    if failed and fails:
        return Verdict.FAILING
    if failed:
        return Verdict.MENDED
    if fails:
        return Verdict.BROKEN
    return Verdict.CHANGED if changes else Verdict.SAME
