"""The API under Schemathesis: whatever the document allows or forbids, no 500, nothing undeclared, every answer as declared."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub import Hub, Process, clean_environment

EXAMPLES = 15
LEFT_OUT = {
    # Cursors, passwords, mappings and spans obey rules that a JSON schema can't say; tests of each route have them.
    "positive_data_acceptance",
    # GET /api/events/retry is an event with an odd id to the router; test_routes.py knows, and checks every method.
    "unsupported_method",
}


@pytest.fixture
def fuzzed() -> Iterator[tuple[Hub, Path]]:
    """A hub of its own, and its folder: what is thrown at it must not end other tests' users, keys or events."""
    folder = Path(tempfile.mkdtemp(prefix="cm-fuzz-", dir="/tmp"))
    folder.chmod(0o711)
    process = Process("up", "--data-dir", str(folder / "data"), "--port", "0").wait_ready()
    yield Hub(process, folder / "data"), folder
    code = process.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0
    assert not [line for line in process.lines if "unexpected_error" in line or "door_failed" in line]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_answer_is_as_declared(fuzzed: tuple[Hub, Path]) -> None:
    hub, folder = fuzzed

    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "--no-color",
            *("run", f"{hub.address}/api/openapi.json", "--header", f"Authorization: Bearer {hub.key()}"),
            *("--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES), "--generation-deterministic"),
            *("--exclude-checks", ",".join(sorted(LEFT_OUT)), "--continue-on-failure", "--no-shrink"),
            *("--request-timeout", "10", "--warnings", "off", "--suppress-health-check", "all"),
        ],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
