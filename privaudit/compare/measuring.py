"""Metrics that are compared between two runs, for paired and unpaired comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from privaudit.evaluation.estimate import Difference, Estimate, Metrics
from privaudit.evaluation.facts import fact
from privaudit.evaluation.gates import Gate
from privaudit.results.audit_result import AttackReport

FPR = 0.01
"""False-positive rate at which the true-positive rate is tested, in addition to the AUROC."""

DifferenceAt = Callable[[float], Difference]
"""Function from a one-sided error probability to a difference with both limits at that error."""
AttackPair = tuple[str, AttackReport, AttackReport]
"""Name of an attack, its report in the old run and its report in the new run."""


@dataclass(frozen=True)
class MetricPair:
    """One metric of one attack under one mask in both runs.

    Attributes:
        attack: Name of the attack.
        mask: Name of the mask.
        metric: Name of the metric, from `metric_name`.
        old: Value in the old run.
        new: Value in the new run.
        difference_at: Function that returns the difference, new minus old, at a one-sided error probability.
    """

    attack: str
    mask: str
    metric: str
    old: Estimate
    new: Estimate
    difference_at: DifferenceAt


def metric_name(metric: str, fpr: float | None = None) -> str:
    """Name of a metric as in a gate: ``auroc``, ``tpr@1%fpr``."""
    return metric if fpr is None else f"{metric}@{100 * fpr:g}%fpr"


CHANCE = {metric_name("auroc"): 0.5, metric_name("tpr", FPR): FPR}
"""Metrics that are tested for a regression, and their values for uninformative scores."""


def compared_fprs(gates: Sequence[Gate]) -> tuple[float, ...]:
    """List the false-positive rates at which runs are compared: `FPR`, and those of the gates."""
    return tuple(dict.fromkeys([FPR, *(gate.fpr for gate in gates if gate.fpr is not None)]))


def common_masks(attacks: Sequence[AttackPair]) -> Iterator[tuple[str, str, Metrics, Metrics]]:
    """Iterate over attacks and the masks that both runs have: attack, mask, old metrics and new metrics."""
    for name, old, new in attacks:
        for mask, metrics in new.masks.items():
            if mask in old.masks:
                yield name, mask, old.masks[mask], metrics


def rate_of(metrics: Metrics, fpr: float) -> Estimate:
    """Return the true-positive rate at a false-positive rate; NaN with a reason if it was not evaluated."""
    rate = metrics.tpr_at_fpr.get(f"{fpr:g}")
    if rate is None:
        nan = float("nan")
        return Estimate(nan, nan, nan, fact("rate_not_evaluated", fpr=fpr))
    return Estimate(rate.value, rate.lo, rate.hi, rate.reason)


def without_interval(name: str, mask: str, old: Metrics, new: Metrics, gates: Sequence[Gate]) -> list[MetricPair]:
    """List the metrics of gates whose differences have no known interval; they are shown and not tested."""
    gate_metrics = {gate.metric for gate in gates}
    pairs = []
    if "advantage" in gate_metrics:
        pairs.append(_pair_without_interval(name, mask, "advantage", old.advantage, new.advantage))
    if "epsilon" in gate_metrics:
        pairs.append(_pair_without_interval(name, mask, "epsilon", _epsilon(old), _epsilon(new)))
    return pairs


def _epsilon(metrics: Metrics) -> Estimate:
    nan = float("nan")
    return Estimate(metrics.epsilon_lower.value, nan, nan, metrics.epsilon_lower.reason)


def _pair_without_interval(name: str, mask: str, metric: str, old: Estimate, new: Estimate) -> MetricPair:
    nan = float("nan")
    difference = Difference(new.value - old.value, nan, nan, nan, fact("no_interval_for_metric"))
    return MetricPair(name, mask, metric, old, new, lambda error: difference)
