"""connector-master doctor: check the installation and say what to mend."""

from typing import Any

import typer

from connector_master.cli.options import data_dir_of, read_settings
from connector_master.cli.running import AsJson, DatabaseUrl, DataDir, print_json


def doctor(as_json: AsJson = False, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Check settings, database, keys and connectors; exit code 1 when something is wrong (a warning is not)."""
    import asyncio

    settings = read_settings(data_dir=data_dir, database_url=database_url)
    findings: list[dict[str, Any]] = []

    def note(check: str, state: str, message: str, remedy: str = "") -> None:
        findings.append({"check": check, "state": state, "message": message, "remedy": remedy})

    address = settings.address
    local = any(part in address for part in ("//127.", "//localhost", "//[::1]"))
    if local or address.startswith("https://"):
        note("public_url", "ok", f"Others reach this at {address}.")
    else:
        note(
            "public_url", "warning", f"{address} is public without HTTPS.", "Put a TLS proxy in front, set PUBLIC_URL."
        )
    asyncio.run(_look(settings, data_dir_of(settings), note))
    if as_json:
        print_json(findings)
    else:
        marks = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}
        for finding in findings:
            typer.echo(f"{marks[finding['state']]}  {finding['check']}: {finding['message']}")
            if finding["remedy"] and finding["state"] != "ok":
                typer.echo(f"         → {finding['remedy']}")
    if any(finding["state"] == "wrong" for finding in findings):
        raise typer.Exit(1)


async def _look(settings: Any, data_dir: Any, note: Any) -> None:
    from connector_master.cli.database import start_embedded
    from connector_master.storage.engine import create_engine, driver_url

    embedded = None
    if settings.database_url is None:
        embedded = start_embedded(data_dir, exclusive=False)
        url = embedded.url
        note("database", "ok", f"The embedded PostgreSQL in {data_dir} runs.")
    else:
        url = driver_url(settings.database_url.get_secret_value())
    engine = create_engine(url, pool_size=1)
    try:
        await _look_inside(settings, data_dir, engine, note)
    finally:
        await engine.dispose()
        if embedded is not None:
            embedded.stop()


async def _look_inside(settings: Any, data_dir: Any, engine: Any, note: Any) -> None:
    import stat
    from datetime import UTC, datetime

    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from connector_master.connections.sealing import KEY_FILE, InvalidSecretKeys, KeyRing
    from connector_master.storage import connectors, key_checks, workspaces
    from connector_master.storage.migrate import head

    try:
        async with engine.connect() as connection:
            number = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
            if number < 150000:
                note("postgresql", "wrong", f"PostgreSQL {number // 10000} is too old.", "Use PostgreSQL 15 or newer.")
            else:
                note("postgresql", "ok", f"PostgreSQL {number // 10000}.")
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                value = (await connection.execute(text(f"SHOW {name}"))).scalar_one()
                if value == "off":
                    note(name, "wrong", f"{name} is off: acknowledged leads can be lost.", f"Turn {name} on.")
                else:
                    note(name, "ok", f"{name} is {value}.")
            then = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            seconds = abs((datetime.now(UTC) - then).total_seconds())
            if seconds > 60:
                note(
                    "clock", "warning", f"This clock and the database's differ by {seconds:.0f} s.", "Run NTP on both."
                )
            else:
                note("clock", "ok", "The clocks agree.")
            if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
                note("schema", "warning", "The database is empty.", "Run `connector-master up` or `migrate`.")
                return
            version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
            if version < head():
                note("schema", "wrong", f"The schema is at {version}, this release wants {head()}.", "Run `migrate`.")
            else:
                note("schema", "ok", f"The schema is at {version}.")
            checks = await key_checks.read_locked(connection)
            try:
                secret_keys = settings.secret_keys.get_secret_value() if settings.secret_keys else None
                if secret_keys or checks:
                    KeyRing.load(secret_keys, data_dir, known=checks.keys()).verify_checks(checks)
                note("secret_keys", "ok", "The sealing keys open what is sealed.")
            except InvalidSecretKeys as problem:
                note("secret_keys", "wrong", problem.detail, problem.remedy)
            key_file = data_dir / KEY_FILE
            if key_file.exists() and stat.S_IMODE(key_file.stat().st_mode) & 0o077:
                note("key_file", "wrong", f"{key_file} is readable by others.", f"chmod 600 '{key_file}'")
            workspace = await workspaces.first(connection)
            rows = await connectors.page(connection, workspace, limit=1000, after=None)
            unsigned = [
                row.name for row in rows if row.type == "webhook" and row.settings.get("signature") != "required"
            ]
            if unsigned:
                note(
                    "signatures",
                    "warning",
                    f"{len(unsigned)} connector(s) accept unsigned requests: {', '.join(unsigned[:10])}.",
                    "Set settings.signature to required where the sender can sign.",
                )
    except SQLAlchemyError as error:
        note("database", "wrong", f"The database can't be used: {type(error).__name__}.", "Check DATABASE_URL.")
