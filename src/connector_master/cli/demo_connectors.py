"""The connectors of the demo: one for every source, agreed to at the sandbox, each pointed at the other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from connector_master.access.caller import Caller
    from connector_master.sandbox.world import World
    from connector_master.services.connectors import Shown
    from connector_master.services.hub import Hub

_HISTORY = timedelta(days=3)
_HISTORY_ENQUIRIES = 12
_FORM = "Website form"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A connector as the demo has it."""

    type: str
    credentials: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    description: str = "Played by the sandbox"


async def make_connectors(hub: "Hub", world: "World") -> str:
    """Make the connectors that are not there from an earlier demo, and connect them; return the path for website forms."""
    from connector_master.access.caller import command_line
    from connector_master.services import connectors
    from connector_master.storage import workspaces

    async with hub.engine.connect() as connection:
        caller = command_line(await workspaces.first(connection))
    known, _ = await connectors.list_page(hub, caller, limit=200, cursor=None, type_=None, status=None)
    earlier = {one.row.name: one for one in known}
    shown: dict[str, Shown] = {}
    _let_buyers_have_written(world)
    for name, wanted in _all_wanted(world).items():
        shown[name] = earlier[name] if name in earlier else await _make(hub, caller, name, wanted)
        if shown[name].connector.oauth is not None:
            await _connect(hub, caller, world, shown[name])
    await _let_push(hub, caller, world, shown)
    for one in shown.values():
        await _ask_at_once(hub, caller, one)
    return _path(shown[_FORM])


def _all_wanted(world: "World") -> dict[str, _Wanted]:
    """Return the connectors by name, with credentials that the stand-ins know."""
    own = {"clientId": "sandbox-demo", "clientSecret": "sandbox-demo"}
    often = {"syncIntervalMinutes": 5}

    def of(stand_in: str, *names: str) -> dict[str, str]:
        return {name: world.stand_ins[stand_in].set[name] for name in names}

    return {
        _FORM: _Wanted("webhook", description="A form on the seller's own site"),
        "IndiaMART": _Wanted("indiamart", {"mobileKey": "sandbox-demo"}, {"pullFallback": True}),
        "TradeIndia": _Wanted("tradeindia", {"userId": "1", "profileId": "1", "apiKey": "sandbox-demo"}, often),
        "WhatsApp": _Wanted(
            "whatsapp",
            {"accessToken": "sandbox-demo", **of("whatsapp", "phoneNumberId", "businessAccountId", "appSecret")},
        ),
        "Meta Lead Ads": _Wanted("meta", of("meta", "appId", "appSecret"), often),
        "Google Ads": _Wanted("google", own, often),
        "YouTube": _Wanted("youtube", own, often),
        "LinkedIn": _Wanted("linkedin", of("linkedin", "clientId", "clientSecret"), often),
    }


def _let_buyers_have_written(world: "World") -> None:
    """Let there be enquiries of the last days at the providers that are asked for them."""
    now = world.now()
    for name in ("tradeindia", "meta", "google", "youtube", "linkedin"):
        for number in range(_HISTORY_ENQUIRIES):
            world.stand_ins[name].add(now - _HISTORY * number / _HISTORY_ENQUIRIES)


async def _make(hub: "Hub", caller: "Caller", name: str, wanted: _Wanted) -> "Shown":
    from connector_master.services import connectors

    return await connectors.create(
        hub,
        caller,
        type_=wanted.type,
        name=name,
        description=wanted.description,
        settings=wanted.settings,
        credentials=wanted.credentials,
        field_mapping=None,
    )


async def _connect(hub: "Hub", caller: "Caller", world: "World", one: "Shown") -> None:
    """Agree at the sandbox as a person does with a browser, and take every account that can be had.

    The sandbox forgets what was agreed to, so each demo agrees anew.
    """
    from connector_master.services import connections

    with _everybody_agrees(world):
        url = await connections.authorize(hub, caller, one.row.type, one.row.id)
        sent_back = await world.http.get(url)
    said = dict(parse_qsl(urlsplit(sent_back.headers["location"]).query))
    await connections.complete(
        hub,
        caller,
        state=said["state"],
        code=said.get("code"),
        error=said.get("error"),
        error_description=said.get("error_description"),
        issuer=said.get("iss"),
    )
    if one.connector.accounts is None:
        return
    reached = await connections.list_accounts(hub, caller, one.row.id)
    ids = [each.account.id for each in reached if each.account.is_selectable]
    await connections.choose_accounts(hub, caller, one.row.id, ids)


@contextmanager
def _everybody_agrees(world: "World") -> Iterator[None]:
    """Let nobody be asked meanwhile; afterwards the sandbox asks those who press Connect."""
    asked = [one for one in world.stand_ins.values() if one.consent is not None]
    before = [one.set["consents"] for one in asked]
    for one in asked:
        one.set["consents"] = "allow"
    try:
        yield
    finally:
        for one, answer in zip(asked, before, strict=True):
            one.set["consents"] = answer


async def _let_push(hub: "Hub", caller: "Caller", world: "World", shown: Mapping[str, "Shown"]) -> None:
    """Enter the addresses, and Google's key, at the stand-ins where a person would; the others were told by subscribing."""
    from connector_master.services import connectors

    for stand_in, name in (("indiamart", "IndiaMART"), ("whatsapp", "WhatsApp"), ("google", "Google Ads")):
        world.stand_ins[stand_in].set["pushTo"] = _path(shown[name])
    google = shown["Google Ads"]
    key = google.new_secret
    if key is None:
        # It is shown once, and the sandbox has forgotten it.
        key = (await connectors.regenerate_secret(hub, caller, google.row.id, grace_hours=0)).secret
    world.stand_ins["google"].set["googleKey"] = key


async def _ask_at_once(hub: "Hub", caller: "Caller", one: "Shown") -> None:
    """Have a source that is asked be asked now for the last days, before its first pull of a whole month; unless it is busy."""
    from connector_master.model.problem import Conflict
    from connector_master.services import syncs

    if one.connector.pull is not None:
        now = datetime.now(UTC)
        with suppress(Conflict):
            await syncs.start(hub, caller, one.row.id, now - _HISTORY, now)


def _path(one: "Shown") -> str:
    return f"/api/connectors/{one.connector.door}/{one.row.webhook_id}"
