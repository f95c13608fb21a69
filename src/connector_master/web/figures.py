"""Figures: what came, what became of it, and how fast, as charts over a span of days."""

from collections.abc import Mapping, Sequence
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
_MANY_MINUTES = 180


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
    labels, outcomes, rates = _labels(counted), _outcomes(counted), _rates(counted)
    return visit.show(
        "figures/page.html",
        names=names,
        chosen=chosen,
        days=days,
        spans=list(_SPANS),
        total=overview.total(UUID(int=0), max(counted), counted.values()),
        counted=counted,
        outcomes=outcomes,
        outcome_chart=charts.bars(labels, outcomes, _("Events by day and outcome")),
        rates=rates,
        rate_chart=charts.lines(labels, rates, _("Shares by day, in per cent"), top=100),
        speed_of=chosen or next(iter(names), None),
    )


@pages.get("/figures/speed", Permission.CONNECTORS_SEE)
async def speed(visit: Visit) -> Response:
    """Show how fast one connector's enquiries became leads; asked for after the page, since it is worked out anew."""
    chosen = visit.asked_id("connectorId")
    if chosen is None:
        return visit.show("figures/speed.html", total=None)
    now = datetime.now(UTC)
    measured = await metrics.of_connector(
        visit.hub, visit.caller, chosen, now=now, start=now - timedelta(days=7), bucket=Bucket.DAY
    )
    total = measured.total
    labels = [dates.format_skeleton("MMMd", one.start, locale=reader.get().locale) for one in measured.buckets]
    processing_ms = [one.processing_ms for one in measured.buckets]
    # Minutes, unless there are so many that they would have to be counted.
    is_slow = any(one.to_lead_seconds and one.to_lead_seconds[1] > _MANY_MINUTES * 60 for one in measured.buckets)
    to_lead_parts = [
        tuple(seconds / (3600 if is_slow else 60) for seconds in one.to_lead_seconds) if one.to_lead_seconds else None
        for one in measured.buckets
    ]
    to_lead_words = (
        _("From the enquiry to the lead, in hours") if is_slow else _("From the enquiry to the lead, in minutes")
    )
    processing, to_lead = _parts(processing_ms, 3), _parts(to_lead_parts, 2)
    return visit.show(
        "figures/speed.html",
        total=total,
        processing=processing,
        processing_chart=charts.lines(labels, processing, _("Time to process, in milliseconds")),
        processing_said=[timedelta(milliseconds=part) for part in total.processing_ms or ()],
        to_lead=to_lead,
        to_lead_chart=charts.lines(labels, to_lead, to_lead_words),
        to_lead_said=[timedelta(seconds=part) for part in total.to_lead_seconds or ()],
        to_lead_words=to_lead_words,
    )


def _parts(measured: Sequence[tuple[float, ...] | None], count: int) -> list[charts.Series]:
    names = (_("half (p50)"), _("95 of 100 (p95)"), _("99 of 100 (p99)"))
    return [
        charts.Series(name, [one[place] if one else None for one in measured], place)
        for place, name in enumerate(names[:count])
    ]


def _outcomes(counted: Mapping[date, DayCount]) -> list[charts.Series]:
    return [
        charts.Series(name, [getattr(one, part) for one in counted.values()], place)
        for part, name, place in (
            ("created", _("New leads"), 0),
            ("duplicates", _("Known leads"), 2),
            ("ignored", _("No enquiry"), 7),
            ("failed", _("Failed"), 3),
        )
    ]


def _rates(counted: Mapping[date, DayCount]) -> list[charts.Series]:
    success, duplicates = [], []
    for one in counted.values():
        tried = one.leads + one.failed
        success.append(100 * one.leads / tried if tried else None)
        duplicates.append(100 * one.duplicates / one.leads if one.leads else None)
    return [
        charts.Series(_("Success in per cent"), success, 0),
        charts.Series(_("Known leads in per cent"), duplicates, 2),
    ]


def _labels(counted: Mapping[date, DayCount]) -> list[str]:
    return [dates.format_skeleton("MMMd", day, locale=reader.get().locale) for day in counted]
