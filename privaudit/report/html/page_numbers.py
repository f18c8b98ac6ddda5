"""Numbers as the page writes them: with their interval, and n/a instead of what was not measured."""

from __future__ import annotations

import math
from typing import Protocol

NOT_MEASURED = "n/a"
MINUS = "\N{MINUS SIGN}"
GLUE = "\N{NO-BREAK SPACE}"
"""Keeps a sign and its number on one line."""


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


def decimal(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """Write a number.

    Returns:
        Such as ``0.963``, ``+0.021`` or ``n/a``, with a minus sign as wide as a plus; zero has no sign.
    """
    if math.isnan(value):
        return NOT_MEASURED
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if not text.strip("+-0."):
        return text.lstrip("+-")  # neither -0.000 nor +0.000
    return text.replace("-", MINUS)


def between(estimate: Interval, digits: int = 3, *, signed: bool = False) -> str:
    """Write the limits of a value.

    Returns:
        Such as ``0.952 to 0.972``; ``interval n/a`` where there is a value without limits; empty without a value.
    """
    if math.isnan(estimate.value):
        return ""
    if math.isnan(estimate.lo) and math.isnan(estimate.hi):
        return f"interval {NOT_MEASURED}"
    return f"{decimal(estimate.lo, digits, signed=signed)} to {decimal(estimate.hi, digits, signed=signed)}"


def with_interval(estimate: Interval, digits: int = 3, *, signed: bool = False) -> str:
    """Write a value and its limits on one line."""
    limits = between(estimate, digits, signed=signed)
    value = decimal(estimate.value, digits, signed=signed)
    return f"{value} ({limits})" if limits else value


def probability(p: float) -> str:
    """Write a p-value.

    Args:
        p: In [0, 1], or NaN.

    Returns:
        Such as ``0.012`` or ``≤ 0.001``, the least that 2000 replicates can show; n/a for NaN.
    """
    if math.isnan(p):
        return NOT_MEASURED
    return f"{p:.3f}" if p > 0.001 else f"≤{GLUE}0.001"


def equals(p: float) -> str:
    """Write a p-value after the letter: ``= 0.88``, ``≤ 0.001`` or n/a."""
    text = probability(p)
    return text if text.startswith("≤") or math.isnan(p) else f"={GLUE}{text}"


def percent(share: float) -> str:
    """Write a share such as ``1 %`` or ``0.1 %``; n/a for NaN."""
    return NOT_MEASURED if math.isnan(share) else f"{100.0 * share:.3g}{GLUE}%"


def seconds(value: float) -> str:
    """Write a duration such as ``8.3 s``, ``75 s`` or ``12 min``."""
    if value >= 600.0:
        return f"{value / 60.0:.0f} min"
    return f"{value:.1f} s" if value < 10.0 else f"{value:.0f} s"
