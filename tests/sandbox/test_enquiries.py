"""The sandbox's buyers: the same for the same seed, nobody real, and each with a number that can be called."""

from hypothesis import given
from hypothesis import strategies as st

from connector_master.pipeline.normalize import normalize_phone
from connector_master.sandbox.enquiries import Enquiries, spell_phone


@given(st.integers(0, 10_000_000))
def test_every_spelling_of_every_number_is_the_same_number(number: int) -> None:
    one = Enquiries(1).make(number)
    assert one == Enquiries(1).make(number)
    assert one.phone.startswith("+919000")
    assert not one.email or one.email.lower().endswith("@example.com")
    assert {normalize_phone(spell_phone(one.phone, way), "IN").e164 for way in range(6)} == {one.phone}


def test_another_seed_brings_other_buyers() -> None:
    assert [Enquiries(1).make(n).name for n in range(20)] != [Enquiries(2).make(n).name for n in range(20)]


def test_some_buyers_write_again_and_without_repeats_none_does() -> None:
    phones = [Enquiries(1).make(number).phone for number in range(1000)]
    assert 850 < len(set(phones)) < 1000
    alone = Enquiries(1, repeats=0)
    assert len({alone.make(number).phone for number in range(1000)}) == 1000
