"""Signing in, choosing how pages look, and moving about by keyboard."""

import pytest

from tests.journeys.browser.conftest import Open
from tests.support.desk import Desk
from tests.support.hub import Hub, command


@pytest.mark.parametrize("width", [1440, 1024, 768, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_of_ones_own_account_are_fit_for_everybody(open_desk: Open, width: int, scheme: str) -> None:
    desk = await open_desk(width=width, scheme=scheme)
    await desk.open("/sign-in")
    await desk.check()
    await desk.sign_in()
    for path in ("/profile", "/password", "/help"):
        await desk.open(path)
        await desk.check()
    desk.expect_complaint("404")
    await desk.open("/nowhere")
    await desk.check()


async def test_a_one_time_password_is_changed_before_anything_else(desk: Desk, hub: Hub) -> None:
    made = command(
        "user", "add", "newcomer@desk.example", "--role", "manager", "--name", "New Comer", "--json", *hub.where
    )
    assert made.returncode == 0, made.stderr
    one_time = __import__("json").loads(made.stdout)["oneTimePassword"]
    page = desk.page
    await desk.open("/leads")
    await page.fill("[name=email]", "newcomer@desk.example")
    await page.fill("[name=password]", one_time)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/password")
    await desk.check()

    desk.expect_complaint("422")
    await page.fill("[name=oldPassword]", one_time)
    await page.fill("[name=password]", "twelve brown otters in a row")
    await page.fill("[name=again]", "another thing altogether")
    await page.get_by_role("button", name="Save password").click()
    await page.get_by_text("The two don't match.").wait_for()

    await page.fill("[name=oldPassword]", one_time)
    await page.fill("[name=password]", "twelve brown otters in a row")
    await page.fill("[name=again]", "twelve brown otters in a row")
    await page.get_by_role("button", name="Save password").click()
    await page.get_by_text("Your password is changed.").wait_for()
    await page.get_by_role("heading", name="Overview").wait_for()


async def test_a_wrong_password_is_said_and_the_address_kept(desk: Desk) -> None:
    desk.expect_complaint("401")
    await desk.open("/sign-in")
    await desk.page.fill("[name=email]", "nobody@desk.example")
    await desk.page.fill("[name=password]", "not this one at all")
    await desk.page.keyboard.press("Enter")

    await desk.page.get_by_role("alert").get_by_text("don't belong together").wait_for()
    assert await desk.page.input_value("[name=email]") == "nobody@desk.example"
    await desk.check()


async def test_the_keyboard_leads_everywhere(desk: Desk) -> None:
    await desk.sign_in()
    page = desk.page

    await page.keyboard.press("?")
    await page.get_by_role("dialog", name="Shortcuts").wait_for()
    await desk.check()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "search"
    await page.keyboard.type("asha")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/leads?q=asha")


async def test_language_and_scheme_are_remembered(open_desk: Open) -> None:
    desk = await open_desk(language="en-IN")
    await desk.sign_in()
    page = desk.page

    await page.locator("details.menu > summary").click()
    await page.get_by_role("button", name="हिन्दी").click()
    assert await page.get_attribute("html", "lang") == "hi"
    await page.locator("details.menu > summary").click()
    await page.locator("[name=theme][value=dark]").click()
    assert await page.get_attribute("html", "data-theme") == "dark"
    await desk.check()


async def test_a_narrow_screen_has_a_menu(open_desk: Open) -> None:
    desk = await open_desk(width=390)
    await desk.sign_in()

    assert not await desk.page.get_by_role("link", name="Leads", exact=True).is_visible()
    await desk.page.get_by_role("button", name="Menu").click()
    await desk.check()
    await desk.page.get_by_role("link", name="Leads", exact=True).click()
    await desk.page.wait_for_url("**/leads")


async def test_everything_can_be_reached_without_script(open_desk: Open) -> None:
    desk = await open_desk(width=390, has_script=False)
    await desk.sign_in()

    await desk.page.get_by_role("link", name="Connectors", exact=True).click()
    await desk.page.wait_for_url("**/connectors")
