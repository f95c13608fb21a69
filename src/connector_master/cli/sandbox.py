"""connector-master sandbox: stand-ins for the providers, to try everything without an account anywhere."""

from typing import Annotated

import typer


def sandbox(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.")] = 8090,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Whoever reaches it can steer the sandbox.")
    ] = "127.0.0.1",
    hub: Annotated[
        str, typer.Option(help="Where the hub runs, for pushes to an address that is only a path.")
    ] = "http://127.0.0.1:8080",
    seed: Annotated[int, typer.Option(help="Another seed brings other buyers.")] = 1,
    every: Annotated[float | None, typer.Option(help="Let a buyer write each so many seconds.")] = None,
) -> None:
    """Serve stand-ins of the providers, with a page to steer them by."""
    import uvicorn

    from connector_master.cli.running import fail
    from connector_master.sandbox.app import build
    from connector_master.server import listen

    app = build(seed, hub=hub)
    app.state.world.every_seconds = every
    try:
        listener = listen(host, port)
        # Whoever reads the address may call at once: what comes before the server runs waits for it.
        listener.listen()
    except OSError as error:
        fail(f"Port {port} of {host} can't be listened on: {error.strerror}. Choose another with --port.", error)
    at = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    typer.echo(f"The sandbox is at {at}")
    typer.echo("Let the hub take it for the providers by starting it with:")
    for stand_in in app.state.world.stand_ins.values():
        for setting, address in stand_in.addresses(at).items():
            typer.echo(f"  CONNECTOR_MASTER_{setting}={address}")
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
