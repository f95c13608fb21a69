"""Running a command on the hub's database, and every expected failure as a sentence and exit code 1."""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from connector_master.model.problem import Problem

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from connector_master.access.caller import Caller

_Result = TypeVar("_Result")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded database.", show_default=False)]
DatabaseUrl = Annotated[str | None, typer.Option(help="A PostgreSQL to use instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def run(
    data_dir: Path | None,
    database_url: str | None,
    use: "Callable[[AsyncEngine, Caller], Awaitable[_Result]]",
) -> _Result:
    """Return what `use` returns, given the migrated database and the command line as caller.

    A Problem ends the program with what is wrong and what to do.
    """
    # Imported here: `--help` must not wait for any of it.
    import asyncio

    from connector_master.access.caller import command_line
    from connector_master.cli.database import open_database
    from connector_master.storage import workspaces

    async def work() -> _Result:
        async with open_database(data_dir, database_url) as database:
            async with database.engine.connect() as connection:
                workspace = await workspaces.first(connection)
            return await use(database.engine, command_line(workspace))

    try:
        return asyncio.run(work())
    except Problem as problem:
        fail(f"{problem.detail} {problem.remedy}", problem)


def fail(sentence: str, cause: BaseException | None = None) -> NoReturn:
    """End the program with exit code 1 and `sentence` on standard error."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1) from cause


def print_json(value: Any) -> None:
    """Print `value` as JSON, times in UTC with Z as the API writes them."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def read_password() -> str:
    """Return the first line of standard input, without its line break."""
    line = sys.stdin.buffer.readline(16_384)
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        fail("The password on standard input is not UTF-8.", error)


def ask_password() -> str:
    """Return a password typed twice, unseen, at the terminal."""
    if not sys.stdin.isatty():
        fail("There is no terminal to ask for a password: use --password-stdin or --one-time.")
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print `rows` in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def day(moment: datetime | None) -> str:
    """Return a time as a table shows it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if moment else "-"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
