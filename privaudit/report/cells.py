"""What stands in a table beside plain numbers: percentages, p-values, differences."""

from __future__ import annotations

import math

from privaudit.evaluation.estimate import Difference
from privaudit.report.numbers import number_text


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
