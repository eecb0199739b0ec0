"""Sizes: what is accepted has one meaning, everything else is refused with the accepted units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.inventory.units import MAX_MIB, MIB_OF, SizeError, size_gib, size_mib


@given(amount=st.integers(1, 10**9), unit=st.sampled_from(sorted(MIB_OF)), blank=st.sampled_from(["", " "]))
def test_whole_numbers_of_each_unit(amount, unit, blank):
    wanted = amount * MIB_OF[unit]
    if wanted > MAX_MIB:
        with pytest.raises(SizeError, match="at most 1024TiB"):
            size_mib(f"{amount}{blank}{unit}")
    else:
        assert size_mib(f"{amount}{blank}{unit}") == wanted


@given(mib=st.integers(1, 1024 * 1024))
def test_fractions_are_exact_or_refused(mib):
    text = f"{mib / 1024:.6f}".rstrip("0").rstrip(".") + "GiB"
    try:
        assert size_mib(text) == mib
    except SizeError as error:
        assert "whole number of MiB" in str(error) or "above zero" in str(error)


@given(value=st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_nothing_else_is_a_size(value):
    if isinstance(value, str) and value.endswith(tuple(MIB_OF)):
        return
    with pytest.raises(SizeError) as error:
        size_mib(value)
    assert "GiB" in f"{error.value} {error.value.remedy}"


@pytest.mark.parametrize(
    "text", ["8gib", "8GIB", "8 GiB ", " 8GiB", "8  GiB", "8GiB\n", "8,5GiB", "1_000MiB", "8G", "GiB", "8.GiB", "٨GiB", "1e3MiB"]
)
def test_near_sizes_are_refused(text):
    with pytest.raises(SizeError):
        size_mib(text)


@pytest.mark.parametrize(("text", "gib"), [("40GiB", 40), ("1TiB", 1024), ("2048MiB", 2), ("1.5TiB", 1536)])
def test_disks_are_whole_gib(text, gib):
    assert size_gib(text) == gib


@pytest.mark.parametrize(("text", "remedy"), [("1500MiB", "write 1GiB or 2GiB"), ("512MiB", "write 1GiB")])
def test_disks_that_are_not(text, remedy):
    with pytest.raises(SizeError) as error:
        size_gib(text)
    assert error.value.remedy == remedy
