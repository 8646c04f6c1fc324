from divergen_records import derive_seed, instance_id, short_hash
from hypothesis import given
from hypothesis import strategies as st

IDENTITY = {"category": "cup", "prompt": "a cup", "generator": "g", "generator_revision": "1", "seed": 3}


def test_instance_id__equal_for_equal_content_for_ever():
    assert instance_id(**IDENTITY) == "1626f2e938d6c72d4c322d022ab56a9e"
    assert derive_seed(1, "cup", 0) == 1027404178901421087


def test_instance_id__every_part_counts():
    changes = [{"category": "x"}, {"prompt": "x"}, {"generator": "x"}, {"generator_revision": "x"}, {"seed": 4}]
    assert len({instance_id(**IDENTITY | change) for change in [{}, *changes]}) == 6


def test_short_hash__parts_do_not_run_together():
    assert len({short_hash("ab"), short_hash("a", "b"), short_hash("", "ab"), short_hash("ab", "")}) == 4


def test_short_hash__length():
    assert len(short_hash("x")) == 32
    assert len(short_hash("x", size=4)) == 8


@given(st.lists(st.one_of(st.integers(), st.text("aé漢")), max_size=4))
def test_derive_seed__fits_a_signed_64_bit_integer(parts):
    assert 0 <= derive_seed(*parts) < 2**63
