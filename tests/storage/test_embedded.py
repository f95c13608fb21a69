"""The embedded PostgreSQL, for real: processes that share a data folder, and what is left when they are killed."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from connector_master.storage.embedded import AlreadyRunning, Embedded, EmbeddedUnavailable
from connector_master.storage.embedded.process import serves

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL an account")

# Another process on the same folder: says how it started and waits to be told to stop, or to be killed.
HUB = """
import os
import sys
from pathlib import Path
from connector_master.storage.embedded import Embedded, EmbeddedUnavailable
if "nobody" in sys.argv:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
hub = Embedded(Path(sys.argv[1]))
try:
    how = hub.start(exclusive="exclusive" in sys.argv)
except EmbeddedUnavailable as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(how, flush=True)
sys.stdin.readline()
hub.stop()
"""
UNABLE_TO_DIE_WITH_US = """
from connector_master.storage.embedded import process
process._die_with_us = lambda how: None
"""


class Hub:
    """A process of its own that runs or attaches to the server of a data folder."""

    def __init__(self, data_dir: Path, *options: str, code: str = HUB) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(data_dir), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def how(self) -> str:
        """Wait until it has started; return how."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        _, said = self.process.communicate("\n")
        assert self.process.returncode == 0, said

    def refusal(self) -> str:
        """Wait until it has given up; return what it said."""
        _, said = self.process.communicate()
        assert self.process.returncode == 1
        return said.strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that root's PostgreSQL account can reach, which pytest's tmp_path is not."""
    folder = Path(tempfile.mkdtemp(prefix="cm-embedded-", dir="/tmp")).resolve()
    folder.chmod(0o711)
    yield folder

    def is_removed() -> bool:
        # The server of a killed hub may still be writing its last.
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_until(is_removed)


@pytest.fixture(scope="module")
def made(place: Path) -> Path:
    """A data folder whose database was made by a first start; making one takes a second, starting it does not."""
    embedded = Embedded(place / "made")
    assert embedded.start() == "started"
    embedded.stop()
    return place / "made"


@pytest.fixture
def data_dir(made: Path) -> Path:
    """A data folder that is at rest: its database is made, its server not running."""
    assert Embedded(made).owner() is None
    return made


@pytest.fixture
def fresh(place: Path) -> Path:
    """A data folder that doesn't exist yet."""
    return Path(tempfile.mkdtemp(prefix="fresh-", dir=place)) / "data"


@pytest.fixture
def start() -> Iterator[Callable[..., Hub]]:
    """Start hubs, none of which outlives the test."""
    hubs: list[Hub] = []

    def start(*arguments: object, **options: object) -> Hub:
        hubs.append(Hub(*arguments, **options))  # type: ignore[arg-type]
        return hubs[-1]

    yield start
    for hub in hubs:
        if hub.process.stdin and not hub.process.stdin.closed:
            hub.process.stdin.close()
    for hub in hubs:
        hub.process.wait()


@pytest.fixture
def embedded(data_dir: Path) -> Iterator[Embedded]:
    """The server of `data_dir`, not started yet."""
    embedded = Embedded(data_dir)
    yield embedded
    embedded.stop()


@pytest.fixture
def running(embedded: Embedded) -> Embedded:
    """The server of `data_dir`, started."""
    embedded.start()
    return embedded


def ask(embedded: Embedded, question: str) -> object:
    """Run one statement that returns one value."""
    with psycopg.connect(embedded.dsn) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def wait_until(true: Callable[[], bool]) -> None:
    """Return when it is true; pytest's time-out ends a wait for what never comes."""
    while not true():
        time.sleep(0.005)


def postmaster(data_dir: Path) -> int:
    """The process id of the folder's server, 0 when none runs."""
    try:
        return int((data_dir / "postgres/18/postmaster.pid").read_text().split("\n")[0])
    except (FileNotFoundError, ValueError):
        return 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- What it is ---------------------------------------------------------------------------------------------------


