"""The overview over the API."""

from tests.support.hub import Hub, new_phone


async def test_a_source_is_told_with_its_verdict(hub: Hub) -> None:
    well = await hub.create_connector("webhook", name="Well")
    failing = await hub.create_connector("webhook", name="Failing", fieldMapping={"nothing_has_this": "phoneNumber"})
    await hub.send(well, {"phone": new_phone()})
    await hub.send(failing, {"phone": new_phone()})

    items = (await hub.api("GET", "/api/overview?zone=Asia/Kolkata", role="executive")).json()["items"]

    told = {item["name"]: item for item in items}
    assert (told["Well"]["verdict"], told["Well"]["newLeadsToday"]) == ("well", 1)
    assert (told["Failing"]["verdict"], told["Failing"]["failed"]) == ("failed_events", 1)


async def test_an_unknown_zone_is_named(hub: Hub) -> None:
    answer = await hub.api("GET", "/api/overview?zone=Mars/Base")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "zone"
