"""Field mappings over HTTP: versions, two editors at once, going back, and trying an edit on what came."""

from typing import Any

import pytest

from tests.support.hub import Hub, TestConnector, new_phone

FIRST = {"tel": "phoneNumber"}
SECOND = {"tel": "phoneNumber", "who": "name"}
THIRD = {"tel": "phoneNumber", "who": {"field": "name", "transform": "value.trim()"}}


def address(connector: TestConnector, rest: str = "") -> str:
    return f"/api/connectors/{connector.id}/field-mapping{rest}"


async def save(hub: Hub, connector: TestConnector, mapping: Any, **more: Any) -> dict[str, Any]:
    answer = await hub.api("PUT", address(connector), {"fieldMapping": mapping, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def versions(hub: Hub, connector: TestConnector, **query: str) -> dict[str, Any]:
    answer = await hub.api("GET", address(connector, "/versions"), params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def attempt(hub: Hub, connector: TestConnector, mapping: Any, **more: Any) -> dict[str, Any]:
    answer = await hub.api("POST", address(connector, "/try"), {"fieldMapping": mapping, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# ---- versions ---------------------------------------------------------------------------------------


async def test_every_mapping_that_was_saved_stays_readable_with_who_and_why(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=FIRST)
    saved = await save(hub, connector, SECOND, note="Names came in")

    found = (await versions(hub, connector))["items"]

    assert (saved["mappingVersion"], saved["fieldMapping"]) == (2, SECOND)
    assert [(one["version"], one["fieldMapping"], one["note"]) for one in found] == [
        (2, SECOND, "Names came in"),
        (1, FIRST, None),
    ]
    assert {one["madeBy"] for one in found} == {"tests admin"}


async def test_a_mapping_that_says_the_same_makes_no_version(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=SECOND)
    same = {"who": {"field": "name"}, "tel": "phoneNumber"}

    assert (await save(hub, connector, same))["mappingVersion"] == 1
    await hub.api("PUT", f"/api/connectors/{connector.id}", {"name": "Renamed", "fieldMapping": SECOND})
    assert len((await versions(hub, connector))["items"]) == 1


async def test_another_order_of_one_fields_sources_is_another_mapping(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping={"last": "name", "first": "name"})

    assert (await save(hub, connector, {"first": "name", "last": "name"}))["mappingVersion"] == 2


async def test_a_change_of_the_whole_connector_counts_as_well(hub: Hub) -> None:
    connector = await hub.create_connector()

    await hub.api("PUT", f"/api/connectors/{connector.id}", {"fieldMapping": FIRST})
    await hub.api("PUT", f"/api/connectors/{connector.id}", {"fieldMapping": None})

    assert [one["fieldMapping"] for one in (await versions(hub, connector))["items"]] == [None, FIRST, None]


async def test_versions_are_read_page_by_page(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=FIRST)
    await save(hub, connector, SECOND)
    await save(hub, connector, THIRD)

    page = await versions(hub, connector, limit="2")
    rest = await versions(hub, connector, limit="2", cursor=page["nextCursor"])

    assert [one["version"] for one in page["items"]] == [3, 2]
    assert ([one["version"] for one in rest["items"]], rest["nextCursor"]) == ([1], None)


async def test_a_cursor_of_another_list_is_refused(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.create_connector()
    foreign = (await hub.api("GET", "/api/connectors", params={"limit": "1"})).json()["nextCursor"]

    answer = await hub.api("GET", address(connector, "/versions"), params={"cursor": foreign})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_an_earlier_version_comes_back_as_the_next_one(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=FIRST)
    await save(hub, connector, SECOND)

    restored = await hub.api("POST", address(connector, "/versions/1/restore"))

    latest = (await versions(hub, connector))["items"][0]
    assert (restored.status_code, restored.json()["fieldMapping"]) == (200, FIRST)
    assert (latest["version"], latest["fieldMapping"], latest["restoredFrom"]) == (3, FIRST, 1)


async def test_a_version_that_never_was_is_not_found(hub: Hub) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("POST", address(connector, "/versions/7/restore"))

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# ---- two at once ------------------------------------------------------------------------------------


async def test_the_second_of_two_editors_is_told_and_sees_both(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=FIRST)
    await save(hub, connector, SECOND, version=1)

    refused = await hub.api("PUT", address(connector), {"fieldMapping": THIRD, "version": 1})

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "mapping_changed")
    assert (problem["saved"]["version"], problem["saved"]["fieldMapping"]) == (2, SECOND)
    assert problem["saved"]["madeBy"] == "tests admin"
    assert problem["edited"] == THIRD
    assert (await save(hub, connector, THIRD, version=2))["fieldMapping"] == THIRD


async def test_two_editors_who_say_the_same_are_in_no_conflict(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=FIRST)
    await save(hub, connector, SECOND, version=1)

    assert (await save(hub, connector, SECOND, version=1))["mappingVersion"] == 2


async def test_who_names_no_version_overwrites(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping=FIRST)
    await save(hub, connector, SECOND)

    assert (await save(hub, connector, THIRD))["mappingVersion"] == 3


# ---- trying -----------------------------------------------------------------------------------------


async def test_an_edit_is_tried_on_what_came_and_the_differences_are_named(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber", "who": "name", "town": "city"})
    phone = new_phone()
    as_before = await hub.send(connector, {"tel": phone})
    renamed = await hub.send(connector, {"tel": new_phone(), "who": "Asha", "full": "Asha Rao", "town": "Pune"})
    lost = await hub.send(connector, {"tel": phone, "ring": "5"})
    mended = await hub.send(connector, {"ring": new_phone()})
    edited = {"ring": "phoneNumber", "tel": "phoneNumber", "full": "name", "budget": "attributes.budget"}
    edited_first = {"ring": {"field": "phoneNumber", "transform": "value == '5' ? '' : value", "combine": "first"}}

    found = await attempt(hub, connector, edited | edited_first)

    by_event = {one["eventId"]: one for one in found["items"]}
    assert [one["eventId"] for one in found["items"]] == [
        mended.event_id or mended.body["eventId"],
        lost.event_id,
        renamed.event_id,
        as_before.event_id,
    ]
    assert found["counts"] == {"same": 2, "changed": 1, "mended": 1, "broken": 0, "failing": 0}
    assert by_event[renamed.event_id]["changes"] == [
        {"field": "name", "before": "Asha", "after": "Asha Rao"},
        {"field": "city", "before": "Pune", "after": None},
    ]
    assert by_event[mended.event_id]["verdict"] == "mended"


async def test_an_edit_that_would_lose_leads_says_which_and_why(hub: Hub) -> None:
    connector = await hub.create_connector()
    sent = await hub.send(connector, {"phone": new_phone()})
    await hub.send(connector, {"note": "no number at all"})

    found = await attempt(hub, connector, {"ring": "phoneNumber"})

    broken = next(one for one in found["items"] if one["eventId"] == sent.event_id)
    assert (found["counts"]["broken"], found["counts"]["failing"]) == (1, 1)
    assert (broken["verdict"], broken["leadId"]) == ("broken", sent.lead_id)
    assert broken["problems"] == [
        {"field": "phoneNumber", "code": "missing_phone", "message": "Nothing found in: ring", "blocks": True}
    ]


async def test_a_try_changes_nothing_and_is_in_the_log(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, {"phone": new_phone()})

    await attempt(hub, connector, {"x": "phoneNumber"}, last=1)

    log = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params={"kind": "mapping_tried"})
    assert [one["message"] for one in log.json()["items"]] == ["Mapping tried on the last 1 payloads"]
    assert (await versions(hub, connector))["items"][0]["version"] == 1


@pytest.mark.parametrize("last", [0, 201, "5", 1.5])
async def test_how_many_are_tried_has_a_bound(hub: Hub, last: Any) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("POST", address(connector, "/try"), {"fieldMapping": None, "last": last})

    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, ["last"])


async def test_a_broken_mapping_is_refused_at_its_place(hub: Hub) -> None:
    connector = await hub.create_connector()

    answer = await hub.api(
        "POST", address(connector, "/try"), {"fieldMapping": {"a": {"field": "name", "transform": "value +"}}}
    )

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ['fieldMapping["a"].transform']
