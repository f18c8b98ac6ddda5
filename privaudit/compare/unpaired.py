"""The difference of two estimates from other images, of which no more is known than their intervals.

With intervals (l, u) of either estimate, the limits of the difference are

    new - old - sqrt((new - l_new)^2 + (u_old - old)^2)    and    new - old + sqrt((u_new - new)^2 + (old - l_old)^2)

(Zou and Donner 2008, "Construction of confidence limits about effect measures", Statistics in Medicine 27:1693). Each
term is the distance at which the one estimate alone would stop to agree with the data. Of scores that rise and fall
together the interval is wider than need be, never narrower.
Differs from the paper: at another error probability than that of the given intervals, distances are scaled like normal
quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from privaudit.compare.measuring import (
    Line,
    MetricPair,
    common_masks,
    compared_fprs,
    metric_name,
    rate_of,
    without_interval,
)
from privaudit.evaluation.estimate import Difference, Estimate
from privaudit.evaluation.facts import fact
from privaudit.evaluation.gates import Gate
from privaudit.results.audit_result import AuditResult


def unpaired_difference(
    old: Estimate, new: Estimate, error: float, confidences: tuple[float, float] = (0.95, 0.95)
) -> Difference:
    """Limit the difference of two independent estimates.

    Returns:
        New minus old; NaN limits with a reason where one of the two has no interval or the intervals have no width.
    """
    from scipy.special import ndtr, ndtri  # keeps ``import privaudit`` fast

    nan, value = float("nan"), new.value - old.value
    if math.isnan(old.lo + old.hi + new.lo + new.hi + value):
        missing = next((each.reason for each in (old, new) if each.reason), fact("not_measured_in_both"))
        return Difference(value, nan, nan, nan, missing)
    z_old, z_new = (-float(ndtri((1.0 - confidence) / 2.0)) for confidence in confidences)
    below = math.hypot((new.value - new.lo) / z_new, (old.hi - old.value) / z_old)
    above = math.hypot((new.hi - new.value) / z_new, (old.value - old.lo) / z_old)
    towards_zero = below if value > 0 else above
    if towards_zero == 0.0:
        return Difference(value, nan, nan, nan, fact("interval_without_width"))
    z = -float(ndtri(error))
    p = 2.0 * float(ndtr(-abs(value) / towards_zero))
    return Difference(value, value - z * below, value + z * above, p, fact("runs_not_paired"))


def measure_unpaired(
    old: AuditResult, new: AuditResult, lines: Sequence[Line], gates: Sequence[Gate]
) -> tuple[list[MetricPair], tuple[float, float]]:
    """Compare the estimates of two reports."""
    confidences = tuple(float(result.config.get("confidence", 0.95)) for result in (old, new))

    def measured(name: str, mask: str, metric: str, one: Estimate, other: Estimate) -> MetricPair:
        at = partial(unpaired_difference, one, other, confidences=(confidences[0], confidences[1]))
        return MetricPair(name, mask, metric, one, other, at)

    found = []
    for name, mask, before, after in common_masks(lines):
        found.append(measured(name, mask, metric_name("auroc"), before.auroc, after.auroc))
        for fpr in compared_fprs(gates):
            found.append(measured(name, mask, metric_name("tpr", fpr), rate_of(before, fpr), rate_of(after, fpr)))
        found += without_interval(name, mask, before, after, gates)
    members = min(old.data.positives, new.data.positives)
    return found, (float(members), float(min(old.data.nonmembers, new.data.nonmembers)))
