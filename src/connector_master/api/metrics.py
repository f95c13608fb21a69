"""/api/connectors/{id}/metrics: how a connector does."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.api.moments import Moment
from connector_master.api.plumbing import HubDependency, allow, problems
from connector_master.api.shapes import View
from connector_master.services import metrics
from connector_master.services.metrics import MOST_BUCKETS, Bucket, Measured
from connector_master.storage.metrics import Figures

router = APIRouter(tags=["connectors"])

Seer = Annotated[Caller, allow(Permission.CONNECTORS_SEE)]


class ProcessingTime(View):
    """Milliseconds from arrival to the commit, of events that needed no retry and were not held by a pause."""

    p50: float
    p95: float
    p99: float


class TimeToLead(View):
    """Seconds from the buyer's enquiry, where its time is known, to its arrival here."""

    p50: float
    p95: float


class FiguresView(View):
    """What came in and what became of it. Rates are between 0 and 1, null where nothing can be said."""

    received: int
    created: int
    duplicates: int
    ignored: int
    failed: int
    held: int = Field(description="Kept while the connector is paused.")
    success_rate: float | None = Field(description="Created and duplicates, of these and the failed ones.")
    duplicate_rate: float | None = Field(description="Duplicates, of these and the created ones.")
    processing_ms: ProcessingTime | None
    time_to_lead_seconds: TimeToLead | None

    @classmethod
    def of(cls, figures: Figures, **more: object) -> Self:
        """Return what the API shows of `figures`."""
        good = figures.created + figures.duplicates
        processing, to_lead = figures.processing_ms, figures.to_lead_seconds
        return cls(
            received=figures.received,
            created=figures.created,
            duplicates=figures.duplicates,
            ignored=figures.ignored,
            failed=figures.failed,
            held=figures.held,
            success_rate=_rate(good, good + figures.failed),
            duplicate_rate=_rate(figures.duplicates, good),
            processing_ms=ProcessingTime(**_percentiles(("p50", "p95", "p99"), processing)) if processing else None,
            time_to_lead_seconds=TimeToLead(**_percentiles(("p50", "p95"), to_lead)) if to_lead else None,
            **more,
        )


class BucketView(FiguresView):
    """The figures of one bucket; `start` is when it begins, in UTC."""

    start: datetime


class MetricsView(View):
    """The figures of a span as a whole, and bucket by bucket without gaps."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    bucket: Bucket
    total: FiguresView
    buckets: list[BucketView]

    @classmethod
    def of(cls, measured: Measured) -> Self:
        """Return what the API shows of `measured`."""
        return cls(
            start=measured.start,
            end=measured.end,
            bucket=measured.bucket,
            total=FiguresView.of(measured.total),
            buckets=[BucketView.of(one, start=one.start) for one in measured.buckets],
        )


class MetricsQuery(BaseModel):
    """Which span, in which buckets."""

    model_config = ConfigDict(extra="forbid")

    start: Moment | None = Field(default=None, alias="from", description="Default: seven days before `to`.")
    end: Moment | None = Field(default=None, alias="to", description="Default: now.")
    bucket: Bucket = Field(default=Bucket.DAY, description=f"At most {MOST_BUCKETS:,} of them.")


@router.get(
    "/api/connectors/{connector_id}/metrics", response_model=MetricsView, responses=problems(401, 403, 404, 422)
)
async def get_metrics(
    caller: Seer, hub: HubDependency, connector_id: UUID, query: Annotated[MetricsQuery, Query()]
) -> MetricsView:
    """Return what a connector received and what became of it, by default of the last seven days, day by day."""
    measured = await metrics.of_connector(
        hub, caller, connector_id, now=datetime.now(UTC), start=query.start, end=query.end, bucket=query.bucket
    )
    return MetricsView.of(measured)


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _percentiles(names: tuple[str, ...], numbers: tuple[float, ...]) -> dict[str, float]:
    return {name: round(number, 3) for name, number in zip(names, numbers, strict=True)}
