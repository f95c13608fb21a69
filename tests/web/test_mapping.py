"""Field mapping as a page: proposing, connecting, trying and saving without a script, and two who edit at once."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from connector_master.pipeline.expressions import compile_expression
from connector_master.web.mapping import starters
from tests.support.desk import Person
from tests.support.hub import ROOT, Hub, Reply, TestConnector, new_phone
from tests.web.conftest import SignIn


def place(connector: TestConnector, rest: str = "") -> str:
    return f"/connectors/{connector.id}/mapping{rest}"


async def form_sent(hub: Hub, connector: TestConnector, **more: Any) -> Reply:
    answers = {"Mobile No.": new_phone(), "full name": "Asha Rao", "Budget": "2-5 lakh"}
    return await hub.send(connector, {"submission": {"answers": answers | more}})


async def press(person: Person, connector: TestConnector, do: str, **changes: Any) -> str:
    answer = await person.submit(place(connector), place(connector), {"do": do, **changes})
    assert answer.status_code == 200, answer.text
    return answer.text


async def saved(hub: Hub, connector: TestConnector) -> Any:
    return (await hub.api("GET", f"/api/connectors/{connector.id}")).json()["fieldMapping"]


async def save(person: Person, connector: TestConnector, rows: Sequence[tuple[str, ...]], **changes: Any) -> Any:
    """Send the page's form with these rows: path, target, and a transform where there is one."""
    fields: dict[str, Any] = {}
    for number, (path, target, *transform) in enumerate(rows):
        fields |= {f"rows.{number}.path": path, f"rows.{number}.target": target}
        fields |= {f"rows.{number}.transform": transform[0]} if transform else {}
    return await person.submit(place(connector), place(connector), {"do": "save", **fields, **changes})


# ---- from example to mapping -----------------------------------------------------------------------


async def test_the_latest_payload_is_shown_with_what_seems_to_belong_where(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(name="Enquiry form")
    made = await form_sent(hub, connector)
    manager = await sign_in("manager")

    page = (await manager.get(place(connector))).text

    assert "Enquiry form" in page
    assert "2-5 lakh" in page
    assert "2 fields look familiar." in page
    assert 'value="phoneNumber:submission.answers[&#34;Mobile No.&#34;]"' in page
    log = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params={"kind": "payload_viewed"})
    assert [one["eventId"] for one in log.json()["items"]] == [made.event_id]


async def test_all_proposals_are_taken_at_once_and_saved(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    await form_sent(hub, connector)
    manager = await sign_in("manager")

    page = await press(manager, connector, "take:all")
    assert "Not saved yet" in page
    answer = await save(
        manager,
        connector,
        [('submission.answers["Mobile No."]', "phoneNumber"), ("submission.answers.full name", "name")],
        note="By example",
    )

    assert answer.headers["location"].startswith(place(connector))
    assert await saved(hub, connector) == {
        'submission.answers["Mobile No."]': "phoneNumber",
        "submission.answers.full name": "name",
    }
    assert "The mapping is saved as version 2." in (await manager.get(place(connector))).text
    assert "By example" in (await manager.get(place(connector, "/history"))).text


async def test_a_path_is_connected_without_a_script(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    await form_sent(hub, connector)
    manager = await sign_in("manager")

    picked = await press(manager, connector, "pick:submission.answers.Budget")
    page = await press(manager, connector, "add", listed="submission.answers.Budget", target="attributes.")

    assert 'name="path" value="submission.answers.Budget"' in picked
    assert 'name="rows.0.target" value="attributes.Budget"' in page


async def test_a_path_that_feeds_another_field_moves_with_its_transform(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(
        fieldMapping={"tel": "phoneNumber", "what": {"field": "notes", "transform": "value.trim()"}}
    )
    manager = await sign_in("manager")

    page = await press(manager, connector, "add", path="what", target="productName")

    assert 'name="rows.1.target" value="productName"' in page
    assert 'name="rows.1.transform" value="value.trim()"' in page
    assert 'value="notes"' not in page.replace('<option value="notes"', "")


async def test_sources_of_one_field_are_ordered_removed_and_joined(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"a": "city", "b": "city", "tel": "phoneNumber"})
    manager = await sign_in("manager")

    moved = await press(manager, connector, "up:1")
    removed = await press(manager, connector, "remove:0")
    answer = await save(manager, connector, [("b", "city"), ("a", "city")], **{"combine.city": "join"})

    assert moved.index('value="b"') < moved.index('value="a"')
    assert 'value="a"' not in removed
    assert answer.status_code == 303
    assert await saved(hub, connector) == {
        "b": {"field": "city", "combine": "join"},
        "a": {"field": "city", "combine": "join"},
        "tel": "phoneNumber",
    }


async def test_a_transform_begins_with_a_function_that_is_chosen(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})
    manager = await sign_in("manager")

    page = await press(manager, connector, "refresh", **{"rows.0.starter": "trim"})

    assert 'name="rows.0.transform" value="value.trim()"' in page


@pytest.mark.parametrize("name", list(starters()))
def test_every_function_that_is_offered_works(name: str) -> None:
    _words, expression = starters()[name]
    value: Any = ["a", "b"] if name == "list" else "98765-43210, Pune"

    assert isinstance(compile_expression(expression).evaluate(value, {"last_name": "Rao"}), str)


@pytest.mark.parametrize("name", list(starters()))
def test_every_function_that_is_offered_is_documented(name: str) -> None:
    _words, expression = starters()[name]

    assert f"`{expression}`" in (ROOT / "docs/pages.md").read_text()


# ---- what is wrong, at its place -------------------------------------------------------------------


async def test_a_broken_transform_is_said_at_its_place_and_kept(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})
    manager = await sign_in("manager")

    answer = await save(manager, connector, [("tel", "phoneNumber", "value.upper(")])

    assert answer.status_code == 422
    assert "Line 1, column 13" in answer.text
    assert 'name="rows.0.transform" value="value.upper("' in answer.text
    assert await saved(hub, connector) == {"tel": "phoneNumber"}


