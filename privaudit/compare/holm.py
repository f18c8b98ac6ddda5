"""Simultaneous confidence limits: Holm's method applied to limits instead of p-values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def step_down(limits: Sequence[Callable[[float], float]], threshold: float, error: float) -> list[float]:
    """Compute the lower limit of every test at the error probability that Holm's method assigns to it.

    With m open tests, each limit is computed at error / m. Tests whose limit exceeds the threshold are closed, which
    leaves a larger error for the others (Holm 1979). This equals Holm's method on the p-values that the limits invert.

    Args:
        limits: One function per test, from an error probability to a lower limit. A smaller error gives a lower limit,
            or NaN if the limit cannot be resolved.
        threshold: Value that a limit has to exceed.
        error: Joint error probability of all limits that exceed the threshold.

    Returns:
        One limit per test; NaN for a test that cannot be resolved at its error, which does not count as a test.
    """
    adjusted = [float("nan")] * len(limits)
    remaining = [test for test, limit in enumerate(limits) if not math.isnan(limit(error))]
    while remaining:
        current = {test: limits[test](error / len(remaining)) for test in remaining}
        resolved = [test for test in remaining if not math.isnan(current[test])]
        # An unresolved test cannot exceed the threshold, so it needs no part of the error. Drop it before any test of
        # this step is closed, and compute the others again at the larger error.
        if len(resolved) < len(remaining):
            remaining = resolved
            continue
        for test in remaining:
            adjusted[test] = current[test]
        beyond = {test for test in remaining if current[test] > threshold}
        # Holm stops at the first step that closes no test.
        remaining = [test for test in remaining if test not in beyond] if beyond else []
    return adjusted
