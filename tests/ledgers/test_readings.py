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


@pytest.mark.parametrize(
    ("read", "text", "unit", "way"),
    [
        (sizes.memory, "16000", "GB", "more"),
        (sizes.memory, "8192×2", "GB", "more"),
        (sizes.memory, "16", "MB", "less"),
        (sizes.disk, "300000", "GB", "more"),
        (sizes.disk, "2×300 RAID1", "MB", "less"),
        (sizes.disk, "100 + 300", "TB", "more"),
    ],
)
def test_an_amount_that_is_absurd_in_the_unit_of_its_column_is_told_and_not_taken(read, text, unit, way):
    found = read(text, unit)
    assert found.value is None
    assert found.problem == f"in {unit}, the unit of its column, far {way} than a server has; write its own unit into the cell"


@pytest.mark.parametrize(
    ("read", "text", "unit", "value"),
    [
        (sizes.memory, "16000GB", "GB", 16_384_000),
        (sizes.memory, "16MB", "GB", 16),
        (sizes.memory, "1024", "GB", 1_048_576),
        (sizes.disk, "73", "GB", 73),
        (sizes.disk, "300TB", "GB", 307_200),
        (sizes.disk, "60", "TB", 61_440),
    ],
)
def test_a_cell_with_its_own_unit_is_believed(read, text, unit, value):
    assert read(text, unit).value == value


@pytest.mark.parametrize("text", ["10.0.20.0/24", "10.0.20.255/24", "10.0.20.5 10.0.20.64/26"])
def test_a_network_is_the_address_of_no_server(text):
    assert "is a network and not the address of a server" in values.addresses(text).problem


@pytest.mark.parametrize("text", ["10.0.20.0/31", "10.0.20.0/32", "10.0.20.1/24", "10.0.20.0", "2001:db8::/64"])
def test_an_address_with_its_length_is_read(text):
    assert values.addresses(text).value
