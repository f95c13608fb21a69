"""connector-master up, serve and work: the processes that stay."""

import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from connector_master.cli.database import migrate_or_fail, start_embedded
from connector_master.cli.options import data_dir_of, read_addresses, read_settings
from connector_master.cli.running import DatabaseUrl, DataDir, fail

if TYPE_CHECKING:
    from connector_master.services.hub import Hub
    from connector_master.settings import Settings
    from connector_master.storage.embedded import Embedded

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 for any free one.", show_default="8080")]
PublicUrl = Annotated[str | None, typer.Option(help="Address that others reach this at.", show_default=False)]
LogFormat = Annotated[str | None, typer.Option(help="console or json.", show_default="console")]

Beside = Callable[["Hub", str], "Coroutine[None, None, None]"]

_WATCH_SECONDS = 0.5


def up(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
    log_format: LogFormat = None,
) -> None:
    """Run everything in one process: API, background work, and without DATABASE_URL a PostgreSQL of its own."""
    run_hub(read_settings(**locals()), serves=True, works=True, owns=True)


def serve(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
    log_format: LogFormat = None,
) -> None:
    """Run the API only, beside others on the same database."""
    run_hub(read_settings(**locals()), serves=True, works=False, owns=False)


def work(data_dir: DataDir = None, database_url: DatabaseUrl = None, log_format: LogFormat = None) -> None:
    """Run background work only, beside others on the same database."""
    run_hub(read_settings(**locals()), serves=False, works=True, owns=False)


def run_hub(
    settings: "Settings",
    *,
    serves: bool,
    works: bool,
    owns: bool,
    addresses: Mapping[str, str] | None = None,
    beside: Beside | None = None,
) -> None:
    """Run the parts asked for until somebody says stop.

    `addresses` are those of providers instead of what the settings say; `beside` runs in the same process, given the hub
    and its address, once it is ready.
    """
    import asyncio
    import signal
    from contextlib import suppress

    from connector_master.logs import set_up_logs
    from connector_master.model.problem import Problem
    from connector_master.server import listen
    from connector_master.storage.engine import driver_url

    set_up_logs(settings.log_format)
    data_dir = data_dir_of(settings)
    listener = None
    if serves:
        try:
            listener = listen(settings.host, settings.port)
        except OSError as error:
            fail(
                f"Can't listen on {settings.host}:{settings.port}: {error.strerror}. Choose another with --port.", error
            )
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    embedded = None
    if settings.database_url is None:
        embedded = start_embedded(data_dir, exclusive=owns)
        url = embedded.url
    else:
        url = driver_url(settings.database_url.get_secret_value())
    try:
        migrate_or_fail(url)
        with suppress(ImportError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        from connector_master.connectors import app_settings, provider_addresses
        from connector_master.settings import provider_apps

        apps = provider_apps(app_settings())
        if addresses is None:
            addresses = read_addresses(provider_addresses())
        asyncio.run(_stay(settings, url, listener, embedded, addresses, apps, beside, works=works))
    except Problem as problem:
        fail(f"{problem.detail} {problem.remedy}", problem)
    finally:
        # Who asks again is not to kill PostgreSQL while it ends in its own time.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if embedded is not None:
            embedded.stop()


async def _stay(
    settings: "Settings",
    url: str,
    listener: object,
    embedded: "Embedded | None",
    addresses: Mapping[str, str],
    apps: Mapping[str, str],
    beside: Beside | None,
    *,
    works: bool,
) -> None:
    import asyncio
    import signal

    from connector_master.app import open_hub
    from connector_master.services.first_start import ensure_administrator

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    secret_keys = settings.secret_keys.get_secret_value() if settings.secret_keys else None
    async with open_hub(
        url,
        secret_keys=secret_keys,
        data_dir=data_dir_of(settings),
        addresses=addresses,
        apps=apps,
        address=settings.address,
        outbound_allow=settings.outbound_allow,
    ) as running:
        password = settings.admin_password.get_secret_value() if settings.admin_password else None
        one_time = await ensure_administrator(running.hub.engine, settings.admin_email, password)
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            server = None
            if listener is not None:
                from connector_master.app import application
                from connector_master.server import make_server

                server = make_server(application(running, settings), most_connections=settings.max_connections)
                serving = group.create_task(server.serve(sockets=[listener]))  # type: ignore[list-item]
                await server.listening.wait()
                _say(f"Connector Master is ready at {settings.address}")
            if one_time is not None:
                _say(f"Administrator: {one_time.email}\nOne-time password: {one_time.password}")
            if works:
                from connector_master.work.app import build
                from connector_master.work.run import run_worker

                stopping = asyncio.Event()
                worker = build(running.hub, url, retention_days=settings.raw_retention_days, stopping=stopping)
                tasks.append(group.create_task(run_worker(worker, stopping=stopping)))
                if server is None:
                    _say("Connector Master is working.")
            if embedded is not None and embedded.is_owner:
                tasks.append(group.create_task(_watch(embedded)))
            if beside is not None:
                tasks.append(group.create_task(beside(running.hub, settings.address)))
            await stop.wait()
            if server is not None:
                server.should_exit = True
                await serving
            for task in tasks:
                task.cancel()


async def _watch(embedded: "Embedded") -> None:
    """Start PostgreSQL again whenever it dies under us."""
    import asyncio

    import structlog

    while True:
        if embedded.restart_if_dead():
            structlog.get_logger().error("embedded_postgresql_started_again")
        await asyncio.sleep(_WATCH_SECONDS)


def _say(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()
