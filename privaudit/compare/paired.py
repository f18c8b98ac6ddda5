"""Differences of two models' scores of the same images.

AUROCs by DeLong's covariance of both runs' scores, rates by a bootstrap in which both runs see the same resampled
images (`privaudit.evaluation.metrics.compare`). Scores that were chosen or learned by cross-fitting vary more than
their images say, and so does the difference of two of them: its standard deviation is multiplied by the larger of both
runs' factors, as between two scores of one run. ``benchmarks/compare_runs.py`` measures how often the intervals hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privaudit.compare.compare_options import CompareOptions
from privaudit.compare.measuring import (
    FPR,
    At,
    Line,
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

TAIL = 10
"""Replicates beyond a limit from which on its quantile is read off; further out the tail is taken for a normal one."""

Scores = Mapping[Pair, NDArray[np.float64]]


def measure_paired(
    old: Scores, new: Scores, shared: Shared, lines: Sequence[Line], gates: Sequence[Gate], options: CompareOptions
) -> tuple[list[MetricPair], tuple[float, float]]:
    """Compare the scores of the same images."""
    fprs, found, sizes = compared_fprs(gates), [], (0.0, 0.0)
    for line in lines:
        evaluation = _evaluate(old, new, shared, line, fprs, options)
        sizes = evaluation.effective
        for name, mask, before, after in common_masks([line]):
            pair = _Pair(evaluation, ("old", mask), ("new", mask))
            own = evaluation.metrics[pair.old], evaluation.metrics[pair.new]
            shown = (before, after) if shared.complete else own
            found.append(MetricPair(name, mask, metric_name("auroc"), shown[0].auroc, shown[1].auroc, pair.auroc))
            for fpr in fprs:
                known = all(f"{fpr:g}" in metrics.tpr_at_fpr for metrics in shown)
                one, other = (rate_of(metrics, fpr) for metrics in (shown if known else own))
                found.append(MetricPair(name, mask, metric_name("tpr", fpr), one, other, pair.rate(fpr)))
            found += without_interval(name, mask, before, after, gates)
    return found, sizes


def _evaluate(
    old: Scores, new: Scores, shared: Shared, line: Line, fprs: Sequence[float], options: CompareOptions
) -> Evaluation[Pair]:
    name, before, after = line
    masks = [mask for _, mask, _, _ in common_masks([line])]
    return evaluate(
        {("old", mask): old[name, mask][shared.old] for mask in masks}
        | {("new", mask): new[name, mask][shared.new] for mask in masks},
        shared.is_member,
        np.zeros(len(shared.ids), dtype=np.int64),  # folds matter to epsilon alone, which is not taken from here
        fprs=fprs,
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        inflation={("old", mask): before.spread for mask in masks} | {("new", mask): after.spread for mask in masks},
        units=shared.units,
    )


@dataclass(frozen=True)
class _Pair:
    evaluation: Evaluation[Pair]
    old: Pair
    new: Pair

    def auroc(self, error: float) -> Difference:
        found = compare(self._with(error), self.new, self.old, FPR).auroc_delta
        same = found.value == 0.0 and found.p == 1.0 and np.isnan(found.lo)  # both runs rank all images alike
        return replace(found, lo=0.0, hi=0.0) if same else found

    def rate(self, fpr: float) -> At:
        return lambda error: self._rate(fpr, error)

    def _rate(self, fpr: float, error: float) -> Difference:
        from scipy.special import ndtri  # keeps ``import privaudit`` fast

        drawn, nan = self.evaluation.replicates, float("nan")
        seen = error if drawn is None else max(error, TAIL / (drawn.tpr.shape[-1] + 1))
        found = compare(self._with(seen), self.new, self.old, fpr).tpr_delta
        if why := unresolved(fpr, self.evaluation.effective[1], error):
            return replace(found, lo=nan, hi=nan, p=nan, reason=why)
        longer, value = float(ndtri(error) / ndtri(seen)), found.value
        return replace(found, lo=value - longer * (value - found.lo), hi=value + longer * (found.hi - value))

    def _with(self, error: float) -> Evaluation[Pair]:
        """The same evaluation, whose intervals have this error on either side."""
        return replace(self.evaluation, confidence=1.0 - 2.0 * error)
