"""connector-master demo: a hub whose every source is played by the sandbox, so that leads arrive before your eyes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_master.cli.hub import run_hub
from connector_master.cli.options import read_settings
from connector_master.cli.running import fail

if TYPE_CHECKING:
    from connector_master.access.caller import Caller
    from connector_master.sandbox.world import World
    from connector_master.services.hub import Hub

_HISTORY_DAYS = 3
_HISTORY_ENQUIRIES = 12


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

        from connector_master.server import make_server

        server = make_server(app, most_connections=100)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        traffic = asyncio.create_task(world.send_traffic())
        try:
            world.hub = address
            form = await _make_connectors(hub, world)
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


async def _make_connectors(hub: "Hub", world: "World") -> str:
    """Make the connectors that are not there from an earlier demo; return the path of the one for website forms."""
    from datetime import timedelta

    from connector_master.access.caller import command_line
    from connector_master.services import connectors
    from connector_master.storage import workspaces

    async with hub.engine.connect() as connection:
        caller = command_line(await workspaces.first(connection))
    known, _ = await connectors.list_page(hub, caller, limit=200, cursor=None, type_=None, status=None)
    paths = {one.row.name: f"/api/connectors/{one.connector.door}/{one.row.webhook_id}" for one in known}
    for name, wanted in _wanted(world).items():
        if name not in paths:
            paths[name] = await _make(hub, caller, name, **wanted)
    for stand_in, name in (("indiamart", "IndiaMART"), ("whatsapp", "WhatsApp")):
        world.stand_ins[stand_in].set["pushTo"] = paths[name]
    now = world.now()
    for number in range(_HISTORY_ENQUIRIES):
        world.stand_ins["tradeindia"].add(now - timedelta(days=_HISTORY_DAYS) * number / _HISTORY_ENQUIRIES)
    return paths["Website form"]


def _wanted(world: "World") -> dict[str, dict[str, Any]]:
    whatsapp = world.stand_ins["whatsapp"].settings
    return {
        "Website form": {"type_": "webhook", "description": "A form on the seller's own site"},
        "IndiaMART": {
            "type_": "indiamart",
            "credentials": {"mobileKey": "sandbox-demo"},
            "settings": {"pullFallback": True},
        },
        "TradeIndia": {
            "type_": "tradeindia",
            "credentials": {"userId": "1", "profileId": "1", "apiKey": "sandbox-demo"},
            "settings": {"syncIntervalMinutes": 5},
        },
        "WhatsApp": {
            "type_": "whatsapp",
            "credentials": {
                "accessToken": "sandbox-demo",
                **{name: whatsapp[name] for name in ("phoneNumberId", "businessAccountId", "appSecret")},
            },
        },
    }


async def _make(
    hub: "Hub",
    caller: "Caller",
    name: str,
    *,
    type_: str,
    description: str = "Played by the sandbox",
    credentials: dict[str, str] | None = None,
    settings: dict[str, Any] | None = None,
) -> str:
    from connector_master.services import connectors

    made = await connectors.create(
        hub,
        caller,
        type_=type_,
        name=name,
        description=description,
        settings=settings or {},
        credentials=credentials or {},
        field_mapping=None,
    )
    return f"/api/connectors/{made.connector.door}/{made.row.webhook_id}"


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
