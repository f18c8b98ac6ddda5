"""What is compared of two runs, whether or not it can be paired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from privaudit.evaluation.estimate import Difference, Estimate, Metrics
from privaudit.evaluation.facts import fact
from privaudit.evaluation.gates import Gate
from privaudit.results.audit_result import AttackReport

FPR = 0.01
"""False-positive rate of the true-positive rate that is tested next to the AUROC."""

At = Callable[[float], Difference]
Line = tuple[str, AttackReport, AttackReport]
"""Name of an attack, and what the old and the new run report of it."""


@dataclass(frozen=True)
class MetricPair:
    """One metric of one attack under one mask in both runs.

    Attributes:
        attack: Its name.
        mask: The mask.
        metric: Name of the metric for readers.
        old: Value in the old run.
        new: Value in the new run.
        at: Function from a one-sided error probability to the difference, new minus old, with both limits at it.
    """

    attack: str
    mask: str
    metric: str
    old: Estimate
    new: Estimate
    at: At


def metric_name(metric: str, fpr: float | None = None) -> str:
    """What a reader calls a metric: ``auroc``, ``tpr@1%fpr``."""
    return metric if fpr is None else f"{metric}@{100 * fpr:g}%fpr"


CHANCE = {metric_name("auroc"): 0.5, metric_name("tpr", FPR): FPR}
"""What is tested for a regression, and what scores that say nothing reach."""


def compared_fprs(gates: Sequence[Gate]) -> tuple[float, ...]:
    """List the false-positive rates at which runs are compared: `FPR`, and what gates look at."""
    return tuple(dict.fromkeys([FPR, *(gate.fpr for gate in gates if gate.fpr is not None)]))


def common_masks(lines: Sequence[Line]) -> Iterator[tuple[str, str, Metrics, Metrics]]:
    """Go through attacks and the masks that both runs have: name, mask, metrics of the old and the new run."""
    for name, old, new in lines:
        for mask, metrics in new.masks.items():
            if mask in old.masks:
                yield name, mask, old.masks[mask], metrics


def rate_of(metrics: Metrics, fpr: float) -> Estimate:
    """Read a true-positive rate."""
    rate = metrics.tpr_at_fpr.get(f"{fpr:g}")
    if rate is None:
        nan = float("nan")
        return Estimate(nan, nan, nan, fact("rate_not_evaluated", fpr=fpr))
    return Estimate(rate.value, rate.lo, rate.hi, rate.reason)


def without_interval(name: str, mask: str, old: Metrics, new: Metrics, gates: Sequence[Gate]) -> list[MetricPair]:
    """What gates look at and no interval of a difference is known for."""
    looked_at = {gate.metric for gate in gates}
    found = []
    if "advantage" in looked_at:
        found.append(_bare(name, mask, "advantage", old.advantage, new.advantage))
    if "epsilon" in looked_at:
        found.append(_bare(name, mask, "epsilon", _epsilon(old), _epsilon(new)))
    return found


def _epsilon(metrics: Metrics) -> Estimate:
    nan = float("nan")
    return Estimate(metrics.epsilon_lower.value, nan, nan, metrics.epsilon_lower.reason)


def _bare(name: str, mask: str, metric: str, old: Estimate, new: Estimate) -> MetricPair:
    nan = float("nan")
    difference = Difference(new.value - old.value, nan, nan, nan, fact("no_interval_for_metric"))
    return MetricPair(name, mask, metric, old, new, lambda error: difference)
