"""Events and failures: what arrived, what became of it step by step, and mending what failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.model.event import EventStatus
from connector_master.model.problem_kinds import kind_of
from connector_master.services import events, jobs
from connector_master.services.events import Seen
from connector_master.storage.events import OPEN, EventFilter
from connector_master.web.language import _
from connector_master.web.names import connector_names
from connector_master.web.pages import Pages
from connector_master.web.spans import end_of, start_of
from connector_master.web.visit import Visit

pages = Pages()

_PAGE = 50
_MOST_SHOWN = 200_000
"""Characters of a payload that are shown."""
_TONES: Mapping[str, str] = MappingProxyType(
    {"created": "good", "duplicate": "info", "ignored": "still", "received": "wait", "failed": "bad", "dead": "bad"}
)


@dataclass(frozen=True, slots=True)
class Explained:
    """A problem's code in words, or why an event was ignored."""

    title: str
    remedy: str


def status_words() -> dict[str, str]:
    """Return what each status is called."""
    return {
        "created": _("New lead"),
        "duplicate": _("Known lead"),
        "ignored": _("No enquiry"),
        "received": _("Waiting"),
        "failed": _("Failed"),
        "dead": _("Given up"),
    }


def explained(code: str | None) -> Explained:
    """Return in words what a code means."""
    kind = kind_of(code)
    if kind is not None:
        return Explained(_(kind.title), _(kind.remedy))
    reasons = {
        "test": _("A test of the provider's."),
        "status_update": _("A status update, no enquiry."),
        "interaction": _("An interaction without a phone number."),
        "no_records": _("Nothing in it is a lead."),
        "announced": _("The lead is announced, and fetched in a moment."),
        "held": _("Kept until the connector is resumed."),
        "twin": _("The same enquiry, by a second way."),
        "edited": _("Its author changed it later."),
        "erased": _("Its author took it back."),
    }
    return Explained(reasons.get(code or "", code or ""), "")


@pages.get("/events", Permission.EVENTS_SEE)
async def list_events(visit: Visit) -> Response:
    """Show what arrived, newest first; a live list asks again by itself."""
    status = visit.asked("status")
    filter_ = EventFilter(
        statuses=(EventStatus(status),) if status in list(EventStatus) else (),
        connector_id=visit.asked_id("connectorId"),
        code=visit.asked("code")[:100] or None,
        q=visit.asked("q")[:200] or None,
        start=start_of(visit.asked("from")),
        end=end_of(visit.asked("to")),
    )
    found, cursor = await events.list_page(
        visit.hub, visit.caller, filter_, limit=_PAGE, cursor=visit.asked("cursor") or None
    )
    return visit.show(
        "events/rows.html" if visit.is_fragment else "events/page.html",
        events=found,
        next_cursor=cursor,
        names=await connector_names(visit),
        statuses=status_words(),
        tones=_TONES,
        explained=explained,
        is_live=visit.asked("live") == "on" and not visit.asked("cursor"),
        is_filtered=any(visit.asked(name) for name in ("status", "connectorId", "code", "q", "from", "to")),
    )


@pages.get("/events/{id}", Permission.EVENTS_SEE)
async def show_event(visit: Visit) -> Response:
    """Show one event from the door to the lead."""
    return await _event(visit, await events.get(visit.hub, visit.caller, visit.id()))


@pages.post("/events/{id}/retry", Permission.EVENTS_RETRY)
async def retry_event(visit: Visit) -> Response:
    """Try one event again."""
    event = await events.retry(visit.hub, visit.caller, visit.id())
    said = {
        EventStatus.CREATED: _("It is a lead now."),
        EventStatus.DUPLICATE: _("It belongs to a lead that was known."),
        EventStatus.IGNORED: _("It turned out to be no enquiry."),
        EventStatus.RECEIVED: _("It waits to be fetched."),
    }
    return visit.go(f"/events/{event.id}", said.get(event.status, _("It failed again; see why below.")))


@pages.get("/failures", Permission.EVENTS_SEE)
async def list_failures(visit: Visit) -> Response:
    """Show what failed by cause, with the remedy."""
    found = await events.list_failures(visit.hub, visit.caller, visit.asked_id("connectorId"))
    running, _more = await jobs.list_page(visit.hub, visit.caller, limit=5, cursor=None)
    return visit.show(
        "events/failures.html",
        failures=found,
        names=await connector_names(visit),
        explained=explained,
        running=[job for job in running if job.status in ("queued", "running")],
    )


@pages.post("/failures/retry", Permission.EVENTS_RETRY)
async def retry_group(visit: Visit) -> Response:
    """Try every failed event of a connector and a cause again, in the background."""
    filter_ = EventFilter(connector_id=visit.field_id("connectorId"), code=visit.field("code")[:100] or None)
    job = await events.start_retry(visit.hub, visit.caller, filter_)
    return visit.go(f"/jobs/{job.id}")


@pages.get("/jobs/{id}", Permission.EVENTS_SEE)
async def show_job(visit: Visit) -> Response:
    """Show how far a job is."""
    job = await jobs.get(visit.hub, visit.caller, visit.id())
    return visit.show("events/job_part.html" if visit.is_fragment else "events/job.html", job=job)


@pages.post("/jobs/{id}/cancel", Permission.EVENTS_RETRY)
async def cancel_job(visit: Visit) -> Response:
    """Stop a job; what is done stays done."""
    await jobs.cancel(visit.hub, visit.caller, visit.id())
    return visit.go(f"/jobs/{visit.id()}", _("It stops; what is done stays done."))


async def _event(visit: Visit, seen: Seen) -> Response:
    event = seen.raw.event
    values: dict[str, Any] = {
        "event": event,
        "headers": seen.raw.headers or {},
        "payload": _text(seen.raw.payload),
        "payload_bytes": len(seen.raw.payload),
        "decoded": seen.decoded,
        "resolved": seen.resolved,
        "names": await connector_names(visit),
        "statuses": status_words(),
        "tones": _TONES,
        "explained": explained(event.code),
        "is_open": event.status in OPEN,
        "failures": "/failures?" + urlencode({"connectorId": str(event.connector_id)}),
    }
    return visit.show("events/event.html", **values)


def _text(payload: bytes) -> str:
    text = payload.decode("utf-8", "replace")
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
