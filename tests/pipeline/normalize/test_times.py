"""Times: the forms that providers and forms write, and the nonsense that must not raise."""

import math
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import parse_time

INDIA = ZoneInfo("Asia/Kolkata")
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
TIME_PARTS = [*"0123456789-:/. T+Z,", "Oct", "AM", "pm", "GMT", "2026", "Mon "]
TIME_LIKE = st.lists(st.sampled_from(TIME_PARTS), max_size=30).map("".join)
MINUTES = st.integers(1, 50_000_000)
ZONES = st.sampled_from([UTC, INDIA, ZoneInfo("America/New_York"), timezone(timedelta(hours=23, minutes=59))])


@pytest.mark.parametrize(
    "written",
    [
        "2026-10-12 11:17:14",
        "2026-10-12T11:17:14",
        "2026-10-12T11:17:14+05:30",
        "2026-10-12T11:17:14+0530",
        "2026-10-12 11:17:14 +05:30",
        "2026-10-12T05:47:14Z",
        "2026-10-12T05:47:14.000Z",
        "2026-10-12 05:47:14 UTC",
        "  2026-10-12 11:17:14 ",
        "2026/10/12 11:17:14",
        "20261012111714",
        20261012111714,
        "12-Oct-2026 11:17:14",
        "12-Oct-202611:17:14",
        " 12-Oct-2026 11:17:14 AM",
        "12 October 2026, 11:17:14 am",
        "October 12, 2026 11:17:14 a.m.",
        "Mon, 12 Oct 2026 05:47:14 GMT",
        "Mon Oct 12 2026 11:17:14 GMT+0530 (India Standard Time)",
        "12-10-2026 11:17:14",
        "12/10/2026 11:17:14",
        "12.10.2026 11:17:14",
        "12/10/2026 11:17:14 IST",
        "1791784034",
        1791784034,
        1791784034.0,
        "1791784034000",
        1791784034000,
        1791784034000000,
    ],
)
def test_one_moment_has_many_spellings(written: str | int | float) -> None:
    assert parse_time(written, INDIA) == datetime(2026, 10, 12, 5, 47, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("12-Oct-2026 12:05:00 AM", "2026-10-12T00:05:00+00:00"),
        ("12-Oct-2026 12:05:00 PM", "2026-10-12T12:05:00+00:00"),
        ("12-Oct-2026 03:05 PM", "2026-10-12T15:05:00+00:00"),
        ("12-Oct-2026 15:05:00 PM", "2026-10-12T15:05:00+00:00"),
        ("12-Oct-2026", "2026-10-12T00:00:00+00:00"),
        ("2026-10-12", "2026-10-12T00:00:00+00:00"),
        ("20261012", "2026-10-12T00:00:00+00:00"),
        ("2026-10-12T11:17:14.250Z", "2026-10-12T11:17:14.250000+00:00"),
        ("1791784034.5", "2026-10-12T05:47:14.500000+00:00"),
    ],
)
def test_hours_and_days_and_fractions_are_read(written: str, iso: str) -> None:
    moment = parse_time(written, UTC)

    assert moment is not None
    assert moment.isoformat() == iso


@pytest.mark.parametrize(
    "nonsense",
    [
        "", " ", "null", "yesterday", "0000-00-00 00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
        "1999-12-31", "2101-01-02", "2026-02-30", "31-Foo-2026", "12-Oct-26", "2026-10-12 25:00:00", "12/13/2026",
        "2026-10-12 11:17:14 +99:99", "1", "1791784034" * 50, "2026-10-12" + " " * 1_000_000 + "x",
        0, -1, 1, 20261399, 1e300, math.nan, math.inf, -math.inf, True,
    ],
)  # fmt: skip
def test_nonsense_is_none(nonsense: str | int | float) -> None:
    assert parse_time(nonsense, INDIA) is None


def test_a_number_of_thousands_of_digits_is_none() -> None:
    assert parse_time(10**5000, INDIA) is None
    assert parse_time(-(10**5000), INDIA) is None


@given(ANY_TEXT | TIME_LIKE | st.integers() | st.floats(), ZONES)
@example("2000-01-01 00:00:00", INDIA)
@example("2100-12-31 23:59:59", ZoneInfo("America/New_York"))
def test_anything_gives_a_moment_of_this_century_or_none(value: str | int | float, zone: tzinfo) -> None:
    moment = parse_time(value, zone)

    if moment is not None:
        assert moment.tzinfo is UTC
        assert 2000 <= moment.year <= 2100
        assert parse_time(moment.isoformat(), zone) == moment


@given(MINUTES, ZONES)
def test_a_time_without_offset_is_read_in_the_zone_of_its_source(minutes: int, zone: tzinfo) -> None:
    local = datetime(2000, 1, 2, tzinfo=zone) + timedelta(minutes=minutes)

    assert parse_time(local.strftime("%d-%b-%Y %H:%M:%S"), zone) == local.astimezone(UTC)
