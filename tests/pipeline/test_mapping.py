"""Field mappings: every fault is named, at its place."""

import pytest

from connector_master.model.problem import FieldError, InvalidRequest
from connector_master.pipeline.mapping import compile_mapping


def faults(mapping: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        compile_mapping(mapping)  # type: ignore[arg-type]
    return {error.field: error.message for error in refused.value.errors}


def test_every_fault_is_named_at_once() -> None:
    found = faults(
        {
            "a": "phonenumber",
            "b": {"field": "name", "transform": "value +"},
            "c[": "email",
            "d": {"field": "city", "combine": "both", "colour": "red"},
            "e": {"transform": "value"},
            'say "x"': "attributes.",
            "f": 7,
            "g": {"field": "name", "transform": 7},
        }
    )

    assert found['fieldMapping["a"]'].startswith("Unknown lead field 'phonenumber'; did you mean phoneNumber?")
    assert found['fieldMapping["b"].transform'].startswith("Line 1, column 8")
    assert found['fieldMapping["c["]'] == "The bracket opened at character 2 is not closed"
    assert found['fieldMapping["d"].combine'] == 'Must be "join" or "first"'
    assert found['fieldMapping["d"].colour'] == "Unknown key; known are field, transform, combine"
    assert found['fieldMapping["e"].field'] == "The lead field is missing"
    assert 'fieldMapping["say \\"x\\""]' in found
    assert 'fieldMapping["f"]' in found
    assert found['fieldMapping["g"].transform'] == "The expression must be a text"


@pytest.mark.parametrize(
    ("written", "meant"), [("phone_number", "phoneNumber"), ("Email", "email"), ("adressLine1", "addressLine1")]
)
def test_the_nearest_field_is_suggested(written: str, meant: str) -> None:
    assert f"did you mean {meant}?" in faults({"x": written})['fieldMapping["x"]']


def test_a_field_like_none_gets_no_suggestion() -> None:
    assert (
        faults({"x": "zzzz"})['fieldMapping["x"]'] == "Unknown lead field 'zzzz'. Other data goes to attributes.<name>."
    )


def test_sources_that_disagree_on_joining_are_refused() -> None:
    found = faults({"a": {"field": "city", "combine": "join"}, "b": {"field": "city", "combine": "first"}})

    assert found == {'fieldMapping["b"].combine': "Another source of city says 'join'"}


def test_more_than_500_entries_are_refused() -> None:
    assert "at most 500" in faults({str(number): "notes" for number in range(501)})["fieldMapping"]


def test_sources_of_one_field_keep_their_order() -> None:
    compiled = compile_mapping({"b": "name", "a": "name", "x": {"field": "attributes.budget"}})

    assert [source.path.text for source in compiled.targets["name"].sources] == ["b", "a"]
    assert [target.field for target in compiled.attributes] == ["budget"]


def test_faults_are_field_errors() -> None:
    with pytest.raises(InvalidRequest) as refused:
        compile_mapping({"x": "nowhere"})

    assert all(isinstance(error, FieldError) for error in refused.value.errors)
    assert refused.value.status == 422
