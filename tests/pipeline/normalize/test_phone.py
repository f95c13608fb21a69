"""Phone numbers: every way in which people and programs write them, and what must never pass for one."""

import re
from time import perf_counter

import phonenumbers
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connector_master.model.problem import InvalidPhone, MissingPhone
from connector_master.pipeline.normalize import Phone, normalize_phone

MOBILE = "+919876543210"
REGIONS = st.sampled_from(["IN", "US", "AE", "GB", "DE", "IT", "BR", "ZZ", ""])
INDIAN_MOBILES = st.from_regex(r"[6-9][0-9]{9}", fullmatch=True)
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
PHONE_LIKE = st.text(st.sampled_from("0123456789+-. ()/,;xX*#pextor\n९٣９"), max_size=400)


def _read(text: str, region: str = "IN", fallback_region: str | None = None) -> list[str] | None:
    """Return all numbers in `text`, or None when it is refused."""
    try:
        phone = normalize_phone(text, region, fallback_region)
    except (InvalidPhone, MissingPhone):
        return None
    return [phone.e164, *phone.others]


@pytest.mark.parametrize(
    "written",
    [
        "9876543210",
        "09876543210",
        "919876543210",
        "+919876543210",
        "098765 43210",
        "98765-43210",
        "98765.43210",
        "+91-9876543210",
        "+91-09876543210",
        "+91 (0) 98765 43210",
        "(+91) 98765 43210",
        "+ 91 98765 43210",
        "00919876543210",
        "0091 98765 43210",
        "p:+919876543210",
        "tel:+91-9876543210",
        "whatsapp:+919876543210",
        "https://wa.me/919876543210?text=Hi",
        "'+919876543210",
        "Call me on 98765 43210",
        "Mobile: 9876543210",
        "Mob.9876543210",
        "Contact # 9876543210",
        "9876543210 (WhatsApp)",
        "9876543210 - Ravi",
        "\U0001f4de9876543210",
        "98765 43210 ext 12",
        "98765 43210 x12",
        "98765 43210x12",
        "9876543210;ext=7",
        "९८७६५४३२१०",
        "٩٨٧٦٥٤٣٢١٠",
        "\uff0b\uff19\uff11 ９８７６５４３２１０",
        "98765\u00a043210",
        "98765\u201343210",
        "\u202a+91 98765 43210\u202c",
        "<a href='tel:+919876543210'>+91-9876543210</a>",
        "&#43;91 98765&nbsp;43210",
        "9.87654321E9",
        "9.876543210E+09",
        "9876543210.0",
        "9876543210 / 9876543210",
        "9XXXXXX811 / 9876543210",
    ],
)
def test_one_number_has_many_spellings(written: str) -> None:
    assert normalize_phone(written, "IN") == Phone(MOBILE, ())


@pytest.mark.parametrize(
    "between", [",", ", ", "/", " / ", ";", "|", "\n", "\r\n", " or ", " and ", " & ", "   ", "\t", " Office: ", "<br>"]
)
def test_several_numbers_in_one_field_are_told_apart(between: str) -> None:
    assert _read(f"098765 43210{between}080-22345678") == [MOBILE, "+918022345678"]
    assert _read(f"+91 98765 43210{between}+91 98765 43211") == [MOBILE, "+919876543211"]


@pytest.mark.parametrize(
    ("written", "region", "fallback_region", "number"),
    [
        ("971500000001", "IN", None, "+971500000001"),
        ("00971500000001", "IN", None, "+971500000001"),
        ("0500000001", "AE", "IN", "+971500000001"),
        ("+27-710000001", "IN", None, "+27710000001"),
        ("(202) 555-0143", "US", None, "+12025550143"),
        ("9876543210", "US", "IN", MOBILE),
        ("+91-120-4000001", "IN", None, "+911204000001"),
        ("+9779800000001", "IN", None, "+9779800000001"),
        ("+39 06 1234 5678", "IN", None, "+390612345678"),
        ("9.0E9", "IN", None, "+919000000000"),
        (MOBILE, "ZZ", None, MOBILE),
        (MOBILE, "in", None, MOBILE),
    ],
)
def test_the_region_reads_what_has_no_country_code(
    written: str, region: str, fallback_region: str | None, number: str
) -> None:
    assert normalize_phone(written, region, fallback_region).e164 == number


