"""connector-master config: every setting with its value, default and meaning."""

import typer

from connector_master.cli.options import read_addresses, read_settings
from connector_master.cli.running import AsJson, DatabaseUrl, DataDir, print_json


def config(as_json: AsJson = False, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Print every setting with its value (secrets hidden), default and meaning."""
    from pydantic import SecretStr

    from connector_master.connectors import app_settings, provider_addresses
    from connector_master.settings import PREFIX, Settings, provider_apps

    settings = read_settings(data_dir=data_dir, database_url=database_url)
    defaults = provider_addresses()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "********"
        rows.append(_row(PREFIX + name.upper(), value, field.default, field.description or ""))
    for name, address in read_addresses(defaults).items():
        rows.append(_row(PREFIX + name, address, defaults[name], "Where this provider is called."))
    meanings = app_settings()
    apps = provider_apps(meanings)
    for name, meaning in meanings.items():
        rows.append(_row(PREFIX + name, "********" if name in apps else None, None, meaning))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']}={row['value'] or ''}")
        typer.echo(f"    {row['meaning']} Default: {row['default'] or 'none'}")


def _row(name: str, value: object, default: object, meaning: str) -> dict[str, str | None]:
    return {"name": name, "value": _text(value), "default": _text(default), "meaning": meaning}


def _text(value: object) -> str | None:
    if value is None:
        return None
    return ",".join(value) if isinstance(value, tuple) else str(value)
