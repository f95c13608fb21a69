"""Trying a connector out: what a payload would become, and whether the provider answers. Nothing is created."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.connectors.connector import Check, Connector
from connector_master.connectors.oauth import Grant
from connector_master.ingest.intake import encode
from connector_master.ingest.pacing import MustWait
from connector_master.model.event import Push
from connector_master.model.json import Json
from connector_master.model.problem import InvalidBody, InvalidRecord, NotFound, Problem, ProviderLimited
from connector_master.model.words import Words, sentences
from connector_master.outbound.client import Client
from connector_master.pipeline.deduplication import deduplication_key
from connector_master.pipeline.mapping import ATTRIBUTES, CompiledMapping, compile_mapping
from connector_master.pipeline.process import MOST_UNMAPPED, Finding, Trial, process, try_out
from connector_master.services.credentials import CredentialsMissing, open_credentials, paced, require_grant
from connector_master.services.grants import using
from connector_master.services.hub import Hub
from connector_master.services.sources import mapping_of, profile_of, settings_of
from connector_master.storage import activity, connectors, leads
from connector_master.storage.connectors import ConnectorRow


@dataclass(frozen=True, slots=True)
class Tried:
    """What a payload would become: `outcome` is created, duplicate, rejected or ignored (then with a reason)."""

    outcome: str
    reason: str | None
    lead: dict[str, Json]
    lead_id: UUID | None
    problems: Sequence[Finding]
    unmapped: Sequence[str]
    mapping: Mapping[str, Any]
    records: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a connection test, in words for a person."""

    is_ok: bool
    message: str
    checked_at: datetime
    details: dict[str, Any]


async def test_connection(hub: Hub, caller: Caller, id_: UUID) -> Checked:
    """Check what can be checked of a connector, and say so. Raises NotFound."""
    async with hub.engine.begin() as connection:
        row = await connectors.get(connection, caller.workspace_id, id_)
        if row is None or row.type not in registry():
            raise NotFound("No connector here has this id.")
    connector = registry()[row.type]
    check = await _call_provider(hub, row, connector) if connector.test is not None else _check_of_door(row)
    async with hub.engine.begin() as connection:
        await activity.write(
            connection,
            caller.workspace_id,
            kind="connection_test",
            level="info" if check.is_ok else "warning",
            message=f"Connection test: {check.message}",
            actor=caller,
            connector_id=row.id,
            data={"ok": check.is_ok},
        )
    return Checked(check.is_ok, check.message, datetime.now(UTC), dict(check.details))


async def try_payload(
    hub: Hub, caller: Caller, id_: UUID, payload: Json, field_mapping: Mapping[str, Any] | None
) -> Tried:
    """Return what `payload` would become under the saved mapping, or the one given; creates nothing. Raises NotFound."""
    async with hub.engine.begin() as connection:
        row = await connectors.get(connection, caller.workspace_id, id_)
        if row is None:
            raise NotFound("No connector here has this id.")
        tried = await _try(connection, row, payload, field_mapping)
        await activity.write(
            connection,
            caller.workspace_id,
            kind="webhook_test",
            message=f"Payload tried: {tried.outcome}",
            actor=caller,
            connector_id=row.id,
            data={"outcome": tried.outcome, "problems": [finding.code for finding in tried.problems]},
        )
        return tried


async def try_record(
    connection: AsyncConnection,
    row: ConnectorRow,
    record: Json,
    mapping: CompiledMapping | None,
    *,
    records: int = 1,
    most_unmapped: int = MOST_UNMAPPED,
) -> Tried:
    """Return what the first of `records` records would become; None is the guesses. Creates nothing."""
    connector = registry()[row.type]
    settings = settings_of(connector, row.settings)
    profile = profile_of(connector, settings)
    trial = await asyncio.to_thread(try_out, record, mapping, profile, most_unmapped=most_unmapped)
    trial = readable(trial)
    outcome, lead_id = "rejected", None
    if not any(finding.blocks for finding in trial.problems):
        draft = process(record, mapping, profile)
        key = deduplication_key(draft, settings.duplicate_policy.fields)
        lead_id = await leads.id_by_key(connection, row.workspace_id, key)
        outcome = "duplicate" if lead_id else "created"
    return Tried(outcome, None, trial.lead, lead_id, trial.problems, trial.unmapped, trial.mapping, records)


