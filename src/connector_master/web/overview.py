"""The overview: whether every source is alive, whether a lead got stuck, and what to do about it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from babel import dates
from starlette.responses import Response

from connector_master.services import overview
from connector_master.services.overview import URGENT, WORTH_A_LOOK, Overview, Source, Verdict
from connector_master.web import charts
from connector_master.web.language import _, duration, ngettext, number, reader
from connector_master.web.pages import Everybody, Pages
from connector_master.web.visit import Visit

pages = Pages()

_DAYS = 14
_MOST_SERIES = 7
"""Sources with a colour of their own; the others are drawn as one."""


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict in words: its tone, a sentence, and the way to what can be done."""

    tone: str
    sentence: str
    action: str
    path: str


@pages.get("/", Everybody.SIGNED_IN)
async def show(visit: Visit) -> Response:
    """Show every source at a glance; a script asks for the changing part again and again."""
    now = datetime.now(UTC)
    found = await overview.overview(visit.hub, visit.caller, now=now, zone=ZoneInfo(reader.get().zone), days=_DAYS)
    said = {source.pulse.id: words(source, now, may_act=visit.may("connectors.operate")) for source in found.sources}
    template = "overview/live.html" if visit.is_fragment else "overview/page.html"
    series = _series(found)
    order = sorted(found.sources, key=lambda source: _rank(source.verdict))
    return visit.show(
        template,
        overview=found,
        sources=order,
        said=said,
        sentence=_sentence(found),
        series=series,
        chart=charts.bars([_day(day) for day in found.days], series, _("Leads by day and source")),
        now=now,
    )


def words(source: Source, now: datetime, *, may_act: bool) -> Said:
    """Return what to say of a source; without the right to act only the sentence."""
    pulse = source.pulse
    page = f"/connectors/{pulse.id}"
    waits = duration(now - pulse.waits_since) if pulse.waits_since else ""
    known: dict[Verdict, tuple[str, str, str, str]] = {
        Verdict.NEEDS_AUTHORIZATION: (
            "bad",
            _("The connection is lost: %(problem)s", problem=pulse.lost_detail)
            if pulse.lost_detail
            else _("Not connected: nothing can come in."),
            _("Connect"),
            f"{page}/set-up",
        ),
        Verdict.FAILING: (
            "bad",
            _("The last pull failed: %(problem)s", problem=pulse.sync_problem or "–"),
            _("See why"),
            page,
        ),
        Verdict.FAILED_EVENTS: (
            "bad",
            ngettext(
                "%(num)s enquiry could not become a lead in 7 days.",
                "%(num)s enquiries could not become leads in 7 days.",
                source.failed,
            ),
            _("Mend them"),
            f"/failures?connectorId={pulse.id}",
        ),
        Verdict.WAITING: (
            "wait",
            ngettext(
                "%(num)s enquiry waits since %(span)s.",
                "%(num)s enquiries wait since %(span)s.",
                pulse.waiting,
                span=waits,
            ),
            _("See them"),
            f"/events?connectorId={pulse.id}&status=received",
        ),
        Verdict.ENDS_SOON: (
            "wait",
            _("The agreement with the provider ends soon."),
            _("Connect again"),
            f"{page}/set-up",
        ),
        Verdict.QUIET: (
            "wait",
            _("No lead today; by now there are usually %(usual)s.", usual=number(source.usual or 0)),
            _("Check it"),
            page,
        ),
        Verdict.PAUSED: ("still", _("Paused: what arrives is kept."), _("Resume"), page),
        Verdict.NEW: ("info", _("Waiting for the first lead."), _("Finish set-up"), f"{page}/set-up"),
        Verdict.WELL: ("good", _("All is well."), "", page),
    }
    said = Said(*known[source.verdict])
    return said if may_act else Said(said.tone, said.sentence, "", page)


def _rank(verdict: Verdict) -> int:
    return list(Verdict).index(verdict)


def _sentence(found: Overview) -> str:
    if not found.sources:
        return ""
    urgent = sum(source.verdict in URGENT for source in found.sources)
    if urgent:
        return ngettext("%(num)s source needs you.", "%(num)s sources need you.", urgent)
    looked = sum(source.verdict in WORTH_A_LOOK for source in found.sources)
    if looked:
        return ngettext("%(num)s source is worth a look.", "%(num)s sources are worth a look.", looked)
    return _("Every source is well.")


def _series(found: Overview) -> list[charts.Series]:
    drawn = _drawn(found)
    ids = {source.pulse.id for source in drawn}
    series = [
        charts.Series(source.pulse.name, [leads.get(source.pulse.id, 0) for leads in found.days.values()], place)
        for place, source in enumerate(drawn)
    ]
    others = [sum(count for id_, count in leads.items() if id_ not in ids) for leads in found.days.values()]
    if any(others):
        series.append(charts.Series(_("Others"), others, _MOST_SERIES))
    return series


def _drawn(found: Overview) -> list[Source]:
    leads = {source.pulse.id: 0 for source in found.sources}
    for held in found.days.values():
        for id_, count in held.items():
            if id_ in leads:
                leads[id_] += count
    most = sorted(found.sources, key=lambda source: -leads[source.pulse.id])[:_MOST_SERIES]
    return [source for source in found.sources if source in most]


def _day(day: date) -> str:
    return dates.format_skeleton("MMMd", day, locale=reader.get().locale)