@pytest.mark.parametrize("region", ["IN", "DE", "US"])
@pytest.mark.parametrize(
    "masked",
    [
        "9XXXXXX811",
        "98******10",
        "98765xxxxx",
        "98765 xxxxx",
        "98765-XXXXX",
        "98765 43xxx",
        "xxxxx 43210",
        "98••••••10",
        "98######10",
        "98------10",
        "98765432X0",
        "98765432_0",
        "98765_43210",
        "98......10",
        "98______10",
        "98??????10",
        "98765ххххх",
        "98765o3210",
        # Germany's numbers have many lengths: what is left of a masked one is a valid number there.
        "+49 30 1234567***",
        "+49 30 1234567 xx",
        "+49 30 1234567/xx",
        "+49 30 1234567 (xx)",
        "+49 30 1234567____",
        "+49 30 1234567...89",
        "+49 xx 30 1234567",
        "**30 1234567",
        "+49 30 1234567-CALL",
        "1-800-FLOWERS",
        "+1 800 FLOWERS",
        "+1-202-555-CALL",
        "9.19877E+11",
    ],
)
def test_a_masked_number_is_refused_because_it_is_somebodys(masked: str, region: str) -> None:
    with pytest.raises(InvalidPhone):
        normalize_phone(masked, region)


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "-",
        "112",
        "100",
        "12345",
        "98765",
        "9999999999",
        "+91 99999 99999",
        "0000000000",
        "987654321012345",
        "98765 43210 1",
        "9876543210@paytm",
        "PO9876543210",
        "12/10/2026 15:10:22",
        "9" * 1000,
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhone) as refusal:
        normalize_phone(text, "IN")

    assert refusal.value.field == "phoneNumber"
    assert text not in refusal.value.detail


@pytest.mark.parametrize("text", ["", "  ", "\u00a0\u200b", "\x00", "<br>"])
def test_an_empty_text_is_a_missing_number(text: str) -> None:
    with pytest.raises(MissingPhone):
        normalize_phone(text, "IN")


def test_blanks_around_a_number_are_not_what_makes_it_too_long() -> None:
    assert _read(" " * 400 + MOBILE + " " * 400) == [MOBILE]


@pytest.mark.parametrize("length", range(260, 300))
def test_a_long_text_is_never_cut_within_a_number(length: int) -> None:
    filler = "call 9876543210 or " + "a" * length

    assert _read(f"{filler} +49 30 12345678901") in ([MOBILE], [MOBILE, "+493012345678901"])


@given(
    INDIAN_MOBILES,
    st.sampled_from(["", "0", "91", "+91", "+91-", "+91 ", "p:", "p:+91"]),
    st.sampled_from(["", " ", "-"]),
)
def test_the_short_cut_agrees_with_libphonenumber(mobile: str, prefix: str, middle: str) -> None:
    written = prefix + mobile[:5] + middle + mobile[5:]
    number = phonenumbers.parse(written.removeprefix("p:"), "IN")
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assume(len(set(mobile)) > 1)

    assert phonenumbers.is_valid_number(number)
    assert normalize_phone(written, "IN") == Phone(expected, ())


@given(st.from_regex(r"[1-9][0-9]{9}", fullmatch=True))
@example("5876543210")
def test_ten_digits_are_a_number_exactly_when_libphonenumber_says_so(digits: str) -> None:
    number = phonenumbers.parse(digits, "IN")
    is_number = phonenumbers.is_valid_number(number) and len(set(str(number.national_number))) > 1
    # Otherwise they may be another country's, written without a plus.
    assert ((_read(digits) or [""])[0][:3] == "+91") is is_number


@given(INDIAN_MOBILES, st.sets(st.integers(0, 9), min_size=1, max_size=9), st.sampled_from("xX*#•×_"), REGIONS)
@example("9876543210", {9}, "X", "IN")
@example("9876543210", {0}, "*", "IN")
def test_no_number_comes_out_of_an_indian_mobile_with_hidden_digits(
    mobile: str, hidden: set[int], mask: str, region: str
) -> None:
    written = "".join(mask if place in hidden else digit for place, digit in enumerate(mobile))
    numbers = _read(written, region)

    assert numbers is None


@given(PHONE_LIKE | ANY_TEXT, REGIONS, st.none() | REGIONS)
def test_any_text_gives_numbers_in_e164_or_a_refusal(text: str, region: str, fallback_region: str | None) -> None:
    for number in _read(text, region, fallback_region) or []:
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number)
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        assert normalize_phone(number, region, fallback_region) == Phone(number, ())


@pytest.mark.parametrize("country", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_countrys_numbers_are_read_in_their_usual_spellings(country: str) -> None:
    number = phonenumbers.example_number(country)
    assert number is not None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)

    assert normalize_phone(e164, "IN").e164 == e164
    assert normalize_phone(international, "IN").e164 == e164
    assert normalize_phone(national, country).e164 == e164


@pytest.mark.parametrize(
    "piece", ["9", "98 ", "1234567 ", "98765432 ", "+", "+9", "(", "x", "<b", "&amp;", "-", "९", "\ud800", "12345678/"]
)
@pytest.mark.parametrize("region", ["IN", "DE"])
def test_a_megabyte_takes_no_longer_than_a_line(piece: str, region: str) -> None:
    begin = perf_counter()
    _read(piece * 300_000, region)
    assert perf_counter() - begin < 3