def fields_of(lead: Mapping[str, Json]) -> dict[str, Json]:
    """Return a lead's fields by the names of a mapping's targets: each attribute is one of its own."""
    attributes = lead.get("attributes")
    fields = {name: value for name, value in lead.items() if name != "attributes"}
    if isinstance(attributes, dict):
        fields |= {f"{ATTRIBUTES}{name}": value for name, value in attributes.items()}
    return fields


def readable(trial: Trial) -> Trial:
    """Return `trial` with the names of the payload's fields as an answer can hold them: without halves of surrogates."""

    def mended(text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-8", "replace").decode()
        return text

    return Trial(
        trial.lead,
        [replace(one, field=mended(one.field), message=mended(one.message)) for one in trial.problems],
        [mended(path) for path in trial.unmapped],
        {mended(path): target for path, target in trial.mapping.items()},
    )


def _check_of_door(row: ConnectorRow) -> Check:
    if row.status == "paused":
        message = Words("Paused: what arrives is kept and processed on resume.")
    elif row.last_event_at is None:
        message = Words("Ready to receive. Nothing has arrived yet: send a test from the provider.")
    else:
        message = Words("Ready to receive; events have arrived.")
    last = row.last_event_at.isoformat().replace("+00:00", "Z") if row.last_event_at else None
    return Check(True, message, {"status": row.status, "lastEventAt": last})


async def _call_provider(hub: Hub, row: ConnectorRow, connector: Connector) -> Check:
    assert connector.test is not None
    try:
        async with hub.engine.connect() as connection:
            credentials = await open_credentials(connection, hub.keys, row, connector)
            await require_grant(connection, row, connector)
        client = paced(hub, connector, credentials)
        settings = settings_of(connector, row.settings)
        if connector.oauth is None:
            return await connector.test(client, credentials, settings)
        return await using(hub, row, connector, partial(_test_with, connector, client, settings))
    except CredentialsMissing as problem:
        if connector.pushes:
            return _check_of_door(row)
        return Check(False, sentences(problem.detail, problem.remedy), {"code": problem.code, "status": row.status})
    except MustWait as waits:
        at = waits.until.isoformat(timespec="seconds").replace("+00:00", "Z")
        message = Words(
            "%(source)s has been called just now and allows no other call with this key before %(moment)s.",
            source=connector.title,
            moment=waits.until,
        )
        return Check(row.status == "active" and row.last_sync_at is not None, message, {"nextCallAt": at})
    except Problem as problem:
        if isinstance(problem, ProviderLimited):
            await client.rest(problem)
        return Check(False, sentences(problem.detail, problem.remedy), {"code": problem.code, "status": row.status})


async def _test_with(connector: Connector, client: Client, settings: Any, grant: Grant) -> Check:
    assert connector.test is not None
    return await connector.test(client, grant, settings)


async def _try(
    connection: AsyncConnection, row: ConnectorRow, payload: Json, field_mapping: Mapping[str, Any] | None
) -> Tried:
    connector = registry()[row.type]
    settings = settings_of(connector, row.settings)
    mapping = mapping_of(connector, row.field_mapping) if field_mapping is None else compile_mapping(field_mapping)
    shown = dict(mapping.mapping) if mapping else {}
    push = Push({}, {}, encode(payload) if not isinstance(payload, str) else b"", "", datetime.now(UTC))
    try:
        records = connector.records(payload, push, settings)
    except (InvalidBody, InvalidRecord) as problem:
        finding = Finding("payload", problem.code, problem.detail, blocks=True)
        return Tried("rejected", None, {}, None, [finding], [], shown, 0)
    if not records or records[0].ignored is not None:
        reason = records[0].ignored if records else "empty"
        return Tried("ignored", reason, {}, None, [], [], shown, len(records))
    return await try_record(connection, row, records[0].value, mapping, records=len(records))
