"""Differences between the scores of two models on the same images.

AUROCs are compared by DeLong's covariance of both runs' scores, rates by a bootstrap that resamples the same images for
both runs (`privaudit.evaluation.metrics.compare`). The variance over images underestimates that of scores that were
chosen or learned by cross-fitting, and that of their difference. The standard deviation of the difference is therefore
multiplied by the larger of the two runs' factors, as between two scores of one run. ``benchmarks/compare_runs.py``
measures how often the intervals hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privaudit.compare.compare_options import CompareOptions
from privaudit.compare.measuring import (
    FPR,
    AttackPair,
    DifferenceAt,
    MetricPair,
    common_masks,
    compared_fprs,
    metric_name,
    rate_of,
    without_interval,
)
from privaudit.compare.pairing import Shared
from privaudit.evaluation import compare, evaluate
from privaudit.evaluation.estimate import Difference
from privaudit.evaluation.finding import Pair
from privaudit.evaluation.gates import Gate
from privaudit.evaluation.metrics import Evaluation
from privaudit.evaluation.rate import unresolved

MIN_TAIL_REPLICATES = 10
"""Minimum number of replicates beyond a limit that is their quantile; further out, a normal tail is assumed."""

Scores = Mapping[Pair, NDArray[np.float64]]


def measure_paired(
    old: Scores,
    new: Scores,
    shared: Shared,
    attacks: Sequence[AttackPair],
    gates: Sequence[Gate],
    options: CompareOptions,
) -> tuple[list[MetricPair], tuple[float, float]]:
    """Compare the scores of both runs on the same images.

    Args:
        old: Scores of the old run, by attack and mask.
        new: Scores of the new run, by attack and mask.
        shared: Images that both runs scored.
        attacks: Attacks to compare.
        gates: Gates of either run, whose metrics are compared in addition.
        options: Options of the comparison.

    Returns:
        One entry per attack, mask and metric; the effective numbers of members and of non-members.
    """
    fprs, pairs, sizes = compared_fprs(gates), [], (0.0, 0.0)
    for attack in attacks:
        evaluation = _evaluate(old, new, shared, attack, fprs, options)
        sizes = evaluation.effective  # the same for every attack, since all are evaluated on the same images
        for name, mask, before, after in common_masks([attack]):
            scores = _ScorePair(evaluation, ("old", mask), ("new", mask))
            recomputed = evaluation.metrics[scores.old], evaluation.metrics[scores.new]
            # On all images of both runs, show the numbers of their reports rather than new bootstrap limits.
            shown = (before, after) if shared.complete else recomputed
            pairs.append(MetricPair(name, mask, metric_name("auroc"), shown[0].auroc, shown[1].auroc, scores.auroc))
            for fpr in fprs:
                # A run whose gates do not use this rate may not have reported it.
                reported = all(f"{fpr:g}" in metrics.tpr_at_fpr for metrics in shown)
                one, other = (rate_of(metrics, fpr) for metrics in (shown if reported else recomputed))
                pairs.append(MetricPair(name, mask, metric_name("tpr", fpr), one, other, scores.rate(fpr)))
            pairs += without_interval(name, mask, before, after, gates)
    return pairs, sizes


def _evaluate(
    old: Scores, new: Scores, shared: Shared, attack: AttackPair, fprs: Sequence[float], options: CompareOptions
) -> Evaluation[Pair]:
    """Evaluate the scores of one attack in both runs jointly, named by run and mask."""
    name, before, after = attack
    masks = [mask for _, mask, _, _ in common_masks([attack])]
    return evaluate(
        {("old", mask): old[name, mask][shared.old] for mask in masks}
        | {("new", mask): new[name, mask][shared.new] for mask in masks},
        shared.is_member,
        np.zeros(len(shared.ids), dtype=np.int64),  # only epsilon needs folds, and it is not used here
        fprs=fprs,
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        inflation={("old", mask): before.spread for mask in masks} | {("new", mask): after.spread for mask in masks},
        units=shared.units,
    )


@dataclass(frozen=True)
class _ScorePair:
    """The scores of one attack under one mask in both runs.

    Attributes:
        evaluation: Joint evaluation of all scores of the attack.
        old: Name of the old score in it.
        new: Name of the new score in it.
    """

    evaluation: Evaluation[Pair]
    old: Pair
    new: Pair

    def auroc(self, error: float) -> Difference:
        """Difference of the AUROCs, with limits at a one-sided error probability."""
        difference = compare(self._with_error(error), self.new, self.old, FPR).auroc_delta
        # Both runs rank all images alike: the variance is 0 and the difference is known to be 0.
        identical = difference.value == 0.0 and difference.p == 1.0 and np.isnan(difference.lo)
        return replace(difference, lo=0.0, hi=0.0) if identical else difference

    def rate(self, fpr: float) -> DifferenceAt:
        """Function from a one-sided error probability to the difference of the rates at a false-positive rate."""
        return lambda error: self._rate(fpr, error)

    def _rate(self, fpr: float, error: float) -> Difference:
        from scipy.special import ndtri  # keeps ``import privaudit`` fast

        replicates, nan = self.evaluation.replicates, float("nan")
        # Holm's method may ask for an error so small that few replicates lie beyond the limit. Read the limit at an
        # error that the replicates resolve, and extend its distance from the value by the ratio of normal quantiles.
        read_at = error
        if replicates is not None:
            read_at = max(error, MIN_TAIL_REPLICATES / (replicates.tpr.shape[-1] + 1))
        difference = compare(self._with_error(read_at), self.new, self.old, fpr).tpr_delta
        if reason := unresolved(fpr, self.evaluation.effective[1], error):
            return replace(difference, lo=nan, hi=nan, p=nan, reason=reason)
        stretch, value = float(ndtri(error) / ndtri(read_at)), difference.value
        return replace(
            difference,
            lo=value - stretch * (value - difference.lo),
            hi=value + stretch * (difference.hi - value),
        )

    def _with_error(self, error: float) -> Evaluation[Pair]:
        """The evaluation, with intervals that have this error probability on either side."""
        return replace(self.evaluation, confidence=1.0 - 2.0 * error)