def test_the_first_start_makes_a_database_of_our_own(running: Embedded) -> None:
    assert running.is_owner
    assert running.alive()
    assert ask(running, "SELECT current_user || '@' || current_database()") == "hub@hub"
    assert ask(running, "SELECT datlocale FROM pg_database WHERE datname = 'hub'") == "C.UTF-8"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("listen_addresses", ""),
    ],
)
def test_data_is_safe_and_the_server_private(running: Embedded, setting: str, value: str) -> None:
    assert ask(running, f"SHOW {setting}") == value


def test_safety_that_was_switched_off_by_hand_is_on_again_after_a_start(embedded: Embedded) -> None:
    embedded.start()
    with psycopg.connect(embedded.dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
    embedded.stop()

    embedded.start()

    assert ask(embedded, "SHOW fsync") == "on"


def test_only_the_account_and_root_can_come_to_the_socket(running: Embedded) -> None:
    assert mode(Path(running.url.partition("host=")[2].partition("&")[0])) == 0o700
    assert mode(running.data_dir) == (0o711 if os.geteuid() == 0 else 0o700)
    assert mode(running.data_dir / "postgres") == 0o700
    assert mode(running.data_dir / "hub.lock") == 0o600


@needs_root
def test_another_user_is_refused_by_the_server_too(running: Embedded) -> None:
    ask_as_nobody = (
        "import os, sys, psycopg\n"
        "c = psycopg.connect(sys.argv[1])\n"  # a first connection, so that all is imported
        "folder = os.path.dirname(c.execute('SHOW data_directory').fetchone()[0]) + '/run'\n"
        "os.chdir(folder)\n"
        "os.chmod('.s.PGSQL.5432', 0o777)\n"
        "os.setuid(65534)\n"
        "psycopg.connect('host=/proc/self/cwd user=hub dbname=hub')\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", ask_as_nobody, running.dsn], capture_output=True, text=True, check=False
    ).stderr

    assert "Peer authentication failed" in said or "Permission denied" in said


