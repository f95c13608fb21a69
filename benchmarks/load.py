"""The load: many kept-alive connections that send ready-made requests, one after the other, and time the answers.

A process of its own (`python -m benchmarks.load`: what to do comes as JSON on standard input, figures leave the same
way), on plain sockets, so that it takes less of the machine than any server it loads.
"""

import json
import re
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from benchmarks.enquiries import request

_PATIENCE_SECONDS = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Job:
    """What to send where: enquiries `first`, `first + 1`, … for `seconds`, at most `most` of them."""

    host: str
    port: int
    path: str
    secret: str
    first: int
    most: int
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. `answered` counts answers of 200; `others` counts every other status, 0 a broken connection."""

    answered: int
    others: dict[int, int]
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Answers of 200 per second."""
        return self.answered / self.seconds


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    sent_at: float = 0.0
    got: bytes = b""


@dataclass(slots=True)
class _Run:
    latencies: list[float] = field(default_factory=list)
    others: dict[int, int] = field(default_factory=dict)

    def note(self, status: int, seconds: float) -> None:
        if status == 200:
            self.latencies.append(seconds)
        else:
            self.others[status] = self.others.get(status, 0) + 1


def run(job: Job) -> Figures:
    """Return what the server at `job` gave: every request sent has been answered, or its connection broke."""
    requests = iter([request(job.host, job.path, job.secret, job.first + n) for n in range(job.most)])
    seen = _Run()
    poll = selectors.DefaultSelector()
    began, cpu = time.perf_counter(), _cpu_seconds()
    for _ in range(job.connections):
        connection = _Connection(socket.create_connection((job.host, job.port), timeout=_PATIENCE_SECONDS))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _send_next(connection, requests):
            poll.register(connection.socket, selectors.EVENT_READ, connection)
    deadline = began + job.seconds
    while poll.get_map():
        ready = poll.select(_PATIENCE_SECONDS)
        if not ready:
            seen.note(0, _PATIENCE_SECONDS)
            break
        for key, _ in ready:
            connection = key.data
            if (status := _read(connection)) is None:
                continue
            now = time.perf_counter()
            seen.note(status, now - connection.sent_at)
            if status == 0 or now > deadline or not _send_next(connection, requests):
                poll.unregister(connection.socket)
                connection.socket.close()
    seconds = time.perf_counter() - began
    seen.latencies.sort()
    return Figures(
        answered=len(seen.latencies),
        others=seen.others,
        seconds=seconds,
        p50_ms=_quantile(seen.latencies, 0.50) * 1000,
        p99_ms=_quantile(seen.latencies, 0.99) * 1000,
        cpu_seconds=_cpu_seconds() - cpu,
    )


def _send_next(connection: _Connection, requests: Iterator[bytes]) -> bool:
    following = next(requests, None)
    if following is None:
        return False
    connection.sent_at = time.perf_counter()
    connection.socket.sendall(following)
    return True


def _read(connection: _Connection) -> int | None:
    """Return the status of the answer once it is whole, None before that, 0 when the connection broke."""
    try:
        data = connection.socket.recv(65_536)
    except OSError:
        return 0
    if not data:
        return 0
    if connection.got:
        data = connection.got + data
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end + 2) if end > 0 else None
    if end < 0 or (length and len(data) < end + 4 + int(length[1])):
        connection.got = data
        return None
    connection.got = b""
    return int(data[9:12])


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    json.dump(asdict(run(Job(**json.load(sys.stdin)))), sys.stdout)
