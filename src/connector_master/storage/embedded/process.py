"""Child processes that die with us, and left-over ones that did not."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from connector_master.storage.embedded.account import Account

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 30.0

Process = subprocess.Popen[bytes]


def spawn(
    command: Sequence[str | Path],
    account: Account,
    on_our_death: signal.Signals,
    output: IO[bytes] | int,
    given: int = subprocess.DEVNULL,
) -> Process:
    """Start a program as the account, out of reach of the terminal's Ctrl-C and of PG… variables meant for others.

    It gets `on_our_death` when the thread that called this ends.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    as_root = os.geteuid() == 0
    return subprocess.Popen(
        command,
        stdin=given,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment | {"TZ": "UTC", "LC_ALL": "C"},
        user=account.pw_uid if as_root else None,
        group=account.pw_gid if as_root else None,
        extra_groups=[] if as_root else None,
        umask=0o077,
        start_new_session=True,
        preexec_fn=_die_with_us(on_our_death),
    )


def end(process: Process) -> None:
    """End a server by a fast shutdown; should that hang, by an immediate one, after which the next start recovers."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def is_alive(pid: int) -> bool:
    """Return whether a process has that number."""
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def serves(pid: int, cluster: Path) -> bool:
    """Return whether that process serves our cluster: neither a zombie nor a stranger that got the number."""
    return _serves_by_proc(pid, cluster) if Path("/proc/self/stat").exists() else _serves_by_ps(pid, cluster)


def _serves_by_proc(pid: int, cluster: Path) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX" and os.fsencode(cluster) in arguments


def _serves_by_ps(pid: int, cluster: Path) -> bool:
    asked = ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)]
    listed = subprocess.run(asked, capture_output=True, check=False).stdout.strip()
    return bool(listed) and not listed.startswith(b"Z") and os.fsencode(cluster) in listed


def _die_with_us(how: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does before it becomes another program, so that it gets the signal when our thread ends.

    The change of account would clear it; Popen runs this afterwards. macOS knows nothing of the kind: there a server
    outlives a killed hub, until the next start ends it.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, int(how))
        if os.getppid() != us:  # too late: we are gone already
            os._exit(1)

    return before_exec
