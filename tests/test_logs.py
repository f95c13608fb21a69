"""Logs say where something went wrong, never what the values were."""

import subprocess
import sys

import pytest

from tests.support.hub import ROOT, clean_environment

STORY = """
import sys, logging, structlog
from connector_master.logs import set_up_logs
set_up_logs(sys.argv[1])

def fail(secret):
    try:
        raise ValueError(f"key ({secret}) exists")
    except ValueError as error:
        raise RuntimeError(secret) from error

for write in (structlog.get_logger().exception, logging.getLogger("a.library").exception):
    try:
        fail("whsec_" + "planted")
    except RuntimeError:
        write("it_failed")
"""


@pytest.mark.parametrize("style", ["console", "json"])
def test_an_exception_is_logged_by_its_places_without_messages_or_values(style: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STORY, style],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean_environment(),
        check=True,
        timeout=30,
    )

    assert "whsec_planted" not in done.stdout + done.stderr
    assert done.stderr.count("it_failed") == 2
    assert "ValueError" in done.stderr
    assert "in fail" in done.stderr
