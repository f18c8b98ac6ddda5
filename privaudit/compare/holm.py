"""Limits that hold together: Holm's method on limits instead of p-values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def step_down(limits: Sequence[Callable[[float], float]], threshold: float, error: float) -> list[float]:
    """Give every lower limit at the error probability that it is held to.

    With m tests left each is held to its limit at error / m; those beyond the threshold are settled and leave, which
    relaxes the rest (Holm 1979). It is Holm's method on the p-values whose inversion the limits are.

    Args:
        limits: Functions from an error probability to a lower limit, which falls as it does; NaN where it cannot be
            resolved.
        threshold: What a limit has to exceed.
        error: Joint error probability of all limits that exceed the threshold.

    Returns:
        One limit a test, NaN for those that cannot be resolved at the error that is left for them: they do not count.
    """
    settled = [float("nan")] * len(limits)
    left = [test for test, limit in enumerate(limits) if not math.isnan(limit(error))]
    while left:
        now = {test: limits[test](error / len(left)) for test in left}
        resolved = [test for test in left if not math.isnan(now[test])]
        if len(resolved) < len(left):
            left = resolved
            continue
        for test in left:
            settled[test] = now[test]
        beyond = {test for test in left if now[test] > threshold}
        left = [test for test in left if test not in beyond] if beyond else []
    return settled
