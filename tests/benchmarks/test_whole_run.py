"""`make bench` runs every benchmark by its name, in one process."""

from importlib import import_module
from inspect import signature

import pytest

from benchmarks import __main__ as whole


@pytest.mark.parametrize("name", whole.ALL)
def test_each_can_be_run_without_arguments(name):
    module = import_module(f"benchmarks.{name}")
    assert module.__name__ == f"benchmarks.{name}", "what it hands to other processes must be found there"
    assert all(each.default is not each.empty for each in signature(module.main).parameters.values())
