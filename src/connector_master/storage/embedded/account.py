"""The account that PostgreSQL runs under: our own, or as root (whom PostgreSQL refuses) one that root lends it."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connector_master.storage.embedded.errors import USE_ANOTHER, EmbeddedUnavailable

NAME = "connector-master"

Account = pwd.struct_passwd


def choose(data_dir: Path, cluster: Path) -> Account:
    """Return our own account; as root whoever owns the data folder or a cluster made before, else a system account."""
    if os.geteuid() != 0:
        return by_id(os.geteuid())
    for place in (data_dir, cluster):
        if place.exists() and place.stat().st_uid != 0:
            return by_id(place.stat().st_uid)
    with suppress(KeyError):
        return pwd.getpwnam(NAME)
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd:
        nowhere = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
        subprocess.run([useradd, "--system", *nowhere, NAME], check=False, capture_output=True)
    with suppress(KeyError):
        return pwd.getpwnam(NAME)
    return pwd.getpwnam("nobody")


def by_id(uid: int) -> Account:
    """Return the account with that id. Raises EmbeddedUnavailable when it has no name, which PostgreSQL needs."""
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedUnavailable(
            f"User id {uid} has no name in /etc/passwd, and PostgreSQL needs one",
            f"Add one, or run as another user. {USE_ANOTHER}",
        ) from None


@contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """As root, touch files as the account would: no link of its making can lead root astray. Otherwise change nothing.

    The whole process acts so; not for use while other threads work.
    """
    if os.geteuid() != 0 or account.pw_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups([])
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
    except OSError as error:
        raise EmbeddedUnavailable(
            f"PostgreSQL refuses to run as root, and this root may not become {account.pw_name} ({error.strerror})",
            f"Run this as an ordinary user. {USE_ANOTHER}",
        ) from error
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def can_reach(account: Account, path: Path) -> bool:
    """Return whether the account may come to the path and enter it, or run it if it is a program."""
    with acting_as(account):
        try:
            os.stat(path)
        except PermissionError:
            return False
        return os.access(path, os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def give(account: Account, path: Path) -> None:
    """Make the account the owner of what root has just made for it."""
    if os.geteuid() == 0:
        os.chown(path, account.pw_uid, account.pw_gid)
