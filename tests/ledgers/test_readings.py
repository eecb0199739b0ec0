"""Texts that people read in two ways: refused, or read by a rule that is told; never taken silently."""

import pytest

from controlplane.ledgers import sizes, values


@pytest.mark.parametrize("text", ["4,5", "1,5TB", "1,5 TB x 2", "100,20", "1,000,5"])
def test_a_comma_that_may_be_a_decimal_one_is_no_size(text):
    assert "decimal comma" in sizes.disk(text, "GB").problem
    assert "decimal comma" in sizes.memory(text, "GB").problem


@pytest.mark.parametrize(
    ("text", "gib"), [("1,024", 1024), ("1,024GB", 1024), ("100GB,200GB", 300), ("C:100,D:200", 300), ("4.5,", 5)]
)
def test_commas_that_can_only_mean_one_thing_are_read(text, gib):
    assert sizes.disk(text, "GB").value == gib


def test_a_point_that_elsewhere_parts_thousands_is_told():
    assert sizes.disk("1.000 GB", "").note == "1.000 read with a decimal point: 1 GiB"
    assert sizes.disk("1.5 GB", "").note == "rounded up: 2 GiB"


@pytest.mark.parametrize("text", ["2,0", "1,5", "1,5コア", "12,34 cores"])
def test_a_decimal_comma_makes_no_processors(text):
    assert values.cpus(text).problem == "wanted a number of processors, with a point for decimals"


def test_thousands_of_processors_are_read():
    assert values.cpus("1,024").value == 1024
