"""Everything that can be set, met or typed is documented, links lead somewhere, and the README's tour works as typed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import connector_master.app  # every kind of problem is defined by something that this imports
import connector_master.work.app  # noqa: F401
from connector_master.cli import app as command_line
from connector_master.connectors import registry
from connector_master.model.problem import Permanent, Problem, Transient
from connector_master.pipeline.functions import FUNCTIONS
from connector_master.settings import PREFIX, Settings
from tests.support.hub import ROOT, clean_environment

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (ROOT / name).read_text()


def kinds(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


# ---- nothing is missing -----------------------------------------------------------------------------


def test_every_setting_is_documented() -> None:
    text = page("docs/settings.md")
    missing = [name for name in Settings.model_fields if f"| `{PREFIX}{name.upper()}` |" not in text]

    assert not missing


def test_the_settings_page_names_no_setting_that_is_not_there() -> None:
    named = re.findall(rf"^\| `{PREFIX}([A-Z_]+)` \|", page("docs/settings.md"), re.MULTILINE)

    assert {name.lower() for name in named} == set(Settings.model_fields)


def test_every_error_code_is_documented_with_its_status() -> None:
    text = page("docs/api.md")
    documented = dict(re.findall(r"^\| `([a-z_]+)` \| (\d+|–) \|", text, re.MULTILINE))
    codes = {kind.code: kind.status for kind in kinds() if kind not in (Permanent, Transient)}
    missing = sorted(set(codes) - set(documented))
    wrong = {
        code: (documented[code], status)
        for code, status in codes.items()
        if documented.get(code, "–") not in ("–", str(status))
    }

    assert not missing
    assert not wrong


def test_every_code_of_the_http_server_is_documented() -> None:
    source = page("src/connector_master/server.py")
    used = re.findall(r'_refuse\((\d{3}), "([a-z_]+)"', source)
    text = page("docs/api.md")

    assert used
    assert [code for status, code in used if f"| `{code}` | {status} |" not in text] == []


def test_every_command_is_documented() -> None:
    text = page("docs/commands.md")
    missing = [name for name in _commands(typer.main.get_command(command_line)) if f"| `{name}` |" not in text]

    assert not missing


@pytest.mark.parametrize("type_", list(registry()))
def test_every_connector_is_documented_with_its_settings(type_: str) -> None:
    connector = registry()[type_]
    text = page(f"docs/connectors/{type_}.md") + page("docs/settings.md")
    forms = (connector.settings, connector.credentials)
    fields = [field.alias or name for form in forms for name, field in form.model_fields.items()]

    assert [name for name in fields if f"`{name}" not in text] == []
    assert connector.base_setting is None or f"`{PREFIX}{connector.base_setting}`" in text


def test_every_function_is_documented_with_its_example() -> None:
    text = page("docs/expressions.md")
    lines = {
        name: f"| `{one.signature}` | {one.says} | `{one.example[0]}` → `{json.dumps(one.example[1], ensure_ascii=False)}` |"
        for name, one in FUNCTIONS.items()
    }

    assert [name for name, line in lines.items() if line not in text] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    todo = list(reached)
    while todo:
        here = todo.pop()
        for target in _targets(here):
            found = [target] if target.is_file() else sorted(target.glob("*.md")) if target.is_dir() else []
            for one in found:
                if one.suffix == ".md" and one not in reached:
                    reached.add(one)
                    todo.append(one)

    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = [str(target) for target in _targets(path) if not target.exists()]

    assert not broken


def _targets(path: Path) -> list[Path]:
    links = [link for link in LINK.findall(path.read_text()) if "://" not in link and not link.startswith("#")]
    return [(path.parent / link.partition("#")[0]).resolve() for link in links]


def _commands(command: Any, name: str = "") -> Iterator[str]:
    for child, inner in getattr(command, "commands", {}).items():
        full = f"{name} {child}".strip()
        if getattr(inner, "commands", None):
            yield from _commands(inner, full)
        else:
            yield full


# ---- the tour ---------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a `connector-master` in it, as in a checkout, and a curl where the machine has none."""
    # Not pytest's tmp_path: as root, PostgreSQL's account has to reach the data folder.
    made = Path(tempfile.mkdtemp(prefix="cm-tour-", dir="/tmp"))
    made.chmod(0o711)
    _program(made / "connector-master", f'exec "{sys.executable}" -m connector_master "$@"')
    (made / "bin").mkdir()
    if shutil.which("curl") is None:
        (made / "bin/curl.py").write_text(CURL)
        _program(made / "bin/curl", f'exec "{sys.executable}" "{made}/bin/curl.py" "$@"')
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_tour_works_as_typed(folder: Path) -> None:
    tour = page("README.md").partition("## A tour")[2].partition("\n## ")[0]
    (first, start), *blocks = FENCE.findall(tour)
    assert (first, start) == ("sh", "./connector-master up\n")
    environment = clean_environment() | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    log = folder / "up.log"
    with log.open("w") as output:
        # As typed, but for the port, which may be taken here.
        up = subprocess.Popen(
            ["bash", "-c", "exec " + start],
            cwd=folder,
            env=environment | {f"{PREFIX}PORT": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = _wait_for_address(up, log)
        said = _type(
            folder, environment, [text.replace("http://127.0.0.1:8080", address) for _, text in blocks], blocks
        )
    finally:
        up.terminate()
        up.wait(30)

    assert "One-time password: " in log.read_text()
    assert (folder / "data").is_dir()
    for shown, pattern in said:
        wanted = re.escape(pattern.strip()).replace("…", ".*")
        assert re.search(wanted, shown, re.DOTALL), f"expected:\n{pattern}\ngot:\n{shown}"
    assert len(said) >= 5


def _wait_for_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"is ready at (\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _type(folder: Path, environment: dict[str, str], texts: list[str], blocks: list[Any]) -> list[tuple[str, str]]:
    """Type every sh block into one shell; return what each said that is followed by a text block, and that block."""
    mark = "-- end of block --"
    script = "".join(f"{text}\necho '{mark}'\n" for (kind, _), text in zip(blocks, texts, strict=True) if kind == "sh")
    done = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    outputs = iter(done.stdout.split(f"{mark}\n"))
    said: list[tuple[str, str]] = []
    last = ""
    for kind, text in blocks:
        if kind == "sh":
            last = next(outputs)
            assert "Traceback" not in last, last
        else:
            said.append((last, text))
    return said


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


CURL = """
import sys, urllib.error, urllib.request

arguments, headers, data, method, url = sys.argv[1:], {}, None, None, ""
while arguments:
    one = arguments.pop(0)
    if one == "-H":
        name, _, value = arguments.pop(0).partition(":")
        headers[name] = value.strip()
    elif one == "-d":
        data = arguments.pop(0).encode()
    elif one == "-X":
        method = arguments.pop(0)
    elif one != "-s":
        url = one
request = urllib.request.Request(url, data, headers, method=method)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""
