"""connector-master demo: a hub whose every source is played by the sandbox, so that leads arrive before your eyes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_master.cli.hub import run_hub
from connector_master.cli.options import data_dir_of, read_settings
from connector_master.cli.running import fail

if TYPE_CHECKING:
    from connector_master.sandbox.world import World
    from connector_master.services.hub import Hub

_ENQUIRIES_OF_ONE_START = 100_000


def demo(
    data_dir: Annotated[Path, typer.Option(help="Folder of the demo's own data.")] = Path("data-demo"),
    port: Annotated[int, typer.Option(help="Port of the hub; 0 for any free one.")] = 8080,
    sandbox_port: Annotated[int, typer.Option(help="Port of the sandbox; 0 for any free one.")] = 8090,
    every: Annotated[float, typer.Option(min=0.05, help="Seconds between two enquiries.")] = 2.0,
) -> None:
    """Run a hub with a connector for every source, fed by the sandbox with made-up, slightly dirty enquiries."""
    from connector_master.sandbox.app import build
    from connector_master.server import listen

    settings = read_settings(data_dir=data_dir, port=port, host="127.0.0.1", public_url="")
    app = build()
    world: World = app.state.world
    try:
        listener = listen("127.0.0.1", sandbox_port)
    except OSError as error:
        fail(f"Port {sandbox_port} can't be listened on: {error.strerror}. Choose another with --sandbox-port.", error)
    at = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def beside(hub: "Hub", address: str) -> None:
        import asyncio

        from connector_master.cli.demo_connectors import make_connectors
        from connector_master.server import make_server

        server = make_server(app, most_connections=100)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        traffic = asyncio.create_task(world.send_traffic())
        try:
            world.hub = address
            world.count_from(_first_number(data_dir_of(settings)))
            form = await make_connectors(hub, world)
            typer.echo(f"The sandbox that plays the providers is at {at}")
            world.every_seconds = every
            await _fill_in_forms(world, address + form, every)
        finally:
            traffic.cancel()
            server.should_exit = True
            await serving
            await world.http.aclose()

    addresses = {setting: url for one in world.stand_ins.values() for setting, url in one.addresses(at).items()}
    run_hub(settings, serves=True, works=True, owns=True, addresses=addresses, beside=beside)


def _first_number(data_dir: Path) -> int:
    """Return from where this start numbers its enquiries, and keep where the next one does.

    The sandbox forgets what was asked and the hub does not: enquiries with the numbers of an earlier start are known already.
    """
    kept = data_dir / "demo-enquiries"
    first = int(kept.read_text(encoding="ascii")) if kept.exists() else 1
    kept.write_text(str(first + _ENQUIRIES_OF_ONE_START), encoding="ascii")
    return first


async def _fill_in_forms(world: "World", url: str, every: float) -> None:
    """Let buyers fill in the website's form, one each `every` seconds; never ends."""
    import asyncio

    import httpx2

    while True:
        enquiry = world.enquiries.make(world.next_number())
        form = {
            "Your Name": enquiry.name,
            "Phone Number": enquiry.phone,
            "Email": enquiry.email,
            "City": enquiry.city,
            "Product": enquiry.product,
            "Message": enquiry.message,
        }
        try:
            await world.http.post(url, json=form)
        except httpx2.HTTPError as error:
            typer.echo(f"A form was not answered: {type(error).__name__}", err=True)
        await asyncio.sleep(every)
