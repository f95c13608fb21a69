"""The door suite: the hub, the naive service and the echo under the same load, in turns, and what they stored.

Machines are noisy and shared, so the three take turns within each round and ratios are taken within a round; of the
rounds the median counts.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from statistics import median

import psycopg
from sqlalchemy import make_url

from benchmarks.hub import hub
from benchmarks.load import Figures, Job
from benchmarks.servers import ROOT, Server, create_database, folder, postgres, running, settle
from connector_master.storage.engine import conninfo

_SECRET = "benchmark-secret"
_AGAIN = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard. Shorter ones prove only that nothing is lost or doubled."""

    connections: tuple[int, ...] = (1, 16, 64)
    rounds: int = 3
    seconds: float = 4.0
    warm_up_seconds: float = 1.0
    judges: bool = True


QUICK = Plan(connections=(1, 16), rounds=1, seconds=0.3, warm_up_seconds=0.1, judges=False)


@dataclass(slots=True)
class _Target:
    """A server, where enquiries go, and how many it is given at most a second: more than it can take."""

    server: Server
    path: str
    secret: str
    most_per_second: int
    database_url: str | None = None
    answered: int = 0
    last_answered: int = 0
    failures: dict[int, int] = field(default_factory=dict)
    figures: dict[int, list[Figures]] = field(default_factory=dict)
    computed: dict[int, list[float]] = field(default_factory=dict)
    sent: range | None = None


def run(plan: Plan) -> bool:
    """Run the suite, print what came of it; return whether everything acknowledged was stored, once."""
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        server_url = stack.enter_context(postgres(place / "server"))
        naive_url, hub_url = create_database(server_url, "bench_naive"), create_database(server_url, "bench_hub")
        the_hub = stack.enter_context(hub(place / "hub", hub_url))
        by_asyncpg = make_url(naive_url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        naive = stack.enter_context(
            running("naive", ["benchmarks.naive"], {"BENCHMARK_DATABASE_URL": by_asyncpg, "BENCHMARK_SECRET": _SECRET})
        )
        echo = stack.enter_context(running("echo", ["benchmarks.echo"]))
        targets = [
            _Target(the_hub.server, the_hub.path, the_hub.secret, 30_000, hub_url),
            _Target(naive, "/webhook", _SECRET, 4_000, naive_url),
            _Target(echo, "/", _SECRET, 60_000),
        ]
        _measure(plan, targets, server_url)
        print(_table(plan, targets))
        if plan.judges:
            print(_goals(plan, targets))
        return _check(targets)


def load(server: Server, path: str, secret: str, *, numbers: range, connections: int, seconds: float) -> Figures:
    """Send the enquiries `numbers` from a process of its own; return what came of it."""
    job = Job(server.host, server.port, path, secret, numbers.start, len(numbers), connections, seconds)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 120,
    )
    found = json.loads(done.stdout)
    found["others"] = {int(status): count for status, count in found["others"].items()}
    return Figures(**found)


def _measure(plan: Plan, targets: Sequence[_Target], server_url: str) -> None:
    # Every run has numbers of its own, so phones are unique over the whole suite.
    following = 0
    steps = [("warm up", max(plan.connections), plan.warm_up_seconds)]
    steps += [(f"round {n + 1}", c, plan.seconds) for n in range(plan.rounds) for c in plan.connections]
    for name, connections, seconds in steps:
        for target in targets:
            _say(f"{name}: {target.server.name} at {connections}")
            settle(server_url)
            numbers = range(following, following + int(target.most_per_second * seconds) + connections)
            following = numbers.stop
            before = target.server.cpu_seconds()
            found = load(
                target.server, target.path, target.secret, numbers=numbers, connections=connections, seconds=seconds
            )
            computed = target.server.cpu_seconds() - before
            _count(target, found)
            target.sent = numbers
            if name != "warm up":
                target.figures.setdefault(connections, []).append(found)
                target.computed.setdefault(connections, []).append(computed / max(1, found.answered) * 1e6)
    _say("")


def _count(target: _Target, found: Figures) -> None:
    target.answered += found.answered
    target.last_answered = found.answered
    for status, count in found.others.items():
        target.failures[status] = target.failures.get(status, 0) + count


