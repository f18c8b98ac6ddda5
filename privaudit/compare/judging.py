"""Whether the new run leaks more: the verdict, which determines the exit code."""

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

    Tested are AUROC and TPR at 1 % FPR of every attack, under the masks that a verdict rests on
    (`privaudit.evaluation.finding.TESTED_MASKS`). Without any change, a rise is found in at most 1 - confidence of all
    comparisons, and a fall in at most as many. A rise also requires that the interval of the new run is above chance,
    and a fall that the interval of the old run is.

    Returns:
        The differences with the outcome of their tests, and the number of differences that were tested.
    """
    error = 1.0 - options.confidence
    tested = [item for item in measured if item.metric in CHANCE and item.mask in TESTED_MASKS]
    rises = step_down([_lower(item) for item in tested], options.margin, error)
    falls = step_down([_negated_upper(item) for item in tested], options.margin, error)
    # By identity, because the facts of an estimate cannot be hashed.
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
                difference=item.difference_at(error / 2.0),  # two-sided, of this difference alone
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
    """Decide the verdict.

    Args:
        new: Report of the new run.
        changes: Differences, from `find_changes`.
        gates: Gates of either run.
        tests: Number of differences that were tested.
        sizes: Effective numbers of members and of non-members that were compared.
        options: Options of the comparison.

    Returns:
        ``inconclusive`` if a check of the new run failed, nothing could be tested, or so few images were compared that
        not even a rise from chance to perfect scores would have been shown; ``fail`` if a difference is beyond the
        margin or a gate that passed fails now; else ``pass``.
    """
    failed = [fact("new_check_failed", check=check.name) for check in failed_checks(new.checks)]
    worse = [_rise_of(change, options.margin) for change in changes if change.direction == "worse"]
    worse += [fact("gate_regressed", gate=gate.gate) for gate in gates if gate.regressed]
    if failed:  # before anything else: a failed check makes the numbers of the new run meaningless
        return RegressionVerdict("inconclusive", (*failed, *worse))
    if worse:
        return RegressionVerdict("fail", tuple(worse))
    if not tests:
        return RegressionVerdict("inconclusive", _why_untested(changes))
    members, nonmembers = sizes
    # "No rise shown" would be misleading if these images could not show any rise.
    if _is_too_small(tests, sizes, options):
        counts = {"members": float(members), "nonmembers": float(nonmembers)}
        return RegressionVerdict("inconclusive", (fact("perfect_rise_unnoticed", **counts, tests=tests),))
    return RegressionVerdict("pass", (fact("no_rise_shown", tests=tests, margin=options.margin),))


def _lower(item: MetricPair) -> Callable[[float], float]:
    return lambda error: item.difference_at(error).lo


def _negated_upper(item: MetricPair) -> Callable[[float], float]:
    """Lower limit of old minus new, so that `step_down` tests for a fall as it does for a rise."""
    return lambda error: -item.difference_at(error).hi


def _direction(item: MetricPair, rise: float, fall: float, margin: float) -> Direction:
    if math.isnan(rise):
        return "unmeasured"
    # A score that rises from below chance to chance reveals nothing about anyone.
    min_lower_limit = CHANCE[item.metric] + margin
    if rise > margin and item.new.lo > min_lower_limit:
        return "worse"
    return "better" if fall < -margin and item.old.lo > min_lower_limit else "unclear"


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


def _is_too_small(tests: int, sizes: tuple[float, float], options: CompareOptions) -> bool:
    """Whether the sets are too small to show even a rise of the AUROC from chance to 1."""
    from scipy.special import stdtrit  # keeps ``import privaudit`` fast

    members, nonmembers = sizes
    if min(sizes) <= 1.0:
        return True
    # Standard deviation of the AUROC of uninformative scores (Mann-Whitney). That of perfect scores is 0, so this is
    # also the standard deviation of the difference, 0.5. The quantile is negative; the result is the lower limit in the
    # first step of Holm's method.
    sd = math.sqrt((members + nonmembers + 1.0) / (12.0 * members * nonmembers))
    lower_limit = 0.5 + float(stdtrit(min(sizes) - 1.0, (1.0 - options.confidence) / tests)) * sd
    return lower_limit <= options.margin
