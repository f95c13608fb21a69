"""Webhook: what is a record, what is no enquiry, and which settings make sense."""

from typing import Any

import pytest
from pydantic import ValidationError

from connector_master.connectors import registry
from connector_master.connectors.connector import Secrets
from connector_master.connectors.webhook import Credentials, Settings, connector, records, verify
from connector_master.model.event import Record
from connector_master.model.json import Json
from connector_master.model.problem import InvalidBody, InvalidSignature
from tests.connectors.builders import push


def split(body: Json, **settings: Any) -> list[Record]:
    return list(records(body, push(), Settings.model_validate(settings)))


def test_the_registry_finds_it() -> None:
    assert registry()["webhook"] is connector
    assert connector.mapping == {"phone": "phoneNumber", "name": "name", "email": "email", "source": "source"}


def test_an_object_is_one_record() -> None:
    assert split({"phone": "1"}) == [Record({"phone": "1"})]


def test_every_element_of_a_list_is_a_record_whatever_it_is() -> None:
    assert split([{"phone": "1"}, "x", None, 7, [], [1]]) == [
        Record({"phone": "1"}),
        Record("x"),
        Record(None),
        Record(7),
        Record([1]),
    ]
    assert split([]) == []


@pytest.mark.parametrize("body", [None, True, 7, 1.5, "text"])
def test_a_body_that_holds_no_object_is_unreadable(body: Json) -> None:
    with pytest.raises(InvalidBody):
        split(body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("leads", {"leads": [{"a": 1}, {"a": 2}]}),
        ("data.leads", {"data": {"leads": [{"a": 1}, {"a": 2}]}}),
        ("data.leads", {"data": '{"leads": "[{\\"a\\": 1}, {\\"a\\": 2}]"}'}),
        ("data.json", {"data.json": '[{"a": 1}, {"a": 2}]'}),
        ("pages.1.rows", {"pages": [{}, {"rows": [{"a": 1}, {"a": 2}]}]}),
        ("anything", [{"a": 1}, {"a": 2}]),
    ],
)
def test_records_lie_where_the_settings_say(path: str, body: Json) -> None:
    assert [record.value for record in split(body, recordsPath=path)] == [{"a": 1}, {"a": 2}]


def test_an_object_at_the_path_is_one_record() -> None:
    assert split({"data": {"a": 1}}, recordsPath="data") == [Record({"a": 1})]


@pytest.mark.parametrize(
    "path", ["leads", "data.x", "list.9", "list.99999999999999999999", "list.²", "text.x", "..", "n"]
)
def test_a_path_that_leads_nowhere_is_explained(path: str) -> None:
    with pytest.raises(InvalidBody) as refusal:
        split({"data": {}, "list": [{}], "text": "{broken", "n": 5}, recordsPath=path)
    assert "recordsPath" in refusal.value.remedy


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"event": "invitee.created", "payload": {}}, None),
        ({"event": "invitee.canceled", "payload": {}}, "not_an_enquiry"),
        ({"event": "routing_form_submission.created", "payload": {}}, "not_an_enquiry"),
        ({"event": "invitee.canceled", "phone": "1"}, None),
        ({"event": ["x"], "payload": {}}, None),
        ({"event": "party", "payload": {}}, None),
        ({"zen": "Keep it logically awesome.", "hook_id": 1}, "test"),
        ({"zen": "garden", "phone": "1"}, None),
        ({"formID": "1", "rawRequest": "{}", "preview": "true"}, "test"),
        ({"formID": "1", "rawRequest": "{}", "preview": ""}, None),
        ({"preview": True, "phone": "1"}, None),
    ],
)
def test_only_what_is_surely_no_enquiry_is_ignored(body: dict[str, Json], reason: str | None) -> None:
    assert split(body) == [Record(body, ignored=reason)]
    assert split([body]) == [Record(body, ignored=reason)]


def test_settings_have_defaults_that_accept_any_sender() -> None:
    assert Settings().model_dump(by_alias=True) == {
        "signature": "optional",
        "signatureScheme": "auto",
        "tokenHeader": "X-Webhook-Token",
        "tokenParameter": "token",
        "recordsPath": None,
        "defaultRegion": "IN",
        "rateLimitPerMinute": None,
        "duplicatePolicy": {"fields": ("phoneNumber",), "windowDays": None},
    }


def test_the_phone_always_decides_about_duplicates_and_regions_are_upper_case() -> None:
    settings = Settings.model_validate({"defaultRegion": "ae", "duplicatePolicy": {"fields": ["email", "email"]}})
    assert settings.default_region == "AE"
    assert settings.duplicate_policy.fields == ("phoneNumber", "email")


@pytest.mark.parametrize(
    "settings",
    [
        {"signature": "maybe"},
        {"signatureScheme": "md5"},
        {"signature": "required", "signatureScheme": "none"},
        {"tokenHeader": "two words"},
        {"tokenHeader": ""},
        {"tokenParameter": ""},
        {"recordsPath": ""},
        {"defaultRegion": "IND"},
        {"defaultRegion": "1N"},
        {"rateLimitPerMinute": 0},
        {"rateLimitPerMinute": 1_000_001},
        {"duplicatePolicy": {"fields": ["name"]}},
        {"duplicatePolicy": {"windowDays": 0}},
        {"duplicatePolicy": {"windowDays": 3651}},
        {"colour": "red"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(settings)


@pytest.mark.parametrize("form", [Settings, Credentials])
def test_every_field_is_explained_to_a_person(form: type[Settings | Credentials]) -> None:
    assert all(field.title and field.description for field in form.model_fields.values())


def test_its_settings_decide_how_a_push_is_verified() -> None:
    what = push(headers={"Authorization": "Bearer s3cret"})
    settings = Settings(signature="required", signature_scheme="token-header", token_header="Authorization")
    assert verify(what, Secrets(("s3cret",)), settings).scheme == "token-header"
    with pytest.raises(InvalidSignature):
        verify(push(), Secrets(("s3cret",)), settings)
