"""Test leads: what a person sends to a webhook from its page, taken in just as if a sender had sent it."""

from datetime import UTC, datetime
from uuid import UUID

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.ingest.bodies import decode
from connector_master.ingest.intake import Arrival
from connector_master.model.event import Outcome, Push
from connector_master.model.problem import Conflict, InvalidRequest, NotFound, Permanent
from connector_master.services.hub import Hub
from connector_master.services.sources import source_of
from connector_master.storage import activity, connectors

_MOST_BYTES = 100_000
_JSON = "application/json"


class SendsItsOwn(Conflict):
    """Tests of this source are sent by its provider, in the provider's shape."""

    code = "sends_its_own"
    title = "Sent by the provider"
    remedy = "Use the provider's own test, which the set-up page of this source describes."


async def send(hub: Hub, caller: Caller, id_: UUID, body: bytes) -> Outcome:
    """Take `body` (JSON) in for a webhook and return what became of its first record; it stays, as any lead does.

    Raises NotFound, SendsItsOwn, and InvalidRequest for a body that is no JSON or holds nothing.
    """
    async with hub.engine.begin() as connection:
        row = await connectors.get(connection, caller.workspace_id, id_)
        if row is None or row.type not in registry():
            raise NotFound("No connector here has this id.")
        connector = registry()[row.type]
        if connector.auth != "signature" or not connector.pushes or connector.signs_with == "appSecret":
            raise SendsItsOwn("Only a webhook can be sent a test lead from here.")
        source = await source_of(connection, hub.keys, hub.apps, row)
        assert source is not None
        await activity.write(
            connection,
            caller.workspace_id,
            kind="test_lead_sent",
            message=f"Test lead sent to {row.name}",
            actor=caller,
            connector_id=row.id,
        )
    if len(body) > _MOST_BYTES:
        raise InvalidRequest("A test lead has at most 100,000 bytes.", field="payload")
    push = Push({"content-type": _JSON}, {}, body, caller.ip or "", datetime.now(UTC))
    try:
        decoded = decode(body, _JSON)
        records = connector.records(decoded.value, push, source.settings)
    except Permanent as problem:
        raise InvalidRequest(f"This is no payload: {problem.detail}", field="payload") from problem
    if not records:
        raise InvalidRequest("There is no record in this payload.", field="payload")
    arrival = Arrival("push", _JSON, body if len(records) == 1 else None, {}, caller.ip)
    outcomes = await hub.intake.take(source, records, arrival, decoded.is_list or len(records) > 1)
    return outcomes[0]
