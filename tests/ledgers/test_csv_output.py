"""CSV that we print opens in a spreadsheet, so nothing in it may begin a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.cli.output import Format, emit, harmless


@pytest.mark.parametrize("text", ["=1+1", "+1-1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "-cmd|' /C calc'!A0"])
def test_what_would_begin_a_formula_gets_an_apostrophe(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "-", "-5", "-1.5", "web01", "10.0.0.1", "a=b", "会計"])
def test_anything_else_stays(text):
    assert harmless(text) == text


@given(st.text())
def test_no_cell_begins_a_formula(text):
    assert harmless(text)[:1] not in set("=+@\t\r＝＋－＠")


def test_csv_output_is_harmless(capsys):
    emit("things", [{"a": "=1+1", "b": -5, "c": None}], ("a", "b", "c"), Format.CSV)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["a", "b", "c"], ["'=1+1", "-5", "-"]]
