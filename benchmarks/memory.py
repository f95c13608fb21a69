"""The memory suite: what `up` takes when idle, and whether it takes more the more it has received (Linux only).

Counted is the proportional set size: pages that several processes share count once. PostgreSQL's shared buffers fill up
to their fixed size (128 MB) and no further; the hub's own memory must not grow at all.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.door import load
from benchmarks.hub import Hub, hub
from benchmarks.servers import folder

_IDLE_LIMIT_MB = 250
_GROWTH_LIMIT = 0.10
_CHUNK = 30_000
_CALM_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB: the hub's own resident size, and proportional sizes of it and of PostgreSQL."""

    hub_resident: float
    hub: float
    postgres: float

    @property
    def total(self) -> float:
        """Everything of ours."""
        return self.hub + self.postgres


def run(few: int = 30_000, many: int = 300_000) -> bool:
    """Measure idle, after `few` and after `many` events; print it; return whether all of them were acknowledged."""
    if not Path("/proc/self/smaps_rollup").exists():
        print("memory: this system has no /proc/<pid>/smaps_rollup; left out")
        return True
    with folder() as place, hub(place / "data") as running:
        idle = _measured("idle", running)
        first = _send(running, 0, few)
        after_few = _measured(f"after {few:,} events", running)
        second = _send(running, few, many)
        after_many = _measured(f"after {many:,} events", running)
    growth = after_many.hub_resident / after_few.hub_resident - 1
    idle_reached, growth_reached = idle.total < _IDLE_LIMIT_MB, growth <= _GROWTH_LIMIT
    print(f"{_reached(idle_reached)} idle: {idle.total:.0f} MB for everything (goal: under {_IDLE_LIMIT_MB} MB)")
    print(f"{_reached(growth_reached)} the hub's resident size: {growth:+.1%} (goal: within {_GROWTH_LIMIT:.0%})")
    all_answered = first + second == many
    print(f"{'ok    ' if all_answered else 'WRONG '} {first + second:,} of {many:,} were answered with 200")
    return all_answered


def _send(running: Hub, start: int, end: int) -> int:
    answered = 0
    for first in range(start, end, _CHUNK):
        numbers = range(first, min(end, first + _CHUNK))
        found = load(running.server, running.path, running.secret, numbers=numbers, connections=64, seconds=120.0)
        answered += found.answered
    return answered


def _measured(when: str, running: Hub) -> Memory:
    time.sleep(_CALM_SECONDS)
    pid = running.server.process.pid
    own, resident = _sizes(pid)
    memory = Memory(resident, own, sum(_sizes(one)[0] for one in _descendants(pid)))
    print(
        f"{when:<22} hub {memory.hub:6.1f} MB (resident {memory.hub_resident:.1f}), PostgreSQL {memory.postgres:6.1f} MB, "
        f"together {memory.total:6.1f} MB"
    )
    return memory


def _sizes(pid: int) -> tuple[float, float]:
    """Return a process's proportional and resident size in MB; nothing for one that has just ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    sizes = {line.split()[0]: int(line.split()[1]) / 1024 for line in text.splitlines()[1:]}
    return sizes["Pss:"], sizes["Rss:"]


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The program's name, in brackets, may hold blanks and brackets.
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def _reached(reached: bool) -> str:
    return "reached" if reached else "MISSED "
