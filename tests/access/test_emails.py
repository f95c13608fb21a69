"""E-mail addresses as sign-in names, and names of users."""

import pytest

from connector_master.access.emails import normalize_email
from connector_master.access.names import clean_name
from connector_master.model.problem import InvalidRequest


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" Asha@Example.COM ", "asha@example.com"),
        ("admin@localhost", "admin@localhost"),
        ("asha.rao+hub@sales.office.local", "asha.rao+hub@sales.office.local"),
        ("Asha＠example.com", "asha@example.com"),
    ],
)
def test_an_address_is_stored_one_way(typed: str, stored: str) -> None:
    assert normalize_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    ["", "asha", "@example.com", "asha@", "a b@example.com", "a@b@c", "a\u202eb@x.in", "a@x..in", "x" * 250 + "@a.in"],
)
def test_what_is_no_address_is_refused_by_field(typed: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        normalize_email(typed)
    assert [error.field for error in refused.value.errors] == ["email"]


def test_indian_names_keep_their_joiners() -> None:
    assert clean_name("क्\u200dष") == "क्\u200dष"


@pytest.mark.parametrize("typed", ["", "  ", "a" * 201, "x\x00", "ab\u202edc", "\ud800"])
def test_a_name_that_nobody_could_read_is_refused(typed: str) -> None:
    with pytest.raises(InvalidRequest):
        clean_name(typed)
