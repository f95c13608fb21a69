"""Why the embedded PostgreSQL can't run here, and what a person can do about it."""

import pwd
from contextlib import suppress
from pathlib import Path

USE_ANOTHER = "Or set CONNECTOR_MASTER_DATABASE_URL to use a PostgreSQL of your own."


class EmbeddedUnavailable(Exception):
    """The embedded PostgreSQL can't run here: `detail` says why, `remedy` what to do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(f"{detail}. {remedy}")
        self.detail = detail
        self.remedy = remedy


class AlreadyRunning(EmbeddedUnavailable):
    """Another process, `pid`, holds this data folder and means to stay."""

    def __init__(self, data_dir: Path, pid: int) -> None:
        super().__init__(
            f"connector-master is already running on {data_dir} (process {pid})",
            "Stop that process first, or choose another DATA_DIR and PORT.",
        )
        self.pid = pid


def foreign(path: Path) -> EmbeddedUnavailable:
    """Return an error that says whose the path is, or the nearest folder above it that we may look at."""
    for place in (path, *path.parents):
        with suppress(OSError):
            owner = place.stat().st_uid
            name = f"user id {owner}"
            with suppress(KeyError):
                name = pwd.getpwuid(owner).pw_name
            return EmbeddedUnavailable(
                f"You may not use {path}: {place} belongs to {name}",
                f"Run this as {name if owner == 0 else f'{name} or root'}, or choose another DATA_DIR.",
            )
    return EmbeddedUnavailable(f"You may not use {path}", "Choose another DATA_DIR.")
