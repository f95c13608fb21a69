"""Browser journeys: real windows of Debian's Chromium on the running product."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import async_playwright

from tests.support.desk import Desk, chromium, open_window, running_browser
from tests.support.hub import Hub

Open = Callable[..., Awaitable[Desk]]


@pytest.fixture(scope="session")
def steering() -> Iterator[str]:
    """A running browser."""
    path = chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no Chromium: the browser tests would be left out")
        pytest.skip("LEFT OUT: the browser tests need Chromium (as root: apt-get install chromium)")
    with running_browser(path) as address:
        yield address


@pytest.fixture
async def open_desk(steering: str, hub: Hub) -> AsyncIterator[Open]:
    """Opens windows: `await open_desk(width=390, scheme="dark", language="hi-IN")`; their complaints fail the test."""
    opened: list[Desk] = []
    async with async_playwright() as playwright:

        async def open_one(**wanted: Any) -> Desk:
            desk = await open_window(playwright, steering, hub, **wanted)
            opened.append(desk)
            return desk

        yield open_one
        for desk in opened:
            await desk.context.close()
    complaints = [one for desk in opened for one in desk.unexpected()]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
async def desk(open_desk: Open) -> Desk:
    """One window, 1440 px wide, light, English."""
    return await open_desk()
