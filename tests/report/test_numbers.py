"""Percentages, p-values and differences as every table writes them."""

from __future__ import annotations

import math

import pytest

from privaudit.evaluation.estimate import Difference
from privaudit.report.numbers import COMPACT, PAGE, counted, listed, of_hundred, p_text, seconds


@pytest.mark.parametrize(("share", "wanted"), [(0.95, "95 %"), (0.001, "0.1 %"), (1.0, "100 %"), (0.29, "29 %")])
def test_a_percentage_has_no_more_digits_than_it_needs(share: float, wanted: str) -> None:
    assert COMPACT.percent(share) == wanted


@pytest.mark.parametrize(("p", "wanted"), [(0.0009995, "<.001"), (0.001, ".001"), (1.0, "1.000"), (math.nan, "n/a")])
def test_the_least_p_of_2000_replicates_is_not_rounded_up(p: float, wanted: str) -> None:
    assert COMPACT.p_value(p) == wanted


@pytest.mark.parametrize(("value", "wanted"), [(-0.0004, ".000"), (0.0, ".000"), (-0.0006, "-.001"), (0.25, "+.250")])
def test_zero_has_no_sign(value: float, wanted: str) -> None:
    assert COMPACT.number(value, signed=True) == wanted


def test_a_difference_without_limits_says_so() -> None:
    assert COMPACT.difference(Difference(0.1, 0.05, 0.15, 0.01)) == "+.100 [+.050,+.150]"
    assert COMPACT.difference(Difference(0.1, math.nan, math.nan, math.nan)) == "+.100 (n/a)"
    assert COMPACT.difference(Difference(math.nan, math.nan, math.nan, math.nan)) == "n/a"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0.5, ".500"), (10.05, "10.050"), (20.5, "20.500"), (-0.012, "-.012"), (0.0, ".000"), (math.nan, "n/a")],
)
def test_only_a_leading_zero_is_left_out(value: float, wanted: str) -> None:
    assert COMPACT.number(value) == wanted


@pytest.mark.parametrize(
    ("value", "signed", "wanted"),
    [
        (-0.0001, True, "0.000"),
        (0.0, True, "0.000"),
        (0.0001, False, "0.000"),
        (-0.0005001, True, "\N{MINUS SIGN}0.001"),
    ],
)
def test_the_page_has_a_minus_as_wide_as_a_plus(value: float, signed: bool, wanted: str) -> None:
    assert PAGE.number(value, signed=signed) == wanted


def test_p_values_of_the_page() -> None:
    assert [PAGE.p_value(p) for p in (2 / 2001, 0.878, math.nan)] == ["<\N{NO-BREAK SPACE}0.001", "0.878", "n/a"]


def test_limits_of_the_page() -> None:
    assert PAGE.estimate(Difference(0.1, 0.05, 0.15, 0.01)) == "0.100 (0.050 to 0.150)"
    assert PAGE.estimate(Difference(0.1, math.nan, math.nan, 0.01)) == "0.100 (interval n/a)"
    assert PAGE.limits(Difference(math.nan, math.nan, math.nan, math.nan)) == ""


@pytest.mark.parametrize(
    ("fraction", "wanted"),
    [(0.5745, "57"), (0.0125, "1.3"), (0.4874, "49"), (0.0, "0.0"), (0.095, "10"), (math.nan, "n/a")],
)
def test_so_many_of_a_hundred(fraction: float, wanted: str) -> None:
    assert of_hundred(fraction) == wanted


def test_a_p_value_in_a_sentence() -> None:
    shown = [p_text(p) for p in (0.036, 0.0, 1e-5, math.nan)]
    assert shown == ["p = 0.036", "p below 0.001", "p below 0.001", "p n/a"]


def test_counts_and_lists() -> None:
    assert [counted(n, "canary") for n in (0, 1, 2)] == ["0 canaries", "1 canary", "2 canaries"]
    assert [listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert [seconds(value) for value in (8.25, 75.0, 720.0, 9000.0)] == ["8.2 s", "75 s", "12 min", "2.5 h"]
