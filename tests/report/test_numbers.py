"""Percentages, p-values and differences as every table writes them."""

from __future__ import annotations

import math

import pytest

from privaudit.evaluation.estimate import Difference
from privaudit.report.numbers import difference_text, p_text, percent, signed_text


@pytest.mark.parametrize(("share", "wanted"), [(0.95, "95 %"), (0.001, "0.1 %"), (1.0, "100 %"), (0.29, "29 %")])
def test_a_percentage_has_no_more_digits_than_it_needs(share: float, wanted: str) -> None:
    assert percent(share) == wanted


@pytest.mark.parametrize(("p", "wanted"), [(0.0009995, "<.001"), (0.001, ".001"), (1.0, "1.000"), (math.nan, "n/a")])
def test_the_least_p_of_2000_replicates_is_not_rounded_up(p: float, wanted: str) -> None:
    assert p_text(p) == wanted


@pytest.mark.parametrize(("value", "wanted"), [(-0.0004, ".000"), (0.0, ".000"), (-0.0006, "-.001"), (0.25, "+.250")])
def test_zero_has_no_sign(value: float, wanted: str) -> None:
    assert signed_text(value) == wanted


def test_a_difference_without_limits_says_so() -> None:
    assert difference_text(Difference(0.1, 0.05, 0.15, 0.01)) == "+.100 [+.050,+.150]"
    assert difference_text(Difference(0.1, math.nan, math.nan, math.nan)) == "+.100 (n/a)"
    assert difference_text(Difference(math.nan, math.nan, math.nan, math.nan)) == "n/a"
