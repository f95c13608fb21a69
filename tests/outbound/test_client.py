"""What a provider answered, read as JSON or as a wait."""

import pytest

from connector_master.model.problem import ProviderUnavailable
from connector_master.outbound.client import Answer


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("120", "", 120),
        (" 0 ", "", 0),
        ("99999999999999999999", "", 604_800),
        ("Mon, 12 Oct 2026 10:35:00 GMT", "Mon, 12 Oct 2026 10:30:00 GMT", 300),
        ("Mon, 12 Oct 2026 10:25:00 GMT", "Mon, 12 Oct 2026 10:30:00 GMT", 0),
        ("Mon, 12 Oct 2026 10:35:00 GMT", "", None),
        ("soon", "", None),
        ("-5", "", None),
        ("²", "", None),
        ("", "", None),
    ],
)
def test_a_wait_is_read_in_both_of_its_forms(retry_after: str, date: str, seconds: int | None) -> None:
    assert Answer(429, b"", {"retry-after": retry_after, "date": date}).retry_after_seconds() == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe[", b"[1", b"NaN"])
def test_what_is_no_json_is_a_fault_of_the_provider(body: bytes) -> None:
    with pytest.raises(ProviderUnavailable):
        Answer(200, body).json()


def test_a_byte_order_mark_is_no_fault() -> None:
    assert Answer(200, b"\xef\xbb\xbf[1]").json() == [1]
