"""The launcher, run for real on small checkouts: what it sets up, when again, and what it says when it can't."""

import ast
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

COMMAND_LINE = """
import os
import sys

def main() -> int:
    print(os.getcwd(), *sys.argv[1:])
    return 7
"""
# In place of pip: it installs half a package and waits to be told to go on.
SLOW_PIP = """
import pathlib, sys, sysconfig, time
site = pathlib.Path(sysconfig.get_path("purelib"))
half = site / "half.py"
if not half.exists():
    half.touch()
    while not pathlib.Path(sys.argv[0], "..", "..", "..", "go-on").resolve().exists():
        time.sleep(0.005)
(site / "whole.py").touch()
"""


class Checkout:
    """A checkout with the real launcher and pip, a command line that repeats what it is given, and an empty lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "src/connector_master").mkdir(parents=True)
        (folder / "src/connector_master/cli.py").write_text(COMMAND_LINE)
        (folder / "requirements").mkdir()
        for kind in ("run", "dev"):
            (folder / f"requirements/{kind}.txt").touch()
        (folder / "vendor").mkdir()
        for wheel in ROOT.glob("vendor/pip-*.whl"):
            (folder / "vendor" / wheel.name).symlink_to(wheel)
        shutil.copy(ROOT / "connector-master", folder)

    def begin(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, self.folder / "connector-master", *arguments],
            cwd=self.folder.parent,
            # No cached bytecode: stand-ins of one size within one second would pass for each other.
            env={name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_MASTER_")}
            | {"PYTHONDONTWRITEBYTECODE": "1"}
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        process = self.begin(*arguments, **environment)
        out, said = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, out.strip(), said.strip())

    def edit_launcher(self, old: str, new: str) -> None:
        path = self.folder / "connector-master"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def stand_in(self, command: str, code: str) -> None:
        """Put a script or a module of that name in the place of a tool."""
        path = self.folder / command
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "my check'out")


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that is set up with all that tests need."""
    checkout = Checkout(tmp_path_factory.mktemp("launcher") / "checkout")
    checkout.run("setup", "--dev")
    return checkout


def wait_until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.005)


def test_the_first_command_sets_up_and_is_then_run_where_it_was_given(checkout: Checkout) -> None:
    first = checkout.run("send", "a lead", "--json")

    assert first.stdout == f"{checkout.folder.parent} send a lead --json"
    assert first.returncode == 7
    assert "setting up" in first.stderr

    second = checkout.run("send")

    assert (second.stdout, second.stderr) == (f"{checkout.folder.parent} send", "")


def test_the_command_it_leaves_runs_without_the_launcher(checkout: Checkout) -> None:
    checkout.run("setup")

    ran = subprocess.run(
        [checkout.folder / ".venv/bin/connector-master", "send", "two words"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stdout, ran.returncode) == ("/ send two words\n", 7)


@pytest.mark.parametrize("changed", ["lock", "place"])
def test_a_changed_lock_or_place_is_set_up_again(checkout: Checkout, changed: str) -> None:
    checkout.run("setup")
    if changed == "lock":
        (checkout.folder / "requirements/run.txt").write_text("# nothing yet\n")
    else:
        checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))

    again = checkout.run("send")

    assert "setting up" in again.stderr
    assert again.returncode == 7
    assert checkout.run("send").stderr == ""


def test_what_tests_need_includes_what_the_program_needs(developed: Checkout) -> None:
    assert developed.run("send").stderr == ""


def test_a_set_up_that_was_killed_is_waited_for_and_then_begun_from_nothing(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / "vendor")
    checkout.stand_in("vendor/pip-1-py3-none-any.whl/pip/__main__.py", SLOW_PIP)
    site = checkout.folder / f".venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    killed = checkout.begin("send")
    wait_until((site / "half.py").exists)
    killed.kill()
    killed.wait()

    second = checkout.begin("send")
    assert second.stderr is not None
    assert "waiting for a set-up" in second.stderr.readline()
    (checkout.folder / "go-on").touch()
    out, _ = second.communicate()

    assert (second.returncode, out.split()[-1]) == (7, "send")
    assert (site / "whole.py").exists()
    assert not (checkout.folder / ".venv/.set-up-unfinished").exists()


