"""The server's files: made once, mended at every start, and the server run on them."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO

from connector_master.storage.embedded import account, programs
from connector_master.storage.embedded.account import acting_as, can_reach
from connector_master.storage.embedded.errors import USE_ANOTHER, EmbeddedUnavailable
from connector_master.storage.embedded.process import STOP_SECONDS, Process, serves, spawn

ROLE = DATABASE = "hub"
PORT = 5432

# Command-line options win over postgresql.conf and ALTER SYSTEM, so nobody can have switched safety off by hand.
OPTIONS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "cluster_name": "connector-master",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # An error's detail quotes values ("Key (phone)=(…) exists"), its statement may: logs hold no personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
INITDB = [
    f"--username={ROLE}",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--data-checksums",
    "--auth-local=peer",
    "--auth-host=reject",
    "--no-instructions",
]

# A socket's path must fit 104 bytes (macOS; Linux 108), and PostgreSQL appends "/.s.PGSQL.5432".
LONGEST_SOCKET_FOLDER = 88
SHORT_PLACE = Path("/tmp")  # noqa: S108 (mkdtemp makes a folder of mode 0700 in it)
LARGEST_LOG_BYTES = 5_000_000

RECOVERY_SECONDS = 300.0
POLL_SECONDS = 0.005


class Cluster:
    """The database of one data folder. Only the owner of the folder may use it."""

    def __init__(self, data_dir: Path, left_behind: Path | None) -> None:
        """Make ready what the server needs; `left_behind` is the socket folder of an owner that was killed."""
        self._account = account.choose(data_dir, data_dir / "postgres" / programs.MAJOR)
        self._home = self._choose_home(data_dir)
        self._path = self._home / programs.MAJOR
        self._log_path = self._home / "postgres.log"
        self._log_began = 0
        self._log: IO[bytes] | None = None
        self._lock = self._lock_home(data_dir)
        try:
            self._programs = programs.find(self._account)
            self._remove_half_made()
            if not self._path.exists():
                self._make()
            self._end_orphan()
            self.socket = self._prepare_files(left_behind)
        except BaseException:
            self.close()
            raise

    def run(self) -> Process:
        """Start the server; it gets SIGINT, a fast shutdown, when the calling thread ends."""
        assert self._log is not None
        self._log_began = self._log_path.stat().st_size
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._programs / "postgres", "-D", self._path, "-k", self.socket, *options]
        return spawn(command, self._account, on_our_death=signal.SIGINT, output=self._log)

    def run_until_ready(self, started: Callable[[Process], None]) -> None:
        """Start the server, tell which process it is, and return when it takes connections."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        while True:
            process = self.run()
            started(process)
            while not self._is_ready(process.pid) and process.poll() is None:
                if time.monotonic() > deadline:
                    raise EmbeddedUnavailable("PostgreSQL does not get ready", f"{self._log_path} says more.")
                time.sleep(POLL_SECONDS)
            if process.poll() is None:
                return
            # What is left of a killed server holds its shared memory for a moment.
            if b"is still in use" not in self._said() or time.monotonic() > deadline:
                raise EmbeddedUnavailable(
                    f"PostgreSQL ended at once (exit code {process.returncode})", f"{self._log_path} says why."
                )
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Let go of the files, once the server has ended."""
        if self._log:
            self._log.close()
            self._forget(self.socket)
        os.close(self._lock)

    def _choose_home(self, data_dir: Path) -> Path:
        """Return the folder for the server's files: in the data folder, or where its account can reach it.

        In the second case a link in the data folder leads to it, so that a moved data folder still finds its data.
        """
        home = data_dir / "postgres"
        if home.is_symlink() and not home.exists():
            raise EmbeddedUnavailable(
                f"{home} leads to {home.readlink()}, which is gone",
                "Bring that folder back from a backup, or remove the link to begin with an empty database.",
            )
        if home.exists():
            home = home.resolve()
            if not can_reach(self._account, home):
                raise EmbeddedUnavailable(
                    f"The account {self._account.pw_name}, which PostgreSQL runs under, can't reach {home}",
                    "Let it pass through the folders above (chmod o+x).",
                )
            return home
        if can_reach(self._account, data_dir):
            home.mkdir(mode=0o700)
            account.give(self._account, home)
            return home
        place = Path(tempfile.mkdtemp(prefix="data-", dir=programs.system_place()))
        account.give(self._account, place)
        home.symlink_to(place)
        return place

    def _lock_home(self, data_dir: Path) -> int:
        """Refuse a database that another data folder uses: a copied one holds the same link."""
        lock = os.open(self._home, os.O_RDONLY)
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise EmbeddedUnavailable(
                f"The database in {self._home} is in use by another data folder; {data_dir} seems to be its copy",
                "Stop that one, or remove the link `postgres` in the copy to begin with an empty database.",
            ) from None
        return lock

    def _remove_half_made(self) -> None:
        with acting_as(self._account):
            for leftover in self._home.glob(f"{programs.MAJOR}.new-*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def _make(self) -> None:
        """Make the cluster with its database aside and rename it: killed in between, nothing half made is used."""
        with acting_as(self._account):
            aside = Path(tempfile.mkdtemp(prefix=f"{programs.MAJOR}.new-", dir=self._home))
        self._finish([self._programs / "initdb", "-D", aside, *INITDB])
        create = f"CREATE DATABASE {DATABASE}\n".encode()
        self._finish([self._programs / "postgres", "--single", "-D", aside, "postgres"], create)
        with acting_as(self._account):
            aside.rename(self._path)
            home = os.open(self._home, os.O_RDONLY)
            os.fsync(home)
            os.close(home)

    def _finish(self, command: list[str | Path], given: bytes = b"") -> None:
        """Run one of PostgreSQL's programs to its end."""
        process = spawn(
            command, self._account, on_our_death=signal.SIGKILL, output=subprocess.PIPE, given=subprocess.PIPE
        )
        try:
            said, _ = process.communicate(given)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise EmbeddedUnavailable(
                f"The database could not be made: {lines[-1] if lines else process.returncode}",
                f"See that {self._home} can be written and the disk is not full. {USE_ANOTHER}",
            )

    def _end_orphan(self) -> None:
        """End a server that lost its hub."""
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].isdigit() else 0
        for how in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + STOP_SECONDS
            if pid and serves(pid, self._path):
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
            while pid and serves(pid, self._path) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        if pid and serves(pid, self._path):
            raise EmbeddedUnavailable(
                f"A PostgreSQL that lost its hub (process {pid}) does not end", f"End it: kill -9 {pid}"
            )

    def _prepare_files(self, left_behind: Path | None) -> Path:
        """Remove what a killed server left, write who may enter, open the log; return the socket's folder."""
        if left_behind:
            self._forget(left_behind)
        with acting_as(self._account):
            socket = self._choose_socket_folder()
            # PostgreSQL would take a zombie, or a stranger that got the number, for a server still running.
            for stale in (self._path / "postmaster.pid", *socket.glob(".s.PGSQL.*")):
                stale.unlink(missing_ok=True)
            (self._path / "pg_hba.conf").write_text("local all all peer map=hub\n")
            names = sorted({self._account.pw_name, "root"})
            (self._path / "pg_ident.conf").write_text("".join(f'hub "{name}" {ROLE}\n' for name in names))
            if self._log_path.exists() and self._log_path.stat().st_size > LARGEST_LOG_BYTES:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))
            # Kept open: a restart comes while other threads work, when nobody may change whom we act as.
            log = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._log = os.fdopen(log, "ab")
        return socket

    def _choose_socket_folder(self) -> Path:
        """Return a folder of mode 0700, in the home, or elsewhere if that path is too long or breaks libpq's lists."""
        folder = self._home / "run"
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER and not set(',"') & set(str(folder)):
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
        return Path(tempfile.mkdtemp(prefix="connector-master-", dir=SHORT_PLACE))

    def _forget(self, socket: Path) -> None:
        """Remove a socket folder that was made elsewhere."""
        if socket.parent == SHORT_PLACE and socket.name.startswith("connector-master-"):
            with acting_as(self._account):
                shutil.rmtree(socket, ignore_errors=True)

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        """Return the lines of postmaster.pid: the first is the process id, the eighth its state."""
        with suppress(OSError):
            return (self._path / "postmaster.pid").read_text().split("\n")
        return []

    def _said(self) -> bytes:
        """Return what the server has written into its log since it was started."""
        with open(self._log_path, "rb") as log:
            log.seek(self._log_began)
            return log.read()
