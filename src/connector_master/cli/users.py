"""connector-master user: add, list, disable, enable, set-password; also while `up` runs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_master.access.roles import Role
from connector_master.cli.running import (
    AsJson,
    DatabaseUrl,
    DataDir,
    PasswordStdin,
    ask_password,
    day,
    fail,
    print_json,
    print_table,
    read_password,
    run,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from connector_master.access.caller import Caller
    from connector_master.services.users import WithPassword
    from connector_master.storage.users import User

app = typer.Typer(
    name="user", help="People who may sign in.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

Email = Annotated[str, typer.Argument(help="The user's e-mail address.")]
MustChange = Annotated[
    bool, typer.Option(help="Ask for another password at the next sign-in; a one-time password always does.")
]


@app.command()
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="The user's name; the address's first part when left out.")] = "",
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.EXECUTIVE,
    password_stdin: PasswordStdin = False,
    must_change: MustChange = True,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a user. Without --password-stdin, make a one-time password and print it."""
    from connector_master.services import users

    password = read_password() if password_stdin else None

    async def use(engine: "AsyncEngine", caller: "Caller") -> "WithPassword":
        return await users.create(
            engine,
            caller,
            email=email,
            name=name or email.partition("@")[0],
            role=role,
            password=password,
            must_change=must_change,
        )

    _print_made(run(data_dir, database_url, use), as_json, "added")


@app.command("list")
def list_users(as_json: AsJson = False, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List all users, newest first."""
    from connector_master.services import users

    async def use(engine: "AsyncEngine", caller: "Caller") -> "list[User]":
        found, cursor = await users.list_page(engine, caller, limit=200)
        while cursor is not None:
            more, cursor = await users.list_page(engine, caller, limit=200, cursor=cursor)
            found += more
        return found

    found = run(data_dir, database_url, use)
    if as_json:
        print_json({"items": [_facts(user) for user in found]})
        return
    rows = [("E-MAIL", "NAME", "ROLE", "STATE", "LAST SIGN-IN")]
    for user in found:
        state = "disabled" if user.is_disabled else "active"
        rows.append((user.email, user.name, user.role, state, day(user.last_sign_in_at)))
    print_table(rows)


@app.command()
def disable(email: Email, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Keep a user from signing in."""
    from connector_master.services import users

    async def use(engine: "AsyncEngine", caller: "Caller") -> "User":
        return await users.disable(engine, caller, (await users.get_by_email(engine, caller, email)).id)

    typer.echo(f"{run(data_dir, database_url, use).email} is disabled.")


@app.command()
def enable(email: Email, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Let a disabled user sign in again."""
    from connector_master.services import users

    async def use(engine: "AsyncEngine", caller: "Caller") -> "User":
        return await users.enable(engine, caller, (await users.get_by_email(engine, caller, email)).id)

    typer.echo(f"{run(data_dir, database_url, use).email} is enabled.")


@app.command("set-password")
def set_password(
    email: Email,
    password_stdin: PasswordStdin = False,
    one_time: Annotated[bool, typer.Option("--one-time", help="Make a random password and print it.")] = False,
    must_change: MustChange = True,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Give a user a new password: typed here, from standard input, or a random one."""
    from connector_master.services import users

    if password_stdin and one_time:
        fail("Choose one of --password-stdin and --one-time.")
    password = None if one_time else read_password() if password_stdin else ask_password()

    async def use(engine: "AsyncEngine", caller: "Caller") -> "WithPassword":
        user = await users.get_by_email(engine, caller, email)
        return await users.set_password(engine, caller, user.id, password, must_change=must_change)

    _print_made(run(data_dir, database_url, use), as_json, "has a new password")


def _print_made(made: "WithPassword", as_json: bool, what: str) -> None:
    if as_json:
        print_json(_facts(made.user) | {"oneTimePassword": made.one_time_password})
        return
    typer.echo(f"{made.user.email} {what}.")
    if made.one_time_password is not None:
        typer.echo(f"One-time password, shown only now: {made.one_time_password}")


def _facts(user: "User") -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "mustChangePassword": user.must_change_password,
        "disabledAt": user.disabled_at,
        "lastSignInAt": user.last_sign_in_at,
        "createdAt": user.created_at,
        "updatedAt": user.updated_at,
    }
