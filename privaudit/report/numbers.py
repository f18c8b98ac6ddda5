"""Numbers in writing: one style per medium, and what every medium writes alike."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol

NOT_MEASURED = "n/a"
MINUS = "\N{MINUS SIGN}"
GLUE = "\N{NO-BREAK SPACE}"
"""Keeps a sign and its number on one line."""
MIN_P = 0.001
"""P-values below this are not told apart: 2000 replicates do not resolve them."""


class Interval(Protocol):
    """A value between two limits: an estimate, a rate or a difference."""

    @property
    def value(self) -> float:
        """The point estimate, or NaN."""

    @property
    def lo(self) -> float:
        """The lower limit, or NaN."""

    @property
    def hi(self) -> float:
        """The upper limit, or NaN."""


@dataclass(frozen=True)
class Style:
    """How a medium writes numbers; what was not measured is n/a everywhere.

    Attributes:
        leading_zero: Whether ``0.843`` or ``.843`` is written.
        minus: Sign of negative numbers.
        between: Both limits, with room for two numbers.
        after: A value and what follows it, with room for two texts.
        percent_sign: What follows a percentage.
        small_p: A p-value below `MIN_P`.
        arrow: What stands between a value and the one that it became.
    """

    leading_zero: bool
    minus: str
    between: str
    after: str
    percent_sign: str
    small_p: str
    arrow: str

    def number(self, value: float, digits: int = 3, *, signed: bool = False) -> str:
        """Write a number; zero has no sign, whatever was rounded to it."""
        if math.isnan(value):
            return NOT_MEASURED
        text = f"{value:{'+' if signed else ''}.{digits}f}"
        if not text.strip("+-0."):
            text = text.lstrip("+-")  # neither -0.000 nor +0.000
        if not self.leading_zero:
            text = re.sub(r"^([+-]?)0\.", r"\1.", text)
        return text.replace("-", self.minus)

    def limits(self, estimate: Interval, digits: int = 3, *, signed: bool = False) -> str:
        """Write the limits of a value; ``n/a`` without limits, empty without a value."""
        if math.isnan(estimate.value):
            return ""
        if math.isnan(estimate.lo) and math.isnan(estimate.hi):
            return NOT_MEASURED
        ends = (self.number(end, digits, signed=signed) for end in (estimate.lo, estimate.hi))
        return self.between.format(*ends)

    def estimate(self, estimate: Interval, digits: int = 3, *, signed: bool = False) -> str:
        """Write a value with its limits on one line: ``.843 [.826,.860]`` or ``0.843 (0.826 to 0.860)``."""
        value = self.number(estimate.value, digits, signed=signed)
        limits = self.limits(estimate, digits, signed=signed)
        if not limits:
            return value
        return f"{value} ({self.no_limits})" if limits == NOT_MEASURED else self.after.format(value, limits)

    def difference(self, difference: Interval) -> str:
        """Write a difference with its limits, with signs: ``+.033 [+.010,+.056]``."""
        return self.estimate(difference, signed=True)

    def p_value(self, p: float) -> str:
        """Write a p-value: three decimals, or that it is smaller than `MIN_P`."""
        if math.isnan(p):
            return NOT_MEASURED
        return self.number(p) if p >= MIN_P else self.small_p

    def p_equals(self, p: float) -> str:
        """Write a p-value after the letter: ``= 0.880`` or ``< 0.001``."""
        text = self.p_value(p)
        return text if math.isnan(p) or p < MIN_P else f"={GLUE}{text}"

    def percent(self, fraction: float) -> str:
        """Write a fraction as a percentage: ``95 %``, ``0.1 %``."""
        return NOT_MEASURED if math.isnan(fraction) else f"{100.0 * fraction:.4g}{self.percent_sign}"

    @property
    def no_limits(self) -> str:
        """What stands in place of limits that could not be given."""
        return f"interval {NOT_MEASURED}" if self.leading_zero else NOT_MEASURED


COMPACT = Style(False, "-", "[{},{}]", "{} {}", " %", "<.001", "->")
"""For the terminal and Markdown, where a row has to fit into 80 columns."""
PAGE = Style(True, MINUS, "{} to {}", "{} ({})", f"{GLUE}%", f"<{GLUE}0.001", "→")
"""For the page."""


def of_hundred(fraction: float) -> str:
    """Write a fraction as so many of a hundred.

    Args:
        fraction: In [0, 1], or NaN.

    Returns:
        Whole ones from ten on. Below, one decimal of what tables with three decimals have: 0.0125 is 1.3 here and
        0.013 there. n/a for NaN.
    """
    if math.isnan(fraction):
        return NOT_MEASURED
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
    """Write a number of things: ``1 image``, ``3 images``, ``2 canaries``."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:g} {plural}" if count < 1e6 else f"{count:.0f} {plural}"


def listed(parts: list[str], last: str = "and") -> str:
    """Join names: ``a``, ``a and b``, ``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
