"""The control API of the sandbox: what is there, what goes wrong, who writes; everything the page can do and more."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.stand_in import Entry, StandIn
from connector_master.sandbox.world import World

_MOST_AT_ONCE = 1_000_000


class Refused(Exception):
    """What was asked for makes no sense; the text says why."""


def routes(world: World) -> list[BaseRoute]:
    """Return the control API of `world`, under `/_control`."""

    def taking(action: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            try:
                asked = await _body(request)
                if "name" not in request.path_params:
                    return JSONResponse(await action(world, asked))
                stand_in = world.stand_ins.get(request.path_params["name"])
                if stand_in is None:
                    return JSONResponse({"error": f"Known are {', '.join(world.stand_ins)}."}, 404)
                return JSONResponse(await action(stand_in, asked))
            except Refused as error:
                return JSONResponse({"error": str(error)}, 400)

        return endpoint

    known = {"GET": {"/state": state, "/{name}/calls": calls}}
    known["POST"] = {"/clock": clock, "/reset": reset, "/traffic": traffic}
    known["POST"] |= {
        "/{name}/leads": leads,
        "/{name}/faults": faults,
        "/{name}/settings": change,
        "/{name}/actions": act,
        "/{name}/push": push,
    }
    return [
        Route(f"/_control{path}", taking(action), methods=[method])
        for method, actions in known.items()
        for path, action in actions.items()
    ]


async def state(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything."""
    return {
        "now": world.now().isoformat(),
        "hub": world.hub,
        "everySeconds": world.every_seconds,
        "providers": {name: stand_in.state() for name, stand_in in world.stand_ins.items()},
    }


async def clock(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Let time pass by `advanceSeconds`, or set it to `now`."""
    if "now" in asked:
        world.advance(_moment(asked["now"]) - world.now())
    world.advance(timedelta(seconds=_number(asked.get("advanceSeconds", 0))))
    return {"now": world.now().isoformat()}


async def reset(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Begin anew, with another `seed` if one is given."""
    world.reset(int(_number(asked["seed"])) if "seed" in asked else None)
    return await state(world, {})


async def traffic(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Let a buyer write each `everySeconds`; null or 0: nobody."""
    every = asked.get("everySeconds")
    world.every_seconds = max(0.05, _number(every)) if every else None
    return {"everySeconds": world.every_seconds}


async def leads(stand_in: StandIn, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Add `count` enquiries, made `at` (now) or spread `from` … `to`, seen `lateSeconds` after; `push` (default) pushes them.

    `lead` sets what the buyer wrote: fields by our names (name, phone, …) or by the provider's own.
    """
    count = int(_number(asked.get("count", 1)))
    if not 0 <= count <= _MOST_AT_ONCE:
        raise Refused(f"count is 0 to {_MOST_AT_ONCE}")
    fields = asked.get("lead") or {}
    if not isinstance(fields, dict):
        raise Refused("lead is an object")
    late = timedelta(seconds=_number(asked.get("lateSeconds", 0)))
    now = stand_in.world.now()
    start, end = (_moment(asked[name]) if name in asked else now for name in ("from", "to"))
    moments = [start + (end - start) * position / max(1, count) for position in range(count)]
    if "at" in asked:
        moments = [_moment(asked["at"])] * count
    try:
        entries = [stand_in.add(at, late=late, fields=fields) for at in moments]
    except ValueError as error:
        raise Refused(str(error)) from error
    answers = await _push(stand_in, entries) if asked.get("push", True) else []
    return {"added": [stand_in.show(entry) for entry in entries[:100]], "count": count, "answers": answers[:100]}


async def push(stand_in: StandIn, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Push the last `count` enquiries (again)."""
    count = int(_number(asked.get("count", 1)))
    return {"answers": await _push(stand_in, stand_in.book[-count:] if count > 0 else [])}


async def faults(stand_in: StandIn, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Switch faults: true is on, false or null off, a number so many times (or seconds, where it is slow or late)."""
    for name, value in asked.items():
        if name not in stand_in.faults:
            raise Refused(f"{name} is no fault; known are {', '.join(sorted(stand_in.faults))}")
        if not isinstance(value, bool | int | float | None):
            raise Refused(f"{name} is true, false, null or a number")
        stand_in.switch(name, value)
    return stand_in.state()


async def change(stand_in: StandIn, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Change settings; null brings the default back."""
    for name in asked:
        if name not in stand_in.settings:
            raise Refused(f"{name} is no setting; known are {', '.join(sorted(stand_in.settings))}")
    for name, value in asked.items():
        stand_in.set[name] = stand_in.settings[name] if value is None else value
    return stand_in.state()


async def act(stand_in: StandIn, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Do the `action`, such as letting all access tokens expire."""
    action = str(asked.get("action"))
    if action not in stand_in.actions:
        raise Refused(f"{action} is no action; known are {', '.join(sorted(stand_in.actions)) or 'none'}")
    return {"told": stand_in.act(action)}


async def calls(stand_in: StandIn, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last calls, the newest first."""
    return {"items": list(reversed(stand_in.calls))}


async def _push(stand_in: StandIn, entries: list[Entry]) -> list[int | None]:
    return [await stand_in.push(entry) for entry in entries] if stand_in.pushes else []


async def _body(request: Request) -> dict[str, Any]:
    if request.method == "GET" or not await request.body():
        return {}
    try:
        asked = await request.json()
    except ValueError as error:
        raise Refused("The body is no JSON") from error
    if not isinstance(asked, dict):
        raise Refused("The body is no object")
    return asked


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise Refused(f"{value!r} is no time such as 2026-10-12T10:30:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{value!r} is no number")
    return value
