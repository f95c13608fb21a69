"""Events and failures as pages: from the door to the lead, and mending what failed."""

import json

from tests.support.hub import Hub, new_phone, until
from tests.web.conftest import SignIn

ODD = {"nothing_has_this": "phoneNumber"}


async def test_an_event_is_shown_from_the_door_to_the_lead(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Step by step")
    made = await hub.send(connector, {"phone": new_phone(), "name": "<b>Asha</b>"})

    page = (await (await sign_in("manager")).get(f"/events/{made.event_id}")).text

    assert "Step by step" in page
    assert "&lt;b&gt;Asha&lt;/b&gt;" in page
    assert f'href="/leads/{made.lead_id}"' in page
    assert "127.0.0.1" in page


async def test_a_failed_event_says_what_to_do_and_is_tried_again(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", fieldMapping=ODD)
    failed = await hub.send(connector, {"who": "Asha", "reach": new_phone()})
    manager = await sign_in("manager")
    page = (await manager.get(f"/events/{failed.event_id}")).text
    assert "Phone number missing" in page
    assert f"/connectors/{connector.id}/mapping?eventId={failed.event_id}" in page

    mapping = {"fieldMapping": {"who": "name", "reach": "phoneNumber"}}
    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", mapping)
    answer = await manager.send(f"/events/{failed.event_id}/retry")

    assert answer.headers["location"] == f"/events/{failed.event_id}"
    assert "It is a lead now." in (await manager.get(f"/events/{failed.event_id}")).text


async def test_failures_are_grouped_by_cause_and_tried_again_together(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Grouped failures", fieldMapping=ODD)
    for _ in range(3):
        await hub.send(connector, {"who": "Asha", "reach": new_phone()})
    manager = await sign_in("manager")
    page = (await manager.get(f"/failures?connectorId={connector.id}")).text
    assert "Grouped failures" in page
    assert "3 events" in page
    listed = (await hub.api("GET", f"/api/events/failures?connectorId={connector.id}")).json()["items"]
    assert [(one["code"], one["count"]) for one in listed] == [("missing_phone", 3)]

    await hub.api(
        "PUT",
        f"/api/connectors/{connector.id}/field-mapping",
        {"fieldMapping": {"who": "name", "reach": "phoneNumber"}},
    )
    started = await manager.send("/failures/retry", {"connectorId": connector.id, "code": "missing_phone"})

    async def is_done() -> bool:
        return "3 of 3 tried" in (await manager.get(started.headers["location"])).text

    await until(is_done)
    assert "Nothing failed" in (await manager.get(f"/failures?connectorId={connector.id}")).text


async def test_events_are_filtered_and_followed_live(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Live tail")
    manager = await sign_in("manager")
    path = f"/events?connectorId={connector.id}&live=on"
    assert "every 4s" in (await manager.get(path)).text

    await hub.send(connector, {"phone": new_phone()})

    part = (await manager.get(path, **{"HX-Request": "true"})).text
    assert "New lead" in part
    assert "New lead" not in (await manager.get(path + "&status=failed", **{"HX-Request": "true"})).text


async def test_a_payload_that_is_no_text_is_shown_all_the_same(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook")
    failed = await hub.send(connector, b"\xff\xfe\x00<script>", content_type="application/json")

    page = await (await sign_in("manager")).get(f"/events/{failed.event_id}")

    assert page.status_code == 200
    assert "<script>" not in page.text.replace("<script src=", "")


async def test_executives_see_neither_events_nor_failures(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook")
    made = await hub.send(connector, {"phone": new_phone()})
    person = await sign_in("executive")

    for path in ("/events", "/failures", f"/events/{made.event_id}"):
        assert (await person.get(path)).status_code == 403, path


async def test_a_huge_payload_stays_within_bounds(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook")
    body = json.dumps({"phone": new_phone(), "text": "x" * 900_000}).encode()
    made = await hub.send(connector, body)

    page = await (await sign_in("manager")).get(f"/events/{made.event_id}")

    assert len(page.content) < 1_500_000
