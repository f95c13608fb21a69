"""Erasing a person: what they told us is nowhere afterwards, and the fact stays."""

import json
import uuid
from typing import Any

from tests.journeys.rows import Rows
from tests.support.hub import Hub, new_phone


async def _everything(hub: Hub) -> str:
    """Return every text of every table, as a dump would show it."""
    async with Rows(hub.data_dir, hub.database_url) as rows:
        tables = await rows.all("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for table in (one["tablename"] for one in tables):
            if table.startswith("procrastinate"):
                continue
            columns = await rows.all(
                "SELECT column_name AS name, data_type AS kind FROM information_schema.columns WHERE table_name = %s",
                table,
            )
            for name, kind in ((one["name"], one["kind"]) for one in columns):
                text = f"encode({name}, 'escape')" if kind == "bytea" else f"CAST({name} AS text)"
                rows_of = await rows.all(f"SELECT {text} AS said FROM {table} WHERE {name} IS NOT NULL")
                found += [str(one["said"]) for one in rows_of]
    return "\n".join(found)


async def test_an_erased_lead_is_nowhere_and_its_events_stay_empty(hub: Hub) -> None:
    connector = await hub.create_connector("webhook")
    phone, name = new_phone(), f"Erased-{uuid.uuid4().hex}"
    made = await hub.send(connector, {"phone": phone, "name": name, "email": f"{name}@mills.example"})
    listed = [{"phone": phone, "notes": name}, {"phone": new_phone(), "name": "Neighbour"}]
    await hub.send(connector, listed)
    assert name in await _everything(hub)

    erased = await hub.api("DELETE", f"/api/leads/{made.lead_id}")

    assert erased.status_code == 204
    assert name not in await _everything(hub)
    assert phone not in await _everything(hub)
    assert (await hub.api("GET", f"/api/leads/{made.lead_id}")).status_code == 404
    event = (await hub.api("GET", f"/api/events/{made.event_id}")).json()
    assert (event["status"], event["reason"], event["payload"], event["ip"]) == ("created", "erased", "", None)
    assert (await hub.api("DELETE", f"/api/leads/{made.lead_id}")).status_code == 404
    neighbours = (await hub.api("GET", f"/api/leads?connectorId={connector.id}")).json()["items"]
    assert [one["name"] for one in neighbours] == ["Neighbour"]


async def test_a_record_that_was_erased_is_not_taken_in_again(hub: Hub) -> None:
    connector = await hub.create_connector("webhook")
    record = {"phone": new_phone(), "name": "Again", "id": uuid.uuid4().hex}
    headers = {"Idempotency-Key": record["id"]}
    made = await hub.send(connector, record, headers=headers)
    await hub.api("DELETE", f"/api/leads/{made.lead_id}")

    again = await hub.send(connector, record, headers=headers)

    assert again.body["repeated"] is True
    assert (await hub.api("GET", f"/api/leads?connectorId={connector.id}")).json()["items"] == []


async def test_a_person_is_erased_by_phone_in_any_spelling_and_by_email(hub: Hub) -> None:
    connector = await hub.create_connector("webhook")
    phone, email = new_phone(), f"{uuid.uuid4().hex}@mills.example"
    await hub.send(connector, {"phone": phone, "name": "By phone"})
    await hub.send(connector, {"phone": new_phone(), "email": email.upper()})

    first = await hub.api("POST", "/api/leads/erase", {"phone": f"0{phone[3:8]} {phone[8:]}"})
    second = await hub.api("POST", "/api/leads/erase", {"email": email})
    nobody = await hub.api("POST", "/api/leads/erase", {})

    assert (first.json(), second.json()) == ({"leads": 1, "events": 1}, {"leads": 1, "events": 1})
    assert nobody.status_code == 422


async def test_what_is_kept_of_a_person_is_given_to_them(hub: Hub) -> None:
    connector = await hub.create_connector("webhook", name="Kept by")
    sent: dict[str, Any] = {"phone": new_phone(), "name": "Asha", "odd": {"deep": [1]}}
    made = await hub.send(connector, sent)

    kept = (await hub.api("GET", f"/api/leads/{made.lead_id}/export")).json()

    assert kept["lead"]["name"] == "Asha"
    assert [(one["connector"], one["sent"]) for one in kept["events"]] == [("Kept by", json.loads(json.dumps(sent)))]


async def test_only_administrators_erase(hub: Hub) -> None:
    made = await hub.send(await hub.create_connector("webhook"), {"phone": new_phone()})

    assert (await hub.api("DELETE", f"/api/leads/{made.lead_id}", role="manager")).status_code == 403
