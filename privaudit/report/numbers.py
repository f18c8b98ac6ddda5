"""How numbers are written: one style per medium, and what all media write alike."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from privaudit.evaluation.estimate import Difference, Estimate, RateEstimate

Interval = Estimate | RateEstimate | Difference
"""A value between two limits; each of the three may be NaN."""
NOT_MEASURED = "n/a"
MINUS = "\N{MINUS SIGN}"
GLUE = "\N{NO-BREAK SPACE}"
"""Keeps a number and its sign or unit on one line."""
MIN_P = 0.001
"""Smallest p-value that is written as a number: 2000 bootstrap replicates do not resolve smaller ones."""


@dataclass(frozen=True)
class Style:
    """How a medium writes numbers; what was not measured is n/a in all of them.

    Attributes:
        leading_zero: ``0.843`` if true, ``.843`` otherwise.
        minus: Sign of negative numbers.
        between: Format of an interval, with two fields for its limits.
        after: Format of a value with its interval, with a field for each.
        percent_sign: Space and sign after a percentage.
        small_p: Text for a p-value below `MIN_P`.
        arrow: Sign between an old value and the new one.
    """

    leading_zero: bool
    minus: str
    between: str
    after: str
    percent_sign: str
    small_p: str
    arrow: str

    def number(self, value: float, digits: int = 3, *, signed: bool = False) -> str:
        """Write a number; what is rounded to zero has no sign."""
        if math.isnan(value):
            return NOT_MEASURED
        text = f"{value:{'+' if signed else ''}.{digits}f}"
        if not text.strip("+-0."):
            text = text.lstrip("+-")  # neither -0.000 nor +0.000
        if not self.leading_zero:
            text = re.sub(r"^([+-]?)0\.", r"\1.", text)
        return text.replace("-", self.minus)

    def limits(self, estimate: Interval, digits: int = 3, *, signed: bool = False) -> str:
        """Write the limits of a value: ``n/a`` if it has none, nothing if there is no value."""
        if math.isnan(estimate.value):
            return ""
        if math.isnan(estimate.lo) and math.isnan(estimate.hi):
            return NOT_MEASURED
        return self.between.format(*(self.number(end, digits, signed=signed) for end in (estimate.lo, estimate.hi)))

    def estimate(self, estimate: Interval | None, digits: int = 3, *, signed: bool = False) -> str:
        """Write a value with its limits on one line: ``.843 [.826,.860]`` or ``0.843 (0.826 to 0.860)``."""
        if estimate is None:
            return NOT_MEASURED
        value = self.number(estimate.value, digits, signed=signed)
        limits = self.limits(estimate, digits, signed=signed)
        if not limits:
            return value
        return f"{value} ({self.no_limits})" if limits == NOT_MEASURED else self.after.format(value, limits)

    def difference(self, difference: Interval) -> str:
        """Write a difference and its limits with signs: ``+.033 [+.010,+.056]``."""
        return self.estimate(difference, signed=True)

    def p_value(self, p: float) -> str:
        """Write a p-value with three decimals, or that it is below `MIN_P`."""
        if math.isnan(p):
            return NOT_MEASURED
        return self.number(p) if p >= MIN_P else self.small_p

    def percent(self, fraction: float) -> str:
        """Write a fraction as a percentage: ``95 %``, ``0.1 %``."""
        return NOT_MEASURED if math.isnan(fraction) else f"{100.0 * fraction:.4g}{self.percent_sign}"

    @property
    def no_limits(self) -> str:
        """Text in place of limits that could not be computed."""
        return f"interval {NOT_MEASURED}" if self.leading_zero else NOT_MEASURED


COMPACT = Style(False, "-", "[{},{}]", "{} {}", " %", "<.001", "->")
"""For the terminal and Markdown, where a table row has to fit into 80 columns."""
PAGE = Style(True, MINUS, "{} to {}", "{} ({})", f"{GLUE}%", f"<{GLUE}0.001", "→")
"""For the HTML page."""


def of_hundred(fraction: float) -> str:
    """Write a fraction in [0, 1] as a count per hundred: a whole number from ten on, one decimal below, n/a for NaN."""
    if math.isnan(fraction):
        return NOT_MEASURED
    # Rounded to three decimals first, so that a sentence agrees with the tables: 0.0125 is 0.013 there and 1.3 here.
    return f"{100.0 * fraction:.0f}" if fraction >= 0.095 else f"{100.0 * float(f'{fraction:.3f}'):.1f}"


def p_text(p: float) -> str:
    """Write a p-value in a sentence: ``p = 0.012`` or ``p below 0.001``; p n/a for NaN."""
    if math.isnan(p):
        return f"p {NOT_MEASURED}"
    return f"p = {p:.2g}" if p >= MIN_P else f"p below {MIN_P:g}"


def seconds(value: float) -> str:
    """Write a duration such as ``8.3 s``, ``75 s``, ``12 min`` or ``2.5 h``."""
    if value < 10.0:
        return f"{value:.1f} s"
    if value < 100.0:
        return f"{value:.0f} s"
    return f"{value / 60.0:.0f} min" if value < 5400.0 else f"{value / 3600.0:.1f} h"


def counted(count: float, noun: str) -> str:
    """Write a count with its noun: ``1 image``, ``3 images``, ``2 canaries``."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}{'es' if noun.endswith('ss') else 's'}"
    return f"{count:g} {plural}" if count < 1e6 else f"{count:.0f} {plural}"


def listed(parts: list[str], last: str = "and") -> str:
    """Join names: ``a``, ``a and b``, ``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
