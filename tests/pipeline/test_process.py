"""Processing: one record in, one clean lead out, or one clear reason why not."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_master.model.json import Json
from connector_master.model.lead import LEAD_FIELDS, LeadDraft
from connector_master.model.problem import (
    InvalidPhone,
    InvalidRecord,
    InvalidRequest,
    MissingPhone,
    Permanent,
    TransformFailed,
)
from connector_master.pipeline.mapping import FieldMapping, compile_mapping
from connector_master.pipeline.process import Profile, process, try_out

PHONE = "9000000201"
PLAIN = Profile()


def lead(record: Mapping[str, Json], mapping: FieldMapping, profile: Profile = PLAIN) -> LeadDraft:
    """Make a lead of a record that needs no phone of its own."""
    return process({"_phone": PHONE, **record}, compile_mapping({"_phone": "phoneNumber", **mapping}), profile)


def test_a_plain_record_becomes_a_lead() -> None:
    mapping = compile_mapping({"phone": "phoneNumber", "name": "name", "email": "email", "source": "source"})

    draft = process(
        {"phone": "98765 43210", "name": " John  Doe", "email": "J@Example.com", "source": "Web"}, mapping, Profile()
    )

    assert draft == LeadDraft(phone_number="+919876543210", name="John Doe", email="j@example.com", source="Web")


@pytest.mark.parametrize("value", ["", "  ", None, "null", [], {}, [""], False])
def test_nothing_in_the_phone_field_is_a_missing_phone(value: Json) -> None:
    with pytest.raises(MissingPhone, match="Nothing found in: tel"):
        process({"tel": value}, compile_mapping({"tel": "phoneNumber"}), Profile())


@pytest.mark.parametrize("value", ["call me", "12", 5, "9XXXXXX811", 10**500])
def test_a_field_without_a_whole_number_is_an_invalid_phone(value: Json) -> None:
    with pytest.raises(InvalidPhone):
        process({"tel": value}, compile_mapping({"tel": "phoneNumber"}), Profile())


def test_without_a_phone_mapped_the_phone_is_missing() -> None:
    with pytest.raises(MissingPhone, match="no source is mapped"):
        process({"phone": PHONE}, None, Profile())


@pytest.mark.parametrize("record", [None, 7, "x", [], [{"phone": PHONE}]])
def test_what_is_no_object_is_an_invalid_record(record: Json) -> None:
    with pytest.raises(InvalidRecord):
        process(record, None, Profile(guesses=True))


@pytest.mark.parametrize(
    "value",
    [
        PHONE,
        int(PHONE),
        float(PHONE),
        "9.000000201E9",
        f"p:+91{PHONE}",
        [PHONE],
        ["call me", PHONE],
        {"full": PHONE},
        {"area": "900", "phone": "0000201"},
        {"value": PHONE, "type": "tel"},
        '{"full": "9000000201"}',
    ],
)
def test_a_phone_is_found_in_whatever_holds_it(value: Json) -> None:
    assert process({"tel": value}, compile_mapping({"tel": "phoneNumber"}), Profile()).phone_number == "+919000000201"


def test_the_first_source_with_a_valid_phone_wins_and_the_others_are_kept() -> None:
    mapping = compile_mapping({"a": "phoneNumber", "b": "phoneNumber", "c": "phoneNumber"})

    draft = process(
        {"a": "unknown", "b": "9000000202 / 9000000203", "c": ["9000000204", "9000000202"]}, mapping, Profile()
    )

    assert draft.phone_number == "+919000000202"
    assert draft.attributes == {"otherPhones": ["+919000000203", "+919000000204"]}


def test_a_local_phone_is_read_in_the_records_country_then_in_the_connectors() -> None:
    mapping = compile_mapping({"phone": "phoneNumber", "country": "country"})

    assert process({"phone": "0501234567", "country": "UAE"}, mapping, Profile()).phone_number == "+971501234567"
    assert process({"phone": PHONE, "country": "UAE"}, mapping, Profile()).phone_number == "+919000000201"
    assert process({"phone": "2025550143"}, mapping, Profile(default_region="US")).phone_number == "+12025550143"


@pytest.mark.parametrize("number", ["+15550783881", "+551187654321"])
def test_a_number_that_its_source_has_proven_need_only_be_possible(number: str) -> None:
    mapping = compile_mapping({"tel": "phoneNumber"})
    with pytest.raises(InvalidPhone):
        process({"tel": number}, mapping, Profile())

    assert process({"tel": number}, mapping, Profile(trusts_phones=True)).phone_number == number


@pytest.mark.parametrize(
    "number", ["15550783881", "5550783881", "+1555078", "+99912345678", "+1555078388X", "+910000000000"]
)
def test_trust_makes_no_number_of_what_is_none(number: str) -> None:
    with pytest.raises(InvalidPhone):
        process({"tel": number}, compile_mapping({"tel": "phoneNumber"}), Profile(trusts_phones=True))


def test_names_notes_and_addresses_are_joined_in_order_without_repeats() -> None:
    draft = lead(
        {
            "f": "Asha",
            "l": "Example",
            "w": "asha example",
            "m": "Hi",
            "q": "6 pcs",
            "r": "Hi",
            "s": "Shop 7",
            "t": "Ring Road, ",
        },
        {
            "f": "name",
            "l": "name",
            "w": "name",
            "m": "notes",
            "q": "notes",
            "r": "notes",
            "s": "addressLine1",
            "t": "addressLine1",
        },
    )

    assert (draft.name, draft.notes, draft.address_line1) == ("Asha Example", "Hi\n6 pcs", "Shop 7, Ring Road")


def test_a_whole_name_swallows_its_own_parts() -> None:
    assert (
        lead({"n": "Asha Example", "f": "Asha", "l": "Example"}, {"n": "name", "f": "name", "l": "name"}).name
        == "Asha Example"
    )


def test_of_other_fields_the_first_filled_one_is_taken() -> None:
    assert lead({"a": "null", "b": ["Pune"], "c": "Surat"}, {"a": "city", "b": "city", "c": "city"}).city == "Pune"


def test_combine_says_otherwise() -> None:
    mapping: FieldMapping = {
        "a": {"field": "productName", "combine": "join"},
        "b": "productName",
        "c": {"field": "notes", "combine": "first"},
        "d": "notes",
    }

    draft = lead({"a": "Pump", "b": "Valve", "c": "One", "d": "Two"}, mapping)

    assert (draft.product_name, draft.notes) == ("Pump, Valve", "One")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["Pump"], "Pump"),
        (["Pump", "Valve"], "Pump, Valve"),
        ({"label": "Gate Valve"}, "Gate Valve"),
        ({"labels": ["A", "B"]}, "A, B"),
        ({"anything": "else"}, None),
        (True, None),
        (12, "12"),
        (12.5, "12.5"),
        (9.0e9, "9000000000"),
        (float("nan"), None),
        ("AT&amp;T <b>Pumps</b>", "AT&T Pumps"),
        ("Demo &amp; Sons", "Demo & Sons"),
        ("\x00Pump\ud800", "Pump"),
        ("NULL", None),
        pytest.param(10**5_000, None, id="5,000 digits"),
    ],
)
def test_a_value_becomes_text(value: Json, text: str | None) -> None:
    assert lead({"x": value}, {"x": "productName"}).product_name == text


def test_chosen_options_give_their_texts() -> None:
    field: Json = {
        "label": "Product",
        "value": ["2"],
        "options": [{"id": "1", "text": "Valve"}, {"id": "2", "text": "Pump"}],
    }

    assert lead({"fields": [field]}, {"fields[label=Product].value": "productName"}).product_name == "Pump"


def test_an_object_gives_the_part_that_a_field_asks_for() -> None:
    home: Json = {
        "addr_line1": "9 Demo Street",
        "city": "Indore",
        "state": "MP",
        "postal": "452001",
        "country": "India",
    }
    fields = ("addressLine1", "city", "state", "pincode", "country")

    draft = lead(
        {str(number): home for number in range(5)}, {str(number): field for number, field in enumerate(fields)}
    )

    assert (draft.address_line1, draft.city, draft.state) == ("9 Demo Street", "Indore", "Madhya Pradesh")
    assert (draft.pincode, draft.country) == ("452001", "IN")


def test_a_bad_e_mail_costs_a_warning_only() -> None:
    draft = lead({"a": "not an address"}, {"a": "email"})

    assert draft.email is None
    assert [(warning.field, warning.code) for warning in draft.warnings] == [("email", "invalid_email")]


def test_the_first_valid_e_mail_is_taken_without_a_warning() -> None:
    draft = lead({"a": "none", "b": "asha@example.com"}, {"a": "email", "b": "email"})

    assert (draft.email, draft.warnings) == ("asha@example.com", ())


def test_an_unknown_country_is_kept_beside_the_lead() -> None:
    draft = lead({"c": "Atlantis"}, {"c": "country"})

    assert (draft.country, draft.attributes) == (None, {"country": "Atlantis"})
    assert draft.warnings[0].code == "unknown_country"


def test_a_missing_pincode_is_taken_from_the_end_of_an_indian_address() -> None:
    address = {"a": "Demo Colony, Hyderabad, Telangana,         500072"}

    assert lead(address, {"a": "addressLine1"}).pincode == "500072"
    assert lead({**address, "c": "US"}, {"a": "addressLine1", "c": "country"}).pincode is None
    assert lead({**address, "p": "500 001"}, {"a": "addressLine1", "p": "pincode"}).pincode == "500001"


def test_an_address_of_commas_is_none() -> None:
    assert lead({"a": ", , , "}, {"a": "addressLine1"}).address_line1 is None


def test_times_without_offset_are_read_in_the_connectors_zone() -> None:
    india = timezone(timedelta(hours=5, minutes=30))

    draft = lead({"t": "2026-10-12 11:17:14"}, {"t": "enquiredAt"}, Profile(zone=india))

    assert draft.enquired_at == datetime(2026, 10, 12, 5, 47, 14, tzinfo=UTC)
    assert lead({"t": "yesterday"}, {"t": "enquiredAt"}).warnings[0].code == "invalid_time"


def test_the_connectors_source_is_used_where_the_record_names_none() -> None:
    assert lead({}, {"s": "source"}, Profile(source="Web")).source == "Web"
    assert lead({"s": "Fair"}, {"s": "source"}, Profile(source="Web")).source == "Fair"


def test_notes_lose_their_mark_up_and_keep_their_lines() -> None:
    assert lead({"m": "I want <b>it</b>.<br> Quantity :   6<br>"}, {"m": "notes"}).notes == "I want it.\nQuantity : 6"


def test_long_texts_are_cut_with_a_warning() -> None:
    draft = lead({"m": "x" * 20_000, "p": "y" * 600}, {"m": "notes", "p": "productName"})

    assert (len(draft.notes or ""), len(draft.product_name or "")) == (10_000, 500)
    assert [warning.code for warning in draft.warnings] == ["text_cut", "text_cut"]


def test_attributes_keep_json_but_nothing_that_a_database_refuses() -> None:
    draft = lead(
        {"x": {"a": [1, True, "b\x00\ud800"], "n": float("inf")}, "b": False, "big": 10**30},
        {"x": "attributes.answers", "b": "attributes.consent", "big": "attributes.big"},
    )

    assert draft.attributes == {"answers": {"a": [1, True, "b"], "n": None}, "consent": False, "big": str(10**30)}


def test_attributes_together_stay_bounded() -> None:
    draft = lead(
        {str(number): ["x" * 9_000] * 9 for number in range(50)}, {str(n): f"attributes.{n}" for n in range(50)}
    )

    assert len(repr(draft.attributes)) < 400_000


def test_a_transform_works_on_what_the_path_read() -> None:
    mapping: FieldMapping = {
        "city": {"field": "city", "transform": "value.upperAscii()"},
        "none": {"field": "state", "transform": "value.trim()"},
        "any": {"field": "source", "transform": "'Fair ' + record.year"},
    }

    draft = lead({"city": "pune", "year": "2026"}, mapping)

    # Where there is no value, an expression about it is not asked.
    assert (draft.city, draft.state, draft.source) == ("PUNE", None, "Fair 2026")


def test_a_failing_transform_fails_the_record_and_names_its_source() -> None:
    with pytest.raises(TransformFailed, match="divide by zero") as failure:
        lead({"x": 1}, {"x": {"field": "notes", "transform": "value / 0"}})

    assert failure.value.field == "x"


def test_a_dry_run_shows_the_lead_even_without_a_phone() -> None:
    mapping = compile_mapping({"tel": "phoneNumber", "n": "name", "e": "email", "t": "enquiredAt", "b": "attributes.b"})

    trial = try_out(
        {"n": "Asha", "e": "bad", "t": 1791801000, "b": 1, "more": {"x": 1}, "utm_source": "g"}, mapping, Profile()
    )

    assert trial.lead == {"name": "Asha", "enquiredAt": "2026-10-12T10:30:00Z", "attributes": {"b": 1}}
    assert [(one.code, one.blocks) for one in trial.problems] == [("missing_phone", True), ("invalid_email", False)]
    assert trial.unmapped == ["more.x", "utm_source"]
    assert trial.mapping == mapping.mapping


def test_a_dry_run_tells_every_problem_at_once() -> None:
    mapping = compile_mapping({"p": "phoneNumber", "x": {"field": "notes", "transform": "1/0"}})

    assert [one.code for one in try_out({"p": "12"}, mapping, Profile()).problems] == [
        "invalid_phone",
        "transform_failed",
    ]
    assert [one.code for one in try_out([], mapping, Profile()).problems] == ["invalid_record"]


TEXTS = st.text(max_size=12) | st.sampled_from(
    ["9000000201", "null", '{"a": ["x"]}', "a@example.com", "<b>", "IN", "1.3", "\ud800"]
)
KEYS_SEEN = st.sampled_from(["phone", "name", "value", "type", "label", "options", "id", "fields", "payload", "first"])
ANY: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | KEYS_SEEN, inner, max_size=4),
    max_leaves=20,
)
TARGETS = st.sampled_from([*LEAD_FIELDS, "attributes.x"])
TRANSFORMS = st.sampled_from(["value", "value.trim()", "[value, record]", "record.phone", "value.map(a, a)", "'x'"])
MAPPINGS = st.dictionaries(
    TEXTS | KEYS_SEEN | st.sampled_from(["fields[type=tel].value", "payload.phone", "a.b", "name.first"]),
    TARGETS
    | st.fixed_dictionaries({"field": TARGETS, "transform": TRANSFORMS, "combine": st.sampled_from(["join", "first"])}),
    max_size=6,
)


@settings(deadline=1_000, max_examples=300)
@given(st.dictionaries(TEXTS | KEYS_SEEN, ANY, max_size=6) | ANY, MAPPINGS, st.booleans())
def test_any_record_under_any_mapping_is_a_lead_or_a_permanent_problem(
    record: Json, mapping: FieldMapping, guesses: bool
) -> None:
    try:
        compiled = None if guesses else compile_mapping(mapping)
    except InvalidRequest:
        return
    profile = Profile(guesses=guesses)
    trial = try_out(record, compiled, profile)
    try:
        draft = process(record, compiled, profile)
    except Permanent:
        assert any(one.blocks for one in trial.problems)
    else:
        assert trial.lead["phoneNumber"] == draft.phone_number
        assert not any(one.blocks for one in trial.problems)
        assert "\x00" not in repr((draft.name, draft.notes, draft.city, draft.product_name))


@pytest.mark.parametrize("guesses", [True, False])
def test_a_huge_record_ends_soon(guesses: bool) -> None:
    record: Json = {
        f"field {number}": [{"name": f"phone {n}", "value": "9" * 9} for n in range(50)] for number in range(400)
    }
    mapping = compile_mapping({f"field {number}.phone {number}": "notes" for number in range(400)})
    start = time.perf_counter()

    with pytest.raises(Permanent):
        process(record, None if guesses else mapping, Profile(guesses=guesses))

    assert time.perf_counter() - start < 3