async def test_a_transform_that_fails_on_this_payload_is_said_at_its_place(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, {"phone": new_phone(), "note": "short"})
    manager = await sign_in("manager")

    page = await press(
        manager,
        connector,
        "refresh",
        **{"rows.0.path": "note", "rows.0.target": "notes", "rows.0.transform": "value.substring(0, 99)"},
    )

    assert page.index('id="fault-0"') < page.index("failed") < page.index('data-target="campaign"')


async def test_a_payload_that_would_be_no_lead_says_why_at_the_field(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})
    failed = await form_sent(hub, connector)
    manager = await sign_in("manager")

    page = (await manager.get(f"{place(connector)}?eventId={failed.body['eventId']}")).text

    assert "This would be no lead" in page
    assert (
        page.index('data-target="phoneNumber"') < page.index("Nothing found in: tel") < page.index('data-target="name"')
    )


async def test_a_pasted_sample_is_mapped_like_any_other(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    manager = await sign_in("manager")

    by_json = await press(manager, connector, "look:text", sample=json.dumps([{"ring": "1", "who": "Ravi"}, {}]))
    by_form = await press(manager, connector, "look:text", sample="buyer[ring]=98765+43210&buyer[who]=Ravi")

    assert "2 records are in this payload; this is the first." in by_json
    assert 'value="pick:ring"' in by_json
    assert 'value="pick:buyer.who"' in by_form


async def test_a_sample_that_cannot_be_read_is_said_at_the_field_and_kept(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    manager = await sign_in("manager")

    page = await press(manager, connector, "look:text", sample='{"phone": ')

    assert 'id="sample-fault"' in page
    assert "{&#34;phone&#34;: </textarea>" in page


async def test_markup_and_marks_from_outside_are_plain_text(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    await hub.send(connector, {"phone": new_phone(), "<script>x</script>": "\u202e<b>bold</b>", "w" * 300: "v" * 3000})
    manager = await sign_in("manager")

    page = await press(manager, connector, "add", path="<script>x</script>", target="notes")

    assert "<script>x" not in page
    assert "<b>bold" not in page
    assert "v" * 200 not in page


async def test_two_thousand_fields_are_shown(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector()
    fields = {f"question {number}": f"answer {number}" for number in range(2_000)}
    await hub.send(connector, {"form": {"phone": new_phone()}, "fields": fields, "mobile": new_phone()})
    manager = await sign_in("manager")

    page = (await manager.get(place(connector))).text

    assert page.count("data-leaf=") == 2_002
    assert 'value="pick:fields.question 1999"' in page


# ---- pieces ----------------------------------------------------------------------------------------


async def test_while_somebody_types_only_what_is_said_is_replaced(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"phone": "phoneNumber"})
    made = await hub.send(connector, {"phone": new_phone(), "town": " Pune "})
    manager = await sign_in("manager")
    fields = {
        "do": "preview",
        "eventId": made.event_id,
        "rows.0.path": "town",
        "rows.0.target": "city",
        "rows.0.transform": "value.trim().upperAscii()",
    }

    piece = await manager.send(place(connector), fields, on=place(connector), **{"HX-Request": "true"})

    assert "PUNE" in piece.text
    assert "<input" not in piece.text
    log = await hub.api("GET", f"/api/connectors/{connector.id}/logs", params={"kind": "payload_viewed"})
    assert len(log.json()["items"]) == 1


# ---- trying, saving, going back --------------------------------------------------------------------


async def test_an_edit_is_tried_on_the_last_payloads_before_it_is_saved(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"phone": "phoneNumber", "who": "name"})
    await hub.send(connector, {"phone": new_phone(), "who": "Asha", "full": "Asha Rao"})
    await hub.send(connector, {"phone": new_phone(), "who": "Ravi", "full": "Ravi"})
    manager = await sign_in("manager")

    page = await press(manager, connector, "test", **{"rows.1.path": "full"})

    assert "The last 2 payloads under your mapping" in page
    assert "<del><bdi>Asha</bdi></del> → <ins><bdi>Asha Rao</bdi></ins>" in page
    assert "As before 1" in page
    assert await saved(hub, connector) == {"phone": "phoneNumber", "who": "name"}


async def test_the_second_of_two_editors_is_told_and_sees_both(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})
    manager = await sign_in("manager")
    theirs = {"tel": "phoneNumber", "town": "city"}
    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": theirs, "note": "Towns"})
    rows = [("tel", "phoneNumber"), ("who", "name")]

    refused = await save(manager, connector, rows, version="1")
    over = await save(manager, connector, rows, version="2")

    assert refused.status_code == 409
    assert "tests admin saved version 2 while you were editing." in refused.text
    assert "Towns" in refused.text
    for path in ("town", "who"):
        assert f"<code>{path}</code>" in refused.text
    assert 'name="rows.1.path" value="who"' in refused.text
    assert 'name="version" value="2"' in refused.text
    assert over.status_code == 303
    assert await saved(hub, connector) == {"tel": "phoneNumber", "who": "name"}


async def test_an_earlier_mapping_is_brought_back(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})
    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": {"ring": "phoneNumber"}})
    manager = await sign_in("manager")
    history = (await manager.get(place(connector, "/history"))).text
    assert "Version 2" in history

    answer = await manager.send(place(connector, "/versions/1/restore"), on=place(connector, "/history"))

    assert answer.headers["location"] == place(connector)
    assert await saved(hub, connector) == {"tel": "phoneNumber"}
    assert "brought back from version 1" in (await manager.get(place(connector, "/history"))).text