def test_two_first_commands_at_once_set_up_once(checkout: Checkout) -> None:
    both = [checkout.begin("one"), checkout.begin("two")]

    said = [process.communicate() for process in both]

    assert [process.returncode for process in both] == [7, 7]
    assert sum("setting up" in error for _, error in said) == 1


def test_packages_that_cannot_be_fetched_are_explained_and_the_next_try_mends_it(checkout: Checkout) -> None:
    lock = checkout.folder / "requirements/run.txt"
    lock.write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n")

    refused = checkout.run("up", PIP_NO_INDEX="1")

    assert refused.returncode == 1
    assert "no-such-package" in refused.stderr
    assert "check the network" in refused.stderr
    assert "Traceback" not in refused.stderr
    lock.write_text("")
    assert checkout.run("up").returncode == 7


def test_pip_settings_that_lead_elsewhere_are_not_followed(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")

    ran = checkout.run("up", PIP_TARGET=elsewhere, PIP_USER="1", PYTHONPATH=elsewhere)

    assert ran.returncode == 7


def test_a_lost_pip_is_named(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / "vendor")

    refused = checkout.run("up")

    assert (refused.returncode, "git checkout -- vendor" in refused.stderr) == (1, True)


def test_a_checkout_of_somebody_else_asks_for_another_place(checkout: Checkout, tmp_path: Path) -> None:
    # A file where the folder should be refuses root too, whom no mode would stop.
    (checkout.folder / ".venv").touch()

    refused = checkout.run("up")

    assert (refused.returncode, "export CONNECTOR_MASTER_VENV=" in refused.stderr) == (1, True)
    assert checkout.run("up", CONNECTOR_MASTER_VENV=str(tmp_path / "mine")).returncode == 7


def test_an_old_python_can_read_the_launcher() -> None:
    ast.parse((ROOT / "connector-master").read_text(), feature_version=(3, 6))


def test_an_old_python_is_told_what_to_do(checkout: Checkout) -> None:
    checkout.edit_launcher("OLDEST = (3, 11)", "OLDEST = (4, 0)")

    refused = checkout.run("up", PATH="/nowhere")

    assert refused.returncode == 1
    assert f"needs Python 4.0 or newer, and this is {sys.version.split()[0]}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_help_names_the_commands_that_only_a_checkout_has(developed: Checkout) -> None:
    assert "setup, test, lint, bench" in developed.run("--help").stderr
    assert developed.run().stdout == str(developed.folder.parent)


@pytest.mark.parametrize("failing", ["none", "check", "tests"])
def test_test_runs_everything_and_fails_if_anything_failed(developed: Checkout, failing: str) -> None:
    developed.stand_in(".venv/bin/ruff", f"#!/bin/sh\nexit {int(failing == 'check')}\n")
    developed.stand_in(".venv/bin/lint-imports", "#!/bin/sh\n")
    developed.stand_in("src/mypy.py", "")
    developed.stand_in("src/pytest.py", f"import sys\nprint('9 passed')\nsys.exit({int(failing == 'tests')})\n")

    ran = developed.run("test")

    assert ran.stdout.splitlines()[-1] == "9 passed"
    assert ran.returncode == (0 if failing == "none" else 1)


def test_arguments_of_test_are_pytests(developed: Checkout) -> None:
    developed.stand_in("src/pytest.py", "import os, sys\nprint(os.getcwd(), *sys.argv[1:])\n")

    ran = developed.run("test", "-k", "one thing")

    assert ran.stdout == f"{developed.folder} -k one thing"


def test_bench_runs_the_benchmarks_in_the_checkout(developed: Checkout) -> None:
    developed.stand_in("benchmarks/__main__.py", "import os, sys\nprint(os.getcwd(), *sys.argv[1:])\n")

    assert developed.run("bench", "--rounds", "1").stdout == f"{developed.folder} --rounds 1"
