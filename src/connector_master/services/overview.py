"""The overview: for each source one verdict, and what it rests on.

A verdict is the one thing that most needs a person, in the order of how much it costs: what is lost first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from connector_master.access.caller import Caller
from connector_master.connectors import registry
from connector_master.services.hub import Hub
from connector_master.storage import counts, overviews
from connector_master.storage.counts import DayCount
from connector_master.storage.overviews import Pulse

MOST_CONNECTORS = 200
_WEEKS = 4
_FAILED_DAYS = 7
_ENDS_SOON = timedelta(days=14)
_WAITS_LONG = timedelta(minutes=10)
_ENOUGH_TO_EXPECT = 5
"""With fewer leads than this on a usual day so far, none today says nothing."""
_SETTLED = timedelta(minutes=2)
_MOST_AT_ONCE = timedelta(days=1)


class Verdict(StrEnum):
    """What is to be said of a source."""

    NEEDS_AUTHORIZATION = "needs_authorization"
    """Nothing comes in before somebody connects it, or enters credentials."""
    FAILING = "failing"
    """Its pulls fail."""
    FAILED_EVENTS = "failed_events"
    """Something arrived that could not become a lead."""
    WAITING = "waiting"
    """Something arrived, and was not processed for ten minutes."""
    ENDS_SOON = "ends_soon"
    """The agreement with the provider ends within 14 days, and only a person can renew it."""
    QUIET = "quiet"
    """By now there would have been leads on a usual day."""
    PAUSED = "paused"
    """Somebody paused it: what arrives is kept."""
    NEW = "new"
    """Nothing has arrived yet."""
    WELL = "well"
    """Nothing to do."""


URGENT = frozenset({Verdict.NEEDS_AUTHORIZATION, Verdict.FAILING, Verdict.FAILED_EVENTS, Verdict.WAITING})
WORTH_A_LOOK = frozenset({Verdict.ENDS_SOON, Verdict.QUIET, Verdict.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source. `usual` is the mean number of leads up to this time on the same weekday; None before the first week.

    `failed` counts the last seven days.
    """

    pulse: Pulse
    title: str
    verdict: Verdict
    today: DayCount
    failed: int
    usual: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Every source, and the leads of each on each of the last days, the oldest first."""

    sources: Sequence[Source]
    days: Mapping[date, Mapping[UUID, int]]

    @property
    def today(self) -> DayCount:
        """Everything that came today."""
        return total(UUID(int=0), max(self.days), [source.today for source in self.sources])


def total(connector_id: UUID, day: date, counted: Iterable[DayCount]) -> DayCount:
    """Return the sum of `counted` as the count of `connector_id` and `day`."""
    return sum(counted, DayCount(connector_id, day))


async def overview(
    hub: Hub, caller: Caller, *, now: datetime, zone: ZoneInfo, days: int = 14, connector_id: UUID | None = None
) -> Overview:
    """Return every source, or one, as it is `now`, with days as they are in `zone`; `days` are at most 28."""
    today = now.astimezone(zone).date()
    async with hub.engine.connect() as connection:
        found = await overviews.pulses(
            connection, caller.workspace_id, limit=MOST_CONNECTORS, connector_id=connector_id
        )
        counted = await counts.by_day(
            connection,
            caller.workspace_id,
            first=today - timedelta(days=7 * _WEEKS),
            now=now,
            zone=zone,
            connector_id=connector_id,
        )
    by_connector: dict[UUID, dict[date, DayCount]] = {}
    for one in counted:
        by_connector.setdefault(one.connector_id, {})[one.day] = one
    shown = [today - timedelta(days=back) for back in reversed(range(days))]
    by_day = {
        day: {id_: held[day].leads for id_, held in by_connector.items() if day in held and held[day].leads}
        for day in shown
    }
    return Overview([_source(pulse, by_connector.get(pulse.id, {}), now, zone) for pulse in found], by_day)


async def by_day(
    hub: Hub, caller: Caller, *, now: datetime, zone: ZoneInfo, days: int, connector_id: UUID | None = None
) -> dict[date, DayCount]:
    """Return what came on each of the last `days` days of `zone`, the oldest first: to every connector, or to one."""
    today = now.astimezone(zone).date()
    shown = [today - timedelta(days=back) for back in reversed(range(days))]
    async with hub.engine.connect() as connection:
        counted = await counts.by_day(
            connection,
            caller.workspace_id,
            first=shown[0],
            now=now,
            zone=zone,
            connector_id=connector_id,
        )
    totals = {day: DayCount(UUID(int=0), day) for day in shown}
    for one in counted:
        totals[one.day] += one
    return totals


async def count_due(hub: Hub, now: datetime) -> None:
    """Count what is over; called every minute."""
    is_left = True
    while is_left:
        async with hub.engine.begin() as connection:
            is_left = await counts.count_on(connection, now=now, settled=_SETTLED, most=_MOST_AT_ONCE)


def _source(pulse: Pulse, held: Mapping[date, DayCount], now: datetime, zone: ZoneInfo) -> Source:
    day = now.astimezone(zone).date()
    today = held.get(day, DayCount(pulse.id, day))
    failed = sum(one.failed for one in held.values() if one.day > day - timedelta(days=_FAILED_DAYS))
    began = pulse.created_at.astimezone(zone).date()
    weeks = [day - timedelta(days=7 * week) for week in range(1, _WEEKS + 1)]
    same_days = [held[one].leads_by_then if one in held else 0 for one in weeks if one > began]
    usual = sum(same_days) / len(same_days) if same_days else None
    return Source(
        pulse=pulse,
        title=registry()[pulse.type].title if pulse.type in registry() else pulse.type,
        verdict=_verdict(pulse, today, failed, usual, now),
        today=today,
        failed=failed,
        usual=usual,
    )


def _verdict(pulse: Pulse, today: DayCount, failed: int, usual: float | None, now: datetime) -> Verdict:
    is_late = pulse.waits_since is not None and now - pulse.waits_since > _WAITS_LONG
    is_quiet = usual is not None and usual >= _ENOUGH_TO_EXPECT and today.leads == 0
    for verdict, holds in (
        (Verdict.NEEDS_AUTHORIZATION, pulse.status == "needs_authorization"),
        (Verdict.PAUSED, pulse.status == "paused"),
        (Verdict.FAILING, pulse.status == "failing"),
        (Verdict.FAILED_EVENTS, failed > 0),
        (Verdict.WAITING, is_late),
        (Verdict.ENDS_SOON, pulse.ends_at is not None and pulse.ends_at - now < _ENDS_SOON),
        (Verdict.QUIET, is_quiet),
        (Verdict.NEW, pulse.last_event_at is None),
    ):
        if holds:
            return verdict
    return Verdict.WELL