def _check(targets: Sequence[_Target]) -> bool:
    """Compare what was acknowledged with what is stored, also after the same enquiries came a second time."""
    right = True
    for target in targets:
        if target.database_url is None or target.sent is None:
            continue
        events, leads, phones = _stored(target.database_url)
        unique = target.answered
        # The first of the last run, all of which were answered.
        again = range(target.sent.start, target.sent.start + min(_AGAIN, target.last_answered))
        found = load(target.server, target.path, target.secret, numbers=again, connections=16, seconds=30.0)
        _count(target, found)
        events_after, leads_after, _ = _stored(target.database_url)
        checks = {
            "every answer was 200": not target.failures,
            "every 200 is an event": events == unique and events_after == target.answered,
            "every phone is one lead": leads == phones == unique,
            "the same phones again make no lead": leads_after == leads and found.answered == len(again),
        }
        for name, holds in checks.items():
            print(f"{'ok    ' if holds else 'WRONG '} {target.server.name}: {name}")
            right = right and holds
        if not all(checks.values()):
            print(
                f"       answered {target.answered}, else {target.failures}, events {events_after}, leads {leads_after}"
            )
    return right


def _stored(database_url: str) -> tuple[int, int, int]:
    """Return how many events, leads and different phones the database holds. Both services name their tables alike."""
    with psycopg.connect(conninfo(database_url)) as connection:
        phone = "phone_number" if _has(connection, "phone_number") else "phone"
        row = connection.execute(
            f"SELECT (SELECT count(*) FROM events), count(*), count(DISTINCT {phone}) FROM leads"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def _has(connection: "psycopg.Connection[tuple[object, ...]]", column: str) -> bool:
    question = "SELECT 1 FROM information_schema.columns WHERE table_name = 'leads' AND column_name = %s"
    return connection.execute(question, (column,)).fetchone() is not None


def _table(plan: Plan, targets: Sequence[_Target]) -> str:
    form = "{:>11}  {:<6}  {:>8}  {:>15}  {:>7}  {:>7}  {:>6}  {:>7}"
    lines = [form.format("connections", "server", "rate/s", "lowest-highest", "p50 ms", "p99 ms", "cpu us", "of echo")]
    echo = targets[-1]
    for connections in plan.connections:
        for target in targets:
            found = target.figures[connections]
            rates = [one.rate for one in found]
            lines.append(
                form.format(
                    connections,
                    target.server.name,
                    f"{median(rates):.0f}",
                    f"{min(rates):.0f}-{max(rates):.0f}",
                    f"{median(one.p50_ms for one in found):.2f}",
                    f"{median(one.p99_ms for one in found):.2f}",
                    f"{median(target.computed[connections]):.0f}",
                    f"{_ratio(target, echo, connections):.0%}",
                )
            )
    return "\n".join(lines)


def _goals(plan: Plan, targets: Sequence[_Target]) -> str:
    hub_target, naive, echo = targets
    most, least = max(plan.connections), min(plan.connections)
    over_naive = _ratio(hub_target, naive, most)
    of_echo = _ratio(hub_target, echo, most)
    p50 = median(
        one.p50_ms / other.p50_ms
        for one, other in zip(hub_target.figures[least], naive.figures[least], strict=True)
        if other.p50_ms
    )
    goals = (
        (f"hub at {most} connections: {over_naive:.1f} × naive", "12 × or more", over_naive >= 12),
        (f"hub at {most} connections: {of_echo:.0%} of the echo", "30 % or more", of_echo >= 0.30),
        (f"hub at {least} connection: p50 is {p50:.0%} of naive's", "50 % or less", p50 <= 0.50),
    )
    return "\n".join(f"{'reached' if reached else 'MISSED '} {text} (goal: {goal})" for text, goal, reached in goals)


def _ratio(one: _Target, other: _Target, connections: int) -> float:
    pairs = zip(one.figures[connections], other.figures[connections], strict=True)
    return median(mine.rate / theirs.rate for mine, theirs in pairs if theirs.rate)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
