import pytest
from divergen_records.text import csv_cell, folded, shown


def test_shown__keeps_lines_and_letters():
    assert shown("Schlüssel\t1\n→\x7f\x9b") == "Schlüssel\t1\n→\\x7f\\x9b"


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "\x07", "\r", "\u202egpj", "a\udcff"])
def test_shown__nothing_acts_on_the_terminal(text):
    assert all(letter.isprintable() for letter in shown(text))


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_cell__a_formula_becomes_text(text):
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["teapot", "-0.25", "+3", 4, -0.5, None, ""])
def test_csv_cell__the_rest_stays(value):
    assert csv_cell(value) == value


def test_folded__spellings_of_one_name():
    assert len({folded(name) for name in ("caf\u00e9 cup", "cafe\u0301_Cup", " Caf\u00e9  cup")}) == 1
