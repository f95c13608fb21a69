"""Places: countries, Indian states and pincodes in the spellings that arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import normalize_country, normalize_pincode, normalize_state, pincode_in
from connector_master.pipeline.normalize._places_data import COUNTRIES, INDIAN_STATES

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("code", "spellings"),
    [
        ("IN", "IN|in|IND|India|INDIA | india.|Bharat|भारत|Republic of India"),
        ("AE", "AE|ARE|UAE|U.A.E.|U A E|United Arab Emirates|the united  arab emirates"),
        ("US", "US|USA|U.S.A.|U.S.|United States|United States of America|America"),
        ("GB", "GB|UK|U.K.|uk|United Kingdom|England|Great Britain"),
        ("KR", "South Korea|Korea, Republic of|Republic of Korea|KOR"),
        ("CI", "Côte d'Ivoire|Cote d'Ivoire|Cote d’Ivoire|Ivory Coast"),
        ("TR", "Turkey|Türkiye|Turkiye"),
        ("SA", "KSA|Saudi Arabia"),
        ("VN", "Vietnam|Viet Nam"),
        ("BO", "Bolivia|Bolivia, Plurinational State of"),
    ],
)
def test_a_country_has_one_code_and_many_names(code: str, spellings: str) -> None:
    assert {normalize_country(spelling) for spelling in spellings.split("|")} == {code}


@pytest.mark.parametrize("text", ["", "-", "null", "Atlantis", "XX", "ZZ", "India and Nepal", "91"])
def test_what_is_no_country_is_none(text: str) -> None:
    assert normalize_country(text) is None


def test_every_line_of_the_list_is_found() -> None:
    for line in COUNTRIES.split():
        assert line
    for line in COUNTRIES.strip().split("\n"):
        code, *names = line.split("|")
        assert {normalize_country(name) for name in [code, *names]} == {code}


@pytest.mark.parametrize(
    ("state", "spellings"),
    [
        ("Maharashtra", "MH|IN-MH|in mh|mh|Maharashtra|MAHARASHTRA| maharashtra |Mahārāshtra|Maharastra"),
        ("Odisha", "OR|OD|Orissa|ODISHA"),
        ("Uttarakhand", "UK|UT|Uttaranchal|UTTARAKHAND"),
        ("Puducherry", "PY|Pondicherry"),
        ("Delhi", "DL|Delhi|NCT of Delhi|New Delhi|National Capital Territory of Delhi"),
        ("Jammu and Kashmir", "JK|J&K|J & K|Jammu & Kashmir|JAMMU KASHMIR"),
        ("Tamil Nadu", "TN|Tamilnadu|TAMIL NADU|Tamil-Nadu"),
        ("Chhattisgarh", "CG|CT|Chattisgarh"),
        ("Telangana", "TS|TG|Telengana"),
        ("Andaman and Nicobar Islands", "AN|Andaman & Nicobar|Andaman and Nicobar"),
        ("Dadra and Nagar Haveli and Daman and Diu", "DH|DN|DD|Daman & Diu|Dadra and Nagar Haveli"),
    ],
)
def test_an_indian_state_has_one_name(state: str, spellings: str) -> None:
    assert {normalize_state(spelling, "IN") for spelling in spellings.split("|")} == {state}


def test_every_state_of_the_list_is_found_by_code_and_name() -> None:
    for line in INDIAN_STATES.strip().split("\n"):
        code, name = line.split("|")
        assert [normalize_state(written, "IN") for written in (code, f"IN-{code}", name, name.upper())] == [name] * 4


def test_other_states_stay_as_they_are() -> None:
    assert normalize_state(" GA ", "US") == "GA"
    assert normalize_state("PUNJAB", "PK") == "PUNJAB"
    assert normalize_state("Some  Region", "IN") == "Some Region"


def test_without_a_country_names_are_known_but_codes_are_not() -> None:
    assert normalize_state("GUJRAT", None) == "Gujarat"
    assert normalize_state("GA", None) == "GA"


@pytest.mark.parametrize(
    ("written", "country", "pincode"),
    [
        ("400001", "IN", "400001"),
        ("400 001", "IN", "400001"),
        (" 400-001 ", "IN", "400001"),
        ("000000", "IN", "000000"),
        ("Pin 400001", "IN", "Pin 400001"),
        ("400 001", None, "400 001"),
        ("SW1A  1AA", "GB", "SW1A 1AA"),
        ("", "IN", None),
        ("9" * 50, "US", "9" * 20),
    ],
)
def test_a_pincode_is_six_digits_in_india_only(written: str, country: str | None, pincode: str | None) -> None:
    assert normalize_pincode(written, country) == pincode


@pytest.mark.parametrize(
    ("address", "pincode"),
    [
        ("14, Ring Road, Surat, Gujarat, 395001", "395001"),
        ("14, Ring Road, Surat - 395 001", "395001"),
        ("Surat,  Gujarat,  395001, India", "395001"),
        ("Surat (395001).", "395001"),
        ("Surat", None),
        ("395001 Surat", None),
        ("Surat, 9876543210", None),
        ("Surat, 98765 432109", None),
        ("Surat 095001", None),
        (", , , ", None),
    ],
)
def test_the_pincode_at_the_end_of_an_address_is_found(address: str, pincode: str | None) -> None:
    assert pincode_in(address) == pincode


@given(ANY_TEXT, st.sampled_from(["IN", "US", None]))
def test_any_text_is_accepted_and_normalizing_twice_changes_nothing_more(text: str, country: str | None) -> None:
    code = normalize_country(text)
    assert code is None or normalize_country(code) == code
    state = normalize_state(text, country)
    assert normalize_state(state, country) == state
    pincode = normalize_pincode(text, country)
    assert pincode is None or normalize_pincode(pincode, country) == pincode
    found = pincode_in(text)
    assert found is None or normalize_pincode(found, "IN") == found


@pytest.mark.parametrize("piece", ["1", "1 ", "123 ", " ", ",", "&", "\u0300", "IN"])
def test_a_megabyte_is_read(piece: str) -> None:
    text = piece * 300_000
    normalize_country(text)
    normalize_state(text, "IN")
    normalize_pincode(text, "IN")
    pincode_in(text)
