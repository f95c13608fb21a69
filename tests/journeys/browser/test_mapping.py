"""Mapping by example with a real browser: dragging, the keyboard, typing, two windows at once, and no script at all."""

import pytest

from tests.journeys.browser.conftest import Open
from tests.support.desk import Desk
from tests.support.hub import Hub, TestConnector, new_phone

ANSWERS = {"Mobile No.": "98765 43210", "full name": "asha rao", "What do you need?": "Gate valves", "Budget": "2 lakh"}


async def form(hub: Hub, **more: object) -> TestConnector:
    connector = await hub.create_connector(name="Enquiry form")
    await hub.send(connector, {"submission": {"answers": ANSWERS | {"Mobile No.": new_phone()} | more}})
    return connector


async def mapping(hub: Hub, connector: TestConnector) -> object:
    return (await hub.api("GET", f"/api/connectors/{connector.id}")).json()["fieldMapping"]


def place(connector: TestConnector) -> str:
    return f"/connectors/{connector.id}/mapping"


@pytest.mark.parametrize("width", [1440, 1024, 768, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_bench_is_fit_for_everybody(open_desk: Open, hub: Hub, width: int, scheme: str) -> None:
    connector = await form(hub, **{"w" * 200: "v" * 2_000, "\u202eback": "<b>आशा</b>"})
    empty = await hub.create_connector()
    desk = await open_desk(width=width, scheme=scheme)
    await desk.sign_in(then=place(connector))
    await desk.page.get_by_role("button", name="Take all proposals").click()
    await desk.page.get_by_text("Not saved yet").wait_for()
    await desk.page.locator("summary", has_text="Transform").first.click()
    await desk.page.locator("summary", has_text="Connect by typing").click()
    await desk.check()
    await desk.page.get_by_role("button", name="Test on the last 50").click()
    await desk.page.get_by_role("heading", name="The last 1 payload under your mapping").wait_for()
    await desk.check()
    await desk.page.locator("[data-tree] button", has_text="Budget").click()
    await desk.page.get_by_role("dialog", name="Where does it belong?").wait_for()
    await desk.check()
    for path in (place(empty), f"{place(connector)}/history"):
        await desk.open(path)
        await desk.check()


async def test_a_line_is_drawn_from_a_field_to_where_it_belongs(desk: Desk, hub: Hub) -> None:
    connector = await form(hub)
    await desk.sign_in(then=place(connector))
    page = desk.page
    await page.get_by_role("button", name="Take all proposals").click()
    await page.locator(".line-kept").nth(1).wait_for(state="attached")
    target = page.locator(".target[data-target=notes]")
    await target.scroll_into_view_if_needed()

    start = await page.locator("[data-tree] button", has_text="What do you need?").bounding_box()
    end = await target.bounding_box()
    assert start is not None
    assert end is not None
    await page.mouse.move(start["x"] + 40, start["y"] + 10)
    await page.mouse.down()
    await page.mouse.move(end["x"] + 40, end["y"] + 10, steps=5)
    await page.locator(".line-drawn").wait_for(state="attached")
    await page.mouse.up()

    await target.locator(".line").wait_for()
    assert "Gate valves" in await target.inner_text()
    assert (
        await page.locator("[data-tree] button", has_text="What do you need?").get_attribute("data-feeds")
        == '["notes"]'
    )
    await page.get_by_role("button", name="Save mapping").click()
    await page.get_by_text("The mapping is saved as version 2.").wait_for()
    assert await mapping(hub, connector) == {
        'submission.answers["Mobile No."]': "phoneNumber",
        "submission.answers.full name": "name",
        "submission.answers.What do you need?": "notes",
    }


async def test_everything_is_done_by_keyboard(desk: Desk, hub: Hub) -> None:
    connector = await form(hub)
    await desk.sign_in(then=place(connector))
    page = desk.page

    async def connect(field: str, target: str) -> None:
        await page.locator("[data-tree-search]").focus()
        await page.keyboard.press("Control+a")
        await page.keyboard.type(field)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("End")
        await page.keyboard.press("Enter")
        await page.keyboard.type(target)
        await page.keyboard.press("Enter")
        await page.locator("[data-tree] button[data-feeds]", has_text=field).wait_for()

    await connect("Mobile", "phone")
    await connect("full name", "name")
    assert "full name" in await page.evaluate("document.activeElement.textContent")

    await page.locator("[name='rows.1.transform']").evaluate(
        "input => input.closest('details').querySelector('summary').focus()"
    )
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("value.upperAscii()")
    await page.locator(".target[data-target=name] .target-value", has_text="ASHA RAO").wait_for()
    assert await page.evaluate("document.activeElement.value") == "value.upperAscii()"

    await page.locator("#note").focus()
    await page.keyboard.type("By keyboard")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("The mapping is saved as version 2.").wait_for()
    assert await mapping(hub, connector) == {
        'submission.answers["Mobile No."]': "phoneNumber",
        "submission.answers.full name": {"field": "name", "transform": "value.upperAscii()"},
    }


async def test_arrow_keys_move_in_the_payload(desk: Desk, hub: Hub) -> None:
    connector = await form(hub)
    await desk.sign_in(then=place(connector))
    page = desk.page

    async def here() -> str:
        text: str = await page.evaluate("document.activeElement.querySelector('.leaf-key').textContent")
        return text

    await page.locator("[data-tree] [tabindex='0']").focus()
    await page.keyboard.press("Home")
    assert await here() == "submission"
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowDown")
    assert await here() == "answers"
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("End")
    assert await here() == "Budget"
    await page.keyboard.press("ArrowLeft")
    assert await here() == "answers"


async def test_two_windows_that_save_one_mapping_meet(open_desk: Open, hub: Hub) -> None:
    connector = await form(hub)
    first, second = await open_desk(), await open_desk()
    for desk in (first, second):
        await desk.sign_in(then=place(connector))
        await desk.page.get_by_role("button", name="Take all proposals").click()
        await desk.page.get_by_text("Not saved yet").wait_for()
    await second.page.get_by_role("button", name="Remove submission.answers.full name").click()
    await second.page.locator(".target[data-target=name] .line").wait_for(state="detached")

    await first.page.get_by_role("button", name="Save mapping").click()
    await first.page.get_by_text("The mapping is saved as version 2.").wait_for()
    second.expect_complaint("409")
    await second.page.get_by_role("button", name="Save mapping").click()

    told = second.page.get_by_role("alert").filter(has_text="saved version 2 while you were editing")
    await told.wait_for()
    assert "submission.answers.full name" in await told.inner_text()
    await second.check()
    await second.page.get_by_role("button", name="Save mine over it").click()
    await second.page.get_by_text("The mapping is saved as version 3.").wait_for()
    assert await mapping(hub, connector) == {'submission.answers["Mobile No."]': "phoneNumber"}


async def test_something_is_found_among_two_thousand_fields(desk: Desk, hub: Hub) -> None:
    connector = await hub.create_connector()
    sections = {f"section {group}": {f"question {number}": "x" for number in range(40)} for group in range(50)}
    await hub.send(connector, {"phone": new_phone(), **sections})
    await desk.sign_in(then=place(connector))
    page = desk.page

    await page.locator("[data-tree-search]").press_sequentially("section 49 question 39")

    shown = page.locator("[data-tree] [data-leaf]:visible")
    await page.locator("[data-tree] [data-leaf]", has_text="question 39").last.wait_for()
    assert [text.split()[:2] for text in await shown.all_inner_texts()] == [["question", "39"]]
    await page.locator("[data-tree-search]").fill("nothing is called that")
    await page.get_by_text("Nothing here is called that.").wait_for()
    await page.locator("[data-tree-search]").fill("")
    await page.locator("[data-tree-wasted]").check()
    await page.locator("[data-tree] button", has_text="phone").wait_for(state="hidden")


async def test_another_payload_keeps_what_was_connected(desk: Desk, hub: Hub) -> None:
    connector = await form(hub)
    await hub.send(connector, {"submission": {"answers": ANSWERS | {"full name": "Ravi Sample"}}})
    await desk.sign_in(then=place(connector))
    page = desk.page
    await page.get_by_role("button", name="Take all proposals").click()
    name = page.locator(".target[data-target=name] .target-value")
    await name.filter(has_text="Ravi Sample").wait_for()

    await page.get_by_label("Payload", exact=True).select_option(index=1)
    await name.filter(has_text="Asha Rao").wait_for()
    await page.locator("summary", has_text="Paste a sample").click()
    await page.get_by_label("Sample", exact=True).fill('{"submission": {"answers": {"full name": "Meera Iyer"}}}')
    await page.get_by_role("button", name="Show this sample").click()

    await name.filter(has_text="Meera Iyer").wait_for()
    await page.locator(".target[data-target=phoneNumber]", has_text="Nothing found in").wait_for()


async def test_a_mapping_is_made_without_script(open_desk: Open, hub: Hub) -> None:
    connector = await form(hub)
    desk = await open_desk(width=390, has_script=False)
    await desk.sign_in(then=place(connector))
    page = desk.page

    await page.locator("[data-tree] button", has_text="Mobile No.").click()
    await page.get_by_label("Field of the lead", exact=True).select_option("phoneNumber")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await page.locator("summary", has_text="Connect by typing").click()
    await page.get_by_label("or one of these").select_option("submission.answers.Budget")
    await page.get_by_label("Field of the lead", exact=True).select_option("attributes.")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await page.get_by_role("button", name="Save mapping").click()

    await page.get_by_text("The mapping is saved as version 2.").wait_for()
    assert await mapping(hub, connector) == {
        'submission.answers["Mobile No."]': "phoneNumber",
        "submission.answers.Budget": "attributes.Budget",
    }


async def test_the_bench_speaks_hindi(open_desk: Open, hub: Hub) -> None:
    connector = await form(hub)
    desk = await open_desk(language="hi-IN", width=390)
    await desk.sign_in(then=place(connector))

    assert await desk.page.get_attribute("html", "lang") == "hi"
    await desk.check()
