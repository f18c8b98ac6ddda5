"""Whether the new run leaks more: one verdict, from which the exit code follows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from privaudit.compare.compare_options import CompareOptions
from privaudit.compare.comparison import Change, Direction, GateChange, RegressionVerdict
from privaudit.compare.holm import step_down
from privaudit.compare.measuring import CHANCE, MetricPair
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.finding import TESTED_MASKS, failed_checks
from privaudit.results.audit_result import AuditResult


def find_changes(measured: Sequence[MetricPair], options: CompareOptions) -> tuple[tuple[Change, ...], int]:
    """Test all differences together, once for a rise beyond the margin and once for a fall.

    What is tested is AUROC and TPR at 1 % FPR of every attack, under the masks that a verdict rests on
    (`privaudit.evaluation.finding.TESTED_MASKS`). Without any change a rise is found in at most 1 - confidence of
    comparisons, and a fall in as many. More leaks only if the new run's interval is above chance, too, and less only if
    the old run's is.

    Returns:
        The same with what came out, and how many differences were tested.
    """
    error = 1.0 - options.confidence
    tested = [item for item in measured if item.metric in CHANCE and item.mask in TESTED_MASKS]
    rises = step_down([_lower(item) for item in tested], options.margin, error)
    falls = step_down([_negated_upper(item) for item in tested], options.margin, error)
    limits = {id(item): (rise, -fall) for item, rise, fall in zip(tested, rises, falls, strict=True)}
    changes = []
    for item in measured:
        rise, fall = limits.get(id(item), (float("nan"), float("nan")))
        changes.append(
            Change(
                attack=item.attack,
                mask=item.mask,
                metric=item.metric,
                old=item.old,
                new=item.new,
                difference=item.at(error / 2.0),
                rise=rise,
                fall=fall,
                tested=not math.isnan(rise),
                direction=_direction(item, rise, fall, options.margin),
            )
        )
    return tuple(changes), sum(not math.isnan(rise) for rise in rises)


def judge(
    new: AuditResult,
    changes: Sequence[Change],
    gates: Sequence[GateChange],
    tests: int,
    sizes: tuple[float, float],
    options: CompareOptions,
) -> RegressionVerdict:
    """Turn differences into a verdict.

    Returns:
        ``inconclusive`` if a check of the new run failed, nothing could be tested, or so few images were compared that
        not even a step from chance to scores without an error would have shown; ``fail`` if a difference is beyond the
        margin or a gate that passed fails; else ``pass``.
    """
    broken = [fact("new_check_failed", check=check.name) for check in failed_checks(new.checks)]
    worse = [_rise_of(change, options.margin) for change in changes if change.direction == "worse"]
    worse += [fact("gate_regressed", gate=gate.gate) for gate in gates if gate.regressed]
    if broken:
        return RegressionVerdict("inconclusive", (*broken, *worse))
    if worse:
        return RegressionVerdict("fail", tuple(worse))
    if not tests:
        return RegressionVerdict("inconclusive", _why_untested(changes))
    members, nonmembers = sizes
    if _is_hopeless(tests, sizes, options):
        few = {"members": float(members), "nonmembers": float(nonmembers)}
        return RegressionVerdict("inconclusive", (fact("perfect_rise_unnoticed", **few, tests=tests),))
    return RegressionVerdict("pass", (fact("no_rise_shown", tests=tests, margin=options.margin),))


def _lower(item: MetricPair) -> Callable[[float], float]:
    return lambda error: item.at(error).lo


def _negated_upper(item: MetricPair) -> Callable[[float], float]:
    return lambda error: -item.at(error).hi


def _direction(item: MetricPair, rise: float, fall: float, margin: float) -> Direction:
    if math.isnan(rise):
        return "unmeasured"
    least = CHANCE[item.metric] + margin  # a score that rises from below chance to chance gives no one away
    if rise > margin and item.new.lo > least:
        return "worse"
    return "better" if fall < -margin and item.old.lo > least else "unclear"


def _rise_of(change: Change, margin: float) -> Fact:
    return fact(
        "metric_rose",
        attack=change.attack,
        mask=change.mask,
        metric=change.metric,
        old=change.old.value,
        new=change.new.value,
        rise=change.rise,
        margin=margin,
    )


def _why_untested(changes: Sequence[Change]) -> tuple[Fact, ...]:
    if not changes:
        return (fact("nothing_in_common"),)
    reasons = (change.difference.reason for change in changes)
    return (fact("nothing_tested"), next(filter(None, reasons), fact("not_measured")))


def _is_hopeless(tests: int, sizes: tuple[float, float], options: CompareOptions) -> bool:
    """Whether an AUROC that rises from chance to 1 would go unnoticed."""
    from scipy.special import stdtrit  # keeps ``import privaudit`` fast

    members, nonmembers = sizes
    if min(sizes) <= 1.0:
        return True
    sd = math.sqrt((members + nonmembers + 1.0) / (12.0 * members * nonmembers))  # of scores that say nothing
    least = 0.5 + float(stdtrit(min(sizes) - 1.0, (1.0 - options.confidence) / tests)) * sd
    return least <= options.margin
