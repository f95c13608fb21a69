"""Figures: what came, what became of it, and how fast, as charts over a span of days."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

from babel import dates
from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.services import metrics, overview
from connector_master.services.metrics import Bucket
from connector_master.storage.counts import DayCount
from connector_master.web import charts
from connector_master.web.language import _, reader
from connector_master.web.names import connector_names
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()

_SPANS: Mapping[str, int] = MappingProxyType({"7": 7, "28": 28, "90": 90})


@pages.get("/figures", Permission.CONNECTORS_SEE)
async def show(visit: Visit) -> Response:
    """Show the figures of every connector, or of one."""
    days = _SPANS.get(visit.asked("days"), 28)
    chosen = visit.asked_id("connectorId")
    counted = await overview.by_day(
        visit.hub,
        visit.caller,
        now=datetime.now(UTC),
        zone=ZoneInfo(reader.get().zone),
        days=days,
        connector_id=chosen,
    )
    names = await connector_names(visit)
    return visit.show(
        "figures/page.html",
        names=names,
        chosen=chosen,
        days=days,
        spans=list(_SPANS),
        total=overview.total(UUID(int=0), max(counted), counted.values()),
        counted=counted,
        outcomes=_outcomes(counted),
        rates=_rates(counted),
        speed_of=chosen or next(iter(names), None),
    )


@pages.get("/figures/speed", Permission.CONNECTORS_SEE)
async def speed(visit: Visit) -> Response:
    """Show how fast one connector's enquiries became leads; asked for after the page, since it is worked out anew."""
    chosen = visit.asked_id("connectorId")
    if chosen is None:
        return visit.show("figures/speed.html", measured=None, processing="", to_lead="")
    now = datetime.now(UTC)
    measured = await metrics.of_connector(
        visit.hub, visit.caller, chosen, now=now, start=now - timedelta(days=7), bucket=Bucket.DAY
    )
    labels = [dates.format_skeleton("MMMd", one.start, locale=reader.get().locale) for one in measured.buckets]
    processing = [
        charts.Series(name, [one.processing_ms[place] if one.processing_ms else 0 for one in measured.buckets], place)
        for place, name in enumerate(("p50", "p95", "p99"))
    ]
    to_lead = [
        charts.Series(
            name, [one.to_lead_seconds[place] / 60 if one.to_lead_seconds else 0 for one in measured.buckets], place
        )
        for place, name in enumerate(("p50", "p95"))
    ]
    return visit.show(
        "figures/speed.html",
        measured=measured,
        processing=charts.lines(labels, processing, _("Time to process, in milliseconds")),
        to_lead=charts.lines(labels, to_lead, _("From the enquiry to the lead, in minutes")),
    )


def _outcomes(counted: Mapping[date, DayCount]) -> str:
    series = [
        charts.Series(name, [getattr(one, part) for one in counted.values()], place)
        for part, name, place in (
            ("created", _("New leads"), 0),
            ("duplicates", _("Known leads"), 2),
            ("ignored", _("No enquiry"), 7),
            ("failed", _("Failed"), 3),
        )
    ]
    return charts.bars(_labels(counted), series, _("Events by day and outcome"))


def _rates(counted: Mapping[date, DayCount]) -> str:
    success, duplicates = [], []
    for one in counted.values():
        tried = one.leads + one.failed
        success.append(100 * one.leads / tried if tried else 0)
        duplicates.append(100 * one.duplicates / one.leads if one.leads else 0)
    return charts.lines(
        _labels(counted),
        [
            charts.Series(_("Success in per cent"), success, 0),
            charts.Series(_("Known leads in per cent"), duplicates, 2),
        ],
        _("Shares by day, in per cent"),
    )


def _labels(counted: Mapping[date, DayCount]) -> list[str]:
    return [dates.format_skeleton("MMMd", day, locale=reader.get().locale) for day in counted]
