"""/api/audit over HTTP: what was done, seen by administrators, changed by nobody."""

from datetime import UTC, datetime

import pytest

from tests.support.hub import Hub, new_phone


async def test_the_trail_says_who_did_what_from_where(hub: Hub) -> None:
    connector = await hub.create_connector(name="Audited")
    await hub.api("PUT", f"/api/connectors/{connector.id}", {"name": "Renamed"}, role="manager")

    items = (await hub.api("GET", "/api/audit?limit=200")).json()["items"]

    lines = [line for line in items if line["connectorId"] == connector.id]
    assert [(line["kind"], line["actorName"]) for line in lines] == [
        ("connector_changed", "tests manager"),
        ("connector_created", "tests admin"),
    ]
    assert (lines[0]["actorKind"], lines[0]["ip"]) == ("api_key", "127.0.0.1")
    assert (lines[0]["data"]["before"], lines[0]["data"]["after"]) == ({"name": "Audited"}, {"name": "Renamed"})


async def test_the_trail_is_filtered_and_paged(hub: Hub) -> None:
    began = datetime.now(UTC).isoformat()
    made = [await hub.create_connector(name=f"Trail {n}") for n in range(3)]
    seen: list[str] = []
    query = {"kind": "connector_created", "from": began, "q": "trail", "limit": "2"}
    while True:
        page = (await hub.api("GET", "/api/audit", params=query)).json()
        seen += [line["connectorId"] for line in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]

    assert seen == [connector.id for connector in reversed(made)]
    assert (await hub.api("GET", "/api/audit?to=2020-01-01&kind=connector_created")).json()["items"] == []


async def test_what_arrives_is_no_part_of_the_trail(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"phone": new_phone()})

    items = (await hub.api("GET", "/api/audit?limit=200")).json()["items"]

    assert sent.event_id not in [line["eventId"] for line in items]


@pytest.mark.parametrize("role", ["manager", "executive", None])
async def test_only_administrators_see_it(hub: Hub, role: str | None) -> None:
    assert (await hub.api("GET", "/api/audit", role=role)).status_code == (403 if role else 401)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nobody_changes_it(hub: Hub, method: str) -> None:
    assert (await hub.api(method, "/api/audit")).status_code == 405


async def test_wrong_parameters_are_refused(hub: Hub) -> None:
    assert (await hub.api("GET", "/api/audit?level=loud")).status_code == 422
    assert (await hub.api("GET", "/api/audit?from=never")).status_code == 422
    assert (await hub.api("GET", "/api/audit?who=me")).status_code == 422
    assert (await hub.api("GET", "/api/audit?cursor=x")).status_code == 400
