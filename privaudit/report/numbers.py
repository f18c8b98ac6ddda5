"""Numbers as every table writes them: values with intervals, percentages, p-values, differences."""

from __future__ import annotations

import math
import re

from privaudit.evaluation.estimate import Difference, Estimate, RateEstimate


def number_text(value: float, sign: str = "") -> str:
    """Three decimals, without the leading zero: a row has to fit into 80 columns."""
    return "n/a" if math.isnan(value) else re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}.3f}")


def interval_text(estimate: Estimate | RateEstimate) -> str:
    """Write a value with its interval: ``.843 [.826,.860]``; n/a for what could not be measured."""
    if math.isnan(estimate.value):
        return "n/a"
    if math.isnan(estimate.lo) and math.isnan(estimate.hi):
        return f"{number_text(estimate.value)} (n/a)"
    return f"{number_text(estimate.value)} [{number_text(estimate.lo)},{number_text(estimate.hi)}]"


def hundredths(share: float) -> str:
    """Write a share as so many of a hundred.

    Args:
        share: In [0, 1], or NaN.

    Returns:
        Whole ones from ten on. Below, one decimal of what tables with three decimals have: 0.0125 is 1.3 here and
        0.013 there. n/a for NaN.
    """
    if math.isnan(share):
        return "n/a"
    return f"{100.0 * share:.0f}" if share >= 0.095 else f"{100.0 * float(f'{share:.3f}'):.1f}"


def plain_p(p: float) -> str:
    """Write a p-value for readers: ``p = 0.012`` or ``p below 0.001``; p n/a for NaN."""
    if math.isnan(p):
        return "p n/a"
    return f"p = {p:.2g}" if p >= 0.001 else "p below 0.001"


def percent(share: float) -> str:
    """Write a share as a percentage: ``95 %``, ``0.1 %``."""
    return f"{100.0 * share:.4g} %"


def p_text(p: float) -> str:
    """Write a p-value: three decimals, ``<.001`` below that, n/a without one."""
    if math.isnan(p):
        return "n/a"
    return number_text(p) if p >= 0.001 else "<.001"


def signed_text(value: float) -> str:
    """Write a difference with its sign; what three decimals do not show has none: ``.000``."""
    return number_text(0.0 if abs(value) < 0.0005 else value, "" if abs(value) < 0.0005 else "+")


def difference_text(difference: Difference) -> str:
    """Write a difference with its interval: ``+.033 [+.010,+.056]``; n/a for what could not be measured."""
    if math.isnan(difference.value):
        return "n/a"
    if math.isnan(difference.lo):
        return f"{signed_text(difference.value)} (n/a)"
    return f"{signed_text(difference.value)} [{signed_text(difference.lo)},{signed_text(difference.hi)}]"
