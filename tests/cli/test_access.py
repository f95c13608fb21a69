"""connector-master user and api-key, on a real database."""

import json
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from typer import Typer
from typer.testing import CliRunner

from connector_master.access.api_keys import hash_key, looks_valid
from connector_master.cli import api_keys, users

GOOD = "mossy teapot verdict lunar"


class Command:
    """Runs a sub-command on one database; `json` gives what it printed."""

    def __init__(self, app: Typer, database_url: str) -> None:
        self._app, self._url = app, database_url

    def __call__(self, *arguments: str, stdin: str = "") -> Any:
        return CliRunner().invoke(self._app, [*arguments, "--database-url", self._url], input=stdin)

    def json(self, *arguments: str, stdin: str = "") -> Any:
        result = self(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def user(database_url: str) -> Command:
    return Command(users.app, database_url)


@pytest.fixture
def api_key(database_url: str) -> Command:
    return Command(api_keys.app, database_url)


def test_a_key_is_printed_as_the_contract_says(api_key: Command, database_url: str) -> None:
    made = api_key.json("create", "--role", "admin", "--name", "x")

    assert list(made) == ["id", "name", "role", "key"]
    assert (made["name"], made["role"], looks_valid(made["key"])) == ("x", "admin", True)
    with create_engine(database_url).connect() as connection:
        assert bytes(connection.execute(text("SELECT key_hash FROM api_keys")).scalar_one()) == hash_key(made["key"])


def test_keys_are_listed_and_revoked_and_never_shown_again(api_key: Command) -> None:
    made = api_key.json("create", "--role", "manager", "--name", "Sales desk", "--expires-in-days", "7")

    listed = api_key.json("list")["items"]
    assert [(key["name"], key["status"]) for key in listed] == [("Sales desk", "active")]
    assert listed[0]["expiresAt"].endswith("Z")
    assert api_key("revoke", made["id"]).exit_code == 0
    table = api_key("list").stdout
    assert "revoked" in table
    assert made["key"] not in table


def test_a_user_is_added_listed_disabled_and_enabled(user: Command) -> None:
    made = user.json("add", "Asha@example.com", "--role", "manager", "--name", "Asha Rao")
    assert (made["email"], made["role"], made["mustChangePassword"]) == ("asha@example.com", "manager", True)
    assert len(made["oneTimePassword"]) == 23

    assert "disabled" in user("disable", "asha@example.com").stdout
    assert user.json("list")["items"][0]["disabledAt"].endswith("Z")
    assert "enabled" in user("enable", "asha@example.com").stdout
    assert "Asha Rao  manager  active" in user("list").stdout


def test_a_password_comes_from_standard_input(user: Command) -> None:
    made = user.json("add", "a@x.in", "--password-stdin", "--no-must-change", stdin=GOOD + "\n")
    assert (made["oneTimePassword"], made["mustChangePassword"]) == (None, False)

    assert user("set-password", "a@x.in", "--password-stdin", stdin="gravel sonnet umbrella\r\n").exit_code == 0
    assert "One-time password" in user("set-password", "a@x.in", "--one-time").stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("add", "asha"), "", "Give an e-mail address"),
        (("add", "a@x.in", "--password-stdin"), "short\n", "15 characters or more"),
        (("add", "a@x.in", "--password-stdin"), "", "15 characters or more"),
        (("disable", "nobody@x.in"), "", "No user has this e-mail address"),
        (("set-password", "nobody@x.in"), GOOD, "no terminal"),
        (("set-password", "a@x.in", "--one-time", "--password-stdin"), "", "Choose one"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_1(
    user: Command, arguments: tuple[str, ...], stdin: str, said: str
) -> None:
    result = user(*arguments, stdin=stdin)

    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_the_last_administrator_stays(user: Command) -> None:
    user("add", "a@x.in", "--role", "admin")

    result = user("disable", "a@x.in")

    assert (result.exit_code, "only administrator" in result.stderr) == (1, True)


def test_no_option_takes_a_password(user: Command) -> None:
    assert user("add", "a@x.in", "--password", GOOD).exit_code == 2
