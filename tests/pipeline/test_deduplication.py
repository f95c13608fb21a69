"""Deduplication keys."""

from connector_master.model.lead import LeadDraft
from connector_master.pipeline.deduplication import deduplication_key


def draft(**fields: str) -> LeadDraft:
    return LeadDraft(**{"phone_number": "+919000000201", **fields})  # type: ignore[arg-type]


def test_the_phone_alone_is_the_key_unless_a_policy_says_more() -> None:
    assert deduplication_key(draft(email="a@example.com")) == "+919000000201"


def test_further_fields_tell_the_same_phone_apart() -> None:
    pump, valve = (
        deduplication_key(draft(product_name=name), ("phoneNumber", "productName")) for name in ("Pump", "Valve")
    )

    assert pump != valve
    assert pump.startswith("+919000000201:")


def test_case_blanks_and_the_order_of_fields_make_no_difference() -> None:
    one = deduplication_key(draft(product_name="Gate  Valve", email="a@example.com"), ("email", "productName"))
    other = deduplication_key(draft(product_name="gate valve ", email="A@example.com"), ("productName", "email"))

    assert one == other


def test_the_key_stays_short() -> None:
    assert len(deduplication_key(draft(product_name="x" * 500), ("productName",))) < 200