async def test_clearing_a_mapping_goes_back_to_what_the_type_does(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector(fieldMapping={"tel": "phoneNumber"})
    manager = await sign_in("manager")

    cleared = await press(manager, connector, "reset")
    answer = await manager.send(place(connector), {"do": "save", "version": "1"}, on=place(connector))

    assert "fields are found by name and content in every payload" in cleared
    assert answer.status_code == 303
    versions = await hub.api("GET", f"/api/connectors/{connector.id}/field-mapping/versions")
    assert versions.json()["items"][0]["fieldMapping"] is None


async def test_a_types_own_mapping_that_is_left_alone_stays_the_types(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("indiamart")
    manager = await sign_in("manager")

    answer = await manager.submit(place(connector), place(connector), {"do": "save"})

    assert answer.status_code == 303
    assert "nothing changed" in (await manager.get(place(connector))).text


# ---- who may ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", ["", "/history"])
async def test_an_executive_sees_no_mapping(hub: Hub, sign_in: SignIn, rest: str) -> None:
    connector = await hub.create_connector()

    answer = await (await sign_in("executive")).get(place(connector, rest))

    assert answer.status_code == 403


async def test_an_event_of_another_connector_is_not_shown_here(hub: Hub, sign_in: SignIn) -> None:
    connector, other = await hub.create_connector(), await hub.create_connector()
    foreign = await form_sent(hub, other)
    manager = await sign_in("manager")

    answer = await manager.get(f"{place(connector)}?eventId={foreign.event_id}")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/connectors/nonsense/mapping", "/connectors/{id}/mapping/versions/nonsense/restore"])
async def test_what_is_not_there_is_not_found(hub: Hub, sign_in: SignIn, path: str) -> None:
    connector = await hub.create_connector()
    manager = await sign_in("manager")

    answer = await manager.send(path.replace("{id}", connector.id), {"do": "refresh"})

    assert answer.status_code == 404
