"""Difference of two estimates from different images, computed from their confidence intervals alone.

With intervals (l, u) of either estimate, the limits of the difference are

    new - old - sqrt((new - l_new)^2 + (u_old - old)^2)    and    new - old + sqrt((u_new - new)^2 + (old - l_old)^2)

(Zou and Donner 2008, "Construction of confidence limits about effect measures", Statistics in Medicine 27:1693). Each
term is the distance from one estimate to its own limit. For positively correlated scores the interval is wider than
necessary, never narrower.
Differs from the paper: at an error probability other than that of the two intervals, distances are scaled by the ratio
of normal quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from privaudit.compare.measuring import (
    AttackPair,
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
    """Compute the difference of two independent estimates and its limits.

    Args:
        old: Estimate of the old run with its interval.
        new: Estimate of the new run with its interval.
        error: One-sided error probability of the limits.
        confidences: Confidence levels of the old and the new interval.

    Returns:
        New minus old; NaN limits with a reason if one of the two has no interval or both intervals have no width.
    """
    from scipy.special import ndtr, ndtri  # keeps ``import privaudit`` fast

    nan, value = float("nan"), new.value - old.value
    if math.isnan(old.lo + old.hi + new.lo + new.hi + value):  # any of them is NaN
        missing = next((each.reason for each in (old, new) if each.reason), fact("not_measured_in_both"))
        return Difference(value, nan, nan, nan, missing)
    z_old, z_new = (-float(ndtri((1.0 - confidence) / 2.0)) for confidence in confidences)
    # Distances from the difference to its limits, in units of the normal quantile of one-sided error.
    below = math.hypot((new.value - new.lo) / z_new, (old.hi - old.value) / z_old)
    above = math.hypot((new.hi - new.value) / z_new, (old.value - old.lo) / z_old)
    towards_zero = below if value > 0 else above  # the limit between the difference and 0 decides the p-value
    if towards_zero == 0.0:
        return Difference(value, nan, nan, nan, fact("interval_without_width"))
    z = -float(ndtri(error))
    p = 2.0 * float(ndtr(-abs(value) / towards_zero))
    return Difference(value, value - z * below, value + z * above, p, fact("runs_not_paired"))


def measure_unpaired(
    old: AuditResult, new: AuditResult, attacks: Sequence[AttackPair], gates: Sequence[Gate]
) -> tuple[list[MetricPair], tuple[float, float]]:
    """Compare the estimates of two reports.

    Args:
        old: Report of the old run.
        new: Report of the new run.
        attacks: Attacks to compare.
        gates: Gates of either run, whose metrics are compared in addition.

    Returns:
        One entry per attack, mask and metric; the numbers of members and of non-members in the smaller of both runs.
    """
    confidences = tuple(float(result.config.get("confidence", 0.95)) for result in (old, new))

    def paired(name: str, mask: str, metric: str, one: Estimate, other: Estimate) -> MetricPair:
        difference_at = partial(unpaired_difference, one, other, confidences=(confidences[0], confidences[1]))
        return MetricPair(name, mask, metric, one, other, difference_at)

    pairs = []
    for name, mask, before, after in common_masks(attacks):
        pairs.append(paired(name, mask, metric_name("auroc"), before.auroc, after.auroc))
        for fpr in compared_fprs(gates):
            pairs.append(paired(name, mask, metric_name("tpr", fpr), rate_of(before, fpr), rate_of(after, fpr)))
        pairs += without_interval(name, mask, before, after, gates)
    members = min(old.data.positives, new.data.positives)
    return pairs, (float(members), float(min(old.data.nonmembers, new.data.nonmembers)))