def test_errors_leave_no_values_in_the_log(embedded: Embedded, data_dir: Path) -> None:
    embedded.start()
    with psycopg.connect(embedded.dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS lead")
        connection.execute("CREATE TABLE lead (phone text PRIMARY KEY)")
        connection.execute("INSERT INTO lead VALUES ('+919876543210')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO lead VALUES ('+919876543210')")
    embedded.stop()

    log = (data_dir / "postgres/postgres.log").read_text()
    assert "duplicate key" in log
    assert "9876543210" not in log


def test_a_folder_that_held_other_things_keeps_its_mode(fresh: Path) -> None:
    fresh.mkdir(mode=0o755)
    (fresh / "holiday.jpg").touch()
    fresh.parent.chmod(0o711)
    embedded = Embedded(fresh)

    embedded.start()
    embedded.stop()

    assert mode(fresh) == 0o755


@pytest.mark.parametrize("name", ["with spaces", "quote's", 'comma, "quoted"', "ü" * 40 + "/" + "long" * 20])
def test_any_path_will_do(place: Path, data_dir: Path, name: str) -> None:
    moved = place / name
    moved.parent.mkdir(exist_ok=True)
    moved.parent.chmod(0o711)
    data_dir.rename(moved)
    embedded = Embedded(moved)

    try:
        embedded.start()
        assert ask(embedded, "SELECT 1") == 1
    finally:
        embedded.stop()
        moved.rename(data_dir)


def test_variables_meant_for_another_postgresql_change_nothing(
    embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGUSER", "somebody")

    embedded.start()

    assert ask(embedded, "SELECT current_user") == "hub"


def test_it_is_not_started_from_a_thread_whose_end_would_end_it(embedded: Embedded) -> None:
    said: list[str] = []

    def try_it() -> None:
        try:
            embedded.start()
        except RuntimeError as error:
            said.append(str(error))

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()

    assert "main thread" in said[0]
    assert embedded.start() == "started"


# -- One owner ----------------------------------------------------------------------------------------------------


def test_a_second_process_attaches_and_leaves_the_server_running(
    embedded: Embedded, data_dir: Path, start: Callable[..., Hub]
) -> None:
    embedded.start()

    other = start(data_dir)

    assert other.how() == "attached"
    other.stop()
    assert ask(embedded, "SELECT 1") == 1


def test_of_two_first_starts_at_once_one_runs_the_server(fresh: Path, start: Callable[..., Hub]) -> None:
    fresh.parent.chmod(0o711)
    hubs = [start(fresh), start(fresh)]

    assert sorted(hub.how() for hub in hubs) == ["attached", "started"]


def test_a_second_one_that_means_to_stay_is_told_who_holds_the_folder(
    embedded: Embedded, data_dir: Path, start: Callable[..., Hub]
) -> None:
    embedded.start(exclusive=True)

    said = start(data_dir, "exclusive").refusal()

    assert said.startswith("AlreadyRunning: ")
    assert f"process {os.getpid()}" in said


def test_one_that_means_to_stay_waits_for_a_command_that_does_not(
    embedded: Embedded, data_dir: Path, start: Callable[..., Hub]
) -> None:
    embedded.start()
    staying = start(data_dir, "exclusive")
    embedded.stop()

    assert staying.how() == "started"


def test_a_command_that_runs_the_server_waits_for_those_who_attached(
    embedded: Embedded, data_dir: Path, start: Callable[..., Hub]
) -> None:
    owner = start(data_dir)
    assert owner.how() == "started"
    assert embedded.start() == "attached"
    assert owner.process.stdin is not None
    owner.process.stdin.write("\n")
    owner.process.stdin.flush()

    with psycopg.connect(embedded.dsn) as connection:
        for _ in range(100):
            connection.execute("SELECT 1")
        assert owner.process.poll() is None
    embedded.stop()

    assert owner.process.wait() == 0


def test_the_owner_is_known_to_others_as_long_as_it_runs(data_dir: Path, start: Callable[..., Hub]) -> None:
    other = Embedded(data_dir)
    assert other.owner() is None
    hub = start(data_dir)
    hub.how()

    assert other.owner() == hub.process.pid
    hub.stop()
    assert other.owner() is None


@needs_root
def test_a_stranger_is_told_whose_folder_it_is(embedded: Embedded, data_dir: Path, start: Callable[..., Hub]) -> None:
    embedded.start()

    said = start(data_dir, "nobody").refusal()

    assert said.startswith("EmbeddedUnavailable: ")
    assert f"{data_dir} belongs to root" in said


@needs_root
def test_what_root_writes_into_a_users_folder_is_the_users(fresh: Path) -> None:
    fresh.mkdir()
    fresh.parent.chmod(0o711)
    os.chown(fresh, 65534, 65534)
    embedded = Embedded(fresh)

    embedded.start()
    embedded.stop()

    assert mode(fresh) == 0o700
    assert {path.lstat().st_uid for path in fresh.rglob("*")} == {65534}


@needs_root
def test_where_the_account_cannot_come_a_link_leads_to_the_data(fresh: Path) -> None:
    closed = fresh.parent  # mode 0700
    embedded = Embedded(fresh)
    embedded.start()
    elsewhere = (fresh / "postgres").resolve()

    try:
        assert ask(embedded, "SELECT 1") == 1
        assert mode(closed) == 0o700
        shutil.copytree(fresh, closed / "copy", symlinks=True)
        with pytest.raises(EmbeddedUnavailable, match="in use by another data folder"):
            Embedded(closed / "copy").start()
    finally:
        embedded.stop()
        shutil.rmtree(elsewhere)

    with pytest.raises(EmbeddedUnavailable, match="which is gone"):
        embedded.start()


# -- Killed -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a child with its parent")
def test_the_server_ends_when_its_hub_is_killed(data_dir: Path, start: Callable[..., Hub]) -> None:
    hub = start(data_dir, "exclusive")
    hub.how()
    server = postmaster(data_dir)

    hub.kill()

    wait_until(lambda: not serves(server, data_dir / "postgres/18"))


def test_what_was_committed_survives_hub_and_server_being_killed(
    embedded: Embedded, data_dir: Path, start: Callable[..., Hub]
) -> None:
    hub = start(data_dir, "exclusive")
    hub.how()
    embedded.start()
    with psycopg.connect(embedded.dsn) as connection:
        connection.execute("DROP TABLE IF EXISTS lead")
        connection.execute("CREATE TABLE lead AS SELECT generate_series(1, 1000) AS id")
    embedded.stop()
    os.kill(postmaster(data_dir), signal.SIGKILL)
    hub.kill()

    assert embedded.start(exclusive=True) == "started"

    assert ask(embedded, "SELECT count(*) FROM lead") == 1000


def test_a_server_that_outlived_its_hub_is_ended_and_not_adopted(
    embedded: Embedded, data_dir: Path, start: Callable[..., Hub]
) -> None:
    hub = start(data_dir, "exclusive", code=UNABLE_TO_DIE_WITH_US + HUB)
    hub.how()
    orphan = postmaster(data_dir)
    hub.kill()
    assert serves(orphan, data_dir / "postgres/18")

    embedded.start()

    assert not serves(orphan, data_dir / "postgres/18")
    assert ask(embedded, "SELECT 1") == 1


def test_a_stranger_that_got_the_number_of_a_killed_server_is_left_alone(embedded: Embedded, data_dir: Path) -> None:
    pid_file = data_dir / "postgres/18/postmaster.pid"
    account = pid_file.parent.stat().st_uid
    # Of the server's own account, or PostgreSQL would know the number for stale by itself.
    with subprocess.Popen(["sleep", "600"], user=account if os.geteuid() == 0 else None) as stranger:
        pid_file.write_text(f"{stranger.pid}\n{pid_file.parent}\n")

        embedded.start()

        assert ask(embedded, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_killed_three_times_while_the_database_is_made_the_next_start_is_clean(
    fresh: Path, start: Callable[..., Hub]
) -> None:
    fresh.parent.chmod(0o711)

    def kill_one_in_the_middle() -> None:
        before = set(fresh.glob("postgres/18.new-*/global"))
        hub = start(fresh)
        wait_until(lambda: not before.issuperset(fresh.glob("postgres/18.new-*/global")))
        hub.kill()

    for _ in range(3):
        kill_one_in_the_middle()
        assert not (fresh / "postgres/18").exists()
    embedded = Embedded(fresh)

    embedded.start()

    assert ask(embedded, "SELECT current_database()") == "hub"
    assert not list(fresh.glob("postgres/18.new-*"))
    embedded.stop()


def test_a_server_that_dies_is_started_again(embedded: Embedded, data_dir: Path) -> None:
    embedded.start(exclusive=True)
    assert embedded.restart_if_dead() is False
    os.kill(postmaster(data_dir), signal.SIGKILL)
    wait_until(lambda: not embedded.alive())

    assert embedded.restart_if_dead() is True

    def answers() -> bool:
        embedded.restart_if_dead()
        try:
            return ask(embedded, "SELECT 1") == 1
        except psycopg.OperationalError:
            return False

    wait_until(answers)


def test_a_start_that_fails_says_what_to_do_and_leaves_the_folder_free(embedded: Embedded, data_dir: Path) -> None:
    embedded.start()
    embedded.stop()
    broken = data_dir / "postgres/18/postgresql.conf"
    kept = broken.read_text()
    broken.write_text("this is no setting\n")

    with pytest.raises(EmbeddedUnavailable) as refusal:
        embedded.start()

    assert str(data_dir / "postgres/postgres.log") in refusal.value.remedy
    broken.write_text(kept)
    assert embedded.start() == "started"


def test_already_running_is_one_of_the_reasons_why_it_is_unavailable() -> None:
    error = AlreadyRunning(Path("/somewhere"), 42)

    assert isinstance(error, EmbeddedUnavailable)
    assert (error.pid, "process 42" in error.detail) == (42, True)


def test_nothing_listens_on_the_network(running: Embedded) -> None:
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(str(ask(running, "SHOW port")))))
