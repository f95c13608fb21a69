"""The running product as tests use it: a real process on a real port, driven over HTTP and the command line."""

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "connector_master"]
_NUMBERS = itertools.count(os.getpid() % 9000 * 100_000)


def new_phone() -> str:
    """Return a valid Indian mobile number, in E.164, that no other call in this run returns."""
    return f"+917{next(_NUMBERS) % 1_000_000_000:09d}"


def sign(body: bytes, secret: str) -> dict[str, str]:
    """Return the header that signs `body` the way SPEC.md asks for."""
    return {"X-Webhook-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Wait until `condition` returns something true, and return it; fail loudly when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        found = await condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{condition} did not come true within {seconds} s")
        await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Reply:
    """What a door answered."""

    status_code: int
    body: Any
    headers: Mapping[str, str]

    @property
    def status(self) -> str | None:
        """`created`, `duplicate`, …"""
        return self.body.get("status") if isinstance(self.body, dict) else None

    @property
    def lead_id(self) -> str | None:
        """The lead that was made or met."""
        return self.body.get("leadId")

    @property
    def event_id(self) -> str | None:
        """The event that was kept."""
        return self.body.get("eventId")


@dataclass(frozen=True)
class TestConnector:
    """A connector made for a test."""

    __test__ = False

    id: str
    url: str
    secret: str | None
    view: dict[str, Any]


class Process:
    """One `connector-master` process that stays: `up`, `serve` or `work`."""

    def __init__(self, command: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.popen = subprocess.Popen(
            [*PROGRAM, command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=clean_environment() | dict(env or {}),
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.address = ""
        self._reading: threading.Thread | None = None

    def wait_ready(self) -> Self:
        """Read what it prints until it says that it is ready; go on reading, for a full pipe would stop it."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip())
            if found := re.search(r"is ready at (\S+)", line):
                self.address = found[1]
            if found or "is working" in line:
                self._reading = threading.Thread(target=self._read, daemon=True)
                self._reading.start()
                return self
        raise AssertionError(f"it ended with {self.popen.wait()}:\n" + "\n".join(self.lines))

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip())

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(20)

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(30)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise
        if self._reading is not None:
            self._reading.join(5)
        return self.popen.returncode


def clean_environment() -> dict[str, str]:
    """Return the environment without settings of the product that the tester may have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_MASTER_")} | {
        "PYTHONPATH": str(ROOT / "src"),
        "CONNECTOR_MASTER_LOG_FORMAT": "json",
    }


def command(
    *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends, and return what it printed."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=clean_environment() | dict(env or {}),
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


class Hub:
    """A running product: `api` calls it as administrator, `send` pushes to a connector."""

    def __init__(self, process: Process, data_dir: Path, database_url: str | None = None) -> None:
        self.process = process
        self.data_dir = data_dir
        self.database_url = database_url
        self.address = process.address
        self.client = httpx2.AsyncClient(base_url=process.address, timeout=30, trust_env=False)
        self._keys: dict[str, str] = {}

    @property
    def where(self) -> list[str]:
        """The options that point a command at this hub's database."""
        options = ["--data-dir", str(self.data_dir)]
        return options + (["--database-url", self.database_url] if self.database_url else [])

    def key(self, role: str = "admin") -> str:
        """Return an API key of `role`, made on the command line while the product runs."""
        if role not in self._keys:
            done = command("api-key", "create", "--role", role, "--name", f"tests {role}", "--json", *self.where)
            assert done.returncode == 0, done.stderr
            self._keys[role] = json.loads(done.stdout)["key"]
        return self._keys[role]

    async def api(
        self, method: str, path: str, body: Any = None, *, role: str | None = "admin", **more: Any
    ) -> httpx2.Response:
        """Call the API as `role` (None: as a stranger)."""
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.key(role)}"
        if body is not None:
            more["json"] = body
        return await self.client.request(method, path, headers=headers, **more)

    async def create_connector(self, type_: str = "webhook", **fields: Any) -> TestConnector:
        """Create a connector of a type."""
        answer = await self.api("POST", "/api/connectors", {"name": "Test", "type": type_, **fields})
        assert answer.status_code == 201, answer.text
        view = answer.json()
        return TestConnector(view["id"], view["webhookUrl"], view.get("webhookSecret"), view)

    async def send(
        self,
        connector: TestConnector,
        payload: Any,
        *,
        content_type: str | None = "application/json",
        headers: Mapping[str, str] | None = None,
        signed: bool = False,
    ) -> Reply:
        """Push `payload` (bytes as they are, anything else as JSON) to a connector's address."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"Content-Type": content_type} if content_type else {}
        if signed:
            assert connector.secret
            sent |= sign(body, connector.secret)
        answer = await self.client.post(connector.url, content=body, headers=sent | dict(headers or {}))
        return Reply(answer.status_code, _json(answer), answer.headers)


def _json(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text
