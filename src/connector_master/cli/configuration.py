"""connector-master config: every setting with its value, default and meaning."""

import typer

from connector_master.cli.options import read_settings
from connector_master.cli.running import AsJson, DatabaseUrl, DataDir, print_json


def config(as_json: AsJson = False, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Print every setting with its value (secrets hidden), default and meaning."""
    from pydantic import SecretStr

    from connector_master.settings import PREFIX, Settings

    settings = read_settings(data_dir=data_dir, database_url=database_url)
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "********"
        elif isinstance(value, tuple):
            value = ",".join(value)
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        rows.append(
            {
                "name": PREFIX + name.upper(),
                "value": None if value is None else str(value),
                "default": None if default is None else str(default),
                "meaning": field.description or "",
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']}={row['value'] or ''}")
        typer.echo(f"    {row['meaning']} Default: {row['default'] or 'none'}")
