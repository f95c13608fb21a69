"""/api/connectors/{id}/metrics over HTTP."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.hub import Hub, new_phone


async def test_what_came_is_counted_by_what_became_of_it(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping={"phone": "phoneNumber", "at": "enquiredAt"})
    phone = new_phone()
    asked = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    for payload in (
        {"phone": phone, "at": asked},
        {"phone": phone},
        {"phone": new_phone()},
        {"zen": "", "hook_id": 1},
        {},
    ):
        await hub.send(connector, payload)

    metrics = (await hub.api("GET", f"/api/connectors/{connector.id}/metrics", role="executive")).json()

    total = metrics["total"]
    counts = {name: total[name] for name in ("received", "created", "duplicates", "ignored", "failed", "held")}
    assert counts == {"received": 5, "created": 2, "duplicates": 1, "ignored": 1, "failed": 1, "held": 0}
    assert (total["successRate"], total["duplicateRate"]) == (0.75, round(1 / 3, 6))
    assert 0 <= total["processingMs"]["p50"] <= total["processingMs"]["p95"] <= total["processingMs"]["p99"] < 5_000
    assert 89 < total["timeToLeadSeconds"]["p50"] < 120
    assert len(metrics["buckets"]) == 8
    assert metrics["bucket"] == "day"
    assert sum(bucket["received"] for bucket in metrics["buckets"]) == 5
    assert metrics["buckets"][-1]["start"] == f"{datetime.now(UTC):%Y-%m-%d}T00:00:00Z"


async def test_a_connector_without_events_has_figures_of_nothing(hub: Hub) -> None:
    connector = await hub.create_connector()

    metrics = (await hub.api("GET", f"/api/connectors/{connector.id}/metrics")).json()

    assert (metrics["total"]["received"], metrics["total"]["successRate"]) == (0, None)
    assert metrics["total"]["processingMs"] is metrics["total"]["timeToLeadSeconds"] is None


async def test_a_retry_says_nothing_about_the_time_to_process(hub: Hub) -> None:
    connector = await hub.create_connector(fieldMapping={"nothing_has_this": "phoneNumber"})
    failed = await hub.send(connector, {"buyer": new_phone()})
    await hub.api("PUT", f"/api/connectors/{connector.id}/field-mapping", {"fieldMapping": {"buyer": "phoneNumber"}})
    await hub.api("POST", f"/api/events/{failed.event_id}/retry")

    total = (await hub.api("GET", f"/api/connectors/{connector.id}/metrics")).json()["total"]

    assert (total["created"], total["processingMs"]) == (1, None)


@pytest.mark.parametrize(
    ("query", "starts"),
    [
        ("from=2026-01-30T10:30:00Z&to=2026-03-01T00:00:00Z&bucket=month", ["2026-01-01", "2026-02-01"]),
        ("from=2026-11-20&to=2026-12-01&bucket=week", ["2026-11-16", "2026-11-23", "2026-11-30"]),
        ("from=2026-11-20T23:59:59&to=2026-11-21T00:00:01&bucket=day", ["2026-11-20", "2026-11-21"]),
    ],
)
async def test_buckets_begin_where_the_calendar_says(hub: Hub, query: str, starts: list[str]) -> None:
    connector = await hub.create_connector()

    metrics = (await hub.api("GET", f"/api/connectors/{connector.id}/metrics?{query}")).json()

    assert [bucket["start"] for bucket in metrics["buckets"]] == [f"{start}T00:00:00Z" for start in starts]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("bucket=minute", "bucket"),
        ("from=2020-01-01&to=2026-01-01&bucket=day", "bucket"),
        ("from=0001-01-01&to=9999-12-31&bucket=month", "bucket"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("from=9999-12-31", "to"),
        ("to=soon", "to"),
        ("days=7", "days"),
    ],
)
async def test_a_wrong_span_is_named(hub: Hub, query: str, field: str) -> None:
    connector = await hub.create_connector()

    answer = await hub.api("GET", f"/api/connectors/{connector.id}/metrics?{query}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_exactly_a_thousand_buckets_and_the_ends_of_the_calendar_will_do(hub: Hub) -> None:
    connector = await hub.create_connector()
    path = f"/api/connectors/{connector.id}/metrics"

    thousand = await hub.api("GET", f"{path}?from=2026-01-01&to=2026-02-11T16:00:00&bucket=hour")
    one_more = await hub.api("GET", f"{path}?from=2026-01-01&to=2026-02-11T16:00:01&bucket=hour")
    last = await hub.api("GET", f"{path}?from=9999-12-01&to=9999-12-31T23:59:59&bucket=month")
    first = await hub.api("GET", f"{path}?to=0001-01-03")

    assert (thousand.status_code, len(thousand.json()["buckets"]), one_more.status_code) == (200, 1000, 422)
    assert (last.status_code, first.status_code) == (200, 200)


async def test_unknown_and_deleted_connectors_are_404(hub: Hub) -> None:
    connector = await hub.create_connector()
    await hub.api("DELETE", f"/api/connectors/{connector.id}")

    for id_ in (connector.id, uuid4()):
        assert (await hub.api("GET", f"/api/connectors/{id_}/metrics")).status_code == 404
