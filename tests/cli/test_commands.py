"""The command line as a person meets it: help, exit codes, JSON, and errors that say what to do."""

import json
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from connector_master.cli import app
from connector_master.settings import PREFIX, Settings
from tests.contracts.test_imports import COMMANDS
from tests.support.hub import PROGRAM, Hub, Process, clean_environment, command, new_phone

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of this test's own that PostgreSQL's account can reach."""
    made = Path(tempfile.mkdtemp(prefix="cm-cli-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


# ---- help and mistakes ------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])

    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ")
    assert "--help" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["up", "--nothing"],
        ["up", "--port", "many"],
        ["api-key", "create"],
        ["api-key", "create", "--name", "x", "--role", "king"],
        ["api-key", "revoke", "not-an-id"],
        ["user", "add"],
        ["send"],
    ],
    ids=" ".join,
)
def test_a_mistyped_command_is_refused_with_a_hint(words: list[str]) -> None:
    done = command(*words)

    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["doctor", "--database-url", NOWHERE], "can't be"),
        (["migrate", "--database-url", NOWHERE], "can't be reached"),
        (["user", "list", "--database-url", NOWHERE], "can't be reached"),
        (["api-key", "list", "--database-url", NOWHERE], "can't be reached"),
        (["up", "--port", "0", "--database-url", NOWHERE], "can't be reached"),
        (["serve", "--port", "0", "--database-url", NOWHERE], "can't be reached"),
        (["work", "--database-url", NOWHERE], "can't be reached"),
        (["up", "--port", "70000"], "CONNECTOR_MASTER_PORT"),
        (["up", "--data-dir", "/proc/nothing"], "can't be made"),
        (["migrate", "--database-url", "mysql://x"], "postgresql://"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failure_is_a_sentence_and_exit_code_1(words: list[str], sentence: str) -> None:
    done = command(*words)

    assert done.returncode == 1
    assert sentence in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_wrong_settings_are_all_named() -> None:
    done = command(
        "config", env={f"{PREFIX}PORT": "x", f"{PREFIX}LOG_FORMAT": "xml", f"{PREFIX}RAW_RETENTION_DAYS": "0"}
    )

    assert done.returncode == 1
    assert [name for name in ("PORT", "LOG_FORMAT", "RAW_RETENTION_DAYS") if PREFIX + name not in done.stderr] == []


# ---- config -----------------------------------------------------------------------------------------


def test_config_prints_every_setting_and_hides_secrets() -> None:
    secrets = {f"{PREFIX}SECRET_KEYS": "planted-key", f"{PREFIX}ADMIN_PASSWORD": "planted-password"}
    done = command("config", "--json", "--database-url", "postgresql://u:planted-word@h/d", env=secrets)
    rows = {row["name"]: row for row in json.loads(done.stdout)}

    assert done.returncode == 0
    assert {PREFIX + name.upper() for name in Settings.model_fields} <= set(rows)
    assert all(row["meaning"] and set(row) == {"name", "value", "default", "meaning"} for row in rows.values())
    assert rows[f"{PREFIX}PORT"] == rows[f"{PREFIX}PORT"] | {"value": "8080", "default": "8080"}
    assert rows[f"{PREFIX}DATABASE_URL"]["value"] == "********"
    assert "planted" not in done.stdout


def test_an_option_wins_over_the_environment_and_that_over_the_file(folder: Path) -> None:
    (folder / ".env").write_text(f"{PREFIX}PORT=1001\n{PREFIX}HOST=127.0.0.9\n{PREFIX}DATA_DIR=from-file\n")
    environment = {f"{PREFIX}HOST": "127.0.0.2", f"{PREFIX}DATA_DIR": "from-environment"}

    done = subprocess.run(
        [*PROGRAM, "config", "--json", "--data-dir", "from-option"],
        cwd=folder,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    values = {row["name"].removeprefix(PREFIX): row["value"] for row in json.loads(done.stdout)}

    assert (values["PORT"], values["HOST"], values["DATA_DIR"]) == ("1001", "127.0.0.2", "from-option")


def test_config_reads_for_people_too() -> None:
    done = command("config")

    assert f"{PREFIX}PORT=8080" in done.stdout
    assert "Port to listen on" in done.stdout


# ---- up, serve, work, migrate -----------------------------------------------------------------------


def test_up_names_its_address_and_the_first_administrator_once(folder: Path) -> None:
    data = folder / "data with blanks"
    first = Process("up", "--data-dir", str(data), "--port", "0").wait_ready()
    answer = httpx2.get(f"{first.address}/readyz", trust_env=False)
    codes = [first.stop()]
    second = Process("up", "--data-dir", str(data), "--port", "0").wait_ready()
    codes.append(second.stop())

    assert codes == [0, 0]
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    said = "\n".join(first.lines)
    assert "Administrator: admin@localhost" in said
    assert "One-time password: " in said
    assert "password" not in "\n".join(second.lines)
    assert stat.S_IMODE((data / "secret.keys").stat().st_mode) == 0o600


def test_a_second_up_says_who_holds_the_folder(folder: Path) -> None:
    first = Process("up", "--data-dir", str(folder / "data"), "--port", "0").wait_ready()

    second = command("up", "--data-dir", str(folder / "data"), "--port", "0")
    code = first.stop()

    assert (second.returncode, code) == (1, 0)
    assert str(first.popen.pid) in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_said_before_anything_is_made(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("up", "--data-dir", str(folder / "data"), "--port", port)

    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert not (folder / "data" / "postgres").exists()


def test_serve_and_work_share_a_database(database_url: str, folder: Path) -> None:
    where = ["--database-url", database_url, "--data-dir", str(folder / "data")]
    serve = Process("serve", *where, "--port", "0").wait_ready()
    work = Process("work", *where).wait_ready()
    answer = httpx2.get(f"{serve.address}/healthz", trust_env=False)

    assert answer.status_code == 200
    assert [serve.stop(), work.stop()] == [0, 0]


def test_migrate_says_what_it_did(server_url: str, folder: Path) -> None:
    data = str(folder / "data")

    first = command("migrate", "--data-dir", data)
    again = command("migrate", "--data-dir", data)

    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout.startswith("Migrated to ")
    assert again.stdout.startswith("Nothing to do")


def test_a_wrong_key_refuses_to_start(folder: Path) -> None:
    data = folder / "data"
    assert Process("up", "--data-dir", str(data), "--port", "0").wait_ready().stop() == 0
    kept = (data / "secret.keys").read_text()
    refused = [
        command("up", "--data-dir", str(data), "--port", "0", env={f"{PREFIX}SECRET_KEYS": "c2hvcnQ="}),
        command("up", "--data-dir", str(data), "--port", "0", env={f"{PREFIX}SECRET_KEYS": "00" * 32}),
    ]
    (data / "secret.keys").unlink()
    refused.append(command("up", "--data-dir", str(data), "--port", "0"))

    assert [done.returncode for done in refused] == [1, 1, 1]
    assert all("SECRET_KEYS" in done.stderr or "secret.keys" in done.stderr for done in refused)
    assert not [done.stderr for done in refused if "Traceback" in done.stderr or kept.strip() in done.stderr]
    assert not (data / "secret.keys").exists(), "no new key over sealed data"


# ---- send -------------------------------------------------------------------------------------------


async def test_send_signs_and_prints_the_answer(hub: Hub, folder: Path) -> None:
    connector = await hub.create_connector(settings={"signature": "required"})
    payload = json.dumps({"phone": new_phone(), "name": "Grüße"}, ensure_ascii=False).encode()
    file = folder / "enquiry.json"
    file.write_bytes(payload)
    secret = {"CONNECTOR_MASTER_SECRET": connector.secret or ""}

    by_path = command("send", connector.url, "--base", hub.address, stdin=payload, env=secret)
    by_url = command("send", hub.address + connector.url, str(file), env=secret)
    unsigned = command("send", hub.address + connector.url, str(file))

    assert [done.returncode for done in (by_path, by_url, unsigned)] == [0, 0, 1]
    assert json.loads(by_path.stdout)["status"] == "created"
    assert json.loads(by_url.stdout)["status"] == "duplicate"
    assert json.loads(unsigned.stdout)["code"] == "invalid_signature"
    assert unsigned.stderr.strip() == "HTTP 401"


async def test_send_repeats_an_event_by_its_key(hub: Hub) -> None:
    connector = await hub.create_connector()
    words = ["send", hub.address + connector.url, "--idempotency-key", "one"]
    payload = json.dumps({"phone": new_phone()}).encode()

    first, again = command(*words, stdin=payload), command(*words, stdin=payload)

    assert json.loads(again.stdout) == json.loads(first.stdout) | {"repeated": True}


async def test_send_takes_other_content_types(hub: Hub) -> None:
    connector = await hub.create_connector()
    form = f"phone=%2B{new_phone()[1:]}&name=Asha".encode()

    done = command(
        "send", hub.address + connector.url, "--content-type", "application/x-www-form-urlencoded", stdin=form
    )

    assert json.loads(done.stdout)["status"] == "created"


def test_send_says_what_is_wrong(folder: Path) -> None:
    missing = command("send", "http://127.0.0.1:1/api/connectors/webhook/x", str(folder / "nothing.json"))
    nobody = command("send", "http://127.0.0.1:1/api/connectors/webhook/x", stdin=b"{}")

    assert (missing.returncode, nobody.returncode) == (1, 1)
    assert "can't be read" in missing.stderr
    assert "can't be reached" in nobody.stderr
    assert "Traceback" not in missing.stderr + nobody.stderr


# ---- doctor -----------------------------------------------------------------------------------------


async def test_doctor_finds_a_running_hub_well(hub: Hub) -> None:
    await hub.create_connector(name="Unsigned one")

    done = command("doctor", "--json", *hub.where)
    findings = {one["check"]: one for one in json.loads(done.stdout)}

    assert done.returncode == 0, done.stdout
    assert {"database", "postgresql", "fsync", "synchronous_commit", "clock", "schema", "secret_keys"} <= set(findings)
    assert [one for one in findings.values() if one["state"] == "wrong"] == []
    assert findings["signatures"]["state"] == "warning"
    assert all(set(one) == {"check", "state", "message", "remedy"} for one in findings.values())


def test_doctor_names_what_to_mend(folder: Path) -> None:
    data = folder / "data"
    assert command("migrate", "--data-dir", str(data)).returncode == 0
    assert Process("up", "--data-dir", str(data), "--port", "0").wait_ready().stop() == 0
    (data / "secret.keys").chmod(0o644)

    done = command(
        "doctor",
        "--data-dir",
        str(data),
        env={f"{PREFIX}PUBLIC_URL": "http://hub.example.com", f"{PREFIX}SECRET_KEYS": "00" * 32},
    )

    assert done.returncode == 1
    assert "WRONG    secret_keys" in done.stdout
    assert "WRONG    key_file" in done.stdout
    assert "warning  public_url" in done.stdout
    assert "→" in done.stdout


def test_doctor_on_a_new_folder_warns_that_it_is_empty(folder: Path) -> None:
    done = command("doctor", "--data-dir", str(folder / "data"))

    assert done.returncode == 0
    assert "The database is empty." in done.stdout


# ---- user and api-key while up runs -----------------------------------------------------------------


async def test_a_key_made_while_up_runs_works_until_it_is_revoked(hub: Hub) -> None:
    made = json.loads(command("api-key", "create", "--role", "executive", "--name", "cli", "--json", *hub.where).stdout)
    headers = {"Authorization": f"Bearer {made['key']}"}
    before = await hub.client.get("/api/leads", headers=headers)
    listed = json.loads(command("api-key", "list", "--json", *hub.where).stdout)["items"]
    revoked = command("api-key", "revoke", made["id"], *hub.where)
    after = await hub.client.get("/api/leads", headers=headers)

    assert set(made) == {"id", "name", "role", "key"}
    assert [before.status_code, revoked.returncode, after.status_code] == [200, 0, 401]
    assert made["id"] in {one["id"] for one in listed}
    assert made["key"] not in json.dumps(listed)


async def test_a_user_made_while_up_runs_is_there(hub: Hub) -> None:
    done = command("user", "add", "cli@example.com", "--role", "manager", "--json", *hub.where)
    made = json.loads(done.stdout)
    shown = await hub.api("GET", f"/api/users/{made['id']}")
    again = command("user", "add", "cli@example.com", *hub.where)

    assert done.returncode == 0
    assert len(made["oneTimePassword"]) >= 15
    assert (shown.json()["email"], shown.json()["role"]) == ("cli@example.com", "manager")
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
