"""connector-master api-key: create, list, revoke; also while `up` runs."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from connector_master.access.roles import Role
from connector_master.cli.running import AsJson, DatabaseUrl, DataDir, day, print_json, print_table, run

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from connector_master.access.caller import Caller
    from connector_master.services.api_keys import NewApiKey
    from connector_master.storage.api_keys import ApiKey

app = typer.Typer(
    name="api-key", help="Keys for programs.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    role: Annotated[Role, typer.Option(help="What its holder may do.")],
    expires_in_days: Annotated[
        int | None, typer.Option(help="After how many days it ends; never when left out.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and print it: it can't be shown again."""
    from connector_master.services import api_keys

    async def use(engine: "AsyncEngine", caller: "Caller") -> "NewApiKey":
        return await api_keys.create(engine, caller, name=name, role=role, expires_in_days=expires_in_days)

    made = run(data_dir, database_url, use)
    if as_json:
        print_json({"id": made.stored.id, "name": made.stored.name, "role": made.stored.role, "key": made.key})
    else:
        typer.echo(f"{made.key}\nKeep it now; it can't be shown again. Id: {made.stored.id}")


@app.command("list")
def list_keys(as_json: AsJson = False, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List all keys, newest first, revoked and expired ones included."""
    from connector_master.services import api_keys

    async def use(engine: "AsyncEngine", caller: "Caller") -> "list[ApiKey]":
        found, cursor = await api_keys.list_page(engine, caller, limit=200)
        while cursor is not None:
            more, cursor = await api_keys.list_page(engine, caller, limit=200, cursor=cursor)
            found += more
        return found

    found = run(data_dir, database_url, use)
    if as_json:
        print_json({"items": [_facts(key) for key in found]})
        return
    rows = [("ID", "NAME", "ROLE", "KEY", "STATE", "LAST USED")]
    rows += [(str(key.id), key.name, key.role, key.hint, key.status, day(key.last_used_at)) for key in found]
    print_table(rows)


@app.command()
def revoke(
    key_id: Annotated[UUID, typer.Argument(help="The key's id, as the list shows it.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """End a key for ever, from its next use on."""
    from connector_master.services import api_keys

    async def use(engine: "AsyncEngine", caller: "Caller") -> None:
        await api_keys.revoke(engine, caller, key_id)

    run(data_dir, database_url, use)
    typer.echo(f"API key {key_id} is revoked.")


def _facts(key: "ApiKey") -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "hint": key.hint,
        "status": key.status,
        "createdAt": key.created_at,
        "createdBy": key.created_by,
        "expiresAt": key.expires_at,
        "lastUsedAt": key.last_used_at,
        "revokedAt": key.revoked_at,
    }
