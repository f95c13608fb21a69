"""Suggestions: what a person may want to map, found by name and by content, with the reason."""

import pytest

from connector_master.model.json import Json
from connector_master.pipeline.guess.suggest import suggest


def found(record: Json) -> dict[str, tuple[str, str]]:
    return {one.field: (one.path, one.reason) for one in suggest(record)}


def test_names_of_fields_are_the_first_clue() -> None:
    record: Json = {"Your Phone": "98765 43210", "full_name": "Asha Rao", "pin": "395001", "mail": "asha@example.com"}

    assert found(record) == {
        "phoneNumber": ("Your Phone", "name"),
        "name": ("full_name", "name"),
        "email": ("mail", "name"),
        "pincode": ("pin", "name"),
    }


def test_without_names_content_is() -> None:
    record: Json = {
        "data": {"field_1": "आशा राव", "field_2": "asha@example.com", "field_3": "98765 43210", "field_4": "395001"}
    }

    assert found(record) == {
        "phoneNumber": ("data.field_3", "content"),
        "email": ("data.field_2", "content"),
        "pincode": ("data.field_4", "content"),
        "name": ("data.field_1", "content"),
    }


def test_what_a_sender_declares_is_said_so() -> None:
    record: Json = {"fields": [{"label": "Reach me at", "type": "tel", "value": "98765 43210"}]}

    assert found(record) == {"phoneNumber": ("fields[type=tel].value", "sender")}


def test_a_name_is_known_by_the_mail_address_beside_it() -> None:
    record: Json = {"course": "Data Science", "who": "Asha Rao", "mail": "asha.rao@example.com"}

    assert found(record)["name"] == ("who", "content")


@pytest.mark.parametrize(
    "value",
    ["Data Science Course For Everybody Here", "asha rao", "Asha 2", "x" * 70, "Asha", ["Asha", "Rao"], "A,B C"],
)
def test_what_does_not_look_like_a_name_is_none(value: Json) -> None:
    assert "name" not in found({"field_1": value, "field_2": "98765 43210"})


@pytest.mark.parametrize("value", ["095001", "39500", "3950011", "39 5001", "39500a"])
def test_what_does_not_look_like_a_pincode_is_none(value: str) -> None:
    assert "pincode" not in found({"field_1": value, "field_2": "98765 43210"})


def test_a_number_with_a_name_of_its_own_is_no_pincode() -> None:
    assert "pincode" not in found({"order total": "395001", "field_2": "98765 43210"})


def test_something_at_the_end_of_a_long_form_is_found() -> None:
    record: dict[str, Json] = {f"question {number} of many": "x" for number in range(2_000)}
    record["mobile"] = "98765 43210"

    assert found(record)["phoneNumber"] == ("mobile", "name")


@pytest.mark.parametrize("record", [None, [], "x", {}])
def test_where_nothing_is_nothing_is_suggested(record: Json) -> None:
    assert suggest(record) == []
