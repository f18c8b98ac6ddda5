"""What every report of a comparison says in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from privaudit.compare import Change, ComparisonResult
from privaudit.evaluation.verdict import TESTED_MASKS
from privaudit.report.design_words import WORDS
from privaudit.report.numbers import difference_text, number_text, percent

SHOWN = 3
"""Differences that are told in words, in either direction."""
DIRECTIONS = {"worse": "worse", "better": "better", "unclear": "", "unmeasured": ""}


def headline(result: ComparisonResult) -> str:
    """Sum up a comparison in a few words, in capitals."""
    rises = bool(risen(result)) or any(gate.regressed for gate in result.gates)
    if result.verdict.status == "inconclusive":
        return "INCONCLUSIVE"
    subject = WORDS[result.new.design].subject
    if rises:
        return f"{subject} MORE{', AND LESS ELSEWHERE' if fallen(result) else ''}"
    if fallen(result):
        return f"{subject} LESS"
    same = "NOTHING CHANGED" if unchanged(result) else "NO CHANGE SHOWN"
    return f"{same} (GATES DIFFER)" if gates_differ(result) else same


def gates_differ(result: ComparisonResult) -> bool:
    """Whether the runs were held to other gates, or a gate came out in another way."""
    return any(gate.old != gate.new for gate in result.gates)


def unchanged(result: ComparisonResult) -> bool:
    """Whether nothing that was measured in both runs differs by what three decimals show."""
    differences = [change.difference.value for change in result.changes if not math.isnan(change.difference.value)]
    return bool(differences) and all(abs(difference) < 0.0005 for difference in differences)


def risen(result: ComparisonResult) -> list[Change]:
    """Differences that are worse, the largest first."""
    return sorted((c for c in result.changes if c.direction == "worse"), key=lambda c: -c.rise)


def fallen(result: ComparisonResult) -> list[Change]:
    """Differences that are better, the largest first."""
    return sorted((c for c in result.changes if c.direction == "better"), key=lambda c: c.fall)


def lead(result: ComparisonResult) -> tuple[str, ...]:
    """Say what came out, the worst first."""
    up, down = risen(result), fallen(result)
    found = list(result.verdict.reasons) if result.verdict.status == "inconclusive" else []
    beyond = f" by more than {number_text(result.margin)}" if result.margin else ""
    if strongest := _strongest(result):
        found.append(strongest)
    if result.tests:
        found.append(
            f"Of {result.tests} differences tested together, {len(up)} got worse and {len(down)} better{beyond} "
            f"({percent(result.confidence)} confidence for all of them)."
        )
    told_up, told_down = (_by_attack(changes)[:SHOWN] for changes in (up, down))
    found += [f"worse   {told(change)}" for change in told_up]
    found += [
        f"worse   gate {gate.gate} passed and fails now: {gate.detail}" for gate in result.gates if gate.regressed
    ]
    found += [f"better  {told(change)}" for change in told_down]
    hidden = len(up) + len(down) - len(told_up) - len(told_down)
    return (*found, f"{hidden} more below.") if hidden else tuple(found)


def _strongest(result: ComparisonResult) -> str | None:
    """What the best score of the new run reaches, and what it reached before."""
    known = [c for c in result.changes if c.mask in TESTED_MASKS and not math.isnan(c.new.value)]
    if not any(change.metric == "auroc" for change in known):
        return None
    best = max((c for c in known if c.metric == "auroc"), key=lambda change: change.new.value)
    numbers = [
        f"{metric_text(c.metric)} {number_text(c.new.value)} (was {number_text(c.old.value)})"
        for c in known
        if (c.attack, c.mask) == (best.attack, best.mask)
    ]
    left_out = [item.attack for item in result.not_compared]
    of = f" of those compared ({', '.join(left_out)} {'is' if len(left_out) == 1 else 'are'} not)" if left_out else ""
    return f"Strongest now{of} is {best.attack}/{best.mask}: {', '.join(numbers)}."


def _by_attack(changes: list[Change]) -> list[Change]:
    """The largest difference of each attack and metric: masks of one attack tell much the same."""
    return list({(change.attack, change.metric): change for change in reversed(changes)}.values())[::-1]


def table_title(result: ComparisonResult, metric: str) -> str:
    """Say what a table holds: ``AUROC, 95 % intervals, paired``."""
    if all(math.isnan(change.difference.lo) for change in result.changes if change.metric == metric):
        return f"{metric_text(metric)}, without intervals of the differences"
    kind = "paired" if result.pairing.paired else "not paired"
    return f"{metric_text(metric)}, {percent(result.confidence)} intervals, {kind}"


def told(change: Change) -> str:
    """One difference in a line: ``TPR@1%FPR of sima/none .120 -> .344, +.224 [+.180,+.268]``."""
    return (
        f"{metric_text(change.metric)} of {change.attack}/{change.mask} {number_text(change.old.value)} -> "
        f"{number_text(change.new.value)}, {difference_text(change.difference)}"
    )


def metric_text(metric: str) -> str:
    """Name of a metric as every table writes it: ``AUROC``, ``TPR@1%FPR``."""
    return metric if metric in ("advantage", "epsilon") else metric.upper()


def metrics_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """Metrics that were compared, in the order of the first attack."""
    return tuple(dict.fromkeys(change.metric for change in changes))


def asked_text(result: ComparisonResult) -> str:
    """Say what the exit code stands for."""
    if not result.fail_on_regression:
        return "A regression was not to fail (--fail-on-regression), so the exit code is 0."
    return f"--fail-on-regression: {result.verdict.status.upper()}"
