"""The import contract holds, and --help waits for nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub import ROOT, clean_environment

HEAVY = {
    "alembic",
    "argon2",
    "cel_expr_python",
    "cryptography",
    "fastapi",
    "httpx2",
    "orjson",
    "phonenumbers",
    "procrastinate",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
}
SCRIPT = """
import sys
from connector_master.cli import app
try:
    app(sys.argv[1:], standalone_mode=False)
except SystemExit:
    pass
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
COMMANDS = (
    *([name] for name in ("up", "serve", "work", "migrate", "config", "send", "doctor", "user", "api-key")),
    *(["user", name] for name in ("add", "list", "disable", "enable", "set-password")),
    *(["api-key", name] for name in ("create", "list", "revoke")),
    [],
)


def test_the_import_contract_holds() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command, "--help"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert "Usage: " in done.stdout
    # Typer itself reads a command's options with pydantic; without a command it has none to read.
    assert set(done.stderr.split()) & (HEAVY if command else HEAVY | {"pydantic"}) == set()
