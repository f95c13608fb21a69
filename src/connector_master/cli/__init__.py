"""The command line: thin. Every command imports what it needs when it runs, so that --help comes at once."""

import sys

import typer

from connector_master.cli import api_keys, configuration, demo, doctor, hub, migrating, sandbox, send, users

app = typer.Typer(
    name="connector-master",
    help="Receives leads from everywhere, cleans them, hands them on, and loses none.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(hub.up)
app.command("serve")(hub.serve)
app.command("work")(hub.work)
app.command("migrate")(migrating.migrate)
app.command("config")(configuration.config)
app.add_typer(users.app, name="user")
app.add_typer(api_keys.app, name="api-key")
app.command("send")(send.send)
app.command("sandbox")(sandbox.sandbox)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)


def main() -> int:
    """Run the command that the arguments name; return its exit code."""
    try:
        return int(app(standalone_mode=True) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output stopped reading.
        sys.stderr.close()
        return 1
