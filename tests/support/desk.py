"""People at the desk: signed in over HTTP, or with a real browser that tells of every fault it sees."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self

import httpx2
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Playwright

from connector_master.storage.ids import new_id
from tests.support.hub import Hub

PASSWORD = "seven green lanterns by the canal"
_AXE = (Path(__file__).parent / "axe" / "axe-4.14.1.min.js").read_text()
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


async def make_user(hub: Hub, role: str) -> str:
    """Make a user of `role` who signs in with PASSWORD; return the e-mail address."""
    email = f"{role}-{new_id().hex}@desk.example"
    user = {"email": email, "name": f"{role.title()} Person", "role": role}
    answer = await hub.api("POST", "/api/users", user | {"password": PASSWORD, "mustChangePassword": False})
    assert answer.status_code == 201, answer.text
    return email


class _Form(HTMLParser):
    """Reads what a browser would send of the form with `action`, as it is on the page."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action, self.is_inside = action, False
        self.fields: dict[str, list[str]] = {}
        self._name, self._text, self._options = "", "", []  # type: tuple[str, str, list[tuple[str, bool]]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "form":
            self.is_inside = has.get("action") == self.action
        if not self.is_inside:
            return
        name, value = has.get("name") or "", has.get("value") or ""
        if tag == "input" and name and (has.get("type") not in ("checkbox", "radio") or "checked" in has):
            self.fields.setdefault(name, []).append(value)
        elif tag in ("select", "textarea"):
            self._name, self._text, self._options = name, "", []
        elif tag == "option":
            self._options.append((value, "selected" in has))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_inside = False
        elif self.is_inside and tag == "textarea":
            self.fields[self._name] = [self._text]
        elif self.is_inside and tag == "select" and self._options:
            chosen = [value for value, is_selected in self._options if is_selected]
            self.fields[self._name] = chosen or [self._options[0][0]]


class Person:
    """Somebody who is signed in, without a browser: `get` pages and `send` forms."""

    def __init__(self, hub: Hub, email: str) -> None:
        self.email = email
        self.client = httpx2.AsyncClient(
            base_url=hub.address, timeout=30, trust_env=False, headers={"Accept": "text/html,*/*;q=0.8"}
        )

    async def sign_in(self, password: str = PASSWORD) -> Self:
        """Sign in."""
        answer = await self.client.post("/sign-in", data={"email": self.email, "password": password, "next": ""})
        assert answer.status_code == 303, answer.text
        return self

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """Return what is at `path`, after the redirects that a browser would follow."""
        return await self.client.get(path, headers=headers, follow_redirects=True)

    async def send(
        self, path: str, fields: Mapping[str, Any] | None = None, *, on: str = "/help", **headers: str
    ) -> httpx2.Response:
        """Send a form as the page `on` would; the answer is not followed."""
        page = (await self.get(on)).text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found, page
        return await self.client.post(path, data={"csrf": found[1], **(fields or {})}, headers=headers)

    async def submit(self, page: str, action: str, changes: Mapping[str, Any]) -> httpx2.Response:
        """Send the form with `action` on `page` as it is there, but for `changes`; the answer is not followed."""
        form = _Form(action)
        form.feed((await self.get(page)).text)
        assert form.fields, f"{page} has no form for {action}"
        return await self.client.post(action, data={**form.fields, **changes})


class Desk:
    """A browser window. What it complains of — script errors, the page's policy, missing files — fails the test."""

    def __init__(self, hub: Hub, context: BrowserContext, page: Page) -> None:
        self.hub = hub
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self.expected: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))

    async def sign_in(self, role: str = "admin", *, then: str = "/") -> str:
        """Sign in as a new user of `role`, in the language and scheme of the window; return the e-mail address."""
        email = await make_user(self.hub, role)
        await self.page.goto(f"{self.hub.address}/sign-in")
        await self.page.fill("[name=email]", email)
        await self.page.fill("[name=password]", PASSWORD)
        await self.page.press("[name=password]", "Enter")
        await self.page.wait_for_url(f"{self.hub.address}/")
        if then != "/":
            await self.open(then)
        return email

    async def open(self, path: str) -> None:
        """Go to a page."""
        await self.page.goto(self.hub.address + path)

    async def check(self) -> None:
        """Fail on what axe finds on the page as it is now, and on a page that is wider than its window."""
        if not await self.page.evaluate("typeof window.axe === 'object'"):
            await self.page.evaluate(_AXE)
        found = await self.page.evaluate("rules => axe.run({runOnly: rules, resultTypes: ['violations']})", _RULES)
        faults = [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found["violations"]
        ]
        assert not faults, f"{self.page.url}\n" + "\n".join(faults)
        overflow = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{self.page.url} is {overflow} px wider than its window"

    def expect_complaint(self, part: str) -> None:
        """Take a complaint that contains `part` for right, such as a refusal that the test provokes."""
        self.expected.append(part)

    def unexpected(self) -> list[str]:
        """Return every complaint that nobody expected."""
        return [one for one in self.complaints if not any(part in one for part in self.expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


def chromium() -> str | None:
    """Return the path of Debian's Chromium, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def running_browser(path: str) -> Iterator[str]:
    """Run a browser; yield the address at which it is steered."""
    profile = tempfile.mkdtemp(prefix="cm-browser-", dir="/tmp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        path,
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        f"--remote-debugging-port={port}",
        f"--user-data-dir={profile}",
    ]
    # Chromium's own sandbox does not start as root.
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "DevTools listening" in line:
                break
        else:
            raise AssertionError(f"the browser ended with {process.wait()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(profile, ignore_errors=True)


async def open_window(
    playwright: Playwright,
    steering: str,
    hub: Hub,
    *,
    width: int = 1440,
    scheme: Any = "light",
    language: str = "en-IN",
    zone: str = "Asia/Kolkata",
    has_script: bool = True,
) -> Desk:
    """Open a window of its own, with nothing remembered."""
    browser = await playwright.chromium.connect_over_cdp(steering)
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale=language,
        timezone_id=zone,
        java_script_enabled=has_script,
    )
    context.set_default_timeout(15_000)
    return Desk(hub, context, await context.new_page())
