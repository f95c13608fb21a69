"""Who runs the server of a data folder: one owner, who holds the lock, and everybody else, who attaches."""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

from connector_master.storage.embedded.account import acting_as, by_id
from connector_master.storage.embedded.cluster import DATABASE, POLL_SECONDS, PORT, ROLE, Cluster
from connector_master.storage.embedded.errors import AlreadyRunning, EmbeddedUnavailable, foreign
from connector_master.storage.embedded.process import Process, end, is_alive

ATTACH_SECONDS = 60.0
LEAVE_SECONDS = 10.0


@dataclass(frozen=True)
class _Holder:
    """What an owner wrote into hub.lock: who it is and, once its server is ready, where the socket lies."""

    pid: int
    exclusive: bool
    socket: Path | None


class Embedded:
    """The server of one data folder, run or attached to. Use it from one thread; `start` and `stop` block."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.is_owner = False
        self._exclusive = False
        self._lock: IO[str] | None = None
        # Held shared by all who are attached, so that an owner who does not mean to stay can wait for them.
        self._users: IO[str] | None = None
        self._cluster: Cluster | None = None
        self._process: Process | None = None
        self._socket: Path | None = None

    @property
    def dsn(self) -> str:
        """The libpq connection string; known once started."""
        folder = str(self._started()).replace("\\", r"\\").replace("'", r"\'")
        return f"host='{folder}' port={PORT} user={ROLE} dbname={DATABASE}"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL; known once started."""
        return f"postgresql+psycopg://{ROLE}@/{DATABASE}?host={quote(str(self._started()))}&port={PORT}"

    def start(self, *, exclusive: bool = False) -> Literal["started", "attached"]:
        """Run the server, or attach to the one that another process runs on this folder; return which, once ready.

        `exclusive` is for the one process that means to stay: it never attaches, waits for a command that happens to
        hold the folder, and raises AlreadyRunning when another exclusive one does. Raises EmbeddedUnavailable.
        """
        if self._socket:
            raise RuntimeError("The embedded PostgreSQL was started already")
        _prepare(self.data_dir)
        deadline = time.monotonic() + ATTACH_SECONDS
        while not self._claim(exclusive):
            holder = self._holder()
            late = time.monotonic() > deadline
            if holder and exclusive and (holder.exclusive or late) and is_alive(holder.pid):
                raise AlreadyRunning(self.data_dir, holder.pid)
            if holder and holder.socket and not exclusive and self._attach(holder.socket):
                return "attached"
            if late:
                raise EmbeddedUnavailable(
                    f"Another process holds {self.data_dir}, and its PostgreSQL is not ready",
                    "See postgres/postgres.log in that folder, and start again.",
                )
            time.sleep(POLL_SECONDS)
        try:
            self._run()
        except BaseException:
            self.stop()
            raise
        return "started"

    def stop(self) -> None:
        """End the server if this process owns it, finishing what is being written; let go of it otherwise."""
        if self.is_owner:
            if self._process and not self._exclusive:
                self._wait_for_users()
            if self._process:
                end(self._process)
            if self._cluster:
                self._cluster.close()
            self._write("")
        for file in (self._lock, self._users):
            if file:
                file.close()
        self.is_owner = False
        self._lock = self._users = self._cluster = self._process = self._socket = None

    def owner(self) -> int | None:
        """Return the process that holds the folder, if there is one and it is not this one."""
        if self.is_owner:
            return None
        with suppress(OSError), open(self.data_dir / "hub.lock") as file:
            try:
                flock(file, LOCK_SH | LOCK_NB)
            except BlockingIOError:
                holder = self._holder()
                return holder.pid if holder else None
        return None

    def alive(self) -> bool:
        """Return whether the server that this process started is running."""
        return self._process is not None and self._process.poll() is None

    def restart_if_dead(self) -> bool:
        """Start the server again if it died under us, without waiting until it is ready; return whether it had died.

        Call it every second or so, from the main thread. While what the dead one left is still ending, the new one
        gives up at once, and the next call tries again.
        """
        if not self._cluster or self.alive():
            return False
        self._process = self._cluster.run()
        return True

    def _started(self) -> Path:
        if not self._socket:
            raise RuntimeError("The embedded PostgreSQL is not started")
        return self._socket

    def _claim(self, exclusive: bool) -> bool:
        """Try to become the owner."""
        lock = _open_lock(self.data_dir / "hub.lock")
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock, self._exclusive, self.is_owner = lock, exclusive, True
        return True

    def _attach(self, socket: Path) -> bool:
        """Use the owner's server, unless the owner is just leaving."""
        users = _open_lock(self.data_dir / "hub.users")
        try:
            flock(users, LOCK_SH | LOCK_NB)
        except BlockingIOError:
            users.close()
            return False
        if not os.access(socket, os.X_OK):
            users.close()
            raise foreign(socket)
        self._users, self._socket = users, socket
        return True

    def _wait_for_users(self) -> None:
        """Wait, but not for ever, until nobody uses the server; newcomers are kept out from then on."""
        self._users = _open_lock(self.data_dir / "hub.users")
        deadline = time.monotonic() + LEAVE_SECONDS
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                flock(self._users, LOCK_EX | LOCK_NB)
                return
            time.sleep(POLL_SECONDS)

    def _run(self) -> None:
        """As the owner: prepare the cluster, start the server, and say where it is when it is ready."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Start PostgreSQL from the main thread: it ends with the thread that started it")
        left_behind = self._holder()
        me = {"pid": os.getpid(), "exclusive": self._exclusive, "socket": None}
        self._write(json.dumps(me))
        self._cluster = Cluster(self.data_dir, left_behind.socket if left_behind else None)
        self._cluster.run_until_ready(self._remember)
        self._socket = self._cluster.socket
        self._write(json.dumps(me | {"socket": str(self._socket)}))

    def _remember(self, process: Process) -> None:
        self._process = process

    def _holder(self) -> _Holder | None:
        """Return what the present or last owner wrote; None while it writes, or when it left in peace."""
        with suppress(OSError, ValueError, KeyError):
            said = json.loads((self.data_dir / "hub.lock").read_text())
            return _Holder(said["pid"], said["exclusive"], Path(said["socket"]) if said["socket"] else None)
        return None

    def _write(self, text: str) -> None:
        if self._lock:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(text)
            self._lock.flush()


def _prepare(data_dir: Path) -> None:
    """Make the data folder, closed to others: 0700, or 0711 if it is root's, for PostgreSQL's account to pass through.

    A folder that held other things before is left as it is; what we put there has modes of its own.
    """
    try:
        if not data_dir.exists():
            data_dir.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                data_dir.mkdir(mode=0o700)
        owner = data_dir.stat().st_uid
        is_ours = (data_dir / "hub.lock").exists() or not any(data_dir.iterdir())
        if is_ours and os.geteuid() in (0, owner):
            data_dir.chmod(0o711 if owner == 0 else 0o700)
    except PermissionError as error:
        raise foreign(data_dir) from error
    except OSError as error:
        raise EmbeddedUnavailable(
            f"The data folder {data_dir} can't be used ({error.strerror})", "Choose another DATA_DIR."
        ) from error


def _open_lock(path: Path) -> IO[str]:
    """Open a lock file, so that the folder's owner can open it too, whoever of us comes first."""
    try:
        with acting_as(by_id(path.parent.stat().st_uid)):
            return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except PermissionError as error:
        raise foreign(path.parent) from error
