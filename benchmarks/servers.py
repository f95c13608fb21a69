"""Servers: the processes under measurement, started, known by what they print once they are ready, and stopped."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil  # type: ignore[import-untyped]
import psycopg
from sqlalchemy import make_url

from connector_master.storage.embedded import Embedded
from connector_master.storage.engine import conninfo

ROOT = Path(__file__).parent.parent
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ADDRESS = re.compile(r"http://(127\.0\.0\.1):(\d+)")
_WORKING = re.compile(r"is working")

Started = TypeVar("Started", bound="Process")


class Process:
    """One process. `said` is what it printed until it was ready."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", ready: re.Pattern[str]) -> None:
        self.name = name
        self.process = process
        self.said = ""
        self.ready = self._wait_for(ready)

    def cpu_seconds(self) -> float:
        """Return what this process itself has computed so far: what others take from it does not count."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def stop(self) -> None:
        """Stop it as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait_for(self, ready: re.Pattern[str]) -> re.Match[str]:
        assert self.process.stdout is not None
        alarm = threading.Timer(_READY_SECONDS, self.process.kill)
        alarm.start()
        try:
            for line in self.process.stdout:
                self.said += line
                if found := ready.search(line):
                    # What it says from now on must not fill the pipe.
                    threading.Thread(target=self.process.stdout.read, daemon=True).start()
                    return found
        finally:
            alarm.cancel()
        raise RuntimeError(f"{self.name} did not start:\n{self.said}")


class Server(Process):
    """A process that listens."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        super().__init__(name, process, _ADDRESS)
        self.host, self.port = self.ready[1], int(self.ready[2])


@contextmanager
def running(name: str, arguments: Sequence[str | Path], more: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a Python module with its arguments as a server; `more` is added to its environment."""
    with _started(Server, name, arguments, more) as server:
        yield server


@contextmanager
def working(name: str, arguments: Sequence[str | Path], more: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run a Python module with its arguments as a worker, which listens nowhere."""
    with _started(lambda name, process: Process(name, process, _WORKING), name, arguments, more) as worker:
        yield worker


@contextmanager
def _started(
    made: Callable[[str, "subprocess.Popen[str]"], Started],
    name: str,
    arguments: Sequence[str | Path],
    more: Mapping[str, str] | None,
) -> Iterator[Started]:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment() | dict(more or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        started = made(name, process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder for data, which PostgreSQL's account can pass through when we are root."""
    path = Path(tempfile.mkdtemp(prefix="cm-bench-", dir="/tmp"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def postgres(path: Path) -> Iterator[str]:
    """Run an embedded PostgreSQL in `path`; give the URL of a database on it that is only for making others."""
    embedded = Embedded(path)
    embedded.start()
    try:
        yield embedded.url
    finally:
        embedded.stop()


def create_database(server_url: str, name: str) -> str:
    """Create an empty database and return its URL."""
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def settle(server_url: str) -> None:
    """Write everything down, so that no server pays for what another one left in memory."""
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    time.sleep(0.2)


def environment() -> dict[str, str]:
    """Return our environment without settings of the product: whoever benchmarks may have a hub of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_MASTER_")}
