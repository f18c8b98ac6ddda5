"""Numbers as every table writes them."""

from __future__ import annotations

import math
import re

from privaudit.evaluation.estimate import Estimate, RateEstimate


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
